/*
 * Hooks around the blocking wait: what a language binding needs to give up and take back its lock,
 * and a program to flush what it has collected. They are called only when a turn is about to wait,
 * not around a poll that is known not to block; what comes up in between may still end the wait at
 * once.
 */
#ifndef AIOL_HOOK_H
#define AIOL_HOOK_H

#include <aiol/loop.h>

AIOL_BEGIN_DECLARATIONS

struct aiol_hook;
typedef void (*aiol_hook_fn)(struct aiol_hook *hook, void *data);

enum aiol_hook_place {
    AIOL_HOOK_BEFORE_WAIT = 0, /* may start things: what is ready then makes the wait not block */
    AIOL_HOOK_AFTER_WAIT = 1   /* called before any event is handled; the clock is read around it */
};

struct aiol_hook {
    /* private */
    struct aiol__list node;
    struct aiol_loop *loop;
    aiol_hook_fn callback;
    void *data;
    uint32_t place;
    uint32_t reserved_number;
    void *reserved;
};

/*
 * Prepare a hook; it is not started yet. `place` is one of enum aiol_hook_place. `hook` stays the
 * caller's; the loop borrows it, at this address, while it is started. It needs no closing.
 *
 * Thread: the loop's. Cannot fail; an unknown place fails in aiol_hook_start().
 */
AIOL_API void aiol_hook_init(struct aiol_hook *hook, struct aiol_loop *loop, uint32_t place,
                             aiol_hook_fn callback, void *data);

/*
 * Call the callback around every blocking wait from now on; hooks of one place are called in the
 * order of their starts. One that is started inside a hook of its place waits for the next turn. A
 * hook does not keep the loop alive. Starting a started hook does nothing. A signal that is handled
 * in this thread ends the wait, and so calls the hooks after it.
 *
 * Thread: the loop's. Returns 0, -EINVAL (unknown place), or AIOL_ECLOSED (the loop is being
 * freed).
 */
AIOL_API int aiol_hook_start(struct aiol_hook *hook);

/*
 * Stop calling it; its memory may be reused. Stopping what is not started does nothing.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_hook_stop(struct aiol_hook *hook);

/*
 * 1 while the hook is started, else 0.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API int aiol_hook_is_active(const struct aiol_hook *hook);

/*
 * For callers that cannot embed the struct: allocate a hook from the loop's allocator and prepare
 * it. Belongs to the caller, who frees it with aiol_hook_free().
 *
 * Thread: the loop's. Returns 0, or -ENOMEM.
 */
AIOL_API int aiol_hook_new(struct aiol_loop *loop, uint32_t place, aiol_hook_fn callback,
                           void *data, struct aiol_hook **ret_hook);

/*
 * Stop and free a hook that aiol_hook_new() made, also from its own callback. NULL is allowed.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_hook_free(struct aiol_hook *hook);

/*
 * sizeof(struct aiol_hook), for callers that embed it without a C compiler.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API size_t aiol_hook_size(void);

/*
 * The alignment of struct aiol_hook.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API size_t aiol_hook_align(void);

AIOL_END_DECLARATIONS

#endif
