/* Awaiting a queue. What need not wait is done by the calls that never wait, before there is a
 * waiter. */
#include "queue/queue.h"
#include "task/scheduler.h"

#include <aiol/await.h>

#include <errno.h>

static int begin(struct aiol_queue *queue, struct aiol_task **ret_task)
{
    int rc = aiol__await_begin(ret_task);

    if (rc == 0 && queue->loop != (*ret_task)->scheduler->loop)
        return (int)aiol__await_end(*ret_task, -EINVAL);
    return rc;
}

/* What is not done at once. Functions of their own, so that the calls below save no registers for a
 * switch that they mostly do not make, and have no waiter to make room for. */
static __attribute__((noinline)) int get_or_wait(struct aiol_queue *queue, struct aiol_task *task,
                                                 void **ret_item)
{
    struct aiol__waiter getter;
    int rc = aiol_queue_get_nowait(queue, ret_item);

    if (rc != -EAGAIN)
        return (int)aiol__await_end(task, rc);
    aiol__task_waiter_init(&getter, task, queue, &aiol__queue_source);
    aiol__list_append(&queue->getters, &getter.node);
    rc = (int)aiol__task_park(task, &getter);
    if (rc == 0)
        *ret_item = getter.slot;
    return rc;
}

static __attribute__((noinline)) int put_or_wait(struct aiol_queue *queue, struct aiol_task *task,
                                                 void *item)
{
    struct aiol__waiter putter;
    int rc = aiol_queue_put_nowait(queue, item);

    if (rc != -EAGAIN)
        return (int)aiol__await_end(task, rc);
    aiol__task_waiter_init(&putter, task, queue, &aiol__queue_source);
    putter.slot = item;
    aiol__list_append(&queue->putters, &putter.node);
    return (int)aiol__task_park(task, &putter);
}

int aiol_await_queue_get(struct aiol_queue *queue, void **ret_item)
{
    struct aiol_task *task;
    int rc = begin(queue, &task);

    if (rc < 0)
        return rc;
    if (aiol__queue_get_at_once(queue, ret_item))
        return (int)aiol__await_end(task, 0);
    return get_or_wait(queue, task, ret_item);
}

int aiol_await_queue_put(struct aiol_queue *queue, void *item)
{
    struct aiol_task *task;
    int rc = begin(queue, &task);

    if (rc < 0)
        return rc;
    if (aiol__queue_put_at_once(queue, item))
        return (int)aiol__await_end(task, 0);
    return put_or_wait(queue, task, item);
}

int aiol_await_queue_join(struct aiol_queue *queue)
{
    struct aiol__waiter joiner;
    struct aiol_task *task;
    int rc = begin(queue, &task);

    if (rc < 0)
        return rc;
    aiol__task_waiter_init(&joiner, task, queue, &aiol__queue_source);
    rc = aiol__queue_join(queue, &joiner);
    return (int)(rc == -EAGAIN ? aiol__task_park(task, &joiner) : aiol__await_end(task, rc));
}
