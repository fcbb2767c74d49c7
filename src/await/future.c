/* Awaiting a future. */
#include "reactor/future.h"
#include "task/scheduler.h"

#include <aiol/await.h>

#include <errno.h>

int aiol_await_future(struct aiol_future *future, void **ret_value)
{
    struct aiol__waiter waiter;
    struct aiol_task *task;
    int rc = aiol__await_begin(&task);

    if (rc < 0)
        return rc;
    if (future->loop != task->scheduler->loop)
        return (int)aiol__await_end(task, -EINVAL);
    aiol__task_waiter_init(&waiter, task, future, &aiol__future_source);
    if (aiol__future_begin_wait(future, &waiter))
        rc = (int)aiol__task_park(task, &waiter);
    else
        rc = (int)aiol__await_end(task, future->status);
    if (rc >= 0 && ret_value)
        *ret_value = waiter.slot;
    return rc;
}
