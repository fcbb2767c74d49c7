/* The scheduler; scheduler.h draws a task's states. */
#include "task/scheduler.h"
#include "base/allocator.h"
#include "task/scope.h"

#include <aiol/error.h>

#include <errno.h>

_Thread_local struct aiol_task *aiol__current_task;

struct aiol_task *aiol_task_current(void)
{
    return aiol__current_task;
}

static struct aiol__scheduler *scheduler_of_guest(const struct aiol__guest *guest)
{
    return container_of(guest, struct aiol__scheduler, guest);
}

void aiol__task_wake(struct aiol__waiter *waiter)
{
    struct aiol_task *task = container_of(waiter, struct aiol_task, waiter);

    task->is_parked = false;
    aiol__task_make_ready(task);
}

void aiol__task_interrupt(struct aiol_task *task)
{
    struct aiol__waiter *waiter = &task->waiter;

    if (!task->is_parked || !waiter->source->withdraw)
        return;
    waiter->source->withdraw(waiter);
    aiol__scope_note_cut(task->scope);
    aiol__waiter_complete(waiter, -ECANCELED);
}

int64_t aiol__yield_and_return(struct aiol_task *task, int64_t result)
{
    aiol__task_yield(task);
    return result;
}

void aiol__await_cancelled(struct aiol_task *task)
{
    aiol__scope_note_cut(task->scope);
    aiol__await_end(task, -ECANCELED);
}

int64_t aiol__park_cancelled(struct aiol_task *task)
{
    task->waiter.source->withdraw(&task->waiter);
    aiol__scope_note_cut(task->scope);
    return -ECANCELED;
}

bool aiol__task_has_lost_its_scope(const struct aiol_task *task, const void *frame)
{
    const char *scope = (const char *)task->scope;

    return scope >= (const char *)task->root->stack->low && scope < (const char *)frame;
}

static bool is_ready(const struct aiol__guest *guest)
{
    return scheduler_of_guest(guest)->first_ready != NULL;
}

static void run(struct aiol__guest *guest)
{
    struct aiol__scheduler *scheduler = scheduler_of_guest(guest);

    if (!scheduler->first_ready)
        return;
    scheduler->steps_left = scheduler->loop->max_task_steps;
    /* Anew in each turn: the loop may be run from another stack than before. */
    aiol__context_init_current(&scheduler->loop_context);
    aiol__context_switch(&scheduler->loop_context, aiol__scheduler_choose_next(scheduler));
}

static bool is_inside(const struct aiol__guest *guest)
{
    return scheduler_of_guest(guest)->current != NULL;
}

static void hide_task(struct aiol__guest *guest)
{
    if (guest->hidden_depth++ == 0)
        aiol__current_task = NULL;
}

static void show_task(struct aiol__guest *guest)
{
    /* It may be that there was no scheduler when it began. */
    if (guest->hidden_depth > 0 && --guest->hidden_depth == 0)
        aiol__current_task = scheduler_of_guest(guest)->current;
}

static void cancel_all(struct aiol__guest *guest, bool with_shields)
{
    struct aiol__list *roots = &scheduler_of_guest(guest)->root.children;

    /* Cancelling makes tasks ready, but ends none. */
    for (struct aiol__list *node = roots->next; node != roots; node = node->next)
        (with_shields ? aiol__scope_node_cancel_all : aiol__scope_node_cancel)(
            container_of(node, struct aiol__scope_node, sibling));
}

static void free_scheduler(struct aiol__guest *guest)
{
    struct aiol__scheduler *scheduler = scheduler_of_guest(guest);
    const struct aiol_allocator *allocator = &scheduler->loop->allocator;

    aiol__task_slabs_free(scheduler);
    aiol__stack_pool_free(&scheduler->stacks);
    aiol__release(allocator, scheduler);
}

static const struct aiol__guest_ops guest_ops = {
    .is_ready = is_ready,
    .run = run,
    .is_inside = is_inside,
    .hide_task = hide_task,
    .show_task = show_task,
    .cancel_all = cancel_all,
    .free = free_scheduler,
};

struct aiol__scheduler *aiol__scheduler_new(struct aiol_loop *loop)
{
    struct aiol__scheduler *scheduler = aiol__allocate_zeroed(&loop->allocator, sizeof *scheduler);

    if (!scheduler)
        return NULL;
    scheduler->guest.ops = &guest_ops;
    scheduler->loop = loop;
    scheduler->ready_end = &scheduler->first_ready;
    aiol__scope_node_open(&scheduler->root, NULL, NULL, AIOL__SCOPE_TASK);
    aiol__stack_pool_init(&scheduler->stacks, &loop->allocator);
    loop->guest = &scheduler->guest;
    return scheduler;
}
