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

static inline int wait_for_end(struct aiol_task *task, struct aiol_task *awaited)
{
    awaited->awaiting = aiol__task_waiter(task, awaited, &task_source);
    return (int)aiol__task_park(task);
}

int aiol_await_task(struct aiol_task *awaited, int *ret_result)
{
    struct aiol_task *task;
    int rc = aiol__await_begin(&task);

    if (rc < 0)
        return rc;
    if (awaited == task)
        rc = -EDEADLK;
    else if (awaited->scheduler != task->scheduler)
        rc = -EINVAL;
    else if (awaited->awaiting)
        rc = -EBUSY;
    else if (awaited->root)
        rc = wait_for_end(task, awaited);
    if (rc < 0)
        return (int)aiol__await_end(task, rc);
    /* Without a yield: to have ended, the other task has had its turn, and the handle is to be gone
     * in the same moment in which the result is taken. */
    if (ret_result)
        *ret_result = awaited->result;
    aiol__task_free(awaited);
    return 0;
}
