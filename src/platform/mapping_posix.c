/* Stack memory where guards are made by mprotect(2) alone. */
#include "platform/mapping.h"
#include "platform/sys.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* Reserving nothing is what some systems do anyway. OpenBSD runs on no other memory than such as is
 * marked; on FreeBSD the mark means something else, a mapping that grows. */
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif
#ifdef __OpenBSD__
#define STACK_FLAGS MAP_STACK
#else
#define STACK_FLAGS MAP_NORESERVE
#endif

size_t aiol__page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

int aiol__map(size_t size_bytes, void **ret_memory)
{
    void *memory = aiol__sys.mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANON | STACK_FLAGS, -1, 0);

    if (memory == MAP_FAILED)
        return -errno;
    *ret_memory = memory;
    return 0;
}

void aiol__unmap(void *memory, size_t size_bytes)
{
    aiol__sys.munmap(memory, size_bytes);
}

int aiol__guard(void *address, size_t size_bytes, enum aiol__guard_kind *kind)
{
    *kind = AIOL__GUARD_MAPPING;
    return aiol__sys.mprotect(address, size_bytes, PROT_NONE) < 0 ? -errno : 0;
}
