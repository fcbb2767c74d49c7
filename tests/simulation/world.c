/* What a program chooses, and what it tells: its random numbers, its trace, its faults. */
#include "world.h"

#include <stdio.h>

#define MAX_DEPTH 4
#define KEPT_EVENTS 30

struct event {
    uint64_t now_ns;
    uint64_t turn;
    const char *who;
    const char *what;
    int number;
    int64_t value;
};

struct world world;
static struct event events[KEPT_EVENTS];

const struct subject *const subjects[SUBJECT_COUNT] = {
    &timer_subject, &call_subject, &post_subject,   &future_subject,
    &queue_subject, &task_subject, &stream_subject,
};

/* How often each of them is chosen: programs are of different kinds. */
static unsigned weights[SUBJECT_COUNT];

/* SplitMix64. */
uint64_t random64(void)
{
    uint64_t z = world.random_state += 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

unsigned below(unsigned limit)
{
    return (unsigned)(random64() >> 33) % limit;
}

bool chance(unsigned in)
{
    return below(in) == 0;
}

uint64_t random_delay(void)
{
    switch (below(13)) {
    case 0:
    case 1:
        return 0;
    case 2:
        return below(1024);
    case 3:
    case 4:
        return below(8) * UINT64_C(1024); /* on the ticks of the wheel */
    case 5:
        return below(100) * AIOL_MICROSECOND;
    case 6:
        return random64() >> (34 + below(20));
    case 7:
        return random64() >> (18 + below(30));
    case 8:
        return chance(3) ? random64() >> below(18) : AIOL_SECOND;
    case 9:
        return chance(10) ? AIOL_NEVER - below(2) : 4096;
    default:
        return below(5000000);
    }
}

static void print_event(const struct event *event)
{
    printf("%4llu %16llu ns  %s %d %s %lld\n", (unsigned long long)event->turn,
           (unsigned long long)event->now_ns, event->who, event->number, event->what,
           (long long)event->value);
}

static void fold(uint64_t value)
{
    world.hash = (world.hash ^ value) * 0x100000001b3;
    world.hash ^= world.hash >> 29;
}

void trace(const char *who, int number, const char *what, int64_t value)
{
    struct event *event = &events[world.event_count % KEPT_EVENTS];

    if (world.fault[0]) /* what comes after the first fault explains nothing */
        return;
    world.event_count++;
    *event = (struct event){now_ns(), world.turn, who, what, number, value};
    fold(event->now_ns);
    fold(event->turn);
    for (const char *letter = who; *letter; letter++)
        fold((unsigned char)*letter);
    for (const char *letter = what; *letter; letter++)
        fold((unsigned char)*letter);
    fold((uint64_t)number);
    fold((uint64_t)value);
    if (world.is_verbose)
        print_event(event);
}

void fault(const char *format, ...)
{
    va_list arguments;

    if (world.fault[0])
        return;
    va_start(arguments, format);
    vsnprintf(world.fault, sizeof world.fault, format, arguments);
    va_end(arguments);
    if (world.is_verbose)
        printf("FAULT: %s\n", world.fault);
}

void expect(const char *what, int number, int64_t actual, int64_t expected)
{
    if (actual != expected)
        fault("%s %d: %lld, not %lld", what, number, (long long)actual, (long long)expected);
}

void print_fault(void)
{
    uint64_t first = world.event_count > KEPT_EVENTS ? world.event_count - KEPT_EVENTS : 0;

    printf("The last that happened (turn, time, what):\n");
    for (uint64_t i = first; i < world.event_count; i++)
        print_event(&events[i % KEPT_EVENTS]);
    printf("Seed %llu, turn %llu: %s\n", (unsigned long long)world.seed,
           (unsigned long long)world.turn, world.fault);
}

bool is_over(void)
{
    return world.is_ending || world.fault[0];
}

void choose_weights(void)
{
    unsigned sum = 0;

    while (sum == 0) {
        for (size_t i = 0; i < SUBJECT_COUNT; i++) {
            weights[i] = chance(3) ? 0 : 1 + below(6);
            sum += weights[i];
        }
    }
}

static const struct subject *choose_subject(void)
{
    unsigned sum = 0, chosen;

    for (size_t i = 0; i < SUBJECT_COUNT; i++)
        sum += weights[i];
    chosen = below(sum);
    for (size_t i = 0;; i++) {
        if (chosen < weights[i])
            return subjects[i];
        chosen -= weights[i];
    }
}

void act(void)
{
    if (is_over() || world.acts_left == 0 || world.depth >= MAX_DEPTH)
        return;
    world.acts_left--;
    world.depth++;
    choose_subject()->act();
    world.depth--;
}

void take_step(struct actor *self)
{
    const struct subject *subject = choose_subject();

    if (is_over() || world.acts_left == 0)
        return;
    world.acts_left--;
    while (!subject->step)
        subject = subjects[below(SUBJECT_COUNT)];
    subject->step(self);
}

/* No callback is part of a task, nor can it run the loop or free it. */
static void check_refusals(void)
{
    struct aiol_scope scope;

    expect("await in a callback", 0, aiol_await_yield(), AIOL_ENOTASK);
    expect("scope enter in a callback", 0, aiol_scope_enter(&scope, 0), AIOL_ENOTASK);
    expect("scope leave in a callback", 0, aiol_scope_leave(&scope, 7), 7);
    expect("free in a callback", 0, aiol_loop_free(world.loop), -EBUSY);
    if (world.phase != OUTSIDE)
        expect("run in a callback", 0, aiol_loop_run_once(world.loop, 0), -EBUSY);
}

void react(void)
{
    if (aiol_task_current())
        fault("a callback is in a task");
    if (aiol_loop_current() != (world.phase == OUTSIDE ? NULL : world.loop))
        fault("a callback is in the wrong loop");
    if (is_over())
        return;
    if (chance(16))
        check_refusals();
    if (chance(32)) {
        aiol_loop_stop(world.loop); /* only the wait of this turn can notice that */
        world.is_stopping = true;
    }
    for (unsigned count = below(3); count > 0; count--)
        act();
}
