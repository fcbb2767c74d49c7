/*
 * What makes a loop turn beside descriptors and timers.
 *
 *     ready     so many callbacks are pending, and each makes itself so again: the call of one is
 *               an operation
 *     post      another thread has the loop call a function, again and again, without waiting for
 *               it: each call is an operation. Peers that know only of wake-ups, which they
 *               coalesce, have a list beside.
 *     pingpong  two loops in two threads wake each other in turns: there and back is an operation
 *
 * All threads of a participant share one processor.
 */
#ifndef BENCH_TURNS_H
#define BENCH_TURNS_H

#include "../bench.h"

#include <pthread.h>

#define READY_CALLS 1000000
#define POSTS 200000
#define ROUND_TRIPS 5000

#endif
