/* Awaiting a future. */
#include "reactor/future.h"
#include "task/scheduler.h"

#include <aiol/await.h>

#include <errno.h>

int aiol_await_future(struct aiol_future *future, void **ret_value)
{
    struct aiol_task *task;
    int rc = aiol__await_begin(&task);

    if (rc < 0)
        return rc;
    if (future->loop != task->scheduler->loop)
        return (int)aiol__await_end(task, -EINVAL);
    if (aiol__future_begin_wait(future, aiol__task_waiter(task, future, &aiol__future_source)))
        rc = (int)aiol__task_park(task);
    else
        rc = (int)aiol__await_end(task, future->status);
    if (rc >= 0 && ret_value)
        *ret_value = task->waiter.slot;
    return rc;
}
