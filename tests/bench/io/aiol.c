/* Watched descriptors of libaio-loop. */
#include "io.h"

#include <aiol.h>

struct end {
    struct aiol_io io;
    long index;
};

static struct aiol_loop *loop;
static struct bench_pairs pairs;
static int *idle;
static long idle_count;
static struct aiol_io *watchers;

static void pass_on(struct aiol_io *io, uint32_t ready, void *data)
{
    struct end *end = data;

    (void)io;
    (void)ready;
    bench_pairs_pass_on(&pairs, end->index);
    if (pairs.event_count >= DISPATCHED_EVENTS)
        aiol_loop_stop(loop);
}

static void never(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)io;
    (void)ready;
    (void)data;
}

static void begin_dispatch(long size, long active)
{
    struct end *ends = bench_allocate((size_t)size * sizeof *ends);

    bench_check(aiol_loop_new(NULL, &loop) == 0, "loop");
    bench_pairs_open(&pairs, size, active);
    for (long i = 0; i < size; i++) {
        ends[i].index = i;
        aiol_io_init(&ends[i].io, loop, pairs.fds[i], pass_on, &ends[i]);
        bench_check(aiol_io_start(&ends[i].io, AIOL_READABLE) == 0, "start");
    }
    bench_pairs_start(&pairs);
}

static long dispatch(void)
{
    pairs.event_count = 0;
    aiol_loop_run(loop);
    return pairs.event_count;
}

static void start_all(void)
{
    for (long i = 0; i < idle_count; i++) {
        aiol_io_init(&watchers[i], loop, idle[i], never, NULL);
        bench_check(aiol_io_start(&watchers[i], AIOL_READABLE) == 0, "start");
    }
    aiol_loop_run_once(loop, 0);
}

static void begin_idle(long size, long active)
{
    (void)active;
    bench_check(aiol_loop_new(NULL, &loop) == 0, "loop");
    idle_count = size;
    idle = bench_open_idle(size);
}

static void begin_register(long size, long active)
{
    begin_idle(size, active);
    watchers = bench_allocate((size_t)idle_count * sizeof *watchers);
}

static long register_all(void)
{
    bench_renew_idle(idle, idle_count);
    start_all();
    for (long i = 0; i < idle_count; i++)
        aiol_io_close(&watchers[i]);
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
