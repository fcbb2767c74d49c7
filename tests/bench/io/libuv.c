/* Watched descriptors of libuv: uv_poll. */
#include "io.h"

#include <uv.h>

struct end {
    uv_poll_t poll;
    long index;
};

static uv_loop_t loop;
static struct bench_pairs pairs;
static int *idle;
static long idle_count;
static uv_poll_t *watchers;

static void pass_on(uv_poll_t *poll, int status, int events)
{
    struct end *end = (struct end *)poll;

    (void)events;
    bench_check(status == 0, "poll");
    bench_pairs_pass_on(&pairs, end->index);
    if (pairs.event_count >= DISPATCHED_EVENTS)
        uv_stop(&loop);
}

static void never(uv_poll_t *poll, int status, int events)
{
    (void)poll;
    (void)status;
    (void)events;
}

static void begin_dispatch(long size, long active)
{
    struct end *ends = bench_allocate((size_t)size * sizeof *ends);

    bench_check(uv_loop_init(&loop) == 0, "loop");
    bench_pairs_open(&pairs, size, active);
    for (long i = 0; i < size; i++) {
        ends[i].index = i;
        bench_check(uv_poll_init(&loop, &ends[i].poll, pairs.fds[i]) == 0, "init");
        bench_check(uv_poll_start(&ends[i].poll, UV_READABLE, pass_on) == 0, "start");
    }
    bench_pairs_start(&pairs);
}

static long dispatch(void)
{
    pairs.event_count = 0;
    uv_run(&loop, UV_RUN_DEFAULT);
    return pairs.event_count;
}

static void start_all(void)
{
    for (long i = 0; i < idle_count; i++) {
        bench_check(uv_poll_init(&loop, &watchers[i], idle[i]) == 0, "init");
        bench_check(uv_poll_start(&watchers[i], UV_READABLE, never) == 0, "start");
    }
    uv_run(&loop, UV_RUN_NOWAIT);
}

static void begin_idle(long size, long active)
{
    (void)active;
    bench_check(uv_loop_init(&loop) == 0, "loop");
    idle_count = size;
    idle = bench_open_idle(size);
}

static void begin_register(long size, long active)
{
    begin_idle(size, active);
    watchers = bench_allocate((size_t)idle_count * sizeof *watchers);
}

/* A handle is closed, and its memory free again, only when the loop has turned once more. */
static long register_all(void)
{
    bench_renew_idle(idle, idle_count);
    start_all();
    for (long i = 0; i < idle_count; i++)
        uv_close((uv_handle_t *)&watchers[i], NULL);
    bench_check(uv_run(&loop, UV_RUN_NOWAIT) == 0, "close");
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
