/*
 * The fault harness. A scenario uses a part of the library, cleans up after itself whatever
 * happens, and returns 0 or the first error that it met. The harness runs it again and again on a
 * fresh loop, and each time makes one thing fail:
 *
 *   - allocation 1, 2, 3 ... fails, alone or with all that come after it;
 *   - system call 1, 2, 3 ... of each kind fails in each way it can, once or many times in a row,
 *     or transfers one byte only (fault_list.c has the list, with the manual pages).
 *
 * After each run nothing may be left, neither memory nor mappings nor descriptors; the loop must be
 * usable (probe.c), and free to go; and the run must have been neither a crash nor a spin nor a
 * hang. A fault that the library promises to deal with itself, such as EINTR, must not be seen by
 * the scenario at all.
 *
 * All runs are in a time that passes only by waiting, so a timer jumps ahead of what is on its way
 * through the network: where scenarios use TCP they set none.
 */
#ifndef FAULTS_H
#define FAULTS_H

#include "support.h"

#include <aiol.h>

#include <errno.h>

/* What a scenario returns when all calls succeeded, yet what they did is wrong: never right. */
#define WRONG_RESULT (-ENOTRECOVERABLE)

/* 0 when it is so, else WRONG_RESULT, for whose report `what` is remembered. Tasks may use it. */
int expect(bool is_so, const char *what);

/* On which loops a scenario runs. */
#define ON_REAL 1
#define ON_SIMULATED 2
#define ON_BOTH (ON_REAL | ON_SIMULATED)

/* Run a scenario through all of it, and fail the test if anything went wrong. */
void inject_faults(const char *name, int (*scenario)(struct aiol_loop *loop), unsigned loops);

/* The same for a scenario that makes its loop itself, with these options. */
void inject_faults_alone(const char *name, int (*scenario)(const struct aiol_loop_options *options),
                         unsigned loops);

/* The last step of each program, as the teardown of its group: how many points there were. */
int print_points(void **state);

/* Is the loop usable? Called by the harness with all faults off. 0, or WRONG_RESULT. */
int probe_loop(struct aiol_loop *loop);

/* For scenarios (scenario.c): run the loop until nothing is alive. 0 or an error. */
int run_loop(struct aiol_loop *loop);

/* Run `fn(arg)` as a task until it ends; if the loop's run fails before, it is cancelled and run to
 * its end. Returns the error of the run, else what the task returned. */
int run_task(struct aiol_loop *loop, aiol_task_fn fn, void *arg);

/* A connected pair of descriptors of the kind that the loop watches; both are -1 after a failure.
 * Closing passes over those that are -1. 0 or an error. */
int open_pair(struct aiol_loop *loop, int ret_fds[2]);
int close_pair(struct aiol_loop *loop, const int fds[2]);

#endif
