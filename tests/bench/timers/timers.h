/*
 * Timers. Each participant has as many as the case says, and does the same with them:
 *
 *     timer_startstop  start all, deadlines at random within an hour, then stop all: one of each is
 *                      an operation
 *     timer_rearm      all are started; give each one a later deadline, as a timeout is pushed back
 *     timer_fire       all are due at the same time: the turn that calls them
 *     timer_random     deadlines at random within a tenth of a second, addresses in random order,
 *                      all due when the loop is turned: the turn that calls them
 */
#ifndef BENCH_TIMERS_H
#define BENCH_TIMERS_H

#include "../bench.h"

#include <time.h>

/* A timer is part of what it is for, a connection perhaps, of so many bytes in all. */
#define OBJECT_BYTES 256

#define HOUR_NS UINT64_C(3600000000000)
#define SPREAD_NS UINT64_C(100000000)
#define REARMS 10 /* of each timer, in a round */

/* Random delays, prepared so that drawing them costs nothing in a round. */
static inline uint64_t *bench_delays(long count, uint64_t below_ns)
{
    uint64_t *delays_ns = (uint64_t *)bench_allocate((size_t)count * sizeof *delays_ns);

    for (long i = 0; i < count; i++)
        delays_ns[i] = bench_random() % below_ns;
    return delays_ns;
}

/* Until what was started with SPREAD_NS at the most is due, also where time is milliseconds. */
static inline void bench_wait_until_due(void)
{
    const struct timespec delay = {0, (long)SPREAD_NS + 5000000};

    nanosleep(&delay, NULL);
}

#endif
