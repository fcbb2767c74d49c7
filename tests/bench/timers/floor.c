/* Timers, the floor: a hierarchical wheel and nothing else. Eight levels of 64 slots; a tick is
 * 1024 ns; in a slot no order. */
#include "timers.h"

#define LEVELS 8
#define SLOT_BITS 6
#define SLOTS (1 << SLOT_BITS)

struct timer {
    struct timer *next, **previous;
    uint64_t deadline_ns;
    void (*callback)(struct timer *timer);
};

union object {
    struct timer timer;
    char bytes[OBJECT_BYTES];
};

static struct timer *slots[LEVELS][SLOTS];
static uint64_t occupied[LEVELS]; /* bits of slots that may have timers */
static uint64_t now_tick;

static union object *objects, **shuffled;
static uint64_t *delays_ns;
static long count, fired_count;

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void start(struct timer *timer, uint64_t deadline_ns)
{
    uint64_t tick = deadline_ns >> 10 > now_tick ? deadline_ns >> 10 : now_tick;
    uint64_t differs = tick ^ now_tick;
    int level = differs ? (63 - __builtin_clzll(differs)) / SLOT_BITS : 0;
    unsigned slot = (unsigned)(tick >> (level * SLOT_BITS)) % SLOTS;
    struct timer **head = &slots[level][slot];

    timer->deadline_ns = deadline_ns;
    timer->next = *head;
    if (timer->next)
        timer->next->previous = &timer->next;
    timer->previous = head;
    *head = timer;
    occupied[level] |= UINT64_C(1) << slot;
}

static void stop(struct timer *timer)
{
    *timer->previous = timer->next;
    if (timer->next)
        timer->next->previous = timer->previous;
}

static void fire(struct timer *timer)
{
    while (timer) {
        struct timer *next = timer->next;

        timer->callback(timer);
        timer = next;
    }
}

static void cascade(struct timer *timer)
{
    while (timer) {
        struct timer *next = timer->next;

        start(timer, timer->deadline_ns);
        timer = next;
    }
}

/* Up to a time: what is in a slot of a higher level comes into the lower ones first. */
static void advance(uint64_t until_tick)
{
    for (;;) {
        int level = 0;
        struct timer *first;
        unsigned slot;
        uint64_t tick;

        while (level < LEVELS && !occupied[level])
            level++;
        if (level == LEVELS)
            break;
        slot = (unsigned)__builtin_ctzll(occupied[level]);
        tick = (now_tick >> (level * SLOT_BITS) & ~(uint64_t)(SLOTS - 1)) + slot;
        tick <<= level * SLOT_BITS;
        if (tick > until_tick)
            break;
        if (tick > now_tick)
            now_tick = tick;
        occupied[level] &= ~(UINT64_C(1) << slot);
        first = slots[level][slot];
        slots[level][slot] = NULL;
        if (level == 0)
            fire(first);
        else
            cascade(first);
    }
    now_tick = until_tick;
}

static void count_call(struct timer *timer)
{
    (void)timer;
    fired_count++;
}

static void begin(long size, uint64_t below_ns)
{
    count = size;
    objects = bench_allocate((size_t)count * sizeof *objects);
    for (long i = 0; i < count; i++)
        objects[i].timer.callback = count_call;
    delays_ns = bench_delays(count, below_ns);
    shuffled = (union object **)bench_shuffled(objects, (size_t)count, sizeof *objects);
    now_tick = now_ns() >> 10;
}

static void begin_startstop(long size, long active)
{
    (void)active;
    begin(size, HOUR_NS);
}

static long start_and_stop(void)
{
    uint64_t base_ns = now_tick << 10;

    for (long i = 0; i < count; i++)
        start(&objects[i].timer, base_ns + delays_ns[i]);
    for (long i = 0; i < count; i++)
        stop(&objects[i].timer);
    return count;
}

static void begin_rearm(long size, long active)
{
    (void)active;
    begin(size, HOUR_NS);
    for (long i = 0; i < count; i++)
        start(&objects[i].timer, (now_tick << 10) + 30000000000 + (uint64_t)i);
}

static long rearm(void)
{
    uint64_t base_ns = now_ns();

    for (int again = 0; again < REARMS; again++) {
        for (long i = 0; i < count; i++) {
            stop(&objects[i].timer);
            start(&objects[i].timer, base_ns + 30000000000);
        }
    }
    return REARMS * count;
}

static long fire_all(void)
{
    fired_count = 0;
    advance(now_ns() >> 10);
    bench_check(fired_count == count, "timers");
    return count;
}

static long fire_equal(void)
{
    uint64_t deadline_ns;

    bench_pause();
    advance(now_ns() >> 10);
    deadline_ns = now_ns() + 1000000;
    for (long i = 0; i < count; i++)
        start(&objects[i].timer, deadline_ns);
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
    uint64_t base_ns;

    bench_pause();
    advance(now_ns() >> 10);
    base_ns = now_ns();
    for (long i = 0; i < count; i++)
        start(&shuffled[i]->timer, base_ns + delays_ns[i]);
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
