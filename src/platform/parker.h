/* A thread that waits for one thing from another thread, and the lock over what they share. */
#ifndef AIOL__PLATFORM_PARKER_H
#define AIOL__PLATFORM_PARKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct aiol__parker {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
};

/* 0 or -errno. */
int aiol__parker_init(struct aiol__parker *parker);
void aiol__parker_destroy(struct aiol__parker *parker);

void aiol__parker_lock(struct aiol__parker *parker);
void aiol__parker_unlock(struct aiol__parker *parker);

/* Unlock, wait for a wake or until `deadline_ns` of the system's monotonic clock, and lock again.
 * False, without having waited, when the deadline had passed already; true may mean nothing. A
 * cancellation point, which leaves with the lock held (pthread_cond_timedwait(3)). */
bool aiol__parker_wait(struct aiol__parker *parker, uint64_t deadline_ns);
/* With the lock held. */
void aiol__parker_wake(struct aiol__parker *parker);

#endif
