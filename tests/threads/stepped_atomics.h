/*
 * The atomic operations of <stdatomic.h>, as the explorer of schedules wants them: each checks that
 * its object is alive, and is a step. What is included after this uses them: the real code of
 * src/reactor/mailbox.c and poster.c. The orders that the callers give are dropped; all are
 * sequentially consistent here.
 *
 * Objects are pointers to posts, or counts. Operations that are not here do not compile.
 */
#ifndef STEPPED_ATOMICS_H
#define STEPPED_ATOMICS_H

#include "checked_memory.h"
#include "explorer.h"
#include "reactor/loop.h"

#include <stdatomic.h>

static inline struct aiol_post *load_post(_Atomic(struct aiol_post *) const *object)
{
    struct aiol_post *post;

    check_memory_is_alive(object);
    post = atomic_load(object);
    step("loads the head");
    return post;
}

/* How often the loop has taken all posts, which is by an exchange. */
static unsigned take_count;

static inline struct aiol_post *exchange_post(_Atomic(struct aiol_post *) *object,
                                              struct aiol_post *post)
{
    check_memory_is_alive(object);
    post = atomic_exchange(object, post);
    take_count++;
    step("exchanges the head");
    return post;
}

static inline bool replace_post(_Atomic(struct aiol_post *) *object, struct aiol_post **expected,
                                struct aiol_post *post)
{
    bool is_replaced;

    check_memory_is_alive(object);
    is_replaced = atomic_compare_exchange_strong(object, expected, post);
    step(is_replaced ? "replaces the head" : "does not replace the head");
    return is_replaced;
}

static inline bool try_to_replace_post(_Atomic(struct aiol_post *) *object,
                                       struct aiol_post **expected, struct aiol_post *post)
{
    if (!fails_for_no_reason())
        return replace_post(object, expected, post);
    *expected = load_post(object);
    return false;
}

static inline unsigned load_count(const atomic_uint *object)
{
    unsigned count;

    check_memory_is_alive(object);
    count = atomic_load(object);
    step("loads a count");
    return count;
}

static inline unsigned exchange_count(atomic_uint *object, unsigned count)
{
    check_memory_is_alive(object);
    count = atomic_exchange(object, count);
    step("exchanges a count");
    return count;
}

static inline bool replace_count(atomic_uint *object, unsigned *expected, unsigned count)
{
    bool is_replaced;

    check_memory_is_alive(object);
    is_replaced = atomic_compare_exchange_strong(object, expected, count);
    step(is_replaced ? "replaces a count" : "does not replace a count");
    return is_replaced;
}

static inline bool try_to_replace_count(atomic_uint *object, unsigned *expected, unsigned count)
{
    if (!fails_for_no_reason())
        return replace_count(object, expected, count);
    *expected = load_count(object);
    return false;
}

static inline unsigned add_to_count(atomic_uint *object, unsigned count)
{
    check_memory_is_alive(object);
    count = atomic_fetch_add(object, count);
    step("adds to a count");
    return count;
}

static inline void store_post(_Atomic(struct aiol_post *) *object, struct aiol_post *post)
{
    check_memory_is_alive(object);
    atomic_store(object, post);
    step("stores the head");
}

static inline void store_count(atomic_uint *object, unsigned count)
{
    check_memory_is_alive(object);
    atomic_store(object, count);
    step("stores a count");
}

#define STEPPED(object, of_post, of_count) \
    _Generic((object), atomic_uint * : of_count, const atomic_uint * : of_count, default : of_post)

#undef atomic_load
#undef atomic_load_explicit
#undef atomic_store
#undef atomic_store_explicit
#undef atomic_exchange
#undef atomic_exchange_explicit
#undef atomic_compare_exchange_strong
#undef atomic_compare_exchange_strong_explicit
#undef atomic_compare_exchange_weak
#undef atomic_compare_exchange_weak_explicit
#undef atomic_fetch_add
#undef atomic_fetch_add_explicit
#undef atomic_fetch_sub
#undef atomic_fetch_sub_explicit
#undef atomic_fetch_or
#undef atomic_fetch_or_explicit
#undef atomic_fetch_and
#undef atomic_fetch_and_explicit
#undef atomic_fetch_xor
#undef atomic_fetch_xor_explicit

#define atomic_load(object) STEPPED(object, load_post, load_count)(object)
#define atomic_load_explicit(object, order) atomic_load(object)
#define atomic_store(object, value) STEPPED(object, store_post, store_count)(object, value)
#define atomic_store_explicit(object, value, order) atomic_store(object, value)
#define atomic_exchange(object, value) STEPPED(object, exchange_post, exchange_count)(object, value)
#define atomic_exchange_explicit(object, value, order) atomic_exchange(object, value)
#define atomic_compare_exchange_strong(object, expected, value) \
    STEPPED(object, replace_post, replace_count)(object, expected, value)
#define atomic_compare_exchange_weak(object, expected, value) \
    STEPPED(object, try_to_replace_post, try_to_replace_count)(object, expected, value)
#define atomic_compare_exchange_weak_explicit(object, expected, value, success, failure) \
    atomic_compare_exchange_weak(object, expected, value)
#define atomic_fetch_add(object, value) add_to_count(object, value)
#define atomic_fetch_add_explicit(object, value, order) add_to_count(object, value)
#define atomic_fetch_sub_explicit(object, value, order) add_to_count(object, 0U - (value))

#endif
