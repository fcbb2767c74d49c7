/*
 * Memory for stacks: address space in slabs, and guard pages in it.
 */
#ifndef AIOL__PLATFORM_MAPPING_H
#define AIOL__PLATFORM_MAPPING_H

#include <stddef.h>

enum aiol__guard_kind {
    AIOL__GUARD_UNKNOWN = 0,
    AIOL__GUARD_LIGHT,  /* in the page tables only: no mapping of its own (Linux 6.13) */
    AIOL__GUARD_MAPPING /* by mprotect(), which splits the mapping: vm.max_map_count bounds them */
};

size_t aiol__page_bytes(void);

/* Private zeroed memory that costs nothing until it is touched; never in huge pages. 0 or -errno.
 */
int aiol__map(size_t size_bytes, void **ret_memory);
void aiol__unmap(void *memory, size_t size_bytes);

/* Make [address, address + size_bytes), whole pages of a mapping made here, fault when touched.
 * With AIOL__GUARD_UNKNOWN in `*kind` finds out first what the system has, and writes it there. 0
 * or -errno. */
int aiol__guard(void *address, size_t size_bytes, enum aiol__guard_kind *kind);

#endif
