/* What the tests with real threads share: how much of everything there is, and two functions. */
#ifndef THREAD_TOOLS_H
#define THREAD_TOOLS_H

#include "task/context.h" /* which sanitizer there is */

#include <errno.h>
#include <semaphore.h>

#define THREAD_COUNT 4

/* Debug builds may have to run under valgrind. */
#if defined(NDEBUG) || defined(AIOL__TSAN)
#define POSTS_PER_THREAD 1000000
#define SCALE 20
#else
#define POSTS_PER_THREAD 200000
#define SCALE 3
#endif

/* The seed is not 0. */
static inline unsigned next_random(unsigned *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

static inline void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) < 0 && errno == EINTR)
        ;
}

#endif
