/* Watchers of simulated streams, level- and edge-triggered. */
#include "streams.h"

#include <string.h>

#define WATCHER_COUNT 10

struct watcher {
    struct aiol_io own;
    struct aiol_io *io; /* that one, or one of the loop's */
    struct end *end;
    uint32_t wanted; /* 0: it is stopped */
    bool is_unref;
    uint64_t start_number; /* watchers of one descriptor are called in this order */
    uint64_t turn;         /* the first in which it may be called */
    uint64_t called_turn;
    uint64_t read_tick;  /* of the last call that said readable, since it wants that */
    uint64_t write_tick; /* likewise */
    unsigned owed_turns;
};

static struct watcher watchers[WATCHER_COUNT];
static uint64_t last_start_number;
/* Of each end, what was called in this turn. */
static uint64_t called_turn[END_COUNT];
static uint64_t called_number[END_COUNT];

static void on_ready(struct aiol_io *io, uint32_t ready, void *data);

static int number_of(const struct watcher *watcher)
{
    return (int)(watcher - watchers);
}

static void free_io(struct watcher *watcher)
{
    if (watcher->io && watcher->io != &watcher->own)
        aiol_io_free(watcher->io);
    else if (watcher->io)
        aiol_io_close(watcher->io);
    watcher->io = NULL;
    watcher->wanted = 0;
}

static void renew(struct watcher *watcher)
{
    int fd = watcher->end->fd;

    free_io(watcher);
    watcher->is_unref = false;
    memset(&watcher->own, 0xdb, sizeof watcher->own);
    watcher->io = &watcher->own;
    if (chance(2))
        aiol_io_init(&watcher->own, world.loop, fd, on_ready, watcher);
    else
        expect("new watcher", number_of(watcher),
               aiol_io_new(world.loop, fd, on_ready, watcher, &watcher->io), 0);
}

void begin_watchers(void)
{
    last_start_number = 0;
    for (int i = 0; i < END_COUNT; i++)
        called_turn[i] = 0;
    for (int i = 0; i < WATCHER_COUNT; i++)
        watchers[i] = (struct watcher){.end = &ends[below(END_COUNT)]};
}

void bind_watchers(struct end *end)
{
    for (int i = 0; i < WATCHER_COUNT; i++) {
        if (watchers[i].end == end)
            renew(&watchers[i]);
    }
}

void close_watchers(const struct end *end)
{
    for (int i = 0; i < WATCHER_COUNT; i++) {
        if (watchers[i].end != end)
            continue;
        watchers[i].wanted = 0;
        aiol_io_close(watchers[i].io);
    }
}

bool is_watched(const struct end *end, uint32_t wanted)
{
    for (int i = 0; i < WATCHER_COUNT; i++) {
        if (watchers[i].end == end && (watchers[i].wanted & wanted))
            return true;
    }
    return false;
}

uint64_t watcher_ref_count(void)
{
    uint64_t count = 0;

    for (int i = 0; i < WATCHER_COUNT; i++)
        count += watchers[i].wanted && !watchers[i].is_unref;
    return count;
}

/* It is to be called for what is there now. */
static bool is_owed(const struct watcher *watcher)
{
    const struct end *end = watcher->end;

    if (watcher->wanted & AIOL_READABLE) {
        if (is_surely_readable(end, end->is_edge ? watcher->read_tick : 0))
            return true;
    }
    if (watcher->wanted & AIOL_WRITABLE) {
        bool is_news = watcher->write_tick == 0 ||
                       other_end(end)->filled_tick > watcher->write_tick;

        if (is_surely_writable(end) && (!end->is_edge || is_news))
            return true;
    }
    return false;
}

bool is_any_watcher_owed(void)
{
    for (int i = 0; i < WATCHER_COUNT; i++) {
        if (is_owed(&watchers[i]))
            return true;
    }
    return false;
}

/* What was there when the loop looked, if nobody has taken it since. */
static void check_readiness(struct watcher *watcher, uint32_t ready)
{
    struct end *end = watcher->end;
    const struct end *to = other_end(end);
    int number = number_of(watcher);

    if ((ready & AIOL_HANGUP) && end->read_turn != world.turn &&
        (!end->is_shut || end->received < end->sent))
        fault("watcher %d is told of a hang-up that is none", number);
    if (!(ready & AIOL_HANGUP) && (ready & AIOL_READABLE) && end->read_turn != world.turn &&
        end->shut_turn < world.turn && has_surely_ended(end))
        fault("watcher %d is not told of a hang-up", number);
    if ((ready & AIOL_WRITABLE) && to->written_turn != world.turn && !to->is_sent_all_to &&
        !is_surely_writable(end))
        fault("watcher %d is told of room that is none", number);
    if ((ready & AIOL_READABLE) && end->read_turn != world.turn && chance(2) && !read_from(end))
        fault("watcher %d is told of something to read, and there is nothing", number);
}

static void check_call(struct watcher *watcher, const struct aiol_io *io, uint32_t ready)
{
    int number = number_of(watcher), end = end_number(watcher->end);
    unsigned called_count = 0;

    if (io != watcher->io || !watcher->wanted)
        fault("watcher %d is called without having been started", number);
    if (watcher->turn > world.turn)
        fault("watcher %d is called in the turn in which it was started", number);
    if (watcher->called_turn == world.turn)
        fault("watcher %d is called twice in a turn", number);
    if (!(ready & watcher->wanted) || (ready & ~(watcher->wanted | AIOL_HANGUP)))
        fault("watcher %d is told of %u", number, ready);
    if (called_turn[end] == world.turn && called_number[end] > watcher->start_number)
        fault("watcher %d is called after one that was started later", number);
    called_turn[end] = watcher->called_turn = world.turn;
    called_number[end] = watcher->start_number;
    for (int i = 0; i < END_COUNT; i++)
        called_count += called_turn[i] == world.turn;
    if (called_count > world.max_events)
        fault("%u descriptors are served in a turn", called_count);
}

/* What edge-triggered watchers are expected to do. */
static void use_up(struct end *end, uint32_t ready)
{
    if (ready & AIOL_READABLE)
        read_all(end);
    if ((ready & AIOL_WRITABLE) && end->is_open)
        write_all(end);
}

/* Refused, and nothing is changed. */
static void start_wrongly(struct watcher *watcher)
{
    uint32_t edge = watcher->end->is_edge ? 0 : AIOL_EDGE;
    uint32_t was_wanted = watcher->wanted;

    expect("watcher without events", number_of(watcher), aiol_io_start(watcher->io, AIOL_EDGE),
           -EINVAL);
    expect("watcher with unknown events", number_of(watcher),
           aiol_io_start(watcher->io, AIOL_READABLE | AIOL_HANGUP), -EINVAL);
    watcher->wanted = 0;
    if (is_watched(watcher->end, AIOL_READABLE | AIOL_WRITABLE))
        expect("watcher against others", number_of(watcher),
               aiol_io_start(watcher->io, AIOL_READABLE | edge), -EINVAL);
    watcher->wanted = was_wanted;
}

static void start(struct watcher *watcher)
{
    static const uint32_t choices[] = {AIOL_READABLE, AIOL_READABLE, AIOL_WRITABLE,
                                       AIOL_READABLE | AIOL_WRITABLE};
    uint32_t events = choices[below(COUNT_OF(choices))];
    uint32_t newly_wanted = events & ~watcher->wanted;

    trace("watcher", number_of(watcher), "is started", events);
    expect("watcher start", number_of(watcher),
           aiol_io_start(watcher->io, watcher->end->is_edge ? events | AIOL_EDGE : events), 0);
    if (!watcher->wanted) {
        watcher->start_number = ++last_start_number;
        watcher->turn = next_turn(DESCRIPTORS);
        watcher->called_turn = 0;
    }
    if (newly_wanted & AIOL_READABLE)
        watcher->read_tick = 0;
    if (newly_wanted & AIOL_WRITABLE)
        watcher->write_tick = 0;
    watcher->wanted = events;
    watcher->owed_turns = 0;
}

static void change(struct watcher *watcher)
{
    int number = number_of(watcher);

    if (!watcher->end->is_open)
        return;
    switch (below(10)) {
    case 0:
    case 1:
        trace("watcher", number, "is stopped", 0);
        watcher->wanted = 0;
        aiol_io_stop(watcher->io);
        break;
    case 2:
        trace("watcher", number, "is closed", 0);
        watcher->wanted = 0;
        aiol_io_close(watcher->io);
        break;
    case 3:
        trace("watcher", number, "is made anew", 0);
        renew(watcher);
        break;
    case 4:
        watcher->is_unref = chance(2);
        if (watcher->is_unref)
            aiol_io_unref(watcher->io);
        else
            aiol_io_ref(watcher->io);
        break;
    case 5:
        start_wrongly(watcher);
        break;
    default:
        start(watcher);
    }
}

void act_on_watchers(void)
{
    change(&watchers[below(WATCHER_COUNT)]);
}

/* A neighbour in the same batch, or itself. */
static void change_another(const struct watcher *watcher)
{
    for (int i = 0; i < WATCHER_COUNT; i++) {
        if (watchers[i].end == watcher->end && chance(2))
            change(&watchers[i]);
    }
}

static void on_ready(struct aiol_io *io, uint32_t ready, void *data)
{
    struct watcher *watcher = data;

    trace("watcher", number_of(watcher), "is called", ready);
    enter(DESCRIPTORS);
    check_call(watcher, io, ready);
    if (ready & AIOL_READABLE)
        watcher->read_tick = tick();
    if (ready & AIOL_WRITABLE)
        watcher->write_tick = tick();
    if (is_over())
        return;
    check_readiness(watcher, ready);
    if (chance(2) && watcher->end->capacity_bytes <= 1000)
        use_up(watcher->end, ready);
    if (chance(4))
        change_another(watcher);
    if (chance(4))
        cancel_tasks_of(watcher->end);
    react();
}

void check_watchers(void)
{
    for (int i = 0; i < WATCHER_COUNT; i++) {
        struct watcher *watcher = &watchers[i];
        bool was_called = watcher->called_turn == world.turn;

        expect("watcher is active", i, aiol_io_is_active(watcher->io), watcher->wanted != 0);
        expect("watcher's descriptor", i, aiol_io_fd(watcher->io), watcher->end->fd);
        watcher->owed_turns =
            count_owed(watcher->end, !was_called && is_owed(watcher), watcher->owed_turns);
        if (watcher->owed_turns > owed_limit())
            fault("watcher %d is not called", i);
    }
}

void stop_watchers(void)
{
    for (int i = 0; i < WATCHER_COUNT; i++) {
        watchers[i].wanted = 0;
        aiol_io_stop(watchers[i].io);
    }
}

void end_watchers(void)
{
    for (int i = 0; i < WATCHER_COUNT; i++)
        free_io(&watchers[i]);
}
