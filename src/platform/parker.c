/* Parking by a mutex and a condition variable on the monotonic clock (pthread_cond_timedwait(3)),
 * which macOS has no way to choose; there the wait is relative. */
#include "platform/parker.h"
#include "base/arithmetic.h"
#include "platform/sys.h"

#include <aiol/time.h>

#include <errno.h>

/* Ten years are enough, and fit any time_t. */
#define LONGEST_WAIT_NS (87600 * AIOL_HOUR)

#ifdef __APPLE__
static int init_condition(pthread_cond_t *condition)
{
    return pthread_cond_init(condition, NULL);
}

static int wait_for_condition(struct aiol__parker *parker, uint64_t now_ns, uint64_t delay_ns)
{
    struct timespec delay = {.tv_sec = (time_t)(delay_ns / AIOL_SECOND),
                             .tv_nsec = (long)(delay_ns % AIOL_SECOND)};

    (void)now_ns;
    return pthread_cond_timedwait_relative_np(&parker->condition, &parker->mutex, &delay);
}
#else
static int init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    int error = pthread_condattr_init(&attributes);

    if (error)
        return error;
    error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (!error)
        error = pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
    return error;
}

static int wait_for_condition(struct aiol__parker *parker, uint64_t now_ns, uint64_t delay_ns)
{
    uint64_t end_ns = now_ns + delay_ns;
    struct timespec end = {.tv_sec = (time_t)(end_ns / AIOL_SECOND),
                           .tv_nsec = (long)(end_ns % AIOL_SECOND)};

    return pthread_cond_timedwait(&parker->condition, &parker->mutex, &end);
}
#endif

int aiol__parker_init(struct aiol__parker *parker)
{
    int error = pthread_mutex_init(&parker->mutex, NULL);

    if (error)
        return -error;
    error = init_condition(&parker->condition);
    if (error)
        pthread_mutex_destroy(&parker->mutex);
    return -error;
}

void aiol__parker_destroy(struct aiol__parker *parker)
{
    pthread_cond_destroy(&parker->condition);
    pthread_mutex_destroy(&parker->mutex);
}

void aiol__parker_lock(struct aiol__parker *parker)
{
    pthread_mutex_lock(&parker->mutex);
}

void aiol__parker_unlock(struct aiol__parker *parker)
{
    pthread_mutex_unlock(&parker->mutex);
}

bool aiol__parker_wait(struct aiol__parker *parker, uint64_t deadline_ns)
{
    uint64_t now_ns, delay_ns;

    if (deadline_ns == AIOL_NEVER) {
        pthread_cond_wait(&parker->condition, &parker->mutex);
        return true;
    }
    now_ns = aiol__sys_monotonic_ns();
    delay_ns = aiol__saturating_sub(deadline_ns, now_ns);
    if (delay_ns == 0)
        return false;
    wait_for_condition(parker, now_ns, delay_ns < LONGEST_WAIT_NS ? delay_ns : LONGEST_WAIT_NS);
    return true;
}

void aiol__parker_wake(struct aiol__parker *parker)
{
    pthread_cond_signal(&parker->condition);
}
