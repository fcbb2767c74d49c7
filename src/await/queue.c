/* Awaiting a queue. */
#include "queue/queue.h"
#include "task/scheduler.h"

#include <aiol/await.h>

#include <errno.h>

static int begin(struct aiol_queue *queue, struct aiol_task **ret_task)
{
    int rc = aiol__await_begin(ret_task);

    if (rc == 0 && queue->loop != (*ret_task)->scheduler->loop) {
        aiol__await_end(*ret_task, -EINVAL);
        return -EINVAL;
    }
    return rc;
}

/* The calls are cut in three: what they mostly are, what else can be done without waiting, and the
 * wait. Each part is a function of its own, so that none saves registers for the next one. */
static __attribute__((noinline)) int wait_to_get(struct aiol_queue *queue, struct aiol_task *task,
                                                 void **ret_item)
{
    struct aiol__waiter *getter = aiol__task_waiter(task, queue, &aiol__queue_source);
    int rc;

    aiol__list_append(&queue->getters, &getter->node);
    rc = (int)aiol__task_park(task);
    if (rc == 0)
        *ret_item = getter->slot;
    return rc;
}

static __attribute__((noinline)) int get_or_wait(struct aiol_queue *queue, struct aiol_task *task,
                                                 void **ret_item)
{
    int rc = aiol__queue_get_or_fail(queue, ret_item);

    return rc == -EAGAIN ? wait_to_get(queue, task, ret_item) : (int)aiol__await_end(task, rc);
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

static __attribute__((noinline)) int wait_to_put(struct aiol_queue *queue, struct aiol_task *task,
                                                 void *item)
{
    struct aiol__waiter *putter = aiol__task_waiter(task, queue, &aiol__queue_source);

    putter->slot = item;
    aiol__list_append(&queue->putters, &putter->node);
    return (int)aiol__task_park(task);
}

static __attribute__((noinline)) int put_or_wait(struct aiol_queue *queue, struct aiol_task *task,
                                                 void *item)
{
    int rc = aiol__queue_put_or_fail(queue, item);

    return rc == -EAGAIN ? wait_to_put(queue, task, item) : (int)aiol__await_end(task, rc);
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
    struct aiol_task *task;
    int rc = begin(queue, &task);

    if (rc < 0)
        return rc;
    rc = aiol__queue_join(queue, aiol__task_waiter(task, queue, &aiol__queue_source));
    return (int)(rc == -EAGAIN ? aiol__task_park(task) : aiol__await_end(task, rc));
}
