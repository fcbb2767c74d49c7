/*
 * Tasks: their memory, their beginning and their end. A task's struct and its stack are separate,
 * so that a handle that somebody keeps does not keep a stack.
 *
 *     stack:  | guard | ........ frames of its calls | copy of its argument | root | top
 */
#include "base/allocator.h"
#include "task/scheduler.h"
#include "task/scope.h"

#include <aiol/error.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>

#define MAX_COPY_BYTES 16384
#define STACK_ALIGNMENT 16
#define CACHE_LINE_BYTES 64
#define SLAB_TASKS 64

struct aiol__task_slab {
    struct aiol__task_slab *next;
    unsigned char memory[SLAB_TASKS * sizeof(struct aiol_task) + CACHE_LINE_BYTES - 1];
};

static void keep_as_spare(struct aiol__scheduler *scheduler, struct aiol_task *task)
{
    task->next = scheduler->spare;
    scheduler->spare = task;
}

void aiol__task_free(struct aiol_task *task)
{
    keep_as_spare(task->scheduler, task);
}

static int add_slab(struct aiol__scheduler *scheduler)
{
    struct aiol__task_slab *slab = aiol__allocate(&scheduler->loop->allocator, sizeof *slab);
    struct aiol_task *tasks;

    if (!slab)
        return -ENOMEM;
    slab->next = scheduler->slabs;
    scheduler->slabs = slab;
    tasks = (struct aiol_task *)(((uintptr_t)slab->memory + CACHE_LINE_BYTES - 1) /
                                 CACHE_LINE_BYTES * CACHE_LINE_BYTES);
    for (int i = SLAB_TASKS - 1; i >= 0; i--)
        keep_as_spare(scheduler, &tasks[i]);
    return 0;
}

void aiol__task_slabs_free(struct aiol__scheduler *scheduler)
{
    while (scheduler->slabs) {
        struct aiol__task_slab *slab = scheduler->slabs;

        scheduler->slabs = slab->next;
        aiol__release(&scheduler->loop->allocator, slab);
    }
}

static struct aiol_task *allocate_task(struct aiol__scheduler *scheduler)
{
    struct aiol_task *task;

    if (!scheduler->spare && add_slab(scheduler) < 0)
        return NULL;
    task = scheduler->spare;
    scheduler->spare = task->next;
    __builtin_prefetch(scheduler->spare); /* for the next one */
    return task;
}

static struct aiol_group *group_of(struct aiol__scope_node *node)
{
    return container_of(node, struct aiol_group, scope.tree);
}

/* Scopes and groups that the task's function left open. They lie in its frames, which are gone but
 * not yet overwritten. */
static void close_leftover_scopes(struct aiol_task *task)
{
    while (task->scope != &task->root->scope) {
        struct aiol_scope *scope = container_of(task->scope, struct aiol_scope, tree);

        aiol_scope_cancel(scope);
        if (scope->tree.kind == AIOL__SCOPE_GROUP)
            aiol__group_finish(group_of(&scope->tree));
        else
            aiol__scope_leave(scope, 0);
    }
}

static inline _Noreturn void end_task(struct aiol_task *task, int result)
{
    struct aiol__scheduler *scheduler = task->scheduler;
    struct aiol__scope_node *above = task->root->scope.parent;

    task->result = result;
    aiol__scope_node_close(&task->root->scope);
    aiol__stack_give_back(&scheduler->stacks, task->root->stack);
    task->root = NULL;
    scheduler->guest.alive_count--;
    if (above->kind == AIOL__SCOPE_GROUP)
        aiol__group_task_ended(group_of(above), result);
    if (task->awaiting)
        aiol__waiter_complete(task->awaiting, 0);
    if (!task->has_handle)
        aiol__task_free(task);
    aiol__context_exit(&scheduler->dead_context, aiol__scheduler_choose_next(scheduler));
    __builtin_unreachable();
}

/*
 * Not instrumented and not inlined, since after a mistake of the task's function it must do without
 * a call until the stack pointer is below the scopes in the frames that the function had.
 */
__attribute__((noinline))
#if defined(__has_attribute)
#if __has_attribute(no_sanitize)
__attribute__((no_sanitize("address", "undefined")))
#endif
#endif
void
aiol__task_main(void *arg)
{
    struct aiol_task *task = arg;
    int result;

    aiol__context_entered(&task->context);
    result = task->root->fn(task->root->arg);
    if (task->scope != &task->root->scope) {
        volatile char here;
        uintptr_t lowest = task->root->lowest_scope < (uintptr_t)&here ? task->root->lowest_scope
                                                                       : (uintptr_t)&here;
        size_t skipped_bytes = (uintptr_t)&here - lowest + STACK_ALIGNMENT;
        volatile char *skipped = __builtin_alloca(skipped_bytes);

        aiol__stack_revive((struct aiol__stack_area){(void *)(uintptr_t)skipped, skipped_bytes});
        close_leftover_scopes(task);
        if (result >= 0)
            result = AIOL_ESCOPE;
    }
    end_task(task, result);
}

/* Take room for `size_bytes` bytes from the top of an area. */
static void *take_top(struct aiol__stack_area *area, size_t size_bytes)
{
    area->size_bytes -= (size_bytes + STACK_ALIGNMENT - 1) / STACK_ALIGNMENT * STACK_ALIGNMENT;
    return (char *)area->low + area->size_bytes;
}

/* One member after the other: to clear the whole takes longer than all the rest. */
static void init_task(struct aiol_task *task, struct aiol__scheduler *scheduler,
                      struct aiol__stack *stack, const struct aiol__spawn *spawn)
{
    struct aiol__stack_area area = {stack->low, stack->size_bytes};
    struct aiol__task_root *root = take_top(&area, sizeof *root);

    root->fn = spawn->fn;
    root->arg = spawn->arg;
    if (spawn->copy_bytes > 0) {
        root->arg = take_top(&area, spawn->copy_bytes);
        memcpy(root->arg, spawn->arg, spawn->copy_bytes);
    }
    root->stack = stack;
    root->lowest_scope = UINTPTR_MAX;
    aiol__scope_node_open(&root->scope, spawn->group ? &spawn->group->scope.tree : &scheduler->root,
                          task, AIOL__SCOPE_TASK);
    task->scheduler = scheduler;
    task->is_parked = false;
    task->scope = &root->scope;
    task->root = root;
    task->result = 0;
    task->awaiting = NULL;
    task->waiter.wake = aiol__task_wake;
    task->name = NULL;
    task->spawn_place = spawn->place;
    aiol__context_prepare(&task->context, area, stack->fiber, aiol__task_main, task);
}

int aiol__task_spawn(struct aiol_loop *loop, const struct aiol__spawn *spawn,
                     struct aiol_task **ret_task)
{
    struct aiol__scheduler *scheduler;
    struct aiol__stack *stack;
    struct aiol_task *task;

    aiol__loop_check_thread(loop);
    if (loop->is_closing)
        return AIOL_ECLOSED;
    if (spawn->copy_bytes > MAX_COPY_BYTES)
        return -E2BIG;
    scheduler = aiol__scheduler_of(loop);
    stack = scheduler ? aiol__stack_take(&scheduler->stacks) : NULL;
    if (!stack)
        return -ENOMEM;
    task = allocate_task(scheduler);
    if (!task) {
        aiol__stack_give_back(&scheduler->stacks, stack);
        return -ENOMEM;
    }
    init_task(task, scheduler, stack, spawn);
    task->has_handle = ret_task != NULL;
    if (scheduler->guest.is_draining)
        aiol_task_cancel(task);
    scheduler->guest.alive_count++;
    aiol__task_make_ready(task);
    if (ret_task)
        *ret_task = task;
    return 0;
}

int aiol_task_spawn(struct aiol_loop *loop, aiol_task_fn fn, void *arg, struct aiol_task **ret_task)
{
    struct aiol__spawn spawn = {.fn = fn, .arg = arg, .place = __builtin_return_address(0)};

    return aiol__task_spawn(loop, &spawn, ret_task);
}

int aiol_task_spawn_copy(struct aiol_loop *loop, aiol_task_fn fn, const void *data,
                         size_t size_bytes, struct aiol_task **ret_task)
{
    struct aiol__spawn spawn = {.fn = fn,
                                .arg = (void *)(uintptr_t)data,
                                .copy_bytes = size_bytes,
                                .place = __builtin_return_address(0)};

    return aiol__task_spawn(loop, &spawn, ret_task);
}

void aiol_task_cancel(struct aiol_task *task)
{
    if (task->root)
        aiol__scope_node_cancel(&task->root->scope);
}

int aiol_task_is_cancelled(const struct aiol_task *task)
{
    return task->root && task->scope->cancelled;
}

int aiol_task_detach(struct aiol_task *task)
{
    if (task->awaiting)
        return -EBUSY;
    task->has_handle = false;
    if (!task->root)
        aiol__task_free(task);
    return 0;
}

int aiol_task_is_done(const struct aiol_task *task)
{
    return task->root == NULL;
}

void aiol_task_set_name(struct aiol_task *task, const char *name)
{
    task->name = name;
}

const char *aiol_task_name(const struct aiol_task *task)
{
    return task->name ? task->name : "task";
}

const void *aiol_task_spawn_place(const struct aiol_task *task)
{
    return task->spawn_place;
}

const char *aiol_task_guard_kind(const struct aiol_loop *loop)
{
    static const char *const kinds[] = {"none yet", "guard", "mprotect"};

    if (!loop->guest)
        return kinds[AIOL__GUARD_UNKNOWN];
    return kinds[container_of(loop->guest, struct aiol__scheduler, guest)->stacks.guard_kind];
}
