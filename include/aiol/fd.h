/*
 * What a program does with a non-blocking descriptor without waiting. On a loop with a real clock
 * these are the system's calls; on a simulated loop they serve its in-memory descriptors
 * (aiol/sim.h), so that one and the same program runs on both.
 */
#ifndef AIOL_FD_H
#define AIOL_FD_H

#include <aiol/loop.h>

AIOL_BEGIN_DECLARATIONS

/*
 * recv(2) with MSG_DONTWAIT: read up to `size_bytes` bytes that have arrived. Never blocks, also
 * where the socket was not made non-blocking.
 *
 * Thread: the loop's. Returns how many bytes were read, 0 at the end of the stream, -EAGAIN
 * (nothing is there yet), -EBADF, -ENOTSOCK, -ECONNRESET or another error of recv(2). -EINTR never:
 * the call is repeated.
 */
AIOL_API int64_t aiol_fd_recv(struct aiol_loop *loop, int fd, void *buffer, size_t size_bytes);

/*
 * send(2) with MSG_DONTWAIT and MSG_NOSIGNAL: write up to `size_bytes` bytes; a closed peer is an
 * error, never a signal.
 *
 * Thread: the loop's. Returns how many bytes were taken, -EAGAIN (there is no room), -EBADF,
 * -ENOTSOCK, -EPIPE (the peer has closed), -ECONNRESET or another error of send(2). -EINTR never.
 */
AIOL_API int64_t aiol_fd_send(struct aiol_loop *loop, int fd, const void *buffer,
                              size_t size_bytes);

/*
 * shutdown(2) of the sending side: the peer reads the end of the stream after what was sent.
 *
 * Thread: the loop's. Returns 0, -EBADF, -ENOTSOCK or -ENOTCONN.
 */
AIOL_API int aiol_fd_shutdown(struct aiol_loop *loop, int fd);

/*
 * Take the descriptor out of the loop and close it: the way to close a descriptor that tasks have
 * waited on. Watchers must have been stopped.
 *
 * Thread: the loop's. Returns 0, -EBUSY (a watcher is started on it, or a task waits on it; nothing
 * was closed), -EBADF, or -EIO (it is closed, but what was written may be lost).
 */
AIOL_API int aiol_fd_close(struct aiol_loop *loop, int fd);

AIOL_END_DECLARATIONS

#endif
