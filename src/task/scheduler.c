/* The scheduler; scheduler.h draws a task's states. */
#include "task/scheduler.h"
#include "base/allocator.h"
#include "task/scope.h"

#include <aiol/error.h>

#include <errno.h>

/* Of awaiting calls that return at once; so that a task that is always served, or always cancelled,
 * lets the others run. */
#define CALL_BUDGET 128

/* Tasks stay with their thread, so that its address may be kept across switches. */
static _Thread_local struct aiol_task *current_task AIOL__FAST_THREAD_LOCAL;

struct aiol_task *aiol_task_current(void)
{
    return current_task;
}

static struct aiol__scheduler *scheduler_of_guest(const struct aiol__guest *guest)
{
    return container_of(guest, struct aiol__scheduler, guest);
}

static void set_current(struct aiol__scheduler *scheduler, struct aiol_task *task)
{
    scheduler->current = task;
    current_task = task;
    if (task)
        task->budget = CALL_BUDGET;
}

/* The task to run next, or NULL to go back to the loop. */
static struct aiol_task *choose_next(struct aiol__scheduler *scheduler)
{
    struct aiol__list *node;

    if (scheduler->steps_left == 0)
        return NULL;
    node = aiol__list_take_first(&scheduler->ready);
    if (!node)
        return NULL;
    scheduler->steps_left--;
    return container_of(node, struct aiol_task, ready);
}

static struct aiol__context *context_of(struct aiol__scheduler *scheduler, struct aiol_task *task)
{
    return task ? &task->context : &scheduler->loop_context;
}

/* From the current task to the next one, or to the loop. */
static void switch_away(struct aiol__scheduler *scheduler)
{
    struct aiol_task *task = scheduler->current;
    struct aiol_task *next = choose_next(scheduler);

    set_current(scheduler, next);
    if (next != task)
        aiol__context_switch(&task->context, context_of(scheduler, next));
}

_Noreturn void aiol__scheduler_exit_task(struct aiol__scheduler *scheduler)
{
    struct aiol_task *next = choose_next(scheduler);

    set_current(scheduler, next);
    aiol__context_exit(&scheduler->dead_context, context_of(scheduler, next));
    __builtin_unreachable();
}

void aiol__task_make_ready(struct aiol_task *task)
{
    aiol__list_append(&task->scheduler->ready, &task->ready);
}

static void wake_task(struct aiol__waiter *waiter)
{
    struct aiol_task *task = waiter->owner;

    task->parked = NULL;
    aiol__task_make_ready(task);
}

void aiol__task_waiter_init(struct aiol__waiter *waiter, struct aiol_task *task, void *object,
                            const struct aiol__waiter_source *source)
{
    aiol__waiter_init(waiter, object, source);
    waiter->wake = wake_task;
    waiter->owner = task;
}

int64_t aiol__task_park(struct aiol_task *task, struct aiol__waiter *waiter)
{
    /* Its scope may have been cancelled since the call began, while it was woken for nothing. */
    if (task->scope->cancelled && waiter->source->withdraw) {
        waiter->source->withdraw(waiter);
        aiol__scope_note_cut(task->scope);
        return -ECANCELED;
    }
    task->parked = waiter;
    switch_away(task->scheduler);
    return waiter->status;
}

void aiol__task_yield(struct aiol_task *task)
{
    aiol__task_make_ready(task);
    switch_away(task->scheduler);
}

void aiol__task_interrupt(struct aiol_task *task)
{
    struct aiol__waiter *waiter = task->parked;

    if (!waiter || !waiter->source->withdraw)
        return;
    waiter->source->withdraw(waiter);
    aiol__scope_note_cut(task->scope);
    aiol__waiter_complete(waiter, -ECANCELED);
}

int64_t aiol__await_end(struct aiol_task *task, int64_t result)
{
    if (--task->budget == 0)
        aiol__task_yield(task);
    return result;
}

/* A function of the task has returned without leaving its scope, or without awaiting its group,
 * whose memory is therefore gone. Only debug builds look for that. */
__attribute__((unused)) static bool has_lost_its_scope(const struct aiol_task *task)
{
    const char *scope = (const char *)task->scope;

    return scope >= (const char *)task->stack->low &&
           scope < (const char *)__builtin_frame_address(0);
}

int aiol__await_begin(struct aiol_task **ret_task)
{
    struct aiol_task *task = current_task;

    if (!task)
        return AIOL_ENOTASK;
    assert(!has_lost_its_scope(task));
    if (task->scope->cancelled) {
        aiol__scope_note_cut(task->scope);
        return (int)aiol__await_end(task, -ECANCELED);
    }
    *ret_task = task;
    return 0;
}

static bool is_ready(const struct aiol__guest *guest)
{
    return !aiol__list_is_empty(&scheduler_of_guest(guest)->ready);
}

static void run(struct aiol__guest *guest)
{
    struct aiol__scheduler *scheduler = scheduler_of_guest(guest);
    struct aiol_task *next;

    scheduler->steps_left = scheduler->loop->max_task_steps;
    next = choose_next(scheduler);
    if (!next)
        return;
    /* Anew in each turn: the loop may be run from another stack than before. */
    aiol__context_init_current(&scheduler->loop_context);
    set_current(scheduler, next);
    aiol__context_switch(&scheduler->loop_context, &next->context);
}

static bool is_inside(const struct aiol__guest *guest)
{
    return scheduler_of_guest(guest)->current != NULL;
}

static void hide_task(struct aiol__guest *guest)
{
    if (guest->hidden_depth++ == 0)
        current_task = NULL;
}

static void show_task(struct aiol__guest *guest)
{
    /* It may be that there was no scheduler when it began. */
    if (guest->hidden_depth > 0 && --guest->hidden_depth == 0)
        current_task = scheduler_of_guest(guest)->current;
}

static void cancel_all(struct aiol__guest *guest)
{
    struct aiol__list *alive = &scheduler_of_guest(guest)->alive;

    /* Cancelling makes tasks ready, but ends none. */
    for (struct aiol__list *node = alive->next; node != alive; node = node->next)
        aiol_task_cancel(container_of(node, struct aiol_task, all));
}

static void free_tasks(const struct aiol_allocator *allocator, struct aiol__list *tasks)
{
    struct aiol__list *node;

    while ((node = aiol__list_take_first(tasks)) != NULL)
        aiol__release(allocator, container_of(node, struct aiol_task, all));
}

static void free_scheduler(struct aiol__guest *guest)
{
    struct aiol__scheduler *scheduler = scheduler_of_guest(guest);
    const struct aiol_allocator *allocator = &scheduler->loop->allocator;

    free_tasks(allocator, &scheduler->alive);
    free_tasks(allocator, &scheduler->ended);
    free_tasks(allocator, &scheduler->spare);
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

struct aiol__scheduler *aiol__scheduler_of(struct aiol_loop *loop)
{
    struct aiol__scheduler *scheduler;

    if (loop->guest)
        return scheduler_of_guest(loop->guest);
    scheduler = aiol__allocate_zeroed(&loop->allocator, sizeof *scheduler);
    if (!scheduler)
        return NULL;
    scheduler->guest.ops = &guest_ops;
    scheduler->loop = loop;
    aiol__list_init(&scheduler->ready);
    aiol__list_init(&scheduler->alive);
    aiol__list_init(&scheduler->ended);
    aiol__list_init(&scheduler->spare);
    aiol__stack_pool_init(&scheduler->stacks, &loop->allocator);
    loop->guest = &scheduler->guest;
    return scheduler;
}
