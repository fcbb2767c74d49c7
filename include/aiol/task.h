/*
 * Tasks: functions that run on a stack of their own, and wait by calling functions whose names
 * begin with aiol_await_ (aiol/await.h). Only inside such a call can a task be switched away.
 *
 * A stack has 128 KiB of address space, of which only the touched pages cost memory, and below it a
 * page that faults: keep large buffers elsewhere.
 *
 * Prefer groups (aiol/group.h) to bare tasks: they need no handles, and nothing gets lost.
 */
#ifndef AIOL_TASK_H
#define AIOL_TASK_H

#include <aiol/loop.h>

AIOL_BEGIN_DECLARATIONS

struct aiol_task;

/* What a task does. The result is 0 or more for success, a negative error otherwise. */
typedef int (*aiol_task_fn)(void *arg);

/*
 * Run `fn(arg)` as a task on a loop of its own, and tidy up: tasks that it left behind are
 * cancelled and run to their end. What else it started and did not stop is forgotten; what it made
 * on that loop by an aiol_..._new() must be freed before it returns, and not touched afterwards.
 *
 * Thread: any, but not in a task. Returns what `fn` returned, or AIOL_ESCOPE (that was no
 * failure, but it left a scope or a group open); -EBUSY (called in a task); -EDEADLK (nothing could
 * ever have woken it, see aiol_loop_run()); what the system's polling call says; or why the loop or
 * the task could not be made, as aiol_loop_new() and aiol_task_spawn() do.
 */
AIOL_API int aiol_run(aiol_task_fn fn, void *arg);

/*
 * The same on a loop made with these options.
 *
 * Thread: any, but not in a task. Returns as aiol_run() does.
 */
AIOL_API int aiol_run_with(const struct aiol_loop_options *options, aiol_task_fn fn, void *arg);

/*
 * Start a task that calls `fn(arg)`: not inside this call, but when the tasks that are ready before
 * it have had their turn. A spawn that succeeds enters the function exactly once, even if the task
 * is cancelled before, so that the function may own its argument.
 *
 * With `ret_task` the caller gets a handle, and gives it up by aiol_await_task() or
 * aiol_task_detach(). Without (NULL) the task is detached from the start.
 *
 * Thread: the loop's. Returns 0, -ENOMEM (no memory or stack; the function will not be called),
 * or AIOL_ECLOSED (the loop is being freed).
 */
AIOL_API int aiol_task_spawn(struct aiol_loop *loop, aiol_task_fn fn, void *arg,
                             struct aiol_task **ret_task);

/*
 * The same, with a copy of `size_bytes` bytes at `data` as the argument: the copy lies on the
 * task's stack, aligned for any type, and goes with it. At most 16384 bytes; with none, the
 * argument is `data` itself.
 *
 * Thread: the loop's. Returns as aiol_task_spawn() does, or -E2BIG.
 */
AIOL_API int aiol_task_spawn_copy(struct aiol_loop *loop, aiol_task_fn fn, const void *data,
                                  size_t size_bytes, struct aiol_task **ret_task);

/*
 * Ask a task to end: from now on every awaiting call in it returns -ECANCELED, also the one that it
 * is in; in a shielded scope (aiol/scope.h) only when that is left. What had already happened when
 * the cancel came is still reported as a success.
 *
 * Thread: the loop's. Cannot fail; cancelling a task that has ended, or was cancelled, does
 * nothing.
 */
AIOL_API void aiol_task_cancel(struct aiol_task *task);

/*
 * 1 when awaiting calls of the task return -ECANCELED, as it is inside of its scopes just now; else
 * 0. So a task that computes for long can ask about itself: aiol_task_is_cancelled(
 * aiol_task_current()).
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API int aiol_task_is_cancelled(const struct aiol_task *task);

/*
 * Give up the handle without waiting: the task runs on, and is freed at its end.
 *
 * Thread: the loop's. Returns 0, or -EBUSY (a task awaits it; it still has the handle).
 */
AIOL_API int aiol_task_detach(struct aiol_task *task);

/*
 * 1 when the task's function has returned, else 0.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API int aiol_task_is_done(const struct aiol_task *task);

/*
 * The task that is running; NULL in a callback and outside of loops. Valid while it runs, unless
 * one has its handle.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API struct aiol_task *aiol_task_current(void);

/*
 * Give a task a name for people to read. The text is not copied and must outlive the task.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_task_set_name(struct aiol_task *task, const char *name);

/*
 * The name of a task; "task" when it was given none.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API const char *aiol_task_name(const struct aiol_task *task);

/*
 * Where the task was spawned: the address behind the call of the spawning function, which a
 * debugger or addr2line turns into a line.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API const void *aiol_task_spawn_place(const struct aiol_task *task);

/*
 * How the stacks of this loop's tasks are kept apart: "guard" (pages that fault, made without a
 * mapping each), "mprotect" (pages that fault, limited in number by vm.max_map_count), or "none
 * yet" before the first task.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API const char *aiol_task_guard_kind(const struct aiol_loop *loop);

AIOL_END_DECLARATIONS

#endif
