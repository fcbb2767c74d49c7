/*
 * Tasks, and what they do with one another.
 *
 *     switch           from one stack to another, without a scheduler: one switch is an operation
 *     yield            so many tasks, each of which lets the others run: a yield is an operation
 *     spawn            spawn a task that does nothing, await its end and its result
 *     spawn_many       spawn so many tasks, all of which wait; wake them, await their ends: a task
 *                      is an operation
 *     queue            one task puts, another one gets, a queue of so many items between them: an
 *                      item is an operation
 *     queue_unbuffered the same without room for any item
 *     future           a task makes a future and awaits it, another one sets it
 *     parked_memory    so many tasks wait: what the process holds more than before for each
 */
#ifndef BENCH_TASKS_H
#define BENCH_TASKS_H

#include "../bench.h"

#define SWITCHES 2000000
#define YIELDS 1000000
#define SPAWNS 200000
#define ITEMS 500000
#define FUTURES 300000

#endif
