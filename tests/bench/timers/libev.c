/* Timers of libev. */
#include "timers.h"

#include <ev.h>

union object {
    struct ev_timer timer;
    char bytes[OBJECT_BYTES];
};

static struct ev_loop *loop;
static union object *objects, **shuffled;
static ev_tstamp *delays; /* in seconds, as libev has it */
static long count, fired_count;

static void count_call(struct ev_loop *same_loop, struct ev_timer *timer, int events)
{
    (void)same_loop;
    (void)timer;
    (void)events;
    fired_count++;
}

static void start(union object *object, ev_tstamp delay)
{
    ev_timer_set(&object->timer, delay, 0);
    ev_timer_start(loop, &object->timer);
}

static void begin(long size, uint64_t below_ns)
{
    uint64_t *delays_ns = bench_delays(size, below_ns);

    loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    bench_check(loop != NULL, "loop");
    count = size;
    objects = bench_allocate((size_t)count * sizeof *objects);
    delays = bench_allocate((size_t)count * sizeof *delays);
    for (long i = 0; i < count; i++) {
        ev_init(&objects[i].timer, count_call);
        delays[i] = (ev_tstamp)delays_ns[i] / 1e9;
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
        start(&objects[i], delays[i]);
    for (long i = 0; i < count; i++)
        ev_timer_stop(loop, &objects[i].timer);
    return count;
}

/* ev_timer_again() moves a timer within the heap; stop, set and start would take it out first. */
static void begin_rearm(long size, long active)
{
    (void)active;
    begin(size, HOUR_NS);
    for (long i = 0; i < count; i++) {
        ev_timer_set(&objects[i].timer, 0, 30);
        ev_timer_again(loop, &objects[i].timer);
    }
}

static long rearm(void)
{
    ev_now_update(loop);
    for (int again = 0; again < REARMS; again++) {
        for (long i = 0; i < count; i++)
            ev_timer_again(loop, &objects[i].timer);
    }
    return REARMS * count;
}

static long fire_all(void)
{
    fired_count = 0;
    ev_run(loop, EVRUN_NOWAIT);
    bench_check(fired_count == count, "timers");
    return count;
}

static long fire_equal(void)
{
    bench_pause();
    ev_now_update(loop);
    for (long i = 0; i < count; i++)
        start(&objects[i], 0.001);
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
    ev_now_update(loop);
    for (long i = 0; i < count; i++)
        start(shuffled[i], delays[i]);
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
