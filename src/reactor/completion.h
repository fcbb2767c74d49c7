/*
 * A waiter in callback form: the part that queue getters, putters and joiners and future observers
 * share. Being completed starts a deferred call, so that no callback runs inside the call that
 * completed it.
 *
 *     idle ── begin ──> waiting ── complete ──> to be delivered ── deliver() ──> idle
 *                          └──────── end ─────────────┴────────────────────────> idle
 *
 * While it is to be delivered it stands in its object's list of completed ones, so that closing the
 * object finds it.
 */
#ifndef AIOL__REACTOR_COMPLETION_H
#define AIOL__REACTOR_COMPLETION_H

#include "base/waiter.h"

#include <aiol/deferred.h>

/* `completed` is the object's list. */
void aiol__completion_init(struct aiol__completion *completion, struct aiol_loop *loop,
                           void *object, struct aiol__list *completed,
                           void (*deliver)(struct aiol__completion *));

bool aiol__completion_is_active(const struct aiol__completion *completion);

/* Make it wait; the caller then links the waiter, or completes it at once. */
void aiol__completion_begin(struct aiol__completion *completion,
                            const struct aiol__waiter_source *source);

/* Forget it. Returns the status it had been given, or AIOL__PENDING if none. Only for an active
 * one.
 */
int64_t aiol__completion_end(struct aiol__completion *completion);

/* Deliver now, inside this call, what has been completed for an object that is going away. When
 * what is called closes objects itself, this one again among them, they deliver the rest. */
void aiol__completions_deliver(struct aiol_loop *loop, struct aiol__list *completed);

#endif
