/*
 * The only place that knows malloc, and the only one that calls a user's allocator. Releasing NULL
 * is filtered out here, so that users' functions need not know of it.
 */
#include "base/allocator.h"

#include <stdlib.h>
#include <string.h>

static void *default_allocate(void *context, size_t size_bytes)
{
    (void)context;
    return malloc(size_bytes);
}

static void *default_reallocate(void *context, void *memory, size_t size_bytes)
{
    (void)context;
    return realloc(memory, size_bytes);
}

static void default_release(void *context, void *memory)
{
    (void)context;
    free(memory);
}

const struct aiol_allocator aiol__default_allocator = {
    .allocate = default_allocate,
    .reallocate = default_reallocate,
    .release = default_release,
    .context = NULL,
};

void *aiol__allocate(const struct aiol_allocator *allocator, size_t size_bytes)
{
    return allocator->allocate(allocator->context, size_bytes);
}

void *aiol__allocate_zeroed(const struct aiol_allocator *allocator, size_t size_bytes)
{
    void *memory = aiol__allocate(allocator, size_bytes);

    if (memory)
        memset(memory, 0, size_bytes);
    return memory;
}

void *aiol__reallocate(const struct aiol_allocator *allocator, void *memory, size_t size_bytes)
{
    if (!memory)
        return aiol__allocate(allocator, size_bytes);
    return allocator->reallocate(allocator->context, memory, size_bytes);
}

void aiol__release(const struct aiol_allocator *allocator, void *memory)
{
    if (memory)
        allocator->release(allocator->context, memory);
}
