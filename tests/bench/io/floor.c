/* Watched descriptors, the floor: epoll by hand. The array that says what a number means is
 * indexed by it. */
#include "io.h"

#include <sys/epoll.h>

#define MAX_EVENTS 1024

static int poller;
static struct epoll_event events[MAX_EVENTS];
static struct bench_pairs pairs;
static int *idle;
static long idle_count;

static void watch(int fd, uint32_t index)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};

    bench_check(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

static void begin(void)
{
    poller = epoll_create1(EPOLL_CLOEXEC);
    bench_check(poller >= 0, "epoll_create1");
}

static void begin_dispatch(long size, long active)
{
    begin();
    bench_pairs_open(&pairs, size, active);
    for (long i = 0; i < size; i++)
        watch(pairs.fds[i], (uint32_t)i);
    bench_pairs_start(&pairs);
}

static long dispatch(void)
{
    pairs.event_count = 0;
    while (pairs.event_count < DISPATCHED_EVENTS) {
        int count = epoll_wait(poller, events, MAX_EVENTS, -1);

        for (int i = 0; i < count; i++)
            bench_pairs_pass_on(&pairs, events[i].data.u32);
    }
    return pairs.event_count;
}

static void begin_register(long size, long active)
{
    (void)active;
    begin();
    idle_count = size;
    idle = bench_open_idle(size);
}

static long register_all(void)
{
    bench_renew_idle(idle, idle_count);
    for (long i = 0; i < idle_count; i++)
        watch(idle[i], (uint32_t)i);
    epoll_wait(poller, events, MAX_EVENTS, 0);
    for (long i = 0; i < idle_count; i++)
        epoll_ctl(poller, EPOLL_CTL_DEL, idle[i], NULL);
    return idle_count;
}

struct watcher { /* what a callback needs */
    int fd;
    void (*callback)(void *data);
    void *data;
};

static long hold_idle(void)
{
    uint64_t before = bench_resident_bytes();
    struct watcher *watchers = bench_allocate((size_t)idle_count * sizeof *watchers);

    for (long i = 0; i < idle_count; i++) {
        watchers[i].fd = idle[i];
        watch(idle[i], (uint32_t)i);
    }
    epoll_wait(poller, events, MAX_EVENTS, 0);
    bench_report_memory(bench_resident_bytes() - before, 0);
    return idle_count;
}

const struct bench_workload bench_workloads[] = {
    {"dispatch", begin_dispatch, dispatch},
    {"register", begin_register, register_all},
    {"idle_memory", begin_register, hold_idle},
    {NULL, NULL, NULL},
};
