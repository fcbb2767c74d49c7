/* Timers of libaio-loop. */
#include "timers.h"

#include <aiol.h>

union object {
    struct aiol_timer timer;
    char bytes[OBJECT_BYTES];
};

static struct aiol_loop *loop;
static union object *objects, **shuffled;
static uint64_t *delays_ns;
static long count, fired_count;

static void count_call(struct aiol_timer *timer, void *data)
{
    (void)timer;
    (void)data;
    fired_count++;
}

static void begin(long size, uint64_t below_ns)
{
    bench_check(aiol_loop_new(NULL, &loop) == 0, "loop");
    count = size;
    objects = bench_allocate((size_t)count * sizeof *objects);
    for (long i = 0; i < count; i++)
        aiol_timer_init(&objects[i].timer, loop, count_call, NULL);
    delays_ns = bench_delays(count, below_ns);
    shuffled = (union object **)bench_shuffled(objects, (size_t)count, sizeof *objects);
}

static void begin_startstop(long size, long active)
{
    (void)active;
    begin(size, HOUR_NS);
}

/* Timers are started in callbacks: outside of a run each start reads the clock. */
static void run_in_callback(aiol_deferred_fn callback)
{
    struct aiol_deferred deferred;

    aiol_deferred_init(&deferred, loop, callback, NULL);
    aiol_deferred_start(&deferred);
    aiol_loop_run_once(loop, 0);
}

static void start_and_stop_all(struct aiol_deferred *deferred, void *data)
{
    (void)deferred;
    (void)data;
    for (long i = 0; i < count; i++)
        aiol_timer_start(&objects[i].timer, delays_ns[i]);
    for (long i = 0; i < count; i++)
        aiol_timer_stop(&objects[i].timer);
}

static long start_and_stop(void)
{
    run_in_callback(start_and_stop_all);
    return count;
}

static void begin_rearm(long size, long active)
{
    (void)active;
    begin(size, HOUR_NS);
    for (long i = 0; i < count; i++)
        aiol_timer_start(&objects[i].timer, 30 * AIOL_SECOND);
}

static void rearm_all(struct aiol_deferred *deferred, void *data)
{
    (void)deferred;
    (void)data;
    for (int again = 0; again < REARMS; again++) {
        for (long i = 0; i < count; i++)
            aiol_timer_start(&objects[i].timer, 30 * AIOL_SECOND);
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
    aiol_loop_run_once(loop, 0);
    bench_check(fired_count == count, "timers");
    return count;
}

static long fire_equal(void)
{
    bench_pause();
    aiol_loop_update_now(loop);
    for (long i = 0; i < count; i++)
        aiol_timer_start(&objects[i].timer, AIOL_MILLISECOND);
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
    aiol_loop_update_now(loop);
    for (long i = 0; i < count; i++)
        aiol_timer_start(&shuffled[i]->timer, delays_ns[i]);
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
