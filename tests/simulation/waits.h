/* What everything in the model that waits is made of. */
#ifndef WAITS_H
#define WAITS_H

#include "world.h"

/*
 * A call that is to come in a deferred phase: a deferred call, or a completion.
 */
struct call {
    bool is_due;
    uint64_t number; /* they are called in this order, */
    uint64_t turn;   /* and in this turn */
};
void call_start(struct call *call);
void call_drop(struct call *call);
void call_enter(struct call *call, const char *who, int number);
uint64_t calls_due(void);
bool is_call_due(void); /* in the deferred phase that comes next */

/*
 * Somebody who waits for one thing, a task or a callback, and the line that he waits in.
 */
#define MAX_WAITERS 48

struct line {
    struct waiter *waiters[MAX_WAITERS];
    int count;
};

struct waiter {
    struct line *line;   /* NULL: in none */
    struct actor *actor; /* NULL: it is a callback, */
    struct call call;    /* which is to be called, once it is not pending any more */
    bool is_pending;
    int status;
    int value;
};

/* An object that is being closed calls back inside that call. */
struct closing {
    unsigned depth;
    uint64_t last_number; /* of those that it has called */
};

void line_join(struct line *line, struct waiter *waiter);
struct waiter *line_first(const struct line *line);
void complete(struct waiter *waiter, int status, int value);
void complete_all(struct line *line, int status);
void withdraw(struct waiter *waiter);
bool is_started(const struct waiter *waiter); /* a callback form; until its callback is entered */
/* Stop a callback form. */
void waiter_stop(struct waiter *waiter);
void waiter_enter(struct waiter *waiter, struct closing *closing, const char *who, int number);
void closing_begin(struct closing *closing);

/*
 * An alarm is what the wheel holds: a timer, a sleep, or the deadline of a scope. The
 * latter two have `fire`, since the library calls nobody for them.
 */
struct alarm {
    bool is_armed;
    bool is_unref;
    uint64_t deadline_ns;
    uint64_t sequence; /* equal deadlines fire in the order of their starts */
    uint64_t turn;     /* it does not fire before this one, */
    uint64_t fires_ns; /* but then exactly at this time */
    void (*fire)(struct alarm *alarm);
    void *owner;
};
void alarm_arm(struct alarm *alarm, uint64_t deadline_ns);
void alarm_disarm(struct alarm *alarm);
/* Fire those that come before this one, which the library fires now. */
void alarms_fire_until(const struct alarm *alarm, const char *who, int number);
/* Fire the rest: the phase is over. */
void alarms_finish(void);
uint64_t earliest_alarm_ns(void);
uint64_t alarm_ref_count(void);
/* Often one that something else has, or close to it. */
uint64_t random_deadline(void);

void waits_begin(void);
void check_waits(void);

#endif
