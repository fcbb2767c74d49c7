/*
 * A future: a result that will be set once. Tasks await it (aiol_await_future()), callback code
 * observes it, any number of both. It is how foreign work (a library with callbacks of its own, a
 * binding) becomes something that a task can wait for.
 */
#ifndef AIOL_FUTURE_H
#define AIOL_FUTURE_H

#include <aiol/deferred.h>

AIOL_BEGIN_DECLARATIONS

struct aiol_future;
struct aiol_future_observer;

/* Withdraws the work behind a future that nobody wants any more: called at most once, inside
 * aiol_future_cancel() or aiol_future_close(), and never after the future was set. It must not
 * touch the future. */
typedef void (*aiol_future_withdraw_fn)(struct aiol_future *future, void *data);

/* `status` is what the future was set to; `value` is NULL when it is negative. */
typedef void (*aiol_future_observer_fn)(struct aiol_future_observer *observer, int status,
                                        void *value, void *data);

struct aiol_future {
    /* private */
    struct aiol__list waiters;
    struct aiol__list completed;
    struct aiol_loop *loop;
    aiol_future_withdraw_fn withdraw;
    void *data;
    void *value;
    int32_t status;
    uint8_t state;
    uint8_t is_freed;
    uint8_t reserved_bytes[2];
    void *reserved;
};

struct aiol_future_observer {
    /* private */
    struct aiol__completion completion;
    aiol_future_observer_fn callback;
    void *data;
    void *reserved;
};

/*
 * Prepare a future whose result is pending. `withdraw` may be NULL. `future` stays the caller's;
 * who waits for it borrows it, at this address, until it is closed.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_future_init(struct aiol_future *future, struct aiol_loop *loop,
                               aiol_future_withdraw_fn withdraw, void *data);

/*
 * Set the result, once: a status (0 or more is success, and then `value` comes with it), which
 * wakes everybody who waits, in the order in which they came. Nobody is called inside. Who owns
 * `value` is between the one that sets it and those who wait; the library only passes it on.
 *
 * Thread: the loop's (from another one, post a function that does). Returns 0, or -EALREADY (it was
 * set, cancelled or closed before, and stays as it was).
 */
AIOL_API int aiol_future_set(struct aiol_future *future, int status, void *value);

/*
 * Give the work up: `withdraw` is called, and the result is -ECANCELED for all who wait.
 *
 * Thread: the loop's. Returns 0, or -EALREADY (as above).
 */
AIOL_API int aiol_future_cancel(struct aiol_future *future);

/*
 * The result without waiting. `ret_value` may be NULL.
 *
 * Thread: the loop's. Returns 0 and the value, the negative status that was set, or -EAGAIN (it is
 * pending). A status above 0 is returned as it is.
 */
AIOL_API int aiol_future_result(const struct aiol_future *future, void **ret_value);

/*
 * 1 when the future was set, cancelled or closed, 0 while it is pending.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API int aiol_future_is_set(const struct aiol_future *future);

/*
 * End its use: the memory may be reused when this returns. If it is pending, `withdraw` is called
 * and all who wait are told AIOL_ECLOSED. Observers that were not called yet are called inside this
 * call, the ones already given a result with that result; tasks find it when they run next.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_future_close(struct aiol_future *future);

/*
 * Prepare an observer of `future`. It stays the caller's; the loop borrows it, at this address,
 * while it is started.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_future_observer_init(struct aiol_future_observer *observer,
                                        struct aiol_future *future,
                                        aiol_future_observer_fn callback, void *data);

/*
 * Have the callback called once, with the future's result, in a deferred phase: also when the
 * result is already there, never inside this call.
 *
 * Thread: the loop's. Returns 0, -EALREADY (this observer is started), or AIOL_ECLOSED (the future
 * is closed, or the loop is being freed).
 */
AIOL_API int aiol_future_observer_start(struct aiol_future_observer *observer);

/*
 * Withdraw the observer: its callback will not come, and its memory may be reused. The future
 * itself goes on.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_future_observer_stop(struct aiol_future_observer *observer);

/*
 * For callers that cannot embed the struct: allocate a future from the loop's allocator and prepare
 * it. Belongs to the caller, who frees it with aiol_future_free().
 *
 * Thread: the loop's. Returns 0, or -ENOMEM.
 */
AIOL_API int aiol_future_new(struct aiol_loop *loop, aiol_future_withdraw_fn withdraw, void *data,
                             struct aiol_future **ret_future);

/*
 * Close and free a future that aiol_future_new() made. NULL is allowed.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_future_free(struct aiol_future *future);

/*
 * Allocate an observer of `future` from the loop's allocator and prepare it. Belongs to the caller,
 * who frees it with aiol_future_observer_free().
 *
 * Thread: the loop's. Returns 0, or -ENOMEM.
 */
AIOL_API int aiol_future_observer_new(struct aiol_future *future, aiol_future_observer_fn callback,
                                      void *data, struct aiol_future_observer **ret_observer);

/*
 * Stop and free an observer that aiol_future_observer_new() made, also from its own callback. NULL
 * is allowed.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_future_observer_free(struct aiol_future_observer *observer);

/*
 * sizeof(struct aiol_future), for callers that embed it without a C compiler.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API size_t aiol_future_size(void);

/*
 * The alignment of struct aiol_future.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API size_t aiol_future_align(void);

/*
 * sizeof(struct aiol_future_observer).
 *
 * Thread: any. Cannot fail.
 */
AIOL_API size_t aiol_future_observer_size(void);

/*
 * The alignment of struct aiol_future_observer.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API size_t aiol_future_observer_align(void);

AIOL_END_DECLARATIONS

#endif
