/* Watched descriptors of libev: ev_io with its epoll backend. */
#include "io.h"

#include <ev.h>

struct end {
    struct ev_io io;
    long index;
};

static struct ev_loop *loop;
static struct bench_pairs pairs;
static int *idle;
static long idle_count;
static struct ev_io *watchers;

static void pass_on(struct ev_loop *same_loop, struct ev_io *io, int events)
{
    struct end *end = (struct end *)io;

    (void)same_loop;
    (void)events;
    bench_pairs_pass_on(&pairs, end->index);
    if (pairs.event_count >= DISPATCHED_EVENTS)
        ev_break(loop, EVBREAK_ONE);
}

static void never(struct ev_loop *same_loop, struct ev_io *io, int events)
{
    (void)same_loop;
    (void)io;
    (void)events;
}

static void begin(void)
{
    loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    bench_check(loop != NULL, "loop");
}

static void begin_dispatch(long size, long active)
{
    struct end *ends = bench_allocate((size_t)size * sizeof *ends);

    begin();
    bench_pairs_open(&pairs, size, active);
    for (long i = 0; i < size; i++) {
        ends[i].index = i;
        ev_io_init(&ends[i].io, pass_on, pairs.fds[i], EV_READ);
        ev_io_start(loop, &ends[i].io);
    }
    bench_pairs_start(&pairs);
}

static long dispatch(void)
{
    pairs.event_count = 0;
    ev_run(loop, 0);
    return pairs.event_count;
}

static void start_all(void)
{
    for (long i = 0; i < idle_count; i++) {
        ev_io_init(&watchers[i], never, idle[i], EV_READ);
        ev_io_start(loop, &watchers[i]);
    }
    ev_run(loop, EVRUN_NOWAIT);
}

static void begin_idle(long size, long active)
{
    (void)active;
    begin();
    idle_count = size;
    idle = bench_open_idle(size);
}

static void begin_register(long size, long active)
{
    begin_idle(size, active);
    watchers = bench_allocate((size_t)idle_count * sizeof *watchers);
}

/* The turn at the end is for what ev_io_stop() has put off. libev takes no descriptor out of the
 * epoll set, it is to be closed: from the second round on, a start finds it there. */
static long register_all(void)
{
    bench_renew_idle(idle, idle_count);
    start_all();
    for (long i = 0; i < idle_count; i++)
        ev_io_stop(loop, &watchers[i]);
    ev_run(loop, EVRUN_NOWAIT);
    return idle_count;
}

static long hold_idle(void)
{
    uint64_t before = bench_resident_bytes();

    watchers = bench_allocate((size_t)idle_count * sizeof *watchers);
    start_all();
    bench_report_memory(bench_resident_bytes() - before, 0);
    return idle_count;
}

const struct bench_workload bench_workloads[] = {
    {"dispatch", begin_dispatch, dispatch},
    {"register", begin_register, register_all},
    {"idle_memory", begin_idle, hold_idle},
    {NULL, NULL, NULL},
};
