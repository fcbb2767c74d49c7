/*
 * The queue from other threads. A thread posts an operation to the loop and parks; only the loop's
 * thread touches the queue, where the operation waits as any other waiter does.
 *
 *     thread:  post ──> parked ............................──> result
 *     loop:           received ──> waits in the queue ──> done ──┘
 *
 * The thread may run out of time at any point of this, also when nobody turns the loop. So it
 * gives up by itself, by marking the operation as abandoned, and what would complete that must
 * claim it first. The operation is counted, and lives until both sides are done with it.
 *
 * What thread and loop share is under the operation's lock. Nobody ever holds two.
 */
#include "base/allocator.h"
#include "platform/parker.h"
#include "platform/sys.h"
#include "queue/queue.h"
#include "reactor/loop.h"

#include <aiol/error.h>
#include <aiol/poster.h>
#include <aiol/remote.h>

#include <errno.h>

struct aiol_queue_remote {
    atomic_uint reference_count;
    struct aiol_poster *poster;
    struct aiol__mailbox *mailbox; /* which the poster keeps */
    struct aiol_allocator allocator;
    struct aiol_post farewell;

    /* The loop's thread only. */
    struct aiol__queue_link link;
    struct aiol__loop_observer observer;
    struct aiol__list operations; /* that wait in the queue */
};

enum operation_state {
    STATE_POSTED,
    STATE_WAITING,  /* in the queue */
    STATE_CLAIMED,  /* by the loop, which is about to complete it */
    STATE_DONE,     /* `result` and `item` are written */
    STATE_ABANDONED /* by the thread */
};

struct operation {
    /* The thread's until it posts it, then the loop's. */
    struct aiol_post post;
    struct aiol__waiter waiter;
    struct aiol__list node; /* in the remote's list, while it waits in the queue */
    struct aiol_queue_remote *remote;
    int (*begin)(struct aiol_queue *queue, struct aiol__waiter *waiter);
    struct aiol__mailbox *mailbox; /* alive while it delivers, as the remote need not be */
    unsigned fork_count;
    struct aiol_allocator allocator; /* the remote may be gone before the loop is done with it */

    struct aiol__parker parker; /* its lock is over what follows */
    unsigned holder_count;      /* the thread, and the loop */
    enum operation_state state;
    bool is_overdue; /* and the thread waits on, since it was claimed at that moment */
    int result;
    void *item;
};

/* One holder is done with it. Gives up the lock, as the next three do. */
static void let_go(struct operation *operation)
{
    bool is_last = --operation->holder_count == 0;
    struct aiol_allocator allocator = operation->allocator;

    aiol__parker_unlock(&operation->parker);
    if (!is_last)
        return;
    aiol__parker_destroy(&operation->parker);
    aiol__release(&allocator, operation);
}

/* The loop's last step with an operation. */
static void finish(struct operation *operation, int result)
{
    aiol__list_remove(&operation->node);
    if (operation->state != STATE_ABANDONED) {
        operation->state = STATE_DONE;
        operation->result = result;
        operation->item = operation->waiter.slot;
        aiol__parker_wake(&operation->parker);
    }
    let_go(operation);
}

static struct operation *operation_of(struct aiol__waiter *waiter)
{
    return container_of(waiter, struct operation, waiter);
}

static bool claim(struct aiol__waiter *waiter)
{
    struct operation *operation = operation_of(waiter);
    bool is_kept;

    aiol__parker_lock(&operation->parker);
    is_kept = operation->state != STATE_ABANDONED;
    if (is_kept)
        operation->state = STATE_CLAIMED;
    aiol__parker_unlock(&operation->parker);
    return is_kept;
}

static const struct aiol__waiter_source remote_source = {.withdraw = aiol__waiter_unlink,
                                                         .claim = claim};

/* What has been abandoned is taken out when its thread's second post arrives. */
static void wake(struct aiol__waiter *waiter)
{
    struct operation *operation = operation_of(waiter);

    aiol__parker_lock(&operation->parker);
    if (operation->state == STATE_ABANDONED)
        aiol__parker_unlock(&operation->parker);
    else
        finish(operation, (int)waiter->status);
}

static void wait_in_queue(struct operation *operation)
{
    operation->state = STATE_WAITING;
    aiol__list_append(&operation->remote->operations, &operation->node);
    if (operation->is_overdue)
        aiol__parker_wake(&operation->parker);
    aiol__parker_unlock(&operation->parker);
}

static void receive(int status, void *data)
{
    struct operation *operation = data;
    struct aiol_queue_remote *remote = operation->remote;
    bool is_claimed;
    int rc = AIOL_ECLOSED;

    /* Of a thread that this process does not have. */
    if (operation->fork_count != atomic_load(&operation->mailbox->fork_count))
        return;
    is_claimed = claim(&operation->waiter);
    if (is_claimed && status == 0 && remote->link.queue)
        rc = operation->begin(remote->link.queue, &operation->waiter);
    aiol__parker_lock(&operation->parker);
    if (rc == -EAGAIN)
        wait_in_queue(operation);
    else
        finish(operation, rc);
}

static void take_out(int status, void *data)
{
    struct operation *operation = data;

    (void)status;
    if (operation->fork_count != atomic_load(&operation->mailbox->fork_count))
        return;
    aiol__list_remove(&operation->waiter.node);
    aiol__parker_lock(&operation->parker);
    finish(operation, 0);
}

static void abandon(struct operation *operation)
{
    bool is_waiting = operation->state == STATE_WAITING;

    operation->state = STATE_ABANDONED;
    if (is_waiting) {
        aiol_post_init(&operation->post, take_out, operation);
        /* Cannot fail: before its loop closes the mailbox, all that wait are done. */
        aiol_poster_post_node(operation->remote->poster, &operation->post);
    }
    let_go(operation);
}

/* Park until it is done; its result. */
static int await_result(struct operation *operation, uint64_t deadline_ns, void **ret_item)
{
    int result;

    aiol__parker_lock(&operation->parker);
    while (operation->state != STATE_DONE) {
        if (operation->is_overdue && operation->state != STATE_CLAIMED) {
            abandon(operation);
            return -ETIMEDOUT;
        }
        if (!aiol__parker_wait(&operation->parker,
                               operation->is_overdue ? AIOL_NEVER : deadline_ns))
            operation->is_overdue = true;
    }
    result = operation->result;
    if (result == 0 && ret_item)
        *ret_item = operation->item;
    let_go(operation);
    return result;
}

static int run_operation(struct aiol_queue_remote *remote,
                         int (*begin)(struct aiol_queue *, struct aiol__waiter *), void *item,
                         uint64_t deadline_ns, void **ret_item)
{
    struct operation *operation;
    int rc;

    operation = aiol__allocate_zeroed(&remote->allocator, sizeof *operation);
    if (!operation)
        return -ENOMEM;
    operation->remote = remote;
    operation->begin = begin;
    operation->mailbox = remote->mailbox;
    operation->fork_count = atomic_load(&remote->mailbox->fork_count);
    operation->allocator = remote->allocator;
    operation->holder_count = 2;
    aiol__list_init(&operation->node);
    aiol__waiter_init(&operation->waiter, NULL, &remote_source);
    operation->waiter.wake = wake;
    operation->waiter.slot = item;
    aiol_post_init(&operation->post, receive, operation);
    rc = aiol__parker_init(&operation->parker);
    if (rc < 0)
        goto release;
    rc = aiol_poster_post_node(remote->poster, &operation->post);
    if (rc < 0)
        goto destroy_parker;
    return await_result(operation, deadline_ns, ret_item);

destroy_parker:
    aiol__parker_destroy(&operation->parker);
release:
    aiol__release(&remote->allocator, operation);
    return rc;
}

static int run(struct aiol_queue_remote *remote,
               int (*begin)(struct aiol_queue *, struct aiol__waiter *), void *item,
               uint64_t deadline_ns, void **ret_item)
{
    int cancel_state, rc;

    if (aiol__loop_is_calling())
        return -EBUSY;
    if (deadline_ns != AIOL_NEVER && deadline_ns <= aiol__sys_monotonic_ns())
        return -ETIMEDOUT;
    /* A thread that was cancelled in there (pthreads(7)) would leave with the lock held. */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    rc = run_operation(remote, begin, item, deadline_ns, ret_item);
    pthread_setcancelstate(cancel_state, NULL);
    return rc;
}

int aiol_blocking_queue_put(struct aiol_queue_remote *remote, void *item, uint64_t deadline_ns)
{
    return run(remote, aiol__queue_put, item, deadline_ns, NULL);
}

int aiol_blocking_queue_get(struct aiol_queue_remote *remote, uint64_t deadline_ns, void **ret_item)
{
    return run(remote, aiol__queue_get, NULL, deadline_ns, ret_item);
}

int aiol_blocking_queue_join(struct aiol_queue_remote *remote, uint64_t deadline_ns)
{
    return run(remote, aiol__queue_join, NULL, deadline_ns, NULL);
}

static int done(struct aiol_queue *queue, struct aiol__waiter *waiter)
{
    (void)waiter;
    return aiol_queue_done(queue);
}

int aiol_blocking_queue_done(struct aiol_queue_remote *remote, uint64_t deadline_ns)
{
    return run(remote, done, NULL, deadline_ns, NULL);
}

/* The loop ends, with the queue or without: nothing that waits will be completed any more. */
static void on_loop_end(struct aiol__loop_observer *observer)
{
    struct aiol_queue_remote *remote = container_of(observer, struct aiol_queue_remote, observer);
    struct aiol__list *node;

    aiol__list_remove(&remote->observer.node);
    aiol__list_remove(&remote->link.node);
    remote->link.queue = NULL;
    while ((node = aiol__list_take_first(&remote->operations)) != NULL) {
        struct operation *operation = container_of(node, struct operation, node);

        /* Not so when it was abandoned, and then completed. */
        if (aiol__waiter_is_pending(&operation->waiter))
            aiol__waiter_complete(&operation->waiter, AIOL_ECLOSED);
    }
}

/* In a child the threads that wait do not exist, and in what state they have left the locks is not
 * known. */
static void on_fork(struct aiol__loop_observer *observer)
{
    struct aiol_queue_remote *remote = container_of(observer, struct aiol_queue_remote, observer);
    struct aiol__list *node;

    while ((node = aiol__list_take_first(&remote->operations)) != NULL)
        aiol__list_remove(&container_of(node, struct operation, node)->waiter.node);
}

static void bury(int status, void *data)
{
    struct aiol_queue_remote *remote = data;
    struct aiol_allocator allocator = remote->allocator;

    (void)status;
    aiol__list_remove(&remote->observer.node);
    aiol__list_remove(&remote->link.node);
    aiol_poster_release(remote->poster);
    aiol__release(&allocator, remote);
}

int aiol_queue_remote_new(struct aiol_queue *queue, struct aiol_queue_remote **ret_remote)
{
    struct aiol_loop *loop = queue->loop;
    struct aiol_queue_remote *remote;
    int rc;

    aiol__loop_check_thread(loop);
    if (queue->is_freed)
        return AIOL_ECLOSED;
    remote = aiol__allocate_zeroed(&loop->allocator, sizeof *remote);
    if (!remote)
        return -ENOMEM;
    rc = aiol_poster_new(loop, &remote->poster);
    if (rc < 0) {
        aiol__release(&loop->allocator, remote);
        return rc;
    }
    atomic_init(&remote->reference_count, 1);
    remote->mailbox = loop->mailbox;
    remote->allocator = loop->allocator;
    aiol_post_init(&remote->farewell, bury, remote);
    aiol__list_init(&remote->operations);
    remote->link.queue = queue;
    aiol__list_append(&queue->remotes, &remote->link.node);
    remote->observer.on_end = on_loop_end;
    remote->observer.on_fork = on_fork;
    aiol__list_append(&loop->observers, &remote->observer.node);
    *ret_remote = remote;
    return 0;
}

void aiol_queue_remote_retain(struct aiol_queue_remote *remote)
{
    atomic_fetch_add_explicit(&remote->reference_count, 1, memory_order_relaxed);
}

void aiol_queue_remote_release(struct aiol_queue_remote *remote)
{
    struct aiol_poster *poster;

    if (!remote || atomic_fetch_sub_explicit(&remote->reference_count, 1, memory_order_acq_rel) > 1)
        return;
    /* What threads have posted comes before this. Once it is posted, the remote and its poster are
     * the loop's; if it cannot be, the loop is gone and has forgotten the remote. */
    poster = remote->poster;
    aiol_poster_retain(poster);
    if (aiol_poster_post_node(poster, &remote->farewell) < 0)
        bury(AIOL_ECLOSED, remote);
    aiol_poster_release(poster);
}
