/* Awaiting the end of a task. */
#include "task/scheduler.h"

#include <aiol/await.h>

#include <errno.h>

static void withdraw_await(struct aiol__waiter *waiter)
{
    struct aiol_task *awaited = waiter->object;

    awaited->awaiting = NULL;
}

static const struct aiol__waiter_source task_source = {.withdraw = withdraw_await};

int aiol_await_task(struct aiol_task *awaited, int *ret_result)
{
    struct aiol__waiter waiter;
    struct aiol_task *task;
    int rc = aiol__await_begin(&task);

    if (rc < 0)
        return rc;
    if (awaited == task)
        return -EDEADLK;
    if (awaited->scheduler != task->scheduler)
        return -EINVAL;
    if (awaited->awaiting)
        return -EBUSY;
    if (!awaited->is_done) {
        aiol__task_waiter_init(&waiter, task, awaited, &task_source);
        awaited->awaiting = &waiter;
        rc = (int)aiol__task_park(task, &waiter);
        if (rc < 0)
            return rc;
    }
    if (ret_result)
        *ret_result = awaited->result;
    aiol__task_free(awaited);
    return 0;
}
