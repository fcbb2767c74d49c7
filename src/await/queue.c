/* Awaiting a queue. */
#include "queue/queue.h"
#include "task/scheduler.h"

#include <aiol/await.h>

#include <errno.h>

/* Begin `operation`, and park if it has to wait. `waiter->slot` goes in and comes out. */
static int await_queue(struct aiol_queue *queue, struct aiol__waiter *waiter, void *slot,
                       int (*operation)(struct aiol_queue *, struct aiol__waiter *))
{
    struct aiol_task *task;
    int rc = aiol__await_begin(&task);

    if (rc < 0)
        return rc;
    aiol__task_waiter_init(waiter, task, queue, &aiol__queue_source);
    waiter->slot = slot;
    if (queue->loop != task->scheduler->loop)
        return (int)aiol__await_end(task, -EINVAL);
    rc = operation(queue, waiter);
    return (int)(rc == -EAGAIN ? aiol__task_park(task, waiter) : aiol__await_end(task, rc));
}

int aiol_await_queue_get(struct aiol_queue *queue, void **ret_item)
{
    struct aiol__waiter getter;
    int rc = await_queue(queue, &getter, NULL, aiol__queue_get);

    if (rc == 0)
        *ret_item = getter.slot;
    return rc;
}

int aiol_await_queue_put(struct aiol_queue *queue, void *item)
{
    struct aiol__waiter putter;

    return await_queue(queue, &putter, item, aiol__queue_put);
}

int aiol_await_queue_join(struct aiol_queue *queue)
{
    struct aiol__waiter joiner;

    return await_queue(queue, &joiner, NULL, aiol__queue_join);
}
