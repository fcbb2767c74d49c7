/*
 * The scheduler: which task runs next. It is the loop's guest, made with the first task and freed
 * with the loop. Tasks switch to one another directly; the loop is returned to when none is ready,
 * or when as many have run as one turn allows.
 *
 *     spawned ──> ready ──> running ──> parked on a waiter ──> ready ...   each arrow out of
 * running └──> ended                                  is a switch
 */
#ifndef AIOL__TASK_SCHEDULER_H
#define AIOL__TASK_SCHEDULER_H

#include "base/waiter.h"
#include "reactor/loop.h"
#include "task/context.h"
#include "task/stack.h"

#include <aiol/group.h>
#include <aiol/task.h>

struct aiol__scheduler {
    struct aiol__guest guest;
    struct aiol_loop *loop;
    struct aiol__list ready; /* tasks, in the order in which they became so */
    struct aiol__list alive; /* all tasks that have not ended */
    struct aiol__list ended; /* and those that have, but whose handle somebody holds */
    struct aiol__list spare; /* memory for tasks */
    struct aiol_task *current;
    uint32_t steps_left;
    struct aiol__context loop_context;
    struct aiol__context dead_context; /* where a task's last switch leaves what nobody needs */
    struct aiol__stack_pool stacks;
};

struct aiol_task {
    struct aiol__list ready;
    struct aiol__list all; /* in one of the scheduler's lists: alive, ended or spare */
    struct aiol__scheduler *scheduler;
    struct aiol__waiter *parked;    /* what it waits for; NULL while it is ready or running */
    struct aiol__scope_node *scope; /* the innermost one it is in; its own at the least */
    struct aiol__scope_node own;
    struct aiol_group *group;      /* that it was spawned into, or NULL */
    struct aiol__waiter *awaiting; /* the task that awaits its end, or NULL */
    struct aiol__stack *stack;
    aiol_task_fn fn;
    void *arg;
    const char *name;
    const void *spawn_place;
    uintptr_t lowest_scope; /* the lowest address on its stack of a scope it ever entered */
    int32_t result;
    uint32_t budget; /* awaiting calls that need not wait, before it must yield */
    bool is_done;
    bool has_handle;
    struct aiol__context context;
};

/* What to spawn. */
struct aiol__spawn {
    aiol_task_fn fn;
    void *arg;
    size_t copy_bytes; /* copy that much from `arg`, and pass the copy */
    struct aiol_group *group;
    const void *place;
};

/* task.c. 0, -ENOMEM, -E2BIG or AIOL_ECLOSED. */
int aiol__task_spawn(struct aiol_loop *loop, const struct aiol__spawn *spawn,
                     struct aiol_task **ret_task);
void aiol__task_free(struct aiol_task *task);
/* What a task does from its first instruction on. */
void aiol__task_main(void *arg);

/* group.c */
bool aiol__group_is_open(const struct aiol_group *group);
/* Why it is not: opening failed, or it was awaited. */
int aiol__group_closed_error(const struct aiol_group *group);
void aiol__group_task_ended(struct aiol_group *group, int result);
/* Wait until the group has no task any more, whatever is cancelled, and leave its scope. */
int aiol__group_finish(struct aiol_group *group);

/* The loop's scheduler, made if need be; NULL when there is no memory. */
struct aiol__scheduler *aiol__scheduler_of(struct aiol_loop *loop);

/* Begin an awaiting call: AIOL_ENOTASK, -ECANCELED, or 0 and the task. Does not switch tasks if it
 * returns 0: what the caller is about to wait for is still there. */
int aiol__await_begin(struct aiol_task **ret_task);

/* End an awaiting call that did not have to wait, with its result: a task that has made many such
 * calls yields, lest it starve the others. The awaited object may be gone afterwards. */
int64_t aiol__await_end(struct aiol_task *task, int64_t result);

/* Make `waiter` one that wakes `task` and waits for `object`. */
void aiol__task_waiter_init(struct aiol__waiter *waiter, struct aiol_task *task, void *object,
                            const struct aiol__waiter_source *source);

/* Switch away until the waiter, which somebody has linked, is completed; returns its status. */
int64_t aiol__task_park(struct aiol_task *task, struct aiol__waiter *waiter);
void aiol__task_yield(struct aiol_task *task);
void aiol__task_make_ready(struct aiol_task *task);

/* Cut short what a task waits for, if that can be: it gets -ECANCELED. */
void aiol__task_interrupt(struct aiol_task *task);

/* Leave the current task for good; its stack and perhaps its memory are free already. */
_Noreturn void aiol__scheduler_exit_task(struct aiol__scheduler *scheduler);

#endif
