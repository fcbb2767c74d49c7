/* Timers of libevent. */
#include "timers.h"

#include <event2/event.h>
#include <event2/event_struct.h>

union object {
    struct event timer;
    char bytes[OBJECT_BYTES];
};

static struct event_base *base;
static union object *objects, **shuffled;
static struct timeval *delays;
static const struct timeval *common_delay;
static long count, fired_count;

static void count_call(evutil_socket_t fd, short events, void *data)
{
    (void)fd;
    (void)events;
    (void)data;
    fired_count++;
}

static void start(union object *object, const struct timeval *delay)
{
    bench_check(event_add(&object->timer, delay) == 0, "add");
}

static void begin(long size, uint64_t below_ns)
{
    uint64_t *delays_ns = bench_delays(size, below_ns);
    struct event_config *config = event_config_new();

    bench_check(config != NULL, "config");
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
    base = event_base_new_with_config(config);
    bench_check(base != NULL, "base");
    event_config_free(config);
    count = size;
    objects = bench_allocate((size_t)count * sizeof *objects);
    delays = bench_allocate((size_t)count * sizeof *delays);
    for (long i = 0; i < count; i++) {
        bench_check(evtimer_assign(&objects[i].timer, base, count_call, NULL) == 0, "assign");
        delays[i].tv_sec = (time_t)(delays_ns[i] / 1000000000);
        delays[i].tv_usec = (suseconds_t)(delays_ns[i] % 1000000000 / 1000);
    }
    shuffled = (union object **)bench_shuffled(objects, (size_t)count, sizeof *objects);
}

static void begin_startstop(long size, long active)
{
    (void)active;
    begin(size, HOUR_NS);
}

/* Timers are started in callbacks: outside of a run each start reads the clock. */
static void run_in_callback(event_callback_fn callback)
{
    struct event event;

    bench_check(event_assign(&event, base, -1, 0, callback, NULL) == 0, "assign");
    event_active(&event, EV_TIMEOUT, 0);
    event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static void start_and_stop_all(evutil_socket_t fd, short events, void *data)
{
    (void)fd;
    (void)events;
    (void)data;
    for (long i = 0; i < count; i++)
        start(&objects[i], &delays[i]);
    for (long i = 0; i < count; i++)
        bench_check(event_del(&objects[i].timer) == 0, "del");
}

static long start_and_stop(void)
{
    run_in_callback(start_and_stop_all);
    return count;
}

/* A delay that many timers have is best made a common timeout, a queue beside the heap. (That does
 * not make them fire sooner, so timer_fire has none.) */
static void begin_rearm(long size, long active)
{
    const struct timeval delay = {30, 0};

    (void)active;
    begin(size, HOUR_NS);
    common_delay = event_base_init_common_timeout(base, &delay);
    bench_check(common_delay != NULL, "common timeout");
    for (long i = 0; i < count; i++)
        start(&objects[i], common_delay);
}

static void rearm_all(evutil_socket_t fd, short events, void *data)
{
    (void)fd;
    (void)events;
    (void)data;
    for (int again = 0; again < REARMS; again++) {
        for (long i = 0; i < count; i++)
            start(&objects[i], common_delay);
    }
}

static long rearm(void)
{
    run_in_callback(rearm_all);
    return REARMS * count;
}

static long fire_all(void)
{
    fired_count = 0;
    event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    bench_check(fired_count == count, "timers");
    return count;
}

static void start_equal(evutil_socket_t fd, short events, void *data)
{
    const struct timeval delay = {0, 1000};

    (void)fd;
    (void)events;
    (void)data;
    for (long i = 0; i < count; i++)
        start(&objects[i], &delay);
}

static long fire_equal(void)
{
    bench_pause();
    run_in_callback(start_equal);
    bench_wait_until_due();
    bench_resume();
    return fire_all();
}

static void begin_random(long size, long active)
{
    (void)active;
    begin(size, SPREAD_NS);
}

static void start_random(evutil_socket_t fd, short events, void *data)
{
    (void)fd;
    (void)events;
    (void)data;
    for (long i = 0; i < count; i++)
        start(shuffled[i], &delays[i]);
}

static long fire_random(void)
{
    bench_pause();
    run_in_callback(start_random);
    bench_wait_until_due();
    bench_resume();
    return fire_all();
}

const struct bench_workload bench_workloads[] = {
    {"timer_startstop", begin_startstop, start_and_stop},
    {"timer_rearm", begin_rearm, rearm},
    {"timer_fire", begin_startstop, fire_equal},
    {"timer_random", begin_random, fire_random},
    {NULL, NULL, NULL},
};
