/* Allocation through the allocator that the user gave the loop. */
#ifndef AIOL__BASE_ALLOCATOR_H
#define AIOL__BASE_ALLOCATOR_H

#include <aiol/allocator.h>

/* malloc's family. */
extern const struct aiol_allocator aiol__default_allocator;

void *aiol__allocate(const struct aiol_allocator *allocator, size_t size_bytes);
void *aiol__allocate_zeroed(const struct aiol_allocator *allocator, size_t size_bytes);
void *aiol__reallocate(const struct aiol_allocator *allocator, void *memory, size_t size_bytes);
void aiol__release(const struct aiol_allocator *allocator, void *memory);

#endif
