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

/* 0 or -ENOMEM. */
int aiol__stack_take(struct aiol__stack_pool *pool, struct aiol__stack **ret_stack);
/* May be called on that very stack, if it is left before another one is taken. */
void aiol__stack_give_back(struct aiol__stack_pool *pool, struct aiol__stack *stack);

#endif
