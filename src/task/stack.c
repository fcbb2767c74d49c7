/* Stack slabs; stack.h draws one. */
#include "task/stack.h"
#include "base/allocator.h"
#include "platform/mapping.h"

#include <errno.h>

#define SLAB_STACKS 64
#if defined(AIOL__ASAN) || defined(AIOL__TSAN)
#define STACK_BYTES ((size_t)512 * 1024) /* instrumented frames are larger */
#else
#define STACK_BYTES ((size_t)128 * 1024)
#endif
#define COLOURS 16
#define COLOUR_BYTES ((size_t)128)

struct aiol__stack_slab {
    struct aiol__stack_slab *next;
    unsigned char *memory;
    size_t memory_bytes;
    size_t guard_bytes;
    unsigned cut_count;
    struct aiol__stack stacks[SLAB_STACKS];
};

void aiol__stack_pool_init(struct aiol__stack_pool *pool, const struct aiol_allocator *allocator)
{
    *pool = (struct aiol__stack_pool){.allocator = allocator};
}

void aiol__stack_pool_free(struct aiol__stack_pool *pool)
{
    while (pool->slabs) {
        struct aiol__stack_slab *slab = pool->slabs;

        for (unsigned i = 0; i < slab->cut_count; i++) {
            struct aiol__stack *stack = &slab->stacks[i];

            aiol__stack_retract((struct aiol__stack_area){stack->low, stack->size_bytes},
                                stack->announced);
            aiol__fiber_free(stack->fiber);
        }
        pool->slabs = slab->next;
        aiol__unmap(slab->memory, slab->memory_bytes);
        aiol__release(pool->allocator, slab);
    }
    pool->free = NULL;
}

static int add_slab(struct aiol__stack_pool *pool)
{
    size_t page_bytes = aiol__page_bytes();
    struct aiol__stack_slab *slab = aiol__allocate_zeroed(pool->allocator, sizeof *slab);
    void *memory;

    if (!slab)
        return -ENOMEM;
    slab->guard_bytes = page_bytes;
    slab->memory_bytes = SLAB_STACKS * (STACK_BYTES + page_bytes);
    if (aiol__map(slab->memory_bytes, &memory) < 0) {
        aiol__release(pool->allocator, slab);
        return -ENOMEM;
    }
    slab->memory = memory;
    slab->next = pool->slabs;
    pool->slabs = slab;
    return 0;
}

/* The next stack of the newest slab that was never used. */
static struct aiol__stack *cut_stack(struct aiol__stack_pool *pool)
{
    struct aiol__stack_slab *slab = pool->slabs;
    unsigned index = slab->cut_count;
    struct aiol__stack *stack = &slab->stacks[index];
    unsigned char *guard = slab->memory + index * (STACK_BYTES + slab->guard_bytes);

    /* The system is out of mappings, or of memory for page tables. */
    if (aiol__guard(guard, slab->guard_bytes, &pool->guard_kind) < 0)
        return NULL;
    stack->low = guard + slab->guard_bytes;
    stack->size_bytes = STACK_BYTES - (index % COLOURS) * COLOUR_BYTES;
    stack->announced =
        aiol__stack_announce((struct aiol__stack_area){stack->low, stack->size_bytes});
    slab->cut_count++;
    return stack;
}

struct aiol__stack *aiol__stack_add(struct aiol__stack_pool *pool)
{
    if ((!pool->slabs || pool->slabs->cut_count == SLAB_STACKS) && add_slab(pool) < 0)
        return NULL;
    return cut_stack(pool);
}
