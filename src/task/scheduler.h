/*
 * The scheduler: which task runs next. It is the loop's guest, made with the first task and freed
 * with the loop. Tasks switch to one another directly; the loop is returned to when none is ready,
 * or when as many have run as one turn allows.
 *
 *     spawned ──> ready ──> running ──> parked on its waiter ──> ready ...
 *                   ^          │
 *                   └─ yields ─┴──> ended
 */
#ifndef AIOL__TASK_SCHEDULER_H
#define AIOL__TASK_SCHEDULER_H

#include "base/waiter.h"
#include "reactor/loop.h"
#include "task/context.h"
#include "task/stack.h"

#include <aiol/error.h>
#include <aiol/group.h>
#include <aiol/task.h>

#include <errno.h>

/* Of awaiting calls that return at once; so that a task that is always served, or always cancelled,
 * lets the others run. */
#define AIOL__CALL_BUDGET 128

struct aiol__scheduler {
    struct aiol__guest guest;
    struct aiol_loop *loop;
    struct aiol_task *first_ready; /* in the order in which they became so */
    struct aiol_task **ready_end;
    struct aiol_task *current;
    struct aiol__scope_node root;  /* above all tasks that are in no group */
    struct aiol_task *spare;       /* memory for tasks, the last one used first */
    struct aiol__task_slab *slabs; /* where it comes from */
    uint32_t steps_left;
    struct aiol__context loop_context;
    struct aiol__context dead_context; /* where a task's last switch leaves what nobody needs */
    struct aiol__stack_pool stacks;
};

/* What a task has until it ends. Lies on top of its stack, which is touched anyway. */
struct aiol__task_root {
    struct aiol__scope_node scope; /* the outermost one it is in, below a group's or nobody's */
    aiol_task_fn fn;
    void *arg;
    struct aiol__stack *stack;
    uintptr_t lowest_scope; /* the lowest address on its stack of a scope it ever entered */
};

/* What outlives that while somebody holds its handle. What a switch touches comes first. */
struct aiol_task {
    struct aiol_task *next; /* among those that are ready, or spare */
    struct aiol__scheduler *scheduler;
    struct aiol__scope_node *scope; /* the innermost one it is in; its root's at the least */
    int32_t result;
    uint16_t budget; /* awaiting calls that need not wait, before it must yield */
    bool is_parked;  /* until its waiter is completed */
    bool has_handle;
    struct aiol__context context;
    struct aiol__waiter waiter;    /* for all that it waits for: only ever for one thing */
    struct aiol__task_root *root;  /* NULL once it has ended */
    struct aiol__waiter *awaiting; /* of a task that awaits its end, or NULL */
    const char *name;
    const void *spawn_place;
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
void aiol__task_slabs_free(struct aiol__scheduler *scheduler);
/* What a task does from its first instruction on. */
void aiol__task_main(void *arg);

/* group.c */
bool aiol__group_is_open(const struct aiol_group *group);
/* Why it is not: opening failed, or it was awaited. */
int aiol__group_closed_error(const struct aiol_group *group);
void aiol__group_task_ended(struct aiol_group *group, int result);
/* Wait until the group has no task any more, whatever is cancelled, and leave its scope. */
int aiol__group_finish(struct aiol_group *group);

/* NULL when there is no memory. */
struct aiol__scheduler *aiol__scheduler_new(struct aiol_loop *loop);

/* The loop's scheduler, made if need be; NULL when there is no memory. */
static inline struct aiol__scheduler *aiol__scheduler_of(struct aiol_loop *loop)
{
    if (!loop->guest)
        return aiol__scheduler_new(loop);
    return container_of(loop->guest, struct aiol__scheduler, guest);
}

/* The task that this thread runs; NULL in a callback that runs inside one of its calls. Tasks stay
 * with their thread, so that its address may be kept across switches. */
extern _Thread_local struct aiol_task *aiol__current_task AIOL__FAST_THREAD_LOCAL
    __attribute__((visibility("hidden")));

/* A waiter's wake() that makes its owner, a task, ready. */
void aiol__task_wake(struct aiol__waiter *waiter);

/* Cut short what a task waits for, if that can be: it gets -ECANCELED. */
void aiol__task_interrupt(struct aiol_task *task);

/* Let the others run before an awaiting call returns. */
int64_t aiol__yield_and_return(struct aiol_task *task, int64_t result);

/* What the two calls below do when the task is cancelled. */
void aiol__await_cancelled(struct aiol_task *task);
int64_t aiol__park_cancelled(struct aiol_task *task);

/* A function of the task has returned without leaving its scope, or without awaiting its group,
 * whose memory is therefore gone. Only debug builds look for that. */
bool aiol__task_has_lost_its_scope(const struct aiol_task *task, const void *frame);

/*
 * What follows is inline, so that an awaiting call is one function: the processor then finds the
 * return to the task where it expects it, whichever task was switched to.
 */

static inline void aiol__task_make_ready(struct aiol_task *task)
{
    struct aiol__scheduler *scheduler = task->scheduler;

    task->next = NULL;
    *scheduler->ready_end = task;
    scheduler->ready_end = &task->next;
}

static inline void aiol__scheduler_set_current(struct aiol__scheduler *scheduler,
                                               struct aiol_task *task)
{
    scheduler->current = task;
    aiol__current_task = task;
    if (task)
        task->budget = AIOL__CALL_BUDGET;
}

/* Make the task that is to run next the current one; returns where it, or the loop, goes on. */
static inline struct aiol__context *aiol__scheduler_choose_next(struct aiol__scheduler *scheduler)
{
    struct aiol_task *next = scheduler->first_ready;
    struct aiol_task *second;

    if (!next || scheduler->steps_left == 0) {
        aiol__scheduler_set_current(scheduler, NULL);
        return &scheduler->loop_context;
    }
    scheduler->steps_left--;
    second = next->next;
    scheduler->first_ready = second;
    if (second) {
        /* While this task runs: where the second one goes on, and the third. */
        aiol__context_prefetch(&second->context);
        __builtin_prefetch(second->next);
    } else {
        scheduler->ready_end = &scheduler->first_ready;
    }
    aiol__scheduler_set_current(scheduler, next);
    return &next->context;
}

/* From the current task to the next one, or to the loop. */
static inline void aiol__task_switch_away(struct aiol_task *task)
{
    struct aiol__context *next = aiol__scheduler_choose_next(task->scheduler);

    if (next != &task->context)
        aiol__context_switch(&task->context, next);
}

static inline void aiol__task_yield(struct aiol_task *task)
{
    aiol__task_make_ready(task);
    aiol__task_switch_away(task);
}

/* Begin an awaiting call: AIOL_ENOTASK, -ECANCELED, or 0 and the task. Does not switch tasks if it
 * returns 0: what the caller is about to wait for is still there. */
static inline int aiol__await_begin(struct aiol_task **ret_task)
{
    struct aiol_task *task = aiol__current_task;

    *ret_task = task;
    if (!task)
        return AIOL_ENOTASK;
    assert(!aiol__task_has_lost_its_scope(task, __builtin_frame_address(0)));
    if (task->scope->cancelled) {
        aiol__await_cancelled(task);
        return -ECANCELED;
    }
    return 0;
}

/* End an awaiting call that did not have to wait, with its result: a task that has made many such
 * calls yields, lest it starve the others. The awaited object may be gone afterwards. */
static inline int64_t aiol__await_end(struct aiol_task *task, int64_t result)
{
    return --task->budget == 0 ? aiol__yield_and_return(task, result) : result;
}

/* The task's waiter, to wait for `object`: to be linked, or given to whoever completes it. */
static inline struct aiol__waiter *aiol__task_waiter(struct aiol_task *task, void *object,
                                                     const struct aiol__waiter_source *source)
{
    aiol__waiter_init(&task->waiter, object, source);
    return &task->waiter;
}

/* Switch away until the task's waiter is completed; returns its status. */
static inline int64_t aiol__task_park(struct aiol_task *task)
{
    /* Its scope may have been cancelled since the call began, while it was woken for nothing. */
    if (task->scope->cancelled && task->waiter.source->withdraw)
        return aiol__park_cancelled(task);
    task->is_parked = true;
    aiol__task_switch_away(task);
    return task->waiter.status;
}

#endif
