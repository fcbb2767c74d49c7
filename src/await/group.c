/* Awaiting a group. */
#include "task/scheduler.h"

#include <aiol/await.h>
#include <aiol/error.h>

#include <errno.h>

int aiol_await_group(struct aiol_group *group)
{
    struct aiol_task *task = aiol_task_current();

    if (!group->opened)
        return group->result < 0 ? group->result : -EINVAL;
    if (!task)
        return AIOL_ENOTASK;
    if (task->scope != &group->scope.tree)
        return -EINVAL;
    return aiol__group_finish(group);
}
