/*
 * Simulated streams; sim_stream.h draws one. The seeded generator is here too, since most of what
 * it decides is how bytes travel.
 */
#include "platform/sim_stream.h"
#include "base/allocator.h"
#include "base/arithmetic.h"
#include "base/options.h"
#include "platform/sim.h"

#include <aiol/time.h>

#include <errno.h>
#include <string.h>

#define MAX_ENDS 65536
#define DEFAULT_CAPACITY_BYTES 65536

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t aiol__sim_next_random(struct aiol__sim *sim)
{
    uint64_t z = sim->random_state += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

uint64_t aiol__sim_random_between(struct aiol__sim *sim, uint64_t low, uint64_t high)
{
    return low + (high - low == UINT64_MAX ? aiol__sim_next_random(sim)
                                           : aiol__sim_next_random(sim) % (high - low + 1));
}

struct aiol__sim_end *aiol__sim_find_end(const struct aiol__sim *sim, int fd)
{
    if (fd < 0 || fd >= sim->end_count || !sim->ends[fd].is_open)
        return NULL;
    return &sim->ends[fd];
}

static struct aiol__sim_end *find_peer(const struct aiol__sim *sim, const struct aiol__sim_end *end)
{
    return end->peer < 0 ? NULL : &sim->ends[end->peer];
}

uint64_t aiol__sim_later_ns(const struct aiol__sim *sim, uint64_t delay_ns)
{
    uint64_t time_ns = aiol__saturating_add(sim->now_ns, delay_ns);

    return time_ns == AIOL_NEVER ? AIOL_NEVER - 1 : time_ns;
}

static uint64_t random_arrival(struct aiol__sim *sim, struct aiol__sim_end *to)
{
    uint64_t delay_ns = aiol__sim_random_between(sim, to->min_delay_ns, to->max_delay_ns);
    uint64_t arrival_ns = aiol__sim_later_ns(sim, delay_ns);

    if (arrival_ns < to->last_arrival_ns)
        arrival_ns = to->last_arrival_ns;
    to->last_arrival_ns = arrival_ns;
    return arrival_ns;
}

static bool has_arrived(const struct aiol__sim *sim, const struct aiol__sim_chunk *chunk)
{
    return chunk && chunk->arrives_ns <= sim->now_ns;
}

static bool is_at_eof(const struct aiol__sim *sim, const struct aiol__sim_end *end)
{
    return !end->first && end->eof_ns <= sim->now_ns;
}

static bool has_room(const struct aiol__sim *sim, const struct aiol__sim_end *end)
{
    const struct aiol__sim_end *peer = find_peer(sim, end);

    /* Writing to a closed peer does not wait, it fails. */
    return !peer || peer->eof_ns != AIOL_NEVER || peer->held_bytes < peer->capacity_bytes;
}

static uint32_t readiness(const struct aiol__sim *sim, const struct aiol__sim_end *end)
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
static uint64_t arrived_until(const struct aiol__sim *sim, const struct aiol__sim_end *end)
{
    uint64_t number = end->first ? end->first->number : end->chunk_count;

    for (const struct aiol__sim_chunk *chunk = end->first; has_arrived(sim, chunk);
         chunk = chunk->next)
        number = chunk->number + 1;
    return number;
}

static bool is_news_to_read(const struct aiol__sim *sim, const struct aiol__sim_end *end)
{
    return arrived_until(sim, end) > end->edge_chunk || (is_at_eof(sim, end) && !end->edge_eof);
}

uint32_t aiol__sim_events(const struct aiol__sim *sim, const struct aiol__sim_end *end)
{
    uint32_t ready = readiness(sim, end);

    if (end->events & AIOL_EDGE) {
        if (!is_news_to_read(sim, end))
            ready &= ~(AIOL_READABLE | AIOL_HANGUP);
        if (end->edge_writable)
            ready &= ~AIOL_WRITABLE;
    }
    if (!(ready & end->events))
        return 0;
    return ready & (end->events | AIOL_HANGUP);
}

void aiol__sim_note_report(const struct aiol__sim *sim, struct aiol__sim_end *end)
{
    end->edge_chunk = arrived_until(sim, end);
    end->edge_eof = is_at_eof(sim, end);
    end->edge_writable = has_room(sim, end);
}

void aiol__sim_drop_chunks(struct aiol__sim *sim, struct aiol__sim_end *end)
{
    while (end->first) {
        struct aiol__sim_chunk *next = end->first->next;

        aiol__release(sim->base.allocator, end->first);
        end->first = next;
    }
    end->held_bytes = 0;
}

int64_t aiol__sim_recv(struct aiol__poller *poller, int fd, void *buffer, size_t size_bytes)
{
    struct aiol__sim *sim = aiol__sim_of(poller);
    struct aiol__sim_end *end = aiol__sim_find_end(sim, fd);
    struct aiol__sim_chunk *chunk;

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
static int64_t send_chunk(struct aiol__sim *sim, struct aiol__sim_end *to,
                          const unsigned char *bytes, size_t size_bytes)
{
    struct aiol__sim_chunk *chunk;

    if (to->max_chunk_bytes)
        size_bytes = (size_t)aiol__sim_random_between(
            sim, 1, aiol__min_size(size_bytes, to->max_chunk_bytes));
    chunk = aiol__allocate(sim->base.allocator, sizeof *chunk + size_bytes);
    if (!chunk)
        return -ENOMEM;
    *chunk = (struct aiol__sim_chunk){.arrives_ns = random_arrival(sim, to),
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

int64_t aiol__sim_send(struct aiol__poller *poller, int fd, const void *buffer, size_t size_bytes)
{
    struct aiol__sim *sim = aiol__sim_of(poller);
    struct aiol__sim_end *from = aiol__sim_find_end(sim, fd);
    struct aiol__sim_end *to;
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

int aiol__sim_shutdown(struct aiol__poller *poller, int fd)
{
    struct aiol__sim *sim = aiol__sim_of(poller);
    struct aiol__sim_end *end = aiol__sim_find_end(sim, fd);
    struct aiol__sim_end *peer;

    if (!end)
        return -EBADF;
    peer = find_peer(sim, end);
    if (!peer)
        return -ENOTCONN;
    if (peer->eof_ns == AIOL_NEVER)
        peer->eof_ns = random_arrival(sim, peer);
    return 0;
}

int aiol__sim_close(struct aiol__poller *poller, int fd)
{
    struct aiol__sim *sim = aiol__sim_of(poller);
    struct aiol__sim_end *end = aiol__sim_find_end(sim, fd);
    struct aiol__sim_end *peer;

    if (!end)
        return -EBADF;
    aiol__sim_shutdown(poller, fd);
    peer = find_peer(sim, end);
    if (peer)
        peer->peer = -1;
    aiol__sim_drop_chunks(sim, end);
    end->is_open = false;
    end->is_registered = false;
    return 0;
}

/* The smallest free descriptor from `start` up, making room for it; or -errno. */
static int reserve_fd(struct aiol__sim *sim, int start)
{
    struct aiol__sim_end *ends;
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
    struct aiol__sim *sim = aiol__sim_of(poller);
    int fds[2];

    if (aiol__read_options(&chosen, sizeof chosen, options) < 0 ||
        chosen.min_delay_ns > chosen.max_delay_ns || chosen.max_delay_ns == AIOL_NEVER)
        return -EINVAL;
    if ((fds[0] = reserve_fd(sim, 0)) < 0)
        return fds[0];
    if ((fds[1] = reserve_fd(sim, fds[0] + 1)) < 0)
        return fds[1];

    for (int i = 0; i < 2; i++) {
        sim->ends[fds[i]] = (struct aiol__sim_end){
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

uint64_t aiol__sim_next_arrival_ns(const struct aiol__sim *sim)
{
    uint64_t earliest_ns = AIOL_NEVER;

    for (int fd = 0; fd < sim->end_count; fd++) {
        const struct aiol__sim_end *end = &sim->ends[fd];

        if (!end->is_open || !end->is_registered || !(end->events & AIOL_READABLE))
            continue;
        for (const struct aiol__sim_chunk *chunk = end->first; chunk; chunk = chunk->next) {
            if (chunk->arrives_ns <= sim->now_ns)
                continue;
            if (chunk->arrives_ns < earliest_ns)
                earliest_ns = chunk->arrives_ns;
            break; /* they arrive in order */
        }
        if (end->eof_ns > sim->now_ns && end->eof_ns < earliest_ns)
            earliest_ns = end->eof_ns;
    }
    return earliest_ns;
}
