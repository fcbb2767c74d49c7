/* Timers: one shot and repeating, of the caller's memory and of the loop's. */
#include "waits.h"

#include <string.h>

#define MAX_TIMERS 48

struct timer {
    struct aiol_timer own;
    struct aiol_timer *timer; /* that one, or one of the loop's */
    struct alarm alarm;
    uint64_t period_ns; /* 0: it does not repeat */
    uint32_t repeat;
};

static struct timer timers[MAX_TIMERS];
static unsigned timer_count;

static void on_timer(struct aiol_timer *timer, void *data);

static int number_of(const struct timer *timer)
{
    return (int)(timer - timers);
}

/* Its memory is the caller's again: spoil it, and begin anew. */
static void renew(struct timer *timer)
{
    bool was_allocated = timer->timer && timer->timer != &timer->own;

    if (was_allocated)
        aiol_timer_free(timer->timer);
    else if (timer->timer)
        aiol_timer_stop(timer->timer);
    alarm_disarm(&timer->alarm);
    timer->alarm.is_unref = false;
    memset(&timer->own, 0xdb, sizeof timer->own);
    timer->timer = &timer->own;
    if (chance(2))
        aiol_timer_init(&timer->own, world.loop, on_timer, timer);
    else
        expect("new timer", number_of(timer),
               aiol_timer_new(world.loop, on_timer, timer, &timer->timer), 0);
}

static uint64_t next_deadline_ns(const struct timer *timer)
{
    uint64_t now = now_ns(), next_ns = timer->alarm.deadline_ns;

    if (timer->repeat == AIOL_FIXED_DELAY)
        return later(now, timer->period_ns);
    /* From deadline to deadline, skipping what has been missed. */
    next_ns = later(next_ns, (now - next_ns) / timer->period_ns * timer->period_ns);
    return later(next_ns, timer->period_ns);
}

static void start_at(struct timer *timer, uint64_t deadline_ns)
{
    trace("timer", number_of(timer), "is started, until", (int64_t)deadline_ns);
    timer->period_ns = 0;
    alarm_arm(&timer->alarm, deadline_ns);
    expect("timer start", number_of(timer), aiol_timer_start_at(timer->timer, deadline_ns), 0);
}

static void start(struct timer *timer)
{
    uint64_t delay_ns = random_delay();
    int number = number_of(timer), rc;

    trace("timer", number, "is started, for", (int64_t)delay_ns);
    if (chance(2)) {
        timer->period_ns = 0;
        alarm_arm(&timer->alarm, later(now_ns(), delay_ns));
        rc = aiol_timer_start(timer->timer, delay_ns);
    } else {
        timer->period_ns = delay_ns < 2 || delay_ns == AIOL_NEVER ? 777 : delay_ns;
        timer->repeat = below(2);
        alarm_arm(&timer->alarm, later(now_ns(), timer->period_ns));
        rc = aiol_timer_start_every(timer->timer, timer->period_ns, timer->repeat);
    }
    expect("timer start", number, rc, 0);
}

static void change(struct timer *timer)
{
    switch (below(10)) {
    case 0:
    case 1:
        trace("timer", number_of(timer), "is stopped", 0);
        aiol_timer_stop(timer->timer);
        alarm_disarm(&timer->alarm);
        break;
    case 2:
        trace("timer", number_of(timer), "is made anew", 0);
        renew(timer);
        break;
    case 3:
        timer->alarm.is_unref = chance(2);
        if (timer->alarm.is_unref)
            aiol_timer_unref(timer->timer);
        else
            aiol_timer_ref(timer->timer);
        break;
    case 4:
        expect("timer without a period", number_of(timer),
               aiol_timer_start_every(timer->timer, chance(2) ? 0 : AIOL_NEVER, AIOL_FIXED_RATE),
               -EINVAL);
        break;
    case 5:
    case 6:
        start_at(timer, random_deadline());
        break;
    default:
        start(timer);
    }
}

static void on_timer(struct aiol_timer *aiol_timer, void *data)
{
    struct timer *timer = data;

    trace("timer", number_of(timer), "fires", (int64_t)timer->alarm.deadline_ns);
    enter(TIMERS);
    if (aiol_timer != timer->timer)
        fault("timer %d fires after it was freed", number_of(timer));
    alarms_fire_until(&timer->alarm, "timer", number_of(timer));
    if (timer->period_ns)
        alarm_arm(&timer->alarm, next_deadline_ns(timer));
    else
        alarm_disarm(&timer->alarm);
    react();
    if (!is_over() && chance(4))
        change(timer);
}

static void begin(void)
{
    timer_count = 4 + below(MAX_TIMERS - 3);
    for (unsigned i = 0; i < timer_count; i++) {
        timers[i] = (struct timer){0};
        renew(&timers[i]);
    }
}

/* In this turn: then many things may become due between its beginning and now. */
static bool has_time_passed(void)
{
    return world.phase != OUTSIDE && now_ns() > world.began_ns;
}

/* Many at once, close together: in one slot of the wheel, or in some that come up in one turn. */
static void start_many(void)
{
    static const uint64_t widths_ns[] = {1, 1000, 5000, 1000000};
    uint64_t first_ns = random_deadline(), width_ns = widths_ns[below(COUNT_OF(widths_ns))];

    unsigned some_count = 1 + below(timer_count);

    if (has_time_passed()) {
        first_ns = world.began_ns;
        width_ns = now_ns() - world.began_ns;
    }
    for (unsigned count = below(2 * MAX_TIMERS); count > 0; count--)
        start_at(&timers[below(some_count)], later(first_ns, random64() % width_ns));
}

static void act_on_timers(void)
{
    if (chance(has_time_passed() ? 4 : 10))
        start_many();
    else
        change(&timers[below(timer_count)]);
}

static void check(void)
{
    for (unsigned i = 0; i < timer_count; i++) {
        struct timer *timer = &timers[i];
        bool is_armed = timer->alarm.is_armed;
        uint64_t deadline_ns = is_armed ? timer->alarm.deadline_ns : AIOL_NEVER;
        uint64_t remaining_ns = deadline_ns > now_ns() ? deadline_ns - now_ns() : 0;

        expect("timer is active", (int)i, aiol_timer_is_active(timer->timer), is_armed);
        expect("timer's deadline", (int)i, (int64_t)aiol_timer_deadline_ns(timer->timer),
               (int64_t)deadline_ns);
        expect("timer's remaining time", (int)i, (int64_t)aiol_timer_remaining_ns(timer->timer),
               deadline_ns == AIOL_NEVER ? (int64_t)AIOL_NEVER : (int64_t)remaining_ns);
    }
}

static void stop(void)
{
    for (unsigned i = 0; i < timer_count; i++) {
        aiol_timer_stop(timers[i].timer);
        alarm_disarm(&timers[i].alarm);
    }
}

static void end(void)
{
    for (unsigned i = 0; i < timer_count; i++) {
        aiol_timer_stop(timers[i].timer);
        alarm_disarm(&timers[i].alarm);
        if (timers[i].timer != &timers[i].own)
            aiol_timer_free(timers[i].timer);
    }
}

const struct subject timer_subject = {
    .begin = begin, .act = act_on_timers, .check = check, .stop = stop, .end = end};
