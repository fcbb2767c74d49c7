/* Groups: a scope with tasks below it, their count and the worst of their results. */
#include "task/scheduler.h"
#include "task/scope.h"

#include <aiol/error.h>

#include <errno.h>

int aiol_group_open(struct aiol_group *group, uint32_t policy)
{
    int rc = policy > AIOL_GROUP_INDEPENDENT ? -EINVAL : 0;

    *group = (struct aiol_group){.policy = (uint8_t)policy};
    if (rc == 0)
        rc = aiol__scope_enter(&group->scope, AIOL__SCOPE_GROUP, AIOL_NEVER);
    group->result = rc;
    return rc;
}

bool aiol__group_is_open(const struct aiol_group *group)
{
    return group->scope.tree.task != NULL;
}

int aiol__group_closed_error(const struct aiol_group *group)
{
    return group->result < 0 ? group->result : -EINVAL;
}

/* A task of the group, or an attempt to spawn one, has come to this. */
static void note_result(struct aiol_group *group, int result)
{
    if (result >= 0)
        return;
    group->result = aiol_first_error(group->result, result);
    if (group->policy == AIOL_GROUP_CANCEL_ALL && result != -ECANCELED)
        aiol_group_cancel(group);
}

static int spawn_into(struct aiol_group *group, struct aiol__spawn *spawn)
{
    int rc = -ECANCELED;

    if (!aiol__group_is_open(group))
        return aiol__group_closed_error(group);
    spawn->group = group;
    if (group->scope.tree.cancelled)
        aiol__scope_note_cut(&group->scope.tree); /* what would have run is cut short too */
    else
        rc = aiol__task_spawn(group->scope.tree.task->scheduler->loop, spawn, NULL);
    if (rc == 0)
        group->running_count++;
    note_result(group, rc);
    return rc;
}

int aiol_group_spawn(struct aiol_group *group, aiol_task_fn fn, void *arg)
{
    struct aiol__spawn spawn = {.fn = fn, .arg = arg, .place = __builtin_return_address(0)};

    return spawn_into(group, &spawn);
}

int aiol_group_spawn_copy(struct aiol_group *group, aiol_task_fn fn, const void *data,
                          size_t size_bytes)
{
    struct aiol__spawn spawn = {.fn = fn,
                                .arg = (void *)(uintptr_t)data,
                                .copy_bytes = size_bytes,
                                .place = __builtin_return_address(0)};

    return spawn_into(group, &spawn);
}

void aiol_group_cancel(struct aiol_group *group)
{
    aiol_scope_cancel(&group->scope);
}

int aiol_group_set_deadline(struct aiol_group *group, uint64_t deadline_ns)
{
    if (!aiol__group_is_open(group))
        return aiol__group_closed_error(group);
    aiol__scope_set_deadline(&group->scope, deadline_ns);
    return 0;
}

uint64_t aiol_group_running_count(const struct aiol_group *group)
{
    return group->running_count;
}

void aiol__group_task_ended(struct aiol_group *group, int result)
{
    group->running_count--;
    note_result(group, result);
    if (group->running_count == 0 && group->awaiting) {
        struct aiol__waiter *awaiting = group->awaiting;

        group->awaiting = NULL;
        aiol__waiter_complete(awaiting, 0);
    }
}

int aiol__group_finish(struct aiol_group *group)
{
    /* A group always waits for all of its tasks: nothing can withdraw this. */
    static const struct aiol__waiter_source source = {.withdraw = NULL};
    struct aiol_task *task = group->scope.tree.task;
    int result;

    /* Again when others were spawned between the end of the last one and this task's turn. */
    while (group->running_count > 0) {
        group->awaiting = aiol__task_waiter(task, group, &source);
        aiol__task_park(task);
    }
    result = group->result;
    group->result = 0;
    return aiol__scope_leave(&group->scope, result);
}

size_t aiol_group_size(void)
{
    return sizeof(struct aiol_group);
}

size_t aiol_group_align(void)
{
    return _Alignof(struct aiol_group);
}
