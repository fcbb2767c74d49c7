/*
 * Groups of tasks: open one, spawn into it, await it. A group never leaves a task behind: awaiting
 * it waits for all of them. Opening a group enters a scope, which awaiting it leaves, so that what
 * cancels the group cancels its tasks and the body of the task that opened it alike.
 */
#ifndef AIOL_GROUP_H
#define AIOL_GROUP_H

#include <aiol/scope.h>

AIOL_BEGIN_DECLARATIONS

/* What the first task that fails does to the others. Ending with -ECANCELED is not failing here;
 * but it is the group's result where nothing worse happened, also if the group was cancelled on
 * purpose.
 */
enum aiol_group_policy {
    AIOL_GROUP_CANCEL_ALL = 0, /* cancels the group */
    AIOL_GROUP_INDEPENDENT = 1 /* nothing */
};

struct aiol_group {
    /* private */
    struct aiol_scope scope;
    struct aiol__waiter *awaiting;
    uint64_t running_count;
    int32_t result;
    uint8_t policy;
    uint8_t reserved_bytes[3];
    void *reserved;
};

/*
 * Open a group of the current task. `policy` is one of enum aiol_group_policy. `group` belongs on
 * the task's stack; the library borrows it until aiol_await_group() returns, which must follow
 * before its function returns, on every way out.
 * Does not switch tasks.
 *
 * Thread: the loop's, in a task. Returns 0, AIOL_ENOTASK or -EINVAL (unknown policy). After a
 * failure spawning into the group fails with that error too, and so does awaiting it.
 */
AIOL_API int aiol_group_open(struct aiol_group *group, uint32_t policy);

/*
 * Spawn a task into the group: `fn(arg)` is entered exactly once if this succeeds. May be called by
 * the task that opened the group, by those in it and by others, also while it is being awaited.
 * Failing to spawn counts as a failure of the group, so that the result may be left to
 * aiol_await_group().
 *
 * Thread: the loop's. Returns 0, -ECANCELED (the group is cancelled), -ENOMEM, or why opening
 * failed; then the function is not called, and what it was to own is still the caller's.
 */
AIOL_API int aiol_group_spawn(struct aiol_group *group, aiol_task_fn fn, void *arg);

/*
 * The same, with a copy of `size_bytes` bytes at `data` as the argument, on the task's stack; see
 * aiol_task_spawn_copy().
 *
 * Thread: the loop's. Returns as aiol_group_spawn() does, or -E2BIG (over 16384 bytes).
 */
AIOL_API int aiol_group_spawn_copy(struct aiol_group *group, aiol_task_fn fn, const void *data,
                                   size_t size_bytes);

/*
 * Cancel all tasks of the group, and the body of the one that opened it.
 *
 * Thread: the loop's. Cannot fail; cancelling twice is cancelling once.
 */
AIOL_API void aiol_group_cancel(struct aiol_group *group);

/*
 * Cancel the group when `deadline_ns` comes (a point in time: aiol_deadline_after()): its result is
 * then -ETIMEDOUT if that cut a call inside it short and nothing else failed. Replaces an earlier
 * deadline; AIOL_NEVER removes it. One that has passed cancels at once.
 *
 * Thread: the loop's. Returns 0, or why opening the group failed.
 */
AIOL_API int aiol_group_set_deadline(struct aiol_group *group, uint64_t deadline_ns);

/*
 * How many of the group's tasks have not ended.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API uint64_t aiol_group_running_count(const struct aiol_group *group);

/*
 * sizeof(struct aiol_group), for callers that embed it without a C compiler.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API size_t aiol_group_size(void);

/*
 * The alignment of struct aiol_group.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API size_t aiol_group_align(void);

AIOL_END_DECLARATIONS

#endif
