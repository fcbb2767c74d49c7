/*
 * Simulated streams. Which bytes arrive when is up to the library's seed, so that the model knows
 * bounds: what was sent arrives in order and whole, not before the shortest delay and not after the
 * longest.
 */
#include "streams.h"

#define KEPT_BYTES (2 * MAX_SENDS * MAX_SEND_BYTES)

struct end ends[END_COUNT];
static unsigned char sent_bytes_to[END_COUNT][KEPT_BYTES]; /* by their offset, turning round */
static uint64_t last_tick;

uint64_t tick(void)
{
    return ++last_tick;
}

int end_number(const struct end *end)
{
    return (int)(end - ends);
}

struct end *other_end(const struct end *end)
{
    return &ends[end_number(end) ^ 1];
}

uint64_t stream_turn(void)
{
    return world.turn + (world.phase == OUTSIDE);
}

static unsigned char *byte_at(const struct end *end, uint64_t offset)
{
    return &sent_bytes_to[end_number(end)][offset % KEPT_BYTES];
}

static int smallest_free_fd(int from)
{
    for (int i = 0; i < END_COUNT; i++) {
        if (ends[i].is_open && ends[i].fd == from)
            return smallest_free_fd(from + 1);
    }
    return from;
}

/* Both ends are closed. */
static void open_pair(struct end *end)
{
    static const size_t capacities[] = {0, 1, 10, 100, 1000}, chunks[] = {0, 1, 7, 100};
    struct aiol_sim_stream_options options = {.size = sizeof options};
    int first = end_number(end) & ~1, fds[2];
    bool is_edge = chance(3);

    options.capacity_bytes = capacities[below(COUNT_OF(capacities))];
    options.max_chunk_bytes = chunks[below(COUNT_OF(chunks))];
    options.min_delay_ns = chance(2) ? 0 : below(1000000);
    options.max_delay_ns = options.min_delay_ns + (chance(3) ? 0 : below(10000000));
    expect("new pair", first, aiol_sim_stream_pair(world.loop, &options, fds), 0);
    expect("smaller descriptor", first, fds[0], smallest_free_fd(0));
    expect("larger descriptor", first, fds[1], smallest_free_fd(fds[0] + 1));
    trace("pair", first, "is made", (int64_t)options.capacity_bytes);
    for (int i = 0; i < 2; i++) {
        ends[first + i] = (struct end){
            .fd = fds[i],
            .is_open = true,
            .is_edge = is_edge,
            .capacity_bytes = options.capacity_bytes ? options.capacity_bytes : 65536,
            .min_delay_ns = options.min_delay_ns,
            .max_delay_ns = options.max_delay_ns,
        };
        bind_watchers(&ends[first + i]);
    }
}

/* Has so much time passed since then? What would come after the end of time comes at its end. */
static bool has_passed(uint64_t since_ns, uint64_t delay_ns)
{
    uint64_t until_ns = later(since_ns, delay_ns);

    return now_ns() >= (until_ns == AIOL_NEVER ? AIOL_NEVER - 1 : until_ns);
}

bool has_surely_ended(const struct end *end)
{
    return end->is_shut && end->received == end->sent && !end->is_sent_all_to &&
           has_passed(end->shut_ns, end->max_delay_ns);
}

bool is_surely_readable(const struct end *end, uint64_t since)
{
    for (int i = 0; i < end->send_count; i++) {
        const struct send *send = &end->sends[i];

        if (send->tick > since && send->latest_ns != AIOL_NEVER &&
            has_passed(send->latest_ns, end->max_delay_ns))
            return true;
    }
    return has_surely_ended(end) && (end->shut_tick > since || end->received_tick > since);
}

/* What a send of so many bytes comes to. */
static int64_t sendable(const struct end *end, size_t size_bytes)
{
    const struct end *to = other_end(end);
    uint64_t room = to->capacity_bytes - (to->sent - to->received);

    if (!to->is_open || to->is_shut)
        return -EPIPE;
    if (room == 0)
        return -EAGAIN;
    return (int64_t)(size_bytes < room ? size_bytes : room);
}

bool is_surely_writable(const struct end *end)
{
    const struct end *to = other_end(end);

    return !to->is_sent_all_to && sendable(end, 1) != -EAGAIN;
}

/* Forget the sends of which all was received. */
static void drop_received(struct end *end)
{
    while (end->send_count > 0 && end->sends[0].until <= end->received &&
           end->sends[0].latest_ns != AIOL_NEVER) {
        end->send_count--;
        for (int i = 0; i < end->send_count; i++)
            end->sends[i] = end->sends[i + 1];
    }
}

static void check_bytes(struct end *end, const unsigned char *bytes, uint64_t size)
{
    const struct send *send = end->sends;

    if (end->received + size > end->sent_at_most) {
        fault("end %d receives more than was sent", end_number(end));
        return;
    }
    for (uint64_t i = 0; i < size; i++) {
        if (bytes[i] != *byte_at(end, end->received + i))
            fault("end %d receives a wrong byte at %llu", end_number(end),
                  (unsigned long long)(end->received + i));
    }
    end->received += size;
    end->received_tick = tick();
    while (send < end->sends + end->send_count - 1 && send->until < end->received)
        send++;
    if (!has_passed(send->earliest_ns, end->min_delay_ns))
        fault("end %d receives something early", end_number(end));
    drop_received(end);
}

void check_received(struct end *end, const unsigned char *bytes, size_t size_bytes, int64_t rc)
{
    end->read_turn = stream_turn();
    if (rc > (int64_t)size_bytes)
        fault("end %d receives more than it asked for", end_number(end));
    else if (rc > 0)
        check_bytes(end, bytes, (uint64_t)rc);
    else if (rc == 0 && (!end->is_shut || end->received < end->sent ||
                         !has_passed(end->shut_ns, end->min_delay_ns)))
        fault("end %d finds the end of the stream too early", end_number(end));
    else if (rc == -EAGAIN && is_surely_readable(end, 0))
        fault("end %d does not receive what is there", end_number(end));
    else if (rc < 0 && rc != -EAGAIN)
        fault("end %d cannot receive: %lld", end_number(end), (long long)rc);
}

bool read_from(struct end *end)
{
    unsigned char bytes[150];
    size_t size_bytes = 1 + below(sizeof bytes);
    int64_t rc = aiol_fd_recv(world.loop, end->fd, bytes, size_bytes);

    trace("end", end_number(end), "receives", rc);
    check_received(end, bytes, size_bytes, rc);
    return rc != -EAGAIN;
}

void fill_bytes(unsigned char bytes[MAX_SEND_BYTES])
{
    unsigned first = below(256), step = 1 + 2 * below(128);

    for (unsigned i = 0; i < MAX_SEND_BYTES; i++)
        bytes[i] = (unsigned char)(first + i * step);
}

bool can_send(const struct end *end)
{
    const struct end *to = other_end(end);

    return to->send_count + to->task_send_count < MAX_SENDS && !to->is_sent_all_to;
}

void note_send(struct end *end, const unsigned char *bytes, uint64_t size, uint64_t latest_ns)
{
    struct end *to = other_end(end);

    for (uint64_t i = 0; i < size; i++)
        *byte_at(to, to->sent + i) = bytes[i];
    to->sends[to->send_count++] = (struct send){
        .until = to->sent + size,
        .earliest_ns = now_ns(),
        .latest_ns = latest_ns,
        .tick = tick(),
    };
    to->sent_at_most += size;
}

void check_sent(struct end *end, const unsigned char *bytes, size_t size_bytes, int64_t rc)
{
    struct end *to = other_end(end);

    to->written_turn = stream_turn();
    expect("sent", end_number(end), rc, sendable(end, size_bytes));
    if (rc > 0) {
        note_send(end, bytes, (uint64_t)rc, now_ns());
        to->sent += (uint64_t)rc;
    }
    if (sendable(end, 1) == -EAGAIN)
        to->filled_tick = tick();
}

void note_sent_all(struct end *to, size_t size_bytes)
{
    struct send *send = &to->sends[to->send_count - 1];

    to->sent += size_bytes;
    to->sent_at_most = to->sent;
    send->until = to->sent;
    send->latest_ns = now_ns();
    if (size_bytes == 0)
        to->send_count--;
    drop_received(to);
    if (to->received > to->sent)
        fault("end %d has received what was not sent", end_number(to));
}

void write_to(struct end *end)
{
    unsigned char bytes[MAX_SEND_BYTES];
    size_t size_bytes = 1 + below(sizeof bytes);
    int64_t rc;

    if (!can_send(end))
        return;
    fill_bytes(bytes);
    rc = aiol_fd_send(world.loop, end->fd, bytes, size_bytes);
    trace("end", end_number(end), "sends", rc);
    check_sent(end, bytes, size_bytes, rc);
}

void read_all(struct end *end)
{
    while (read_from(end) && end->received < end->sent)
        ;
}

void write_all(struct end *end)
{
    while (can_send(end) && sendable(end, 1) > 0)
        write_to(end);
}

static void note_shut(struct end *end)
{
    if (!end->is_open || end->is_shut)
        return;
    end->is_shut = true;
    end->shut_ns = now_ns();
    end->shut_turn = stream_turn();
    end->shut_tick = tick();
}

static void shut_down(struct end *end)
{
    struct end *to = other_end(end);

    trace("end", end_number(end), "is shut down", 0);
    expect("shutdown", end_number(end), aiol_fd_shutdown(world.loop, end->fd),
           to->is_open ? 0 : -ENOTCONN);
    note_shut(to);
}

static void close_end(struct end *end)
{
    bool is_busy;

    if (end->task_count > 0)
        return;
    if (chance(2))
        close_watchers(end);
    is_busy = is_watched(end, AIOL_READABLE | AIOL_WRITABLE);
    trace("end", end_number(end), "is closed", is_busy);
    expect("close", end_number(end), aiol_fd_close(world.loop, end->fd), is_busy ? -EBUSY : 0);
    if (is_busy)
        return;
    end->is_open = false;
    note_shut(other_end(end));
}

static void act_on_ends(void)
{
    struct end *end = &ends[below(END_COUNT)];
    unsigned char byte;

    if (!end->is_open) {
        expect("closed descriptor", 0, aiol_fd_recv(world.loop, END_COUNT, &byte, 1), -EBADF);
        if (!other_end(end)->is_open)
            open_pair(end);
        return;
    }
    switch (below(16)) {
    case 0:
        shut_down(end);
        break;
    case 1:
    case 2:
        close_end(end);
        break;
    default:
        if (chance(4))
            read_all(end);
        else if (chance(2))
            read_from(end);
        else
            write_to(end);
    }
}

static void act_on_streams(void)
{
    if (chance(2))
        act_on_watchers();
    else
        act_on_ends();
}

unsigned count_owed(const struct end *end, bool is_owed, unsigned turns)
{
    bool is_touched = end->read_turn == world.turn || other_end(end)->written_turn == world.turn;

    return !is_owed ? 0 : is_touched ? 1 : turns + 1;
}

/* What became ready when the descriptors had been served is served in the next turn. When more are
 * ready than a turn serves, which ones it serves is left to chance: one in eight is the least. */
unsigned owed_limit(void)
{
    return world.max_events < END_COUNT ? 250 : 1;
}

static void begin(void)
{
    last_tick = 0;
    for (int i = 0; i < END_COUNT; i++)
        ends[i] = (struct end){0};
    begin_watchers();
    for (int i = 0; i < END_COUNT; i += 2)
        open_pair(&ends[i]);
}

/* What is left open goes with the loop. */
static void end_streams(void)
{
    for (int i = 0; i < END_COUNT; i++) {
        if (ends[i].is_open && chance(2))
            close_end(&ends[i]);
    }
    end_watchers();
}

const struct subject stream_subject = {.begin = begin,
                                       .act = act_on_streams,
                                       .step = step_stream,
                                       .check = check_streams,
                                       .stop = stop_watchers,
                                       .end = end_streams};
