/* Stack memory on Linux, where guards need no mappings since 6.13: madvise(2), MADV_GUARD_INSTALL.
 */
#include "platform/mapping.h"
#include "platform/sys.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

size_t aiol__page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

int aiol__map(size_t size_bytes, void **ret_memory)
{
    void *memory = aiol__sys.mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

    if (memory == MAP_FAILED)
        return -errno;
    /* A huge page would make one touched stack cost 2 MiB. Kernels without them say EINVAL. */
    aiol__sys.madvise(memory, size_bytes, MADV_NOHUGEPAGE);
    *ret_memory = memory;
    return 0;
}

void aiol__unmap(void *memory, size_t size_bytes)
{
    aiol__sys.munmap(memory, size_bytes);
}

/* Emulators are known to accept the advice and do nothing, so see whether the page really faults:
 * the kernel writing to it must answer EFAULT. */
static int install_and_check(void *address, size_t size_bytes)
{
    if (aiol__sys.madvise(address, size_bytes, MADV_GUARD_INSTALL) < 0)
        return -errno;
    if (aiol__sys.getrandom(address, 1, GRND_NONBLOCK) < 0 && errno == EFAULT)
        return 0;
    return -ENOTSUP;
}

int aiol__guard(void *address, size_t size_bytes, enum aiol__guard_kind *kind)
{
    if (*kind == AIOL__GUARD_UNKNOWN)
        *kind = install_and_check(address, size_bytes) == 0 ? AIOL__GUARD_LIGHT
                                                            : AIOL__GUARD_MAPPING;
    if (*kind == AIOL__GUARD_LIGHT) {
        if (aiol__sys.madvise(address, size_bytes, MADV_GUARD_INSTALL) < 0)
            return -errno;
        return 0;
    }
    return aiol__sys.mprotect(address, size_bytes, PROT_NONE) < 0 ? -errno : 0;
}
