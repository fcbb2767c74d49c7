/*
 * Deferred calls: "call this soon, on a flat stack". The node is a struct of the caller's, so that
 * deferring allocates nothing and cannot fail.
 */
#ifndef AIOL_DEFERRED_H
#define AIOL_DEFERRED_H

#include <aiol/loop.h>

AIOL_BEGIN_DECLARATIONS

struct aiol_deferred;
typedef void (*aiol_deferred_fn)(struct aiol_deferred *deferred, void *data);

struct aiol_deferred {
    /* private */
    struct aiol__list node;
    struct aiol_loop *loop;
    aiol_deferred_fn callback;
    void *data;
    void *reserved;
};

/* A waiter in callback form: when it is completed, its delivery is deferred. See
 * src/reactor/completion.h. */
struct aiol__completion {
    struct aiol__waiter waiter;
    struct aiol_deferred delivery;
    struct aiol__list *completed;
    void (*deliver)(struct aiol__completion *completion);
};

/*
 * Prepare a deferred call; it is not started yet. `deferred` stays the caller's; the loop borrows
 * it, at this address, while it is started. It needs no closing.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_deferred_init(struct aiol_deferred *deferred, struct aiol_loop *loop,
                                 aiol_deferred_fn callback, void *data);

/*
 * Call the callback once, in the next deferred phase: first started, first called. Started inside
 * that phase it waits for the next turn, which then does not block. Starting what is already
 * started leaves it at its place. The callback may start it again or free it.
 *
 * Thread: the loop's. Returns 0, or AIOL_ECLOSED (the loop is being freed).
 */
AIOL_API int aiol_deferred_start(struct aiol_deferred *deferred);

/*
 * Withdraw it: the callback will not come, and its memory may be reused. Stopping what is not
 * started does nothing.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_deferred_stop(struct aiol_deferred *deferred);

/*
 * 1 from the start until the callback is entered, else 0.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API int aiol_deferred_is_active(const struct aiol_deferred *deferred);

/*
 * For callers that cannot embed the struct: allocate one from the loop's allocator and prepare it.
 * Belongs to the caller, who frees it with aiol_deferred_free().
 *
 * Thread: the loop's. Returns 0, or -ENOMEM.
 */
AIOL_API int aiol_deferred_new(struct aiol_loop *loop, aiol_deferred_fn callback, void *data,
                               struct aiol_deferred **ret_deferred);

/*
 * Stop and free what aiol_deferred_new() made, also from its own callback. NULL is allowed.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_deferred_free(struct aiol_deferred *deferred);

/*
 * sizeof(struct aiol_deferred), for callers that embed it without a C compiler.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API size_t aiol_deferred_size(void);

/*
 * The alignment of struct aiol_deferred.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API size_t aiol_deferred_align(void);

AIOL_END_DECLARATIONS

#endif
