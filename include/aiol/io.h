/*
 * Watching descriptors. A watcher is a struct of the caller's that says which readiness of one
 * descriptor is wanted; several may watch the same descriptor.
 *
 * Changes of interest are collected and go to the kernel once a turn. The first start after
 * aiol_io_init() is the exception: it goes there at once, so that a bad descriptor fails in the
 * call, and a descriptor whose number was closed and handed out again is never mistaken for its
 * predecessor. (epoll(7), "Questions and answers", 6, and kqueue(2) say what becomes of closed
 * descriptors.)
 */
#ifndef AIOL_IO_H
#define AIOL_IO_H

#include <aiol/loop.h>

AIOL_BEGIN_DECLARATIONS

enum aiol_ready {
    /* Readiness: wanted in aiol_io_start(), reported to the callback. */
    AIOL_READABLE = 1,
    AIOL_WRITABLE = 2,
    /* Reported beside what was wanted, never asked for. An error, or both sides closed, counts as
     * readable and as writable: the read or write will not block, and says what happened. */
    AIOL_HANGUP = 4, /* the peer has closed its side, or both are closed */
    AIOL_ERROR = 8,  /* an error is pending on the descriptor */
    /* Asked for in aiol_io_start(): report each change at least once, not as long as the state
     * lasts. Once more when a watcher of the descriptor is started, since it may have missed one. A
     * property of the descriptor: all its watchers must agree. */
    AIOL_EDGE = 16
};

struct aiol_io;
typedef void (*aiol_io_fn)(struct aiol_io *io, uint32_t ready, void *data);

struct aiol_io {
    /* private */
    struct aiol__list node;
    struct aiol_loop *loop;
    aiol_io_fn callback;
    void *data;
    uint64_t started_turn;
    int32_t fd;
    uint8_t wanted;
    uint8_t unref;
    uint8_t trusted;
    uint8_t reserved_byte;
    struct aiol__waiter *waiter; /* a task that waits for it; then the callback is not called */
};

/*
 * Prepare a watcher of `fd`, which must not be started; nothing is watched yet. The callback may be
 * NULL for one that only tasks wait on (aiol_await_io()). `io` stays the caller's; the loop borrows
 * it, at this address, while it is started. The descriptor stays the caller's.
 *
 * Thread: the loop's. Cannot fail; a bad descriptor fails in aiol_io_start().
 */
AIOL_API void aiol_io_init(struct aiol_io *io, struct aiol_loop *loop, int fd, aiol_io_fn callback,
                           void *data);

/*
 * Watch for `events` (AIOL_READABLE, AIOL_WRITABLE, perhaps AIOL_EDGE): the callback is called in
 * every turn in which one of them, or a hang-up or an error, is there. Starting a started watcher
 * replaces what it wants. The watchers of one descriptor are called in the order of their starts.
 * What the system cannot poll, such as a regular file, is always ready. While a task waits on the
 * watcher, it is that task's.
 *
 * Thread: the loop's. Returns 0, -EINVAL (no or unknown events, no callback, or AIOL_EDGE against
 * the other watchers of this descriptor), -EBUSY (a task waits on it), -EBADF (no such descriptor),
 * -ENOMEM, -ENOSPC (the system's limit of watched descriptors), -ENOTSUP (a real descriptor on a
 * simulated loop), or AIOL_ECLOSED (the loop is being freed).
 */
AIOL_API int aiol_io_start(struct aiol_io *io, uint32_t events);

/*
 * Stop watching. When this returns the loop has forgotten the watcher, also when its descriptor is
 * among those that the turn under way has still to serve. A task that waits on it
 * (aiol_await_io()) gets AIOL_ECLOSED. The descriptor stays known to the kernel,
 * so that starting to read again is cheap; close the watcher before you close the descriptor.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_io_stop(struct aiol_io *io);

/*
 * Stop, and take the descriptor out of the kernel's poller at once if no other watcher watches it.
 * After that the descriptor may be closed. (A descriptor that was closed before is no harm: its
 * events are recognized as stale.) The watcher may be initialized anew.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_io_close(struct aiol_io *io);

/*
 * 1 while the watcher is started, or a task waits on it, else 0.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API int aiol_io_is_active(const struct aiol_io *io);

/*
 * The descriptor that was given to aiol_io_init().
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API int aiol_io_fd(const struct aiol_io *io);

/*
 * Let the watcher no longer keep the loop alive; aiol_io_ref() takes that back. A watcher is ref'd
 * after init. Doing either twice is doing it once.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_io_unref(struct aiol_io *io);

/*
 * Let the watcher keep the loop alive again while it is started: the opposite of aiol_io_unref().
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_io_ref(struct aiol_io *io);

/*
 * For callers that cannot embed the struct: allocate a watcher from the loop's allocator and
 * prepare it. Belongs to the caller, who frees it with aiol_io_free().
 *
 * Thread: the loop's. Returns 0, or -ENOMEM.
 */
AIOL_API int aiol_io_new(struct aiol_loop *loop, int fd, aiol_io_fn callback, void *data,
                         struct aiol_io **ret_io);

/*
 * Close and free a watcher that aiol_io_new() made, also from its own callback. NULL is allowed.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_io_free(struct aiol_io *io);

/*
 * sizeof(struct aiol_io), for callers that embed it without a C compiler.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API size_t aiol_io_size(void);

/*
 * The alignment of struct aiol_io.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API size_t aiol_io_align(void);

AIOL_END_DECLARATIONS

#endif
