/*
 * The model of waiting: calls that a deferred phase makes, lines in which tasks and callbacks wait
 * for something, and alarms, which are whatever happens at some time.
 */
#include "tasks.h"

#define MAX_ALARMS 160

static uint64_t last_call_number;
static uint64_t entered_call_number; /* the last that was called */
static uint64_t calls_due_in[2];     /* this turn and the next one, by the last bit */
static struct alarm *alarms[MAX_ALARMS];
static int alarm_count;
static uint64_t last_sequence;

void waits_begin(void)
{
    last_call_number = entered_call_number = last_sequence = 0;
    calls_due_in[0] = calls_due_in[1] = 0;
    alarm_count = 0;
}

void call_start(struct call *call)
{
    if (call->is_due)
        return;
    *call =
        (struct call){.is_due = true, .number = ++last_call_number, .turn = next_turn(DEFERRED)};
    calls_due_in[call->turn % 2]++;
}

void call_drop(struct call *call)
{
    if (call->is_due)
        calls_due_in[call->turn % 2]--;
    call->is_due = false;
}

void call_enter(struct call *call, const char *who, int number)
{
    enter(DEFERRED);
    if (!call->is_due)
        fault("%s %d is called without having been started", who, number);
    else if (call->turn != world.turn)
        fault("%s %d is called in the wrong turn", who, number);
    else if (call->number < entered_call_number)
        fault("%s %d is called after one that was started later", who, number);
    entered_call_number = call->number;
    call_drop(call);
}

uint64_t calls_due(void)
{
    return calls_due_in[0] + calls_due_in[1];
}

bool is_call_due(void)
{
    return calls_due_in[next_turn(DEFERRED) % 2] > 0;
}

void line_join(struct line *line, struct waiter *waiter)
{
    if (line->count == MAX_WAITERS) {
        fault("the test has too few places in a line");
        return;
    }
    line->waiters[line->count++] = waiter;
    waiter->line = line;
    waiter->is_pending = true;
}

struct waiter *line_first(const struct line *line)
{
    return line->count ? line->waiters[0] : NULL;
}

static void leave_line(struct waiter *waiter)
{
    struct line *line = waiter->line;
    int place = 0;

    if (!line)
        return;
    while (line->waiters[place] != waiter)
        place++;
    line->count--;
    for (; place < line->count; place++)
        line->waiters[place] = line->waiters[place + 1];
    waiter->line = NULL;
}

void complete(struct waiter *waiter, int status, int value)
{
    leave_line(waiter);
    waiter->is_pending = false;
    waiter->status = status;
    waiter->value = value;
    if (waiter->actor)
        make_ready(waiter->actor);
    else
        call_start(&waiter->call);
}

void complete_all(struct line *line, int status)
{
    while (line->count > 0)
        complete(line->waiters[0], status, line->waiters[0]->value);
}

void withdraw(struct waiter *waiter)
{
    leave_line(waiter);
    waiter->is_pending = false;
}

bool is_started(const struct waiter *waiter)
{
    return waiter->is_pending || waiter->call.is_due;
}

void waiter_stop(struct waiter *waiter)
{
    if (waiter->is_pending)
        withdraw(waiter);
    call_drop(&waiter->call);
}

void closing_begin(struct closing *closing)
{
    if (closing->depth++ == 0)
        closing->last_number = 0;
}

void waiter_enter(struct waiter *waiter, struct closing *closing, const char *who, int number)
{
    trace(who, number, "is called", waiter->status);
    if (closing->depth == 0) {
        call_enter(&waiter->call, who, number);
        return;
    }
    if (!waiter->call.is_due)
        fault("%s %d is called by a close without having been started", who, number);
    else if (waiter->call.number < closing->last_number)
        fault("%s %d is called by a close after one that was started later", who, number);
    closing->last_number = waiter->call.number;
    call_drop(&waiter->call);
}

void alarm_arm(struct alarm *alarm, uint64_t deadline_ns)
{
    uint64_t now = now_ns();

    if (!alarm->is_armed) {
        if (alarm_count == MAX_ALARMS) {
            fault("the test has too few alarms");
            return;
        }
        alarms[alarm_count++] = alarm;
    }
    alarm->is_armed = true;
    alarm->deadline_ns = deadline_ns;
    alarm->sequence = ++last_sequence;
    alarm->turn = next_turn(TIMERS);
    alarm->fires_ns = deadline_ns > now ? deadline_ns : now;
}

void alarm_disarm(struct alarm *alarm)
{
    int place = 0;

    if (!alarm->is_armed)
        return;
    alarm->is_armed = false;
    while (alarms[place] != alarm)
        place++;
    alarms[place] = alarms[--alarm_count];
}

static bool comes_before(const struct alarm *a, const struct alarm *b)
{
    if (a->deadline_ns != b->deadline_ns)
        return a->deadline_ns < b->deadline_ns;
    return a->sequence < b->sequence;
}

/* The next one that fires in this turn, or NULL. */
static struct alarm *next_alarm(void)
{
    struct alarm *next = NULL;

    for (int i = 0; i < alarm_count; i++) {
        struct alarm *alarm = alarms[i];

        if (alarm->deadline_ns <= now_ns() && alarm->deadline_ns != AIOL_NEVER &&
            alarm->turn <= world.turn && (!next || comes_before(alarm, next)))
            next = alarm;
    }
    return next;
}

/* While the loop runs freely, what wakes nobody is seen only when somebody is woken later. */
static void fire(struct alarm *alarm)
{
    bool is_late = alarm->fires_ns != now_ns(), was_anyone_ready = is_anyone_ready();
    uint64_t fires_ns = alarm->fires_ns;

    alarm_disarm(alarm);
    alarm->fire(alarm);
    if (is_late && (!world.runs_freely || (!was_anyone_ready && is_anyone_ready())))
        fault("what is to end at %llu ns ends late", (unsigned long long)fires_ns);
}

void alarms_fire_until(const struct alarm *alarm, const char *who, int number)
{
    struct alarm *next;

    while ((next = next_alarm()) != NULL && next != alarm && next->fire)
        fire(next);
    if (!alarm->is_armed)
        fault("%s %d fires without having been started", who, number);
    else if (alarm->deadline_ns > now_ns())
        fault("%s %d fires early", who, number);
    else if (alarm->turn > world.turn)
        fault("%s %d fires in the turn in which it was started", who, number);
    else if (next != alarm)
        fault("%s %d fires before one that comes before it", who, number);
    else if (alarm->fires_ns != now_ns())
        fault("%s %d fires late", who, number);
}

void alarms_finish(void)
{
    struct alarm *next;

    while ((next = next_alarm()) != NULL && next->fire)
        fire(next);
    if (next)
        fault("a timer that is due (%llu ns) does not fire", (unsigned long long)next->deadline_ns);
}

uint64_t earliest_alarm_ns(void)
{
    uint64_t earliest_ns = AIOL_NEVER;

    for (int i = 0; i < alarm_count; i++) {
        if (alarms[i]->deadline_ns < earliest_ns)
            earliest_ns = alarms[i]->deadline_ns;
    }
    return earliest_ns;
}

uint64_t alarm_ref_count(void)
{
    uint64_t count = 0;

    for (int i = 0; i < alarm_count; i++)
        count += !alarms[i]->is_unref;
    return count;
}

/* The deadline of any; 0 when there is none. */
static uint64_t some_alarm_ns(void)
{
    return alarm_count ? alarms[below((unsigned)alarm_count)]->deadline_ns : 0;
}

uint64_t random_deadline(void)
{
    uint64_t now = now_ns();

    switch (below(7)) {
    case 0:
        return some_alarm_ns();
    case 1:
        return later(some_alarm_ns(), below(3)) - 1;
    case 2:
        return now - (now ? random64() % (now < 5000000 ? now : 5000000) : 0);
    case 3: /* since the turn began */
        return now - (now > world.began_ns ? random64() % (now - world.began_ns) : 0);
    default:
        return later(now, random_delay());
    }
}

void check_waits(void)
{
    if (calls_due_in[world.turn % 2] > 0)
        fault("%llu calls that were due in this turn were not made",
              (unsigned long long)calls_due_in[world.turn % 2]);
}
