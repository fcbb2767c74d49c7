/* Leaving a scope whose clean-ups wait. */
#include "task/scope.h"

#include <aiol/await.h>
#include <aiol/error.h>

#include <errno.h>

int aiol_await_scope_leave(struct aiol_scope *scope, int result, uint64_t deadline_ns)
{
    struct aiol_scope shield;

    if (!aiol_task_current())
        return AIOL_ENOTASK;
    if (!scope->tree.task)
        return result;
    if (!aiol__scope_can_be_left(scope))
        return -EINVAL;
    aiol_scope_enter_shielded(&shield, deadline_ns);
    aiol__scope_clean_up(scope);
    aiol_scope_leave(&shield, 0);
    return aiol__scope_leave(scope, result);
}
