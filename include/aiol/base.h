/* What every other header needs: fixed-width types, the export mark, the version. */
#ifndef AIOL_BASE_H
#define AIOL_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define AIOL_BEGIN_DECLARATIONS extern "C" {
#define AIOL_END_DECLARATIONS }
#else
#define AIOL_BEGIN_DECLARATIONS
#define AIOL_END_DECLARATIONS
#endif

#define AIOL_API __attribute__((visibility("default")))

#define AIOL_VERSION_MAJOR 0
#define AIOL_VERSION_MINOR 1
#define AIOL_VERSION_PATCH 0

AIOL_BEGIN_DECLARATIONS

/*
 * The version of the library that was linked, as major * 1000000 + minor * 1000 + patch; the
 * AIOL_VERSION_... constants are those of the header that was compiled against.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API uint32_t aiol_version(void);

/*
 * The parts of public structs that only the library touches. They stand here because a program
 * embeds those structs; their layout may change with the soname, and no program should name them.
 */
struct aiol__list {
    struct aiol__list *next;
    struct aiol__list *prev;
};

struct aiol__waiter;
struct aiol__waiter_source;

/* Somebody who waits for one thing: a parked task or a callback. See src/base/waiter.h. */
struct aiol__waiter {
    struct aiol__list node;
    const struct aiol__waiter_source *source;
    void (*wake)(struct aiol__waiter *waiter);
    void *owner;
    void *object;
    void *slot;
    int64_t status;
};

AIOL_END_DECLARATIONS

#endif
