/*
 * A producer/consumer queue of pointers, bounded or not, first in, first out. Tasks use it by
 * aiol_await_queue_get() and its kin (aiol/await.h), callback code by the getters, putters and
 * joiners below; both may work on the same queue.
 *
 * An item changes hands only when a put or a get succeeds. Who waits is served in the order of
 * arrival: a waiting getter receives its item directly, and nobody who comes later can take it
 * away. Items are handed out in the order in which they came; when there are several getters, the
 * one that got the first need not be the first to run.
 */
#ifndef AIOL_QUEUE_H
#define AIOL_QUEUE_H

#include <aiol/deferred.h>

AIOL_BEGIN_DECLARATIONS

struct aiol_queue;

/* As a capacity: no bound; a put never waits, but may be out of memory. A capacity of 0 is a
 * rendezvous: a put waits until a get takes its item. */
#define AIOL_QUEUE_UNBOUNDED SIZE_MAX

enum aiol_queue_shutdown {
    AIOL_QUEUE_DRAIN = 0, /* no more puts; what is in the queue can still be got */
    AIOL_QUEUE_NOW = 1    /* no more puts, and the items that are in the queue are destroyed */
};

/* Called with each item that the queue still holds when it must let go of it. */
typedef void (*aiol_queue_destroy_fn)(void *item);

/*
 * Make a queue for `capacity` items. `destroy` may be NULL. The queue belongs to the caller, who
 * frees it with aiol_queue_free(). A bounded queue allocates nothing after this.
 *
 * Thread: the loop's. Returns 0, -ENOMEM, or AIOL_ECLOSED (the loop is being freed).
 */
AIOL_API int aiol_queue_new(struct aiol_loop *loop, size_t capacity, aiol_queue_destroy_fn destroy,
                            struct aiol_queue **ret_queue);

/*
 * Free a queue. Whoever waits on it is told AIOL_ECLOSED: callbacks inside this call (those already
 * given a result get that one), tasks when they run next. Items left go to the destructor. NULL is
 * allowed.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_queue_free(struct aiol_queue *queue);

/*
 * Put an item if that does not have to wait. On success the item is the queue's.
 *
 * Thread: the loop's. Returns 0, -EAGAIN (full, or a rendezvous without a getter), AIOL_ECLOSED
 * (shut down), or -ENOMEM (only when unbounded).
 */
AIOL_API int aiol_queue_put_nowait(struct aiol_queue *queue, void *item);

/*
 * Get an item if that does not have to wait. On success the item is the caller's.
 *
 * Thread: the loop's. Returns 0, -EAGAIN (empty), or AIOL_ECLOSED (shut down, and nothing is left).
 */
AIOL_API int aiol_queue_get_nowait(struct aiol_queue *queue, void **ret_item);

/*
 * Say that one item that was got has been dealt with. When that is said of every item that was ever
 * put, those who join go on.
 *
 * Thread: the loop's. Returns 0, or -EINVAL (said more often than items were got).
 */
AIOL_API int aiol_queue_done(struct aiol_queue *queue);

/*
 * Accept no more items. `how` is one of enum aiol_queue_shutdown. Puts that wait end with
 * AIOL_ECLOSED and keep their item; so do gets that wait. With AIOL_QUEUE_NOW the items in the
 * queue go to the destructor, and count as done. May be called again: NOW after DRAIN drops what is
 * left.
 *
 * Thread: the loop's. Returns 0, or -EINVAL (unknown `how`).
 */
AIOL_API int aiol_queue_shutdown(struct aiol_queue *queue, uint32_t how);

/*
 * How many items are in the queue.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API size_t aiol_queue_count(const struct aiol_queue *queue);

/*
 * The most items that were ever in the queue at one time. Those that went straight to a waiting
 * getter were never in it.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API size_t aiol_queue_high_water(const struct aiol_queue *queue);

/*
 * How many items were put and are not done.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API uint64_t aiol_queue_unfinished(const struct aiol_queue *queue);

/*
 * The capacity that was given to aiol_queue_new().
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API size_t aiol_queue_capacity(const struct aiol_queue *queue);

struct aiol_queue_getter;
struct aiol_queue_putter;
struct aiol_queue_joiner;

/* `status` is 0 and `item` the callback's, or AIOL_ECLOSED and `item` NULL. */
typedef void (*aiol_queue_getter_fn)(struct aiol_queue_getter *getter, int status, void *item,
                                     void *data);

/* `status` is 0: the item is the queue's. Otherwise (AIOL_ECLOSED) `item` is the callback's again;
 * with 0 it is NULL. */
typedef void (*aiol_queue_putter_fn)(struct aiol_queue_putter *putter, int status, void *item,
                                     void *data);

/* `status` is 0 (all items are done) or AIOL_ECLOSED (the queue was freed before). */
typedef void (*aiol_queue_joiner_fn)(struct aiol_queue_joiner *joiner, int status, void *data);

struct aiol_queue_getter {
    /* private */
    struct aiol__completion completion;
    aiol_queue_getter_fn callback;
    void *data;
    void *reserved;
};

struct aiol_queue_putter {
    /* private */
    struct aiol__completion completion;
    aiol_queue_putter_fn callback;
    void *data;
    void *reserved;
};

struct aiol_queue_joiner {
    /* private */
    struct aiol__completion completion;
    aiol_queue_joiner_fn callback;
    void *data;
    void *reserved;
};

/*
 * Prepare a getter: a get in callback form. It stays the caller's; the queue borrows it, at this
 * address, while it is started. One that is not started may outlive the queue (but if it was
 * allocated, not the loop); this holds for putters and joiners too.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_queue_getter_init(struct aiol_queue_getter *getter, struct aiol_queue *queue,
                                     aiol_queue_getter_fn callback, void *data);

/*
 * Get one item: the callback is called once, in a deferred phase, never inside this call. It may
 * start the getter again.
 *
 * Thread: the loop's. Returns 0, -EALREADY (it is started), or AIOL_ECLOSED (the queue is shut down
 * and empty; the callback will not come).
 */
AIOL_API int aiol_queue_getter_start(struct aiol_queue_getter *getter);

/*
 * Withdraw a getter: its callback will not come. If it has already been given an item, that item
 * comes back here, and the call returns 1. `ret_item` is untouched otherwise.
 *
 * Thread: the loop's. Returns 0 (nothing was given) or 1 (`*ret_item` is the caller's).
 */
AIOL_API int aiol_queue_getter_stop(struct aiol_queue_getter *getter, void **ret_item);

/*
 * Prepare a putter: a put in callback form. It stays the caller's; the queue borrows it, at this
 * address, while it is started.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_queue_putter_init(struct aiol_queue_putter *putter, struct aiol_queue *queue,
                                     aiol_queue_putter_fn callback, void *data);

/*
 * Put one item: the callback is called once, in a deferred phase, never inside this call, when the
 * queue has taken the item. It may start the putter again.
 *
 * Thread: the loop's. Returns 0, -EALREADY (it is started), AIOL_ECLOSED (shut down) or -ENOMEM
 * (only when unbounded); then the callback will not come, and the item is still the caller's.
 */
AIOL_API int aiol_queue_putter_start(struct aiol_queue_putter *putter, void *item);

/*
 * Withdraw a putter: its callback will not come.
 *
 * Thread: the loop's. Returns 0 (the item was not put, and is the caller's) or 1 (the queue has
 * taken it, or the putter was not started).
 */
AIOL_API int aiol_queue_putter_stop(struct aiol_queue_putter *putter);

/*
 * Prepare a joiner: a join in callback form. It stays the caller's; the queue borrows it, at this
 * address, while it is started.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_queue_joiner_init(struct aiol_queue_joiner *joiner, struct aiol_queue *queue,
                                     aiol_queue_joiner_fn callback, void *data);

/*
 * Wait until every item that was put is done: the callback is called once, in a deferred phase.
 *
 * Thread: the loop's. Returns 0, -EALREADY (it is started), or AIOL_ECLOSED (the queue or the loop
 * is being freed).
 */
AIOL_API int aiol_queue_joiner_start(struct aiol_queue_joiner *joiner);

/*
 * Withdraw a joiner: its callback will not come.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_queue_joiner_stop(struct aiol_queue_joiner *joiner);

/*
 * Allocate a getter from the loop's allocator and prepare it, for callers that cannot embed the
 * struct. Belongs to the caller, who frees it with aiol_queue_getter_free().
 *
 * Thread: the loop's. Returns 0, or -ENOMEM.
 */
AIOL_API int aiol_queue_getter_new(struct aiol_queue *queue, aiol_queue_getter_fn callback,
                                   void *data, struct aiol_queue_getter **ret_getter);

/*
 * Free a getter that aiol_queue_getter_new() made; also from its own callback. NULL is allowed.
 *
 * Thread: the loop's. Returns 0, or -EBUSY (it is started: stop it first, it may hold an item).
 */
AIOL_API int aiol_queue_getter_free(struct aiol_queue_getter *getter);

/*
 * Allocate a putter, as aiol_queue_getter_new() does a getter.
 *
 * Thread: the loop's. Returns 0, or -ENOMEM.
 */
AIOL_API int aiol_queue_putter_new(struct aiol_queue *queue, aiol_queue_putter_fn callback,
                                   void *data, struct aiol_queue_putter **ret_putter);

/*
 * Free a putter that aiol_queue_putter_new() made; also from its own callback. NULL is allowed.
 *
 * Thread: the loop's. Returns 0, or -EBUSY (it is started: stop it first, it may hold an item).
 */
AIOL_API int aiol_queue_putter_free(struct aiol_queue_putter *putter);

/*
 * Allocate a joiner, as aiol_queue_getter_new() does a getter.
 *
 * Thread: the loop's. Returns 0, or -ENOMEM.
 */
AIOL_API int aiol_queue_joiner_new(struct aiol_queue *queue, aiol_queue_joiner_fn callback,
                                   void *data, struct aiol_queue_joiner **ret_joiner);

/*
 * Stop and free a joiner that aiol_queue_joiner_new() made; also from its own callback. NULL is
 * allowed.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_queue_joiner_free(struct aiol_queue_joiner *joiner);

/*
 * sizeof(struct aiol_queue_getter), for callers that embed it without a C compiler.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API size_t aiol_queue_getter_size(void);

/*
 * The alignment of struct aiol_queue_getter.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API size_t aiol_queue_getter_align(void);

/*
 * sizeof(struct aiol_queue_putter).
 *
 * Thread: any. Cannot fail.
 */
AIOL_API size_t aiol_queue_putter_size(void);

/*
 * The alignment of struct aiol_queue_putter.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API size_t aiol_queue_putter_align(void);

/*
 * sizeof(struct aiol_queue_joiner).
 *
 * Thread: any. Cannot fail.
 */
AIOL_API size_t aiol_queue_joiner_size(void);

/*
 * The alignment of struct aiol_queue_joiner.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API size_t aiol_queue_joiner_align(void);

AIOL_END_DECLARATIONS

#endif
