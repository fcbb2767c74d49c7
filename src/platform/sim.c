/*
 * The simulated poller: a clock that jumps, and descriptors that are ends of in-memory stream
 * pairs.
 *
 *     send(a) ──> split into chunks, each with a time of arrival ──> b's incoming list ──> recv(b)
 *
 * Bytes belong to the end that will read them, so that closing one end needs nothing of the other
 * but a mark for the end of the stream. Every choice (chunk sizes, delays, the order of events)
 * comes from one seeded generator, and nothing else is random: one seed, one run.
 *
 * Waiting moves the clock to the next arrival or to the timeout. Only when neither exists does it
 * block for real, on the wakeup descriptor, since only another thread can then help.
 */
#include "platform/sim.h"
#include "base/allocator.h"
#include "base/arithmetic.h"
#include "base/list.h"
#include "base/options.h"
#include "platform/sys.h"

#include <aiol/time.h>

#include <errno.h>
#include <string.h>

#define MAX_ENDS 65536
#define DEFAULT_CAPACITY_BYTES 65536

struct chunk {
    struct chunk *next;
    uint64_t arrives_ns;
    uint64_t number; /* counts the chunks of this direction */
    size_t size_bytes;
    size_t read_bytes;
    unsigned char bytes[];
};

/* One end of a pair, and the direction that flows towards it. */
struct end {
    bool is_open;
    int peer; /* -1 once the peer is closed */

    struct chunk *first;
    struct chunk *last;
    size_t held_bytes;
    uint64_t chunk_count;
    uint64_t last_arrival_ns;
    uint64_t eof_ns; /* when the end of the stream arrives; AIOL_NEVER before the peer's shutdown */

    size_t capacity_bytes;
    size_t max_chunk_bytes;
    uint64_t min_delay_ns;
    uint64_t max_delay_ns;

    bool is_registered;
    uint32_t generation;
    uint32_t events;
    uint64_t edge_chunk; /* edge-triggered: the chunks below this number have been reported, */
    bool edge_eof;       /* the end of the stream has, */
    bool edge_writable;  /* and so has the room to write */
};

struct sim_poller {
    struct aiol__poller base;
    uint64_t now_ns;
    uint64_t random_state;
    struct end *ends; /* by descriptor */
    int end_count;
};

static struct sim_poller *sim_of(const struct aiol__poller *poller)
{
    return container_of(poller, struct sim_poller, base);
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(struct sim_poller *sim)
{
    uint64_t z = sim->random_state += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

/* From `low` to `high`, both included. */
static uint64_t random_between(struct sim_poller *sim, uint64_t low, uint64_t high)
{
    return low +
           (high - low == UINT64_MAX ? next_random(sim) : next_random(sim) % (high - low + 1));
}

static struct end *find_end(const struct sim_poller *sim, int fd)
{
    if (fd < 0 || fd >= sim->end_count || !sim->ends[fd].is_open)
        return NULL;
    return &sim->ends[fd];
}

static struct end *find_peer(const struct sim_poller *sim, const struct end *end)
{
    return end->peer < 0 ? NULL : &sim->ends[end->peer];
}

/* The clock may come close to the end of time, but AIOL_NEVER means never. */
static uint64_t later_ns(const struct sim_poller *sim, uint64_t delay_ns)
{
    uint64_t time_ns = aiol__saturating_add(sim->now_ns, delay_ns);

    return time_ns == AIOL_NEVER ? AIOL_NEVER - 1 : time_ns;
}

static uint64_t random_arrival(struct sim_poller *sim, struct end *to)
{
    uint64_t delay_ns = random_between(sim, to->min_delay_ns, to->max_delay_ns);
    uint64_t arrival_ns = later_ns(sim, delay_ns);

    if (arrival_ns < to->last_arrival_ns)
        arrival_ns = to->last_arrival_ns;
    to->last_arrival_ns = arrival_ns;
    return arrival_ns;
}

static bool has_arrived(const struct sim_poller *sim, const struct chunk *chunk)
{
    return chunk && chunk->arrives_ns <= sim->now_ns;
}

static bool is_at_eof(const struct sim_poller *sim, const struct end *end)
{
    return !end->first && end->eof_ns <= sim->now_ns;
}

static bool has_room(const struct sim_poller *sim, const struct end *end)
{
    const struct end *peer = find_peer(sim, end);

    /* Writing to a closed peer does not wait, it fails. */
    return !peer || peer->eof_ns != AIOL_NEVER || peer->held_bytes < peer->capacity_bytes;
}

static uint32_t readiness(const struct sim_poller *sim, const struct end *end)
{
    uint32_t ready = 0;

    if (has_arrived(sim, end->first))
        ready |= AIOL_READABLE;
    if (is_at_eof(sim, end))
        ready |= AIOL_READABLE | AIOL_HANGUP;
    if (has_room(sim, end))
        ready |= AIOL_WRITABLE;
    return ready;
}

/* The number behind the last chunk that has arrived. */
static uint64_t arrived_until(const struct sim_poller *sim, const struct end *end)
{
    uint64_t number = end->first ? end->first->number : end->chunk_count;

    for (const struct chunk *chunk = end->first; has_arrived(sim, chunk); chunk = chunk->next)
        number = chunk->number + 1;
    return number;
}

/* Of what is ready, leave what is new since the last report, and take note of it. */
static uint32_t only_edges(const struct sim_poller *sim, struct end *end, uint32_t ready)
{
    uint64_t arrived = arrived_until(sim, end);
    bool is_new_data = arrived > end->edge_chunk || (is_at_eof(sim, end) && !end->edge_eof);
    bool is_writable = (ready & AIOL_WRITABLE) != 0;

    if (!is_new_data)
        ready &= ~(AIOL_READABLE | AIOL_HANGUP);
    if (end->edge_writable)
        ready &= ~AIOL_WRITABLE;
    end->edge_chunk = arrived;
    end->edge_eof = is_at_eof(sim, end);
    end->edge_writable = is_writable;
    return ready;
}

static void shuffle(struct sim_poller *sim, int count)
{
    struct aiol__event *events = sim->base.events;

    for (int i = count - 1; i > 0; i--) {
        int j = (int)random_between(sim, 0, (uint64_t)i);
        struct aiol__event other = events[j];

        events[j] = events[i];
        events[i] = other;
    }
}

static int collect_events(struct sim_poller *sim)
{
    /* Begin anywhere, so that a full batch starves nobody. */
    int start = sim->end_count ? (int)random_between(sim, 0, (uint64_t)sim->end_count - 1) : 0;
    int count = 0;

    for (int i = 0; i < sim->end_count && count < sim->base.max_events; i++) {
        int fd = (start + i) % sim->end_count;
        struct end *end = &sim->ends[fd];
        uint32_t ready;

        if (!end->is_open || !end->is_registered)
            continue;
        ready = readiness(sim, end);
        if (end->events & AIOL_EDGE)
            ready = only_edges(sim, end, ready);
        if (!(ready & end->events))
            continue;
        sim->base.events[count++] = (struct aiol__event){
            .fd = fd, .generation = end->generation, .ready = ready & (end->events | AIOL_HANGUP)};
    }
    shuffle(sim, count);
    return count;
}

/* When the next thing arrives that a registered descriptor wants to read. */
static uint64_t next_arrival_ns(const struct sim_poller *sim)
{
    uint64_t earliest_ns = AIOL_NEVER;

    for (int fd = 0; fd < sim->end_count; fd++) {
        const struct end *end = &sim->ends[fd];

        if (!end->is_open || !end->is_registered || !(end->events & AIOL_READABLE))
            continue;
        for (const struct chunk *chunk = end->first; chunk; chunk = chunk->next) {
            if (chunk->arrives_ns > sim->now_ns && chunk->arrives_ns < earliest_ns)
                earliest_ns = chunk->arrives_ns;
        }
        if (end->eof_ns > sim->now_ns && end->eof_ns < earliest_ns)
            earliest_ns = end->eof_ns;
    }
    return earliest_ns;
}

static bool may_wake(const struct aiol__poller *poller)
{
    const struct sim_poller *sim = sim_of(poller);

    for (int fd = 0; fd < sim->end_count; fd++) {
        const struct end *end = &sim->ends[fd];

        if (end->is_open && end->is_registered && (readiness(sim, end) & end->events))
            return true;
    }
    return next_arrival_ns(sim) != AIOL_NEVER;
}

static int block_on_wakeup(struct sim_poller *sim)
{
    struct pollfd wakeup = {.fd = sim->base.wakeup_fd, .events = POLLIN};

    if (aiol__sys.poll(&wakeup, 1, -1) < 0)
        return errno == EINTR ? 0 : -errno;
    sim->base.events[0] =
        (struct aiol__event){.fd = wakeup.fd, .generation = 0, .ready = AIOL_READABLE};
    return 1;
}

static int wait_for_events(struct aiol__poller *poller, uint64_t timeout_ns)
{
    struct sim_poller *sim = sim_of(poller);
    int count = collect_events(sim);
    uint64_t until_ns, arrival_ns;

    if (count > 0 || timeout_ns == 0)
        return count;
    until_ns = timeout_ns == AIOL_NEVER ? AIOL_NEVER : later_ns(sim, timeout_ns);
    arrival_ns = next_arrival_ns(sim);
    if (arrival_ns < until_ns)
        until_ns = arrival_ns;
    if (until_ns == AIOL_NEVER)
        return block_on_wakeup(sim);
    sim->now_ns = until_ns;
    return collect_events(sim);
}

static int add(struct aiol__poller *poller, int fd, uint32_t generation, uint32_t events)
{
    struct end *end = find_end(sim_of(poller), fd);

    if (!end)
        return -ENOTSUP;
    if (end->is_registered)
        return -EEXIST;
    end->is_registered = true;
    end->generation = generation;
    end->events = events;
    end->edge_chunk = 0;
    end->edge_eof = false;
    end->edge_writable = false;
    return 0;
}

static int modify(struct aiol__poller *poller, int fd, uint32_t generation, uint32_t old_events,
                  uint32_t events, bool verify)
{
    struct end *end = find_end(sim_of(poller), fd);

    (void)old_events, (void)verify;
    if (!end)
        return -EBADF;
    if (!end->is_registered)
        return -ENOENT;
    end->is_registered = false;
    return add(poller, fd, generation, events);
}

static void remove_registration(struct aiol__poller *poller, int fd, uint32_t old_events)
{
    struct end *end = find_end(sim_of(poller), fd);

    (void)old_events;
    if (end)
        end->is_registered = false;
}

static int reopen(struct aiol__poller *poller)
{
    struct sim_poller *sim = sim_of(poller);

    for (int fd = 0; fd < sim->end_count; fd++)
        sim->ends[fd].is_registered = false;
    return 0;
}

static void drop_chunks(struct sim_poller *sim, struct end *end)
{
    while (end->first) {
        struct chunk *next = end->first->next;

        aiol__release(sim->base.allocator, end->first);
        end->first = next;
    }
    end->held_bytes = 0;
}

static void close_poller(struct aiol__poller *poller)
{
    struct sim_poller *sim = sim_of(poller);

    for (int fd = 0; fd < sim->end_count; fd++)
        drop_chunks(sim, &sim->ends[fd]);
    aiol__release(poller->allocator, sim->ends);
    aiol__release(poller->allocator, poller->events);
    aiol__release(poller->allocator, sim);
}

static uint64_t now_ns(struct aiol__poller *poller)
{
    return sim_of(poller)->now_ns;
}

static int backend_fd(const struct aiol__poller *poller)
{
    (void)poller;
    return -ENOTSUP;
}

static int64_t fd_recv(struct aiol__poller *poller, int fd, void *buffer, size_t size_bytes)
{
    struct sim_poller *sim = sim_of(poller);
    struct end *end = find_end(sim, fd);
    struct chunk *chunk;

    if (!end)
        return -EBADF;
    if (size_bytes == 0 || is_at_eof(sim, end))
        return 0;
    chunk = end->first;
    if (!has_arrived(sim, chunk))
        return -EAGAIN;

    /* At most one chunk a call: what arrives in pieces is read in pieces. */
    size_bytes = aiol__min_size(size_bytes, chunk->size_bytes - chunk->read_bytes);
    memcpy(buffer, chunk->bytes + chunk->read_bytes, size_bytes);
    chunk->read_bytes += size_bytes;
    end->held_bytes -= size_bytes;
    if (chunk->read_bytes == chunk->size_bytes) {
        end->first = chunk->next;
        aiol__release(sim->base.allocator, chunk);
    }
    return (int64_t)size_bytes;
}

/* Append one chunk of at most `size_bytes` bytes; its size, or -ENOMEM. */
static int64_t send_chunk(struct sim_poller *sim, struct end *to, const unsigned char *bytes,
                          size_t size_bytes)
{
    struct chunk *chunk;

    if (to->max_chunk_bytes)
        size_bytes =
            (size_t)random_between(sim, 1, aiol__min_size(size_bytes, to->max_chunk_bytes));
    chunk = aiol__allocate(sim->base.allocator, sizeof *chunk + size_bytes);
    if (!chunk)
        return -ENOMEM;
    *chunk = (struct chunk){.arrives_ns = random_arrival(sim, to),
                            .number = to->chunk_count++,
                            .size_bytes = size_bytes};
    memcpy(chunk->bytes, bytes, size_bytes);
    if (to->first)
        to->last->next = chunk;
    else
        to->first = chunk;
    to->last = chunk;
    to->held_bytes += size_bytes;
    return (int64_t)size_bytes;
}

static int64_t fd_send(struct aiol__poller *poller, int fd, const void *buffer, size_t size_bytes)
{
    struct sim_poller *sim = sim_of(poller);
    struct end *from = find_end(sim, fd);
    struct end *to;
    size_t sent_bytes = 0;

    if (!from)
        return -EBADF;
    to = find_peer(sim, from);
    if (!to || to->eof_ns != AIOL_NEVER)
        return -EPIPE;
    if (!has_room(sim, from)) {
        from->edge_writable = false; /* the next room is news */
        return -EAGAIN;
    }
    size_bytes = aiol__min_size(size_bytes, to->capacity_bytes - to->held_bytes);
    while (sent_bytes < size_bytes) {
        int64_t rc = send_chunk(sim, to, (const unsigned char *)buffer + sent_bytes,
                                size_bytes - sent_bytes);

        if (rc < 0)
            return sent_bytes ? (int64_t)sent_bytes : -ENOBUFS;
        sent_bytes += (size_t)rc;
    }
    if (!has_room(sim, from))
        from->edge_writable = false;
    return (int64_t)sent_bytes;
}

static int fd_shutdown(struct aiol__poller *poller, int fd)
{
    struct sim_poller *sim = sim_of(poller);
    struct end *end = find_end(sim, fd);
    struct end *peer;

    if (!end)
        return -EBADF;
    peer = find_peer(sim, end);
    if (!peer)
        return -ENOTCONN;
    if (peer->eof_ns == AIOL_NEVER)
        peer->eof_ns = random_arrival(sim, peer);
    return 0;
}

static int fd_close(struct aiol__poller *poller, int fd)
{
    struct sim_poller *sim = sim_of(poller);
    struct end *end = find_end(sim, fd);
    struct end *peer;

    if (!end)
        return -EBADF;
    fd_shutdown(poller, fd);
    peer = find_peer(sim, end);
    if (peer)
        peer->peer = -1;
    drop_chunks(sim, end);
    end->is_open = false;
    end->is_registered = false;
    return 0;
}

static const struct aiol__poller_ops sim_ops = {
    .add = add,
    .modify = modify,
    .remove = remove_registration,
    .wait = wait_for_events,
    .may_wake = may_wake,
    .reopen = reopen,
    .close = close_poller,
    .now_ns = now_ns,
    .backend_fd = backend_fd,
    .fd_recv = fd_recv,
    .fd_send = fd_send,
    .fd_shutdown = fd_shutdown,
    .fd_close = fd_close,
};

int aiol__poller_open_sim(const struct aiol_allocator *allocator, int max_events, int wakeup_fd,
                          uint64_t seed, struct aiol__poller **ret_poller)
{
    struct sim_poller *sim = aiol__allocate_zeroed(allocator, sizeof *sim);

    if (!sim)
        return -ENOMEM;
    sim->base.ops = &sim_ops;
    sim->base.allocator = allocator;
    sim->base.max_events = max_events;
    sim->base.wakeup_fd = wakeup_fd;
    sim->random_state = seed;
    sim->base.events = aiol__allocate(allocator, (size_t)max_events * sizeof sim->base.events[0]);
    if (!sim->base.events) {
        aiol__release(allocator, sim);
        return -ENOMEM;
    }
    *ret_poller = &sim->base;
    return 0;
}

/* The smallest free descriptor from `start` up, making room for it; or -errno. */
static int reserve_fd(struct sim_poller *sim, int start)
{
    struct end *ends;
    int fd = start, count;

    while (fd < sim->end_count && sim->ends[fd].is_open)
        fd++;
    if (fd < sim->end_count)
        return fd;
    if (fd >= MAX_ENDS)
        return -EMFILE;
    count = sim->end_count ? sim->end_count * 2 : 8;
    ends = aiol__reallocate(sim->base.allocator, sim->ends, (size_t)count * sizeof *ends);
    if (!ends)
        return -ENOMEM;
    memset(ends + sim->end_count, 0, (size_t)(count - sim->end_count) * sizeof *ends);
    sim->ends = ends;
    sim->end_count = count;
    return fd;
}

int aiol__sim_stream_pair(struct aiol__poller *poller,
                          const struct aiol_sim_stream_options *options, int ret_fds[2])
{
    struct aiol_sim_stream_options chosen = {0};
    struct sim_poller *sim = sim_of(poller);
    int fds[2];

    if (aiol__read_options(&chosen, sizeof chosen, options) < 0 ||
        chosen.min_delay_ns > chosen.max_delay_ns || chosen.max_delay_ns == AIOL_NEVER)
        return -EINVAL;
    if ((fds[0] = reserve_fd(sim, 0)) < 0)
        return fds[0];
    if ((fds[1] = reserve_fd(sim, fds[0] + 1)) < 0)
        return fds[1];

    for (int i = 0; i < 2; i++) {
        sim->ends[fds[i]] = (struct end){
            .is_open = true,
            .peer = fds[1 - i],
            .eof_ns = AIOL_NEVER,
            .capacity_bytes = chosen.capacity_bytes ? chosen.capacity_bytes
                                                    : DEFAULT_CAPACITY_BYTES,
            .max_chunk_bytes = chosen.max_chunk_bytes,
            .min_delay_ns = chosen.min_delay_ns,
            .max_delay_ns = chosen.max_delay_ns,
        };
        ret_fds[i] = fds[i];
    }
    return 0;
}

uint64_t aiol__sim_random(struct aiol__poller *poller)
{
    return next_random(sim_of(poller));
}
