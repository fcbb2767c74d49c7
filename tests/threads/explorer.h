/*
 * Runs a small program of a few threads once for each order in which the threads' steps can follow
 * one another, with up to two preemptions: the way of CHESS and loom. Most bugs of threads show
 * with two. The threads are coroutines, so that each run is decided, and repeated, step by step.
 *
 * What is tested calls step() after each thing it does that another thread can notice. There the
 * thread goes on, or is preempted for another one. Whom to run next when a thread sleeps or ends
 * costs no preemption. Up to once a run something rare happens besides: a failure that has no cause
 * (fails_for_no_reason()), or a sleep that ends early; not where that would take too long, under
 * the thread sanitizer and valgrind.
 *
 * The steps follow one another as if all memory was sequentially consistent. What weaker memory
 * adds is not explored.
 */
#ifndef EXPLORER_H
#define EXPLORER_H

#include <stdbool.h>

#define EXPLORER_MAX_THREADS 3

struct program {
    const char *name;
    void (*begin)(void); /* before each run, not explored */
    void (*threads[EXPLORER_MAX_THREADS])(void);
    const char *(*check)(void); /* after each run: NULL, or what is wrong */
};

/* Prints how many runs there were, or the one that went wrong, step by step. */
bool explore(const struct program *program);

/* The rest does nothing while no program runs. */

/* Here another thread may come in. */
void step(const char *what_was_done);

bool fails_for_no_reason(void);

/* Sleep until is_over(); or wake early, if that is allowed. It is a deadlock when nobody can make
 * is_over() true. */
enum sleep { SLEEP_TO_THE_END, SLEEP_MAY_END_EARLY };
void sleep_until(bool (*is_over)(void), enum sleep kind);

/* This run has gone wrong, and is the last one. A thread does not return from it. */
void fail_run(const char *what);

#endif
