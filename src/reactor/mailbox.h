/*
 * The mailbox: where other threads leave posts for a loop. It is shared by the loop and its
 * posters, counted, and lives until the last of them is gone, and with it the wakeup descriptor; so
 * a poster can always touch it, whatever has become of the loop.
 *
 * All of its state is one atomic word, the head of a list that grows at the front:
 *
 *     NULL ── the loop is awake and has taken everything
 *     a post ── posts are waiting, the latest first
 *     WOKEN ── nothing is, but the loop must not go to sleep before it has looked
 *     SLEEPING ── the loop waits in the kernel, or is about to: who replaces this must wake it
 *     CLOSED ── the loop is gone: nothing can be posted any more
 *
 * A producer replaces the head by its post (compare and exchange), and wakes the loop exactly when
 * what it replaced was SLEEPING. A wake-up is a post that is not there: it replaces NULL or
 * SLEEPING by WOKEN, and leaves the head as it is when there is something to look at anyway. The
 * loop goes to sleep by replacing NULL by SLEEPING, which fails when a post or a wake-up has come;
 * it takes all posts by one exchange. As every transition is on that one word, no wake-up can be
 * lost between a check and a sleep. Nodes are only taken all at once, so that the list has no ABA
 * problem.
 */
#ifndef AIOL__REACTOR_MAILBOX_H
#define AIOL__REACTOR_MAILBOX_H

#include "platform/wakeup.h"

#include <aiol/poster.h>

#include <stdatomic.h>
#include <stdbool.h>

struct aiol__mailbox {
    _Atomic(struct aiol_post *) head;
    atomic_uint reference_count;
    atomic_uint fork_count; /* of this process and its ancestors since the mailbox was made */
    struct aiol__wakeup wakeup;
    struct aiol_allocator allocator;
};

int aiol__mailbox_new(const struct aiol_allocator *allocator, struct aiol__mailbox **ret_mailbox);
void aiol__mailbox_retain(struct aiol__mailbox *mailbox);
void aiol__mailbox_release(struct aiol__mailbox *mailbox);

/* Any thread that holds a reference, also in a signal handler. 0 or AIOL_ECLOSED. */
int aiol__mailbox_push(struct aiol__mailbox *mailbox, struct aiol_post *post);
int aiol__mailbox_wake(struct aiol__mailbox *mailbox);

/* The loop's thread. */
bool aiol__mailbox_is_closed(const struct aiol__mailbox *mailbox);
bool aiol__mailbox_is_empty(const struct aiol__mailbox *mailbox);
/* False when there is something to look at: do not sleep. */
bool aiol__mailbox_prepare_sleep(struct aiol__mailbox *mailbox);
/* Call what was posted until now, in order. */
void aiol__mailbox_deliver(struct aiol__mailbox *mailbox);
/* Accept no more, and tell the posts that are left AIOL_ECLOSED. */
void aiol__mailbox_close(struct aiol__mailbox *mailbox);

#endif
