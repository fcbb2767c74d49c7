/*
 * Timers. A timer is a struct of the caller's, on the stack or in one of its own: starting and
 * stopping it allocates nothing, takes the same time however many there are, and pushing an armed
 * timer's deadline back costs a store.
 *
 * A timer never fires before its deadline. Due timers fire in the order of their deadlines; equal
 * deadlines in the order in which they were started.
 */
#ifndef AIOL_TIMER_H
#define AIOL_TIMER_H

#include <aiol/loop.h>
#include <aiol/time.h>

AIOL_BEGIN_DECLARATIONS

struct aiol_timer;
typedef void (*aiol_timer_fn)(struct aiol_timer *timer, void *data);

/* How a repeating timer counts; both skip what they have missed rather than fire in a burst. */
enum aiol_repeat {
    AIOL_FIXED_RATE = 0, /* from deadline to deadline: does not drift */
    AIOL_FIXED_DELAY = 1 /* from the turn in which it fired: never two closer than the period */
};

struct aiol_timer {
    /* private */
    struct aiol__list node;
    struct aiol_loop *loop;
    uint64_t deadline_ns;
    uint64_t sequence;
    aiol_timer_fn callback;
    void *data;
    uint8_t is_armed;
    uint8_t repeat;
    uint8_t unref;
    uint8_t level; /* its slot in the wheel */
    uint8_t digit;
    uint8_t reserved_bytes[3];
    uint64_t period_ns;
    void *reserved;
};

/*
 * Prepare a timer; nothing is armed yet. `timer` stays the caller's; the loop borrows it, at this
 * address, while it is armed. It needs no closing: once it is not armed its memory may go.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_timer_init(struct aiol_timer *timer, struct aiol_loop *loop,
                              aiol_timer_fn callback, void *data);

/*
 * Arm for one shot: the callback is called once, `after_ns` nanoseconds after the loop's clock
 * (aiol_loop_now_ns(), which is read anew if the loop does not run). Arming an armed timer moves
 * its deadline. 0 fires in the next timer phase, never inside this call and never twice in one
 * turn; what overflows is AIOL_NEVER.
 *
 * The callback may arm the timer again or free it. Does not allocate.
 *
 * Thread: the loop's. Returns 0, or AIOL_ECLOSED (the loop is being freed).
 */
AIOL_API int aiol_timer_start(struct aiol_timer *timer, uint64_t after_ns);

/*
 * Arm for one shot at an absolute time of the loop's clock; one that has passed is due at once, and
 * comes in the order of the deadlines all the same.
 * AIOL_NEVER arms it without ever firing: it keeps the loop alive until it is moved or stopped.
 *
 * Thread: the loop's. Returns 0, or AIOL_ECLOSED (the loop is being freed).
 */
AIOL_API int aiol_timer_start_at(struct aiol_timer *timer, uint64_t deadline_ns);

/*
 * Arm to fire every `period_ns` nanoseconds, the first time one period from now. `repeat` (enum
 * aiol_repeat) says from where the next period counts. The timer stays armed in its callback, which
 * may stop or free it.
 *
 * Thread: the loop's. Returns 0, -EINVAL (a period of 0 or AIOL_NEVER, an unknown `repeat`), or
 * AIOL_ECLOSED (the loop is being freed).
 */
AIOL_API int aiol_timer_start_every(struct aiol_timer *timer, uint64_t period_ns, uint32_t repeat);

/*
 * Disarm. When this returns the loop has forgotten the timer, also when it was due in the turn that
 * is under way: its callback will not come, and its memory may be reused. Stopping a timer that is
 * not armed does nothing.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_timer_stop(struct aiol_timer *timer);

/*
 * 1 while the timer is armed, else 0. A one-shot timer is not armed in its own callback.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API int aiol_timer_is_active(const struct aiol_timer *timer);

/*
 * When an armed timer fires next, by the loop's clock; AIOL_NEVER when it is not armed.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API uint64_t aiol_timer_deadline_ns(const struct aiol_timer *timer);

/*
 * How long until an armed timer fires, by the loop's clock; 0 when it is due, AIOL_NEVER when it is
 * not armed.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API uint64_t aiol_timer_remaining_ns(const struct aiol_timer *timer);

/*
 * Let the timer, armed or not, no longer keep the loop alive; aiol_timer_ref() takes that back. A
 * timer is ref'd after init. Doing either twice is doing it once.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_timer_unref(struct aiol_timer *timer);

/*
 * Let the timer keep the loop alive again while it is armed: the opposite of aiol_timer_unref().
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_timer_ref(struct aiol_timer *timer);

/*
 * For callers that cannot embed the struct: allocate a timer from the loop's allocator and prepare
 * it. Belongs to the caller, who frees it with aiol_timer_free().
 *
 * Thread: the loop's. Returns 0, or -ENOMEM.
 */
AIOL_API int aiol_timer_new(struct aiol_loop *loop, aiol_timer_fn callback, void *data,
                            struct aiol_timer **ret_timer);

/*
 * Stop and free a timer that aiol_timer_new() made, also from its own callback. NULL is allowed.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_timer_free(struct aiol_timer *timer);

/*
 * sizeof(struct aiol_timer), for callers that embed it without a C compiler.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API size_t aiol_timer_size(void);

/*
 * The alignment of struct aiol_timer.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API size_t aiol_timer_align(void);

AIOL_END_DECLARATIONS

#endif
