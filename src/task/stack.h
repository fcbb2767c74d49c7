/*
 * Stacks for tasks: cut from slabs of address space, each below it a guard page that faults, used
 * ones kept for the next task.
 *
 *     slab:  | guard | stack ........ top | guard | stack ........ top | ...
 *                                      ^ a little lower for each, so that the tops of many parked
 *                                        tasks do not fall into the same sets of the cache
 */
#ifndef AIOL__TASK_STACK_H
#define AIOL__TASK_STACK_H

#include "platform/mapping.h"
#include "task/context.h"

#include <aiol/allocator.h>

struct aiol__stack {
    struct aiol__stack *next_free;
    unsigned char *low;
    size_t size_bytes; /* up to the coloured top */
    void *fiber;
    unsigned announced;
};

struct aiol__stack_slab;

struct aiol__stack_pool {
    const struct aiol_allocator *allocator;
    struct aiol__stack_slab *slabs; /* the newest first; only that one has stacks never used */
    struct aiol__stack *free;       /* used before, the last one first, since it is the warmest */
    enum aiol__guard_kind guard_kind;
};

void aiol__stack_pool_init(struct aiol__stack_pool *pool, const struct aiol_allocator *allocator);
void aiol__stack_pool_free(struct aiol__stack_pool *pool);

/* One that was never used; NULL when there is no memory. */
struct aiol__stack *aiol__stack_add(struct aiol__stack_pool *pool);

/* NULL when there is no memory. */
static inline struct aiol__stack *aiol__stack_take(struct aiol__stack_pool *pool)
{
    struct aiol__stack *stack = pool->free;

    if (stack)
        pool->free = stack->next_free;
    else
        stack = aiol__stack_add(pool);
    if (stack) {
        /* A fiber remembers the calls that its last task never returned from. */
        aiol__fiber_free(stack->fiber);
        stack->fiber = aiol__fiber_new();
    }
    return stack;
}

/* May be called on that very stack, if it is left before another one is taken. */
static inline void aiol__stack_give_back(struct aiol__stack_pool *pool, struct aiol__stack *stack)
{
    stack->next_free = pool->free;
    pool->free = stack;
}

#endif
