/* Watched descriptors of libevent: persistent events, part of the object that they are for. */
#include "io.h"

#include <event2/event.h>
#include <event2/event_struct.h>

struct end {
    struct event event;
    long index;
};

static struct event_base *base;
static struct bench_pairs pairs;
static int *idle;
static long idle_count;
static struct event *watchers;

static void pass_on(evutil_socket_t fd, short ready, void *data)
{
    struct end *end = data;

    (void)fd;
    (void)ready;
    bench_pairs_pass_on(&pairs, end->index);
    if (pairs.event_count >= DISPATCHED_EVENTS)
        event_base_loopbreak(base);
}

static void never(evutil_socket_t fd, short ready, void *data)
{
    (void)fd;
    (void)ready;
    (void)data;
}

static void begin(void)
{
    struct event_config *config = event_config_new();

    bench_check(config != NULL, "config");
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
    base = event_base_new_with_config(config);
    bench_check(base != NULL, "base");
    event_config_free(config);
}

static void start(struct event *event, int fd, event_callback_fn callback, void *data)
{
    bench_check(event_assign(event, base, fd, EV_READ | EV_PERSIST, callback, data) == 0, "assign");
    bench_check(event_add(event, NULL) == 0, "add");
}

static void begin_dispatch(long size, long active)
{
    struct end *ends = bench_allocate((size_t)size * sizeof *ends);

    begin();
    bench_pairs_open(&pairs, size, active);
    for (long i = 0; i < size; i++) {
        ends[i].index = i;
        start(&ends[i].event, pairs.fds[i], pass_on, &ends[i]);
    }
    bench_pairs_start(&pairs);
}

static long dispatch(void)
{
    pairs.event_count = 0;
    event_base_loop(base, 0);
    return pairs.event_count;
}

static void start_all(void)
{
    for (long i = 0; i < idle_count; i++)
        start(&watchers[i], idle[i], never, NULL);
    event_base_loop(base, EVLOOP_NONBLOCK);
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

static long register_all(void)
{
    bench_renew_idle(idle, idle_count);
    start_all();
    for (long i = 0; i < idle_count; i++)
        bench_check(event_del(&watchers[i]) == 0, "del");
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
