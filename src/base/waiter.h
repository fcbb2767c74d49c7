/*
 * The waiter: the one way to wait. A queue, a future, the end of a task, a descriptor, a sleep know
 * nothing of tasks or callbacks, only of waiters in a list.
 *
 *     init ──> linked in the awaited object's FIFO ──> completed (status written, woken)
 *                        │                                     ▲
 *                        └── withdrawn (unlinked, undone) ─────┘ by who cancels, with his status
 *
 * Completing unlinks the waiter, so that it has what it was given and nobody can take it back, and
 * wakes it. Waking never runs user code: it makes a task ready, or starts a deferred call. A waiter
 * has exactly one status in its life.
 */
#ifndef AIOL__BASE_WAITER_H
#define AIOL__BASE_WAITER_H

#include "base/list.h"

#include <assert.h>

#define AIOL__PENDING INT64_MIN

struct aiol__waiter_source {
    /* Unlink the waiter and undo what its waiting set up; cannot fail and wakes nobody. NULL for a
     * wait that must not be cancelled. */
    void (*withdraw)(struct aiol__waiter *waiter);
    /* Whoever waits may have given up in another thread: does it still wait? Then it does so until
     * it is completed, which follows. NULL: always. */
    bool (*claim)(struct aiol__waiter *waiter);
};

static inline void aiol__waiter_init(struct aiol__waiter *waiter, void *object,
                                     const struct aiol__waiter_source *source)
{
    aiol__list_init(&waiter->node);
    waiter->source = source;
    waiter->object = object;
    waiter->slot = NULL;
    waiter->status = AIOL__PENDING;
}

static inline bool aiol__waiter_is_pending(const struct aiol__waiter *waiter)
{
    return waiter->status == AIOL__PENDING;
}

static inline void aiol__waiter_complete(struct aiol__waiter *waiter, int64_t status)
{
    assert(aiol__waiter_is_pending(waiter));
    aiol__list_remove(&waiter->node);
    waiter->status = status;
    waiter->wake(waiter);
}

/* Complete all that wait in a list, in the order of their arrival, with one status. */
static inline void aiol__waiters_complete(struct aiol__list *waiters, int64_t status)
{
    while (!aiol__list_is_empty(waiters))
        aiol__waiter_complete(container_of(waiters->next, struct aiol__waiter, node), status);
}

/* A withdraw() for sources that have nothing to undo but the place in the list. */
static inline void aiol__waiter_unlink(struct aiol__waiter *waiter)
{
    aiol__list_remove(&waiter->node);
}

#endif
