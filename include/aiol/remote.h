/*
 * The queue from other threads. A remote is a counted handle of a queue, which may outlive the
 * queue and its loop. The calls that a thread makes with it block that thread, not the loop, and
 * work on the same queue, in the same order of arrival, as those of tasks and callbacks do.
 *
 * It is the loop that serves them, in its post phase: while nobody turns it, they wait. A signal
 * does not interrupt them, nor does pthread_cancel(3): to end one before its deadline, shut the
 * queue down. All take a deadline on the system's monotonic clock, which is what
 * aiol_deadline_after() gives in such a thread, also when the loop is simulated; AIOL_NEVER is
 * allowed.
 *
 * A child of fork(2) has none of these threads: what they held it may release, once it has called
 * aiol_loop_reinit_after_fork().
 */
#ifndef AIOL_REMOTE_H
#define AIOL_REMOTE_H

#include <aiol/queue.h>
#include <aiol/time.h>

AIOL_BEGIN_DECLARATIONS

struct aiol_queue_remote;

/*
 * Make a remote of a queue, with a count of one. As a poster does, it keeps the loop alive until
 * its last reference is released.
 *
 * Thread: the loop's. Returns 0, -ENOMEM, or AIOL_ECLOSED (the queue or the loop is being freed).
 */
AIOL_API int aiol_queue_remote_new(struct aiol_queue *queue, struct aiol_queue_remote **ret_remote);

/*
 * Take one more reference: one for each thread that holds the remote.
 *
 * Thread: any that holds a reference. Cannot fail.
 */
AIOL_API void aiol_queue_remote_retain(struct aiol_queue_remote *remote);

/*
 * Give one reference back; after the last one the loop frees the remote, in its next turn or at
 * its end. NULL is allowed.
 *
 * Thread: any that holds a reference. Cannot fail.
 */
AIOL_API void aiol_queue_remote_release(struct aiol_queue_remote *remote);

/*
 * Put an item, waiting while the queue is full. On success the item is the queue's, otherwise it is
 * still the caller's. Allocates from the loop's allocator, in this thread.
 *
 * Thread: any that holds a reference, but for one that is running a loop. Returns 0, -ETIMEDOUT
 * (the deadline has passed, or was past from the start), AIOL_ECLOSED (the queue is shut down or
 * freed, or the loop is), -ENOMEM, or -EBUSY (called in a callback or a task).
 */
AIOL_API int aiol_blocking_queue_put(struct aiol_queue_remote *remote, void *item,
                                     uint64_t deadline_ns);

/*
 * Get an item, waiting while the queue is empty. On success the item is the caller's. Allocates
 * from the loop's allocator, in this thread.
 *
 * Thread: any that holds a reference, but for one that is running a loop. Returns 0, -ETIMEDOUT (as
 * above; no item was taken), AIOL_ECLOSED (shut down and drained, or freed, or the loop is),
 * -ENOMEM, or -EBUSY (called in a callback or a task).
 */
AIOL_API int aiol_blocking_queue_get(struct aiol_queue_remote *remote, uint64_t deadline_ns,
                                     void **ret_item);

/*
 * Say that an item that was got has been dealt with, as aiol_queue_done() does; waits for the loop
 * to take notice. Allocates from the loop's allocator, in this thread.
 *
 * Thread: any that holds a reference, but for one that is running a loop. Returns 0, -EINVAL (more
 * often than items were got), -ETIMEDOUT (it was not said), AIOL_ECLOSED (the queue is freed, or
 * the loop is), -ENOMEM, or -EBUSY (called in a callback or a task).
 */
AIOL_API int aiol_blocking_queue_done(struct aiol_queue_remote *remote, uint64_t deadline_ns);

/*
 * Wait until every item that was put is done. Allocates from the loop's allocator, in this thread.
 *
 * Thread: any that holds a reference, but for one that is running a loop. Returns 0, -ETIMEDOUT,
 * AIOL_ECLOSED (the queue is freed, or the loop is), -ENOMEM, or -EBUSY (called in a callback or a
 * task).
 */
AIOL_API int aiol_blocking_queue_join(struct aiol_queue_remote *remote, uint64_t deadline_ns);

AIOL_END_DECLARATIONS

#endif
