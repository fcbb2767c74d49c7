/* Timers of libuv, which count milliseconds. */
#include "timers.h"

#include <uv.h>

union object {
    uv_timer_t timer;
    char bytes[OBJECT_BYTES];
};

static uv_loop_t loop;
static union object *objects, **shuffled;
static uint64_t *delays_ms;
static long count, fired_count;

static void count_call(uv_timer_t *timer)
{
    (void)timer;
    fired_count++;
}

static void start(union object *object, uint64_t delay_ms)
{
    bench_check(uv_timer_start(&object->timer, count_call, delay_ms, 0) == 0, "start");
}

static void begin(long size, uint64_t below_ns)
{
    bench_check(uv_loop_init(&loop) == 0, "loop");
    count = size;
    objects = bench_allocate((size_t)count * sizeof *objects);
    delays_ms = bench_delays(count, below_ns);
    for (long i = 0; i < count; i++) {
        bench_check(uv_timer_init(&loop, &objects[i].timer) == 0, "init");
        delays_ms[i] = delays_ms[i] / 1000000 + 1;
    }
    shuffled = (union object **)bench_shuffled(objects, (size_t)count, sizeof *objects);
}

static void begin_startstop(long size, long active)
{
    (void)active;
    begin(size, HOUR_NS);
}

static long start_and_stop(void)
{
    for (long i = 0; i < count; i++)
        start(&objects[i], delays_ms[i]);
    for (long i = 0; i < count; i++)
        bench_check(uv_timer_stop(&objects[i].timer) == 0, "stop");
    return count;
}

static void begin_rearm(long size, long active)
{
    (void)active;
    begin(size, HOUR_NS);
    for (long i = 0; i < count; i++)
        start(&objects[i], 30000);
}

static long rearm(void)
{
    uv_update_time(&loop);
    for (int again = 0; again < REARMS; again++) {
        for (long i = 0; i < count; i++)
            start(&objects[i], 30000);
    }
    return REARMS * count;
}

static long fire_all(void)
{
    fired_count = 0;
    uv_run(&loop, UV_RUN_NOWAIT);
    bench_check(fired_count == count, "timers");
    return count;
}

static long fire_equal(void)
{
    bench_pause();
    uv_update_time(&loop);
    for (long i = 0; i < count; i++)
        start(&objects[i], 1);
    bench_wait_until_due();
    bench_resume();
    return fire_all();
}

static void begin_random(long size, long active)
{
    (void)active;
    begin(size, SPREAD_NS);
}

static long fire_random(void)
{
    bench_pause();
    uv_update_time(&loop);
    for (long i = 0; i < count; i++)
        start(shuffled[i], delays_ms[i]);
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
