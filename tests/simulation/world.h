/*
 * Random programs against a model. A program is some hundred random calls on one simulated loop,
 * made between its turns, in callbacks and in tasks; all its choices follow from one seed. Beside
 * the library runs a model, which does in the plainest way what the headers promise: arrays instead
 * of wheels and rings, a search instead of a list. Each call, each callback and each task that goes
 * on is compared with it, and so is all that can be asked of the loop after each turn.
 *
 *     world.c    what a program chooses, and its trace
 *     turns.c    a program from its beginning to its end, turn by turn
 *     waits.c    the model of waiting: lines of waiters, deferred calls, alarms
 *     timers.c, calls.c (deferred calls and hooks), posts.c, futures.c,
 *     queues.c and queue_calls.c, scopes.c (also groups), tasks.c and task_steps.c,
 *     streams.c, stream_steps.c and watchers.c: a subject each, with its model
 *
 * The model moves just before the library does, in the same call, since what the library calls back
 * inside that call is compared too. What the library does on its own (a sleep or a deadline that
 * ends) the model does when the phase of the timers is seen to be over, or at the next timer.
 */
#ifndef WORLD_H
#define WORLD_H

#include "support.h"

#include <errno.h>

/* The phases of a turn in their order (src/README.md). */
enum phase {
    OUTSIDE,
    BEFORE_WAIT,
    AFTER_WAIT,
    DESCRIPTORS,
    POSTS,
    TIMERS,
    DEFERRED,
    TASKS,
    END_OF_TURN,
};

struct actor;

/* What a program is made of. Any function may be NULL. */
struct subject {
    void (*begin)(void);
    void (*act)(void);                /* one random call, which may be made anywhere */
    void (*step)(struct actor *self); /* one random thing that may wait, in a task */
    void (*check)(void);              /* after a turn: does the library agree with the model? */
    void (*stop)(void);               /* stop what only callbacks have to do with */
    void (*end)(void);                /* stop, close and free what is left */
};

extern const struct subject timer_subject, call_subject, post_subject, future_subject,
    queue_subject, task_subject, stream_subject;

#define SUBJECT_COUNT 7
extern const struct subject *const subjects[SUBJECT_COUNT];

struct world {
    struct aiol_loop *loop;
    uint64_t seed;
    uint64_t random_state;
    bool is_verbose;
    char fault[300]; /* the first thing that was wrong; empty as long as nothing is */

    bool is_ending;      /* nothing new is begun */
    bool runs_freely;    /* inside aiol_loop_run(), whose turns are not seen */
    bool was_deadlocked; /* and it has cancelled the tasks */
    unsigned acts_left;
    unsigned depth; /* acts in callbacks inside calls inside acts ... */

    uint64_t turn; /* counts them; outside of turns it is the last one */
    enum phase phase;
    uint64_t began_ns; /* the clock when the turn began, */
    uint64_t limit_ns; /* and how long it may wait */
    bool blocks;       /* it is one that may wait: the hooks are called */
    bool is_owed;      /* when it began, a watcher was to be called */
    bool is_stopping;
    bool has_slept;            /* in this turn, and would have for ever */
    unsigned idle_turns;       /* in a row, in which nothing was done, and no time has passed */
    uint64_t idle_event_count; /* since this event */
    uint32_t max_events;
    uint32_t max_steps;

    uint64_t event_count; /* of the trace */
    uint64_t hash;
};
extern struct world world;

/* turns.c: run the program of a seed, on a loop of a seed. False when something was wrong:
 * world.fault says what. */
bool run_program(uint64_t seed, uint64_t loop_seed, bool is_verbose);
/* world.c: that, and what happened before it. */
void print_fault(void);

/* world.c: choices. */
uint64_t random64(void);
unsigned below(unsigned limit);
bool chance(unsigned in); /* one in so many */
uint64_t random_delay(void);
/* Of each subject how often it is chosen. */
void choose_weights(void);
/* Something random, from a callback. */
void react(void);
/* Something random, from anywhere. */
void act(void);
bool is_over(void); /* the program is ending, or has failed */

/* turns.c: time, in the model. */
uint64_t now_ns(void);
uint64_t later(uint64_t time_ns, uint64_t delay_ns); /* AIOL_NEVER where that would not fit */
/* In which turn this phase comes next. */
uint64_t next_turn(enum phase phase);
/* A callback of this phase is called, or a task goes on. */
void enter(enum phase phase);
/* Inside aiol_loop_run(): one of its turns has come to its tasks. */
void enter_unseen_turn(void);

/* world.c: what happens. A fault is only noted, since it may be found in a task. */
void trace(const char *who, int number, const char *what, int64_t value);
void fault(const char *format, ...) __attribute__((format(printf, 1, 2)));
void expect(const char *what, int number, int64_t actual, int64_t expected);

/* One random thing that may wait, in a task: of the subject that the program chooses. */
void take_step(struct actor *self);

#endif
