/* Each block is in a list from its allocation to the end of the run. Under the address sanitizer
 * what is released is also marked for it, so that it finds reads as well. */
#include "checked_memory.h"
#include "explorer.h"
#include "task/context.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef AIOL__ASAN
#include <sanitizer/asan_interface.h>
#endif

#define PATTERN 0xd5

struct block {
    struct block *next;
    size_t size_bytes;
    bool is_released;
    _Alignas(max_align_t) unsigned char memory[];
};

static struct block *blocks;

void spoil_memory(void *memory, size_t size_bytes)
{
    memset(memory, PATTERN, size_bytes);
}

bool is_memory_spoilt(const void *memory, size_t size_bytes)
{
    const unsigned char *bytes = memory;

    return bytes[0] == PATTERN && memcmp(bytes, bytes + 1, size_bytes - 1) == 0;
}

static void mark(struct block *block, bool is_released)
{
    block->is_released = is_released;
#ifdef AIOL__ASAN
    if (is_released)
        __asan_poison_memory_region(block->memory, block->size_bytes);
    else
        __asan_unpoison_memory_region(block->memory, block->size_bytes);
#endif
}

static void *allocate(void *context, size_t size_bytes)
{
    struct block *block = malloc(sizeof *block + size_bytes);

    (void)context;
    if (!block)
        return NULL;
    *block = (struct block){.next = blocks, .size_bytes = size_bytes};
    blocks = block;
    return block->memory;
}

static void *reallocate(void *context, void *memory, size_t size_bytes)
{
    (void)context;
    (void)memory;
    (void)size_bytes;
    return NULL; /* nothing in these programs needs it */
}

static void release(void *context, void *memory)
{
    struct block *block = blocks;

    (void)context;
    while (block && block->memory != memory)
        block = block->next;
    if (!block || block->is_released) {
        fail_run("released twice, or never allocated");
        return;
    }
    spoil_memory(memory, block->size_bytes);
    mark(block, true);
}

const struct aiol_allocator checked_allocator = {
    .allocate = allocate, .reallocate = reallocate, .release = release};

void check_memory_is_alive(const volatile void *object)
{
    uintptr_t address = (uintptr_t)object;

    for (const struct block *block = blocks; block; block = block->next) {
        uintptr_t low = (uintptr_t)block->memory;

        if (block->is_released && address >= low && address - low < block->size_bytes)
            fail_run("used after it was released");
    }
}

const char *check_memory(void)
{
    for (struct block *block = blocks; block; block = block->next) {
        if (!block->is_released)
            return "memory was never released";
        mark(block, false);
        if (!is_memory_spoilt(block->memory, block->size_bytes))
            return "written to after it was released";
    }
    return NULL;
}

void reset_memory(void)
{
    while (blocks) {
        struct block *block = blocks;

        mark(block, false);
        blocks = block->next;
        free(block);
    }
}

void abandon_memory(void)
{
    blocks = NULL;
}
