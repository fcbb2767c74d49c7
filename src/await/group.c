/* Awaiting a group. */
#include "task/scheduler.h"

#include <aiol/await.h>
#include <aiol/error.h>

#include <errno.h>

int aiol_await_group(struct aiol_group *group)
{
    struct aiol_task *task = aiol_task_current();

    int rc;

    if (!task)
        return AIOL_ENOTASK;
    if (!aiol__group_is_open(group))
        rc = aiol__group_closed_error(group);
    else if (task->scope != &group->scope.tree)
        rc = -EINVAL;
    else
        rc = aiol__group_finish(group);
    return (int)aiol__await_end(task, rc);
}
