/*
 * The calls that wait. Each looks like one that blocks, and switches to other tasks meanwhile; no
 * other function does. Unless its comment says otherwise, they have this in common:
 *
 *   - outside of a task they return AIOL_ENOTASK;
 *   - in a cancelled scope they return -ECANCELED, at once and again each time (aiol/scope.h). What
 *     had already happened when the cancel came is reported as a success;
 *   - on an object of another loop than the task's they return -EINVAL;
 *   - a task that never has to wait is made to yield now and then, so that it cannot starve others.
 */
#ifndef AIOL_AWAIT_H
#define AIOL_AWAIT_H

#include <aiol/future.h>
#include <aiol/group.h>
#include <aiol/io.h>
#include <aiol/queue.h>
#include <aiol/task.h>
#include <aiol/time.h>

#include <sys/socket.h>

AIOL_BEGIN_DECLARATIONS

/*
 * Sleep for `delay_ns` nanoseconds from the loop's clock; AIOL_NEVER sleeps until it is cancelled.
 *
 * Thread: a task's. Returns 0, -ECANCELED or AIOL_ENOTASK.
 */
AIOL_API int aiol_await_sleep(uint64_t delay_ns);

/*
 * Sleep until an absolute time of the loop's clock; one that has passed still takes a turn of the
 * loop.
 *
 * Thread: a task's. Returns 0, -ECANCELED or AIOL_ENOTASK.
 */
AIOL_API int aiol_await_sleep_until(uint64_t deadline_ns);

/*
 * Let the other ready tasks have their turn first.
 *
 * Thread: a task's. Returns 0, -ECANCELED (the others had their turn all the same) or AIOL_ENOTASK.
 */
AIOL_API int aiol_await_yield(void);

/*
 * Wait for the end of a task, take its result, and give up the handle: success means that the task
 * is gone. `ret_result` may be NULL.
 *
 * Thread: a task's. Returns 0, or with the handle still the caller's: -ECANCELED (the caller was
 * cancelled, not the task), -EDEADLK (the caller itself), -EBUSY (another task awaits it already),
 * -EINVAL or AIOL_ENOTASK.
 */
AIOL_API int aiol_await_task(struct aiol_task *task, int *ret_result);

/*
 * Wait for all tasks of a group, also those that are spawned meanwhile, and leave its scope. Cannot
 * be cancelled: when the group is, its tasks end, and so does this.
 *
 * Thread: a task's. Returns 0; the first failure of a task or of a spawn, where others outrank
 * -ECANCELED; -ETIMEDOUT (only the group's deadline cut it short); -EINVAL (the group is not the
 * innermost scope of this task; nothing was left); or why opening failed.
 */
AIOL_API int aiol_await_group(struct aiol_group *group);

/*
 * Leave the innermost scope as aiol_scope_leave() does, but let its clean-ups wait: they are called
 * in a shielded scope, with this deadline (a point in time; AIOL_NEVER: none).
 *
 * Thread: a task's, the one that entered it, also when it is cancelled. Returns as
 * aiol_scope_leave() does, or AIOL_ENOTASK; the deadline of the clean-ups is no part of that.
 */
AIOL_API int aiol_await_scope_leave(struct aiol_scope *scope, int result, uint64_t deadline_ns);

/*
 * Wait for the result of a future. `ret_value` may be NULL. Cancelling this task does not cancel
 * the future, which others may want: close or cancel it where that is meant.
 *
 * Thread: a task's. Returns the status it was set to (with 0 or more `*ret_value` is the value),
 * -ECANCELED (this task or the future was cancelled), AIOL_ECLOSED (the future was closed), -EINVAL
 * or AIOL_ENOTASK.
 */
AIOL_API int aiol_await_future(struct aiol_future *future, void **ret_value);

/*
 * Put an item, waiting while the queue is full. On success the item is the queue's, otherwise it is
 * still the caller's.
 *
 * Thread: a task's. Returns 0, AIOL_ECLOSED (shut down or freed), -ENOMEM (only when unbounded),
 * -ECANCELED, -EINVAL or AIOL_ENOTASK.
 */
AIOL_API int aiol_await_queue_put(struct aiol_queue *queue, void *item);

/*
 * Get an item, waiting while the queue is empty. On success the item is the caller's.
 *
 * Thread: a task's. Returns 0, AIOL_ECLOSED (shut down and drained, or freed), -ECANCELED, -EINVAL
 * or AIOL_ENOTASK.
 */
AIOL_API int aiol_await_queue_get(struct aiol_queue *queue, void **ret_item);

/*
 * Wait until every item that was put is done (aiol_queue_done()).
 *
 * Thread: a task's. Returns 0, AIOL_ECLOSED (freed), -ECANCELED, -EINVAL or AIOL_ENOTASK.
 */
AIOL_API int aiol_await_queue_join(struct aiol_queue *queue);

/*
 * Wait until the descriptor of a watcher is ready for one of `events` (AIOL_READABLE,
 * AIOL_WRITABLE, perhaps AIOL_EDGE). The watcher is the caller's, prepared by aiol_io_init(), and
 * not started; to be closed by aiol_io_close() before its descriptor is closed. It remembers
 * between two waits that the kernel watches, so that waiting to read again and again costs no
 * system call but the loop's own (with AIOL_EDGE, and for a regular file, it does): the fastest way
 * for a task to serve one descriptor (with aiol_fd_recv() and aiol_fd_send(), which never wait).
 * Readiness is a hint: where they then return -EAGAIN, wait again.
 *
 * Thread: a task's. Returns what is ready (1 or more: of `events`, and AIOL_HANGUP, AIOL_ERROR),
 * -ECANCELED, AIOL_ECLOSED (the watcher was stopped or closed meanwhile), -EBUSY (it is started, or
 * another task waits on it), -EINVAL, AIOL_ENOTASK, or why the descriptor cannot be watched, as
 * aiol_io_start() does.
 */
AIOL_API int aiol_await_io(struct aiol_io *io, uint32_t events);

/*
 * Wait until a descriptor can be read without blocking: data, the end, or an error is there. The
 * loop remembers the descriptor, so close it with aiol_fd_close(), which refuses while somebody
 * waits on it. After close(2), at a time when nobody does, the loop finds out by itself that the
 * number is another descriptor's.
 *
 * Thread: a task's. Returns 0, -ECANCELED, AIOL_ENOTASK, or why the descriptor cannot be watched,
 * as aiol_io_start() does.
 */
AIOL_API int aiol_await_readable(int fd);

/*
 * Wait until a descriptor can be written without blocking.
 *
 * Thread: a task's. Returns as aiol_await_readable() does.
 */
AIOL_API int aiol_await_writable(int fd);

/*
 * Read up to `size_bytes` bytes from a socket, straight into `buffer`, waiting until there are some
 * (recv(2)). Each wait costs a system call beside the loop's own; aiol_await_io() does not.
 *
 * Thread: a task's. Returns how many bytes were read, 0 at the end of the stream, -ECANCELED
 * (nothing was read), AIOL_ENOTASK, or an error as aiol_fd_recv() or aiol_io_start() does.
 */
AIOL_API int64_t aiol_await_recv(int fd, void *buffer, size_t size_bytes);

/*
 * Write some of `size_bytes` bytes to a socket, waiting until it takes at least one
 * (send(2), without SIGPIPE).
 *
 * Thread: a task's. Returns how many bytes were taken, -ECANCELED (none), AIOL_ENOTASK, or an error
 * as aiol_fd_send() or aiol_io_start() does.
 */
AIOL_API int64_t aiol_await_send(int fd, const void *buffer, size_t size_bytes);

/*
 * Write all of `size_bytes` bytes, in as many pieces as the socket takes. `ret_sent_bytes` may be
 * NULL; it says, also after a failure, how many bytes were taken.
 *
 * Thread: a task's. Returns 0 (all), or an error as aiol_await_send() does.
 */
AIOL_API int aiol_await_send_all(int fd, const void *buffer, size_t size_bytes,
                                 size_t *ret_sent_bytes);

/*
 * Accept a connection on a non-blocking listening socket. The new descriptor is non-blocking and
 * close-on-exec, and the caller's. Connections that were reset before they were accepted are passed
 * over (accept(2)).
 *
 * Thread: a task's. Returns 0, -EMFILE or -ENFILE (no descriptor left: the connection waits, so
 * wait before you try again), -ECANCELED (none was accepted), AIOL_ENOTASK, or another error of
 * accept(2) or of aiol_io_start().
 */
AIOL_API int aiol_await_accept(int fd, int *ret_fd);

/*
 * Connect a non-blocking socket and wait for the outcome (connect(2)). After a cancel the
 * connection may still come about: close the descriptor.
 *
 * Thread: a task's. Returns 0, -ECONNREFUSED, -ETIMEDOUT (by the system), -ECANCELED, -ENOTSUP (the
 * loop is simulated), AIOL_ENOTASK, or another error of connect(2) or of aiol_io_start().
 */
AIOL_API int aiol_await_connect(int fd, const struct sockaddr *address, socklen_t address_bytes);

AIOL_END_DECLARATIONS

#endif
