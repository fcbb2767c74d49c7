/* In which ways each system call can fail. */
#include "injection.h"

#include <errno.h>
#include <limits.h>

#define STORM 100 /* what comes from signals, or is over when asked again, ends some time */
#define FOR_EVER LONG_MAX

/*
 * What the manual pages in section 2 say of each call, without what only a mistake in the program
 * brings about (EBADF, EFAULT, EINVAL, ENOTSOCK ...). Some calls fail although they were carried
 * out: close() always is; connect() goes on in the background; a wakeup descriptor that says EAGAIN
 * has been emptied by somebody else, or is full, which is to say that it is readable.
 */
const struct fault all_faults[] = {
    /* eventfd(2), for reading and writing */
    {"read: EINTR", CALL_READ, EINTR, STORM, FAULT_NO_NEWS},
    {"read: EAGAIN", CALL_READ, EAGAIN, FOR_EVER, FAULT_DONE | FAULT_NO_NEWS},
    {"read: cut", CALL_READ, 0, FOR_EVER, FAULT_NO_NEWS},
    {"write: EINTR", CALL_WRITE, EINTR, STORM, FAULT_NO_NEWS},
    {"write: EAGAIN", CALL_WRITE, EAGAIN, FOR_EVER, FAULT_DONE | FAULT_NO_NEWS},
    {"write: cut", CALL_WRITE, 0, FOR_EVER, FAULT_NO_NEWS},
    /* close(2) */
    {"close: EINTR", CALL_CLOSE, EINTR, FOR_EVER, FAULT_DONE | FAULT_NO_NEWS},
    {"close: EIO", CALL_CLOSE, EIO, FOR_EVER, FAULT_DONE},
    /* poll(2) */
    {"poll: EINTR", CALL_POLL, EINTR, STORM, FAULT_NO_NEWS},
    {"poll: ENOMEM", CALL_POLL, ENOMEM, FOR_EVER, 0},
    /* fstat(2), pipe(2) */
    {"fstat: EIO", CALL_FSTAT, EIO, FOR_EVER, 0},
    {"fstat: EOVERFLOW", CALL_FSTAT, EOVERFLOW, FOR_EVER, 0},
    {"pipe: EMFILE", CALL_PIPE, EMFILE, FOR_EVER, 0},
    {"pipe: ENFILE", CALL_PIPE, ENFILE, FOR_EVER, 0},
    {"pipe: ENOMEM", CALL_PIPE, ENOMEM, FOR_EVER, 0},
    /* recv(2); tcp(7) for ETIMEDOUT; POSIX, recv(), for ECONNRESET and ENOBUFS */
    {"recv: EINTR", CALL_RECV, EINTR, STORM, FAULT_NO_NEWS},
    {"recv: EAGAIN", CALL_RECV, EAGAIN, STORM, FAULT_NO_NEWS},
    {"recv: ECONNRESET", CALL_RECV, ECONNRESET, FOR_EVER, 0},
    {"recv: ETIMEDOUT", CALL_RECV, ETIMEDOUT, FOR_EVER, 0},
    {"recv: ENOBUFS", CALL_RECV, ENOBUFS, FOR_EVER, 0},
    {"recv: ENOMEM", CALL_RECV, ENOMEM, FOR_EVER, 0},
    {"recv: cut", CALL_RECV, 0, FOR_EVER, FAULT_NO_NEWS},
    /* send(2); tcp(7) for ETIMEDOUT */
    {"send: EINTR", CALL_SEND, EINTR, STORM, FAULT_NO_NEWS},
    {"send: EAGAIN", CALL_SEND, EAGAIN, STORM, FAULT_NO_NEWS},
    {"send: ECONNRESET", CALL_SEND, ECONNRESET, FOR_EVER, 0},
    {"send: EPIPE", CALL_SEND, EPIPE, FOR_EVER, 0},
    {"send: ETIMEDOUT", CALL_SEND, ETIMEDOUT, FOR_EVER, 0},
    {"send: ENOBUFS", CALL_SEND, ENOBUFS, FOR_EVER, 0},
    {"send: ENOMEM", CALL_SEND, ENOMEM, FOR_EVER, 0},
    {"send: cut", CALL_SEND, 0, FOR_EVER, FAULT_NO_NEWS},
    /* shutdown(2); POSIX, shutdown(), for ENOBUFS */
    {"shutdown: ENOTCONN", CALL_SHUTDOWN, ENOTCONN, FOR_EVER, 0},
    {"shutdown: ENOBUFS", CALL_SHUTDOWN, ENOBUFS, FOR_EVER, 0},
    /* accept(2) */
    {"accept: EINTR", CALL_ACCEPT, EINTR, STORM, FAULT_NO_NEWS},
    {"accept: EAGAIN", CALL_ACCEPT, EAGAIN, STORM, FAULT_NO_NEWS},
    {"accept: ECONNABORTED", CALL_ACCEPT, ECONNABORTED, STORM, FAULT_NO_NEWS},
    {"accept: EMFILE", CALL_ACCEPT, EMFILE, FOR_EVER, 0},
    {"accept: ENFILE", CALL_ACCEPT, ENFILE, FOR_EVER, 0},
    {"accept: ENOBUFS", CALL_ACCEPT, ENOBUFS, FOR_EVER, 0},
    {"accept: ENOMEM", CALL_ACCEPT, ENOMEM, FOR_EVER, 0},
    {"accept: EPERM", CALL_ACCEPT, EPERM, FOR_EVER, 0},
    {"accept: EPROTO", CALL_ACCEPT, EPROTO, FOR_EVER, 0},
    /* connect(2) */
    {"connect: EINTR", CALL_CONNECT, EINTR, FOR_EVER, FAULT_DONE | FAULT_NO_NEWS},
    {"connect: EINPROGRESS", CALL_CONNECT, EINPROGRESS, FOR_EVER, FAULT_DONE | FAULT_NO_NEWS},
    {"connect: EAGAIN", CALL_CONNECT, EAGAIN, FOR_EVER, 0},
    {"connect: EACCES", CALL_CONNECT, EACCES, FOR_EVER, 0},
    {"connect: EADDRINUSE", CALL_CONNECT, EADDRINUSE, FOR_EVER, 0},
    {"connect: EADDRNOTAVAIL", CALL_CONNECT, EADDRNOTAVAIL, FOR_EVER, 0},
    {"connect: ECONNREFUSED", CALL_CONNECT, ECONNREFUSED, FOR_EVER, 0},
    {"connect: ENETUNREACH", CALL_CONNECT, ENETUNREACH, FOR_EVER, 0},
    {"connect: ETIMEDOUT", CALL_CONNECT, ETIMEDOUT, FOR_EVER, 0},
    /* POSIX, getsockopt(); and socket(7), SO_ERROR, whose value is how a connect() went */
    {"getsockopt: ENOBUFS", CALL_GETSOCKOPT, ENOBUFS, FOR_EVER, 0},
    {"getsockopt: says ECONNREFUSED", CALL_GETSOCKOPT, ECONNREFUSED, FOR_EVER, FAULT_DONE},
    {"getsockopt: says EHOSTUNREACH", CALL_GETSOCKOPT, EHOSTUNREACH, FOR_EVER, FAULT_DONE},
    {"getsockopt: says ETIMEDOUT", CALL_GETSOCKOPT, ETIMEDOUT, FOR_EVER, FAULT_DONE},
    /* mmap(2), mprotect(2), madvise(2), getrandom(2). A mapping that munmap() cannot take out of
     * the middle of another would be lost; that it is really taken out keeps the test going. */
    {"mmap: ENOMEM", CALL_MMAP, ENOMEM, FOR_EVER, 0},
    {"mmap: EAGAIN", CALL_MMAP, EAGAIN, FOR_EVER, 0},
    {"munmap: ENOMEM", CALL_MUNMAP, ENOMEM, FOR_EVER, FAULT_DONE | FAULT_NO_NEWS},
    {"mprotect: ENOMEM", CALL_MPROTECT, ENOMEM, FOR_EVER, 0},
    {"madvise: EINVAL", CALL_MADVISE, EINVAL, FOR_EVER, 0},
    {"madvise: EAGAIN", CALL_MADVISE, EAGAIN, FOR_EVER, 0},
    {"madvise: ENOMEM", CALL_MADVISE, ENOMEM, FOR_EVER, 0},
    {"getrandom: EINTR", CALL_GETRANDOM, EINTR, STORM, FAULT_NO_NEWS},
    {"getrandom: EAGAIN", CALL_GETRANDOM, EAGAIN, FOR_EVER, FAULT_NO_NEWS},
    {"getrandom: ENOSYS", CALL_GETRANDOM, ENOSYS, FOR_EVER, FAULT_NO_NEWS},
    /* epoll_create1(2), epoll_ctl(2), epoll_wait(2), eventfd(2). ENOENT and EEXIST are what comes
     * of descriptors that were closed and handed out again behind the loop's back. */
    {"epoll_create1: EMFILE", CALL_EPOLL_CREATE1, EMFILE, FOR_EVER, 0},
    {"epoll_create1: ENFILE", CALL_EPOLL_CREATE1, ENFILE, FOR_EVER, 0},
    {"epoll_create1: ENOMEM", CALL_EPOLL_CREATE1, ENOMEM, FOR_EVER, 0},
    {"epoll_ctl, first add: ENOMEM", CALL_EPOLL_FIRST_ADD, ENOMEM, FOR_EVER, 0},
    {"epoll_ctl, first add: ENOSPC", CALL_EPOLL_FIRST_ADD, ENOSPC, FOR_EVER, 0},
    {"epoll_ctl, add: ENOMEM", CALL_EPOLL_ADD, ENOMEM, FOR_EVER, 0},
    {"epoll_ctl, add: ENOSPC", CALL_EPOLL_ADD, ENOSPC, FOR_EVER, 0},
    {"epoll_ctl, add: EEXIST", CALL_EPOLL_ADD, EEXIST, FOR_EVER, FAULT_DONE | FAULT_NO_NEWS},
    {"epoll_ctl, modify: ENOMEM", CALL_EPOLL_MODIFY, ENOMEM, FOR_EVER, 0},
    {"epoll_ctl, modify: ENOENT", CALL_EPOLL_MODIFY, ENOENT, FOR_EVER, FAULT_DONE | FAULT_NO_NEWS},
    {"epoll_ctl, delete: ENOENT", CALL_EPOLL_DELETE, ENOENT, FOR_EVER, FAULT_DONE | FAULT_NO_NEWS},
    {"epoll_wait: EINTR", CALL_EPOLL_WAIT, EINTR, STORM, FAULT_NO_NEWS},
    {"epoll_pwait2: EINTR", CALL_EPOLL_PWAIT2, EINTR, STORM, FAULT_NO_NEWS},
    {"epoll_pwait2: ENOSYS", CALL_EPOLL_PWAIT2, ENOSYS, FOR_EVER, FAULT_NO_NEWS},
    {"epoll_pwait2: EPERM", CALL_EPOLL_PWAIT2, EPERM, FOR_EVER, FAULT_NO_NEWS},
    {"eventfd: EMFILE", CALL_EVENTFD, EMFILE, FOR_EVER, 0},
    {"eventfd: ENFILE", CALL_EVENTFD, ENFILE, FOR_EVER, 0},
    {"eventfd: ENODEV", CALL_EVENTFD, ENODEV, FOR_EVER, 0},
    {"eventfd: ENOMEM", CALL_EVENTFD, ENOMEM, FOR_EVER, 0},
    /* kqueue(2); changes are made also when the call is interrupted */
    {"kqueue: EMFILE", CALL_KQUEUE, EMFILE, FOR_EVER, 0},
    {"kqueue: ENFILE", CALL_KQUEUE, ENFILE, FOR_EVER, 0},
    {"kqueue: ENOMEM", CALL_KQUEUE, ENOMEM, FOR_EVER, 0},
    {"kevent, first change: ENOMEM", CALL_KEVENT_FIRST_CHANGE, ENOMEM, FOR_EVER, 0},
    {"kevent, change: ENOMEM", CALL_KEVENT_CHANGE, ENOMEM, FOR_EVER, 0},
    {"kevent, change: EINTR", CALL_KEVENT_CHANGE, EINTR, STORM, FAULT_DONE | FAULT_NO_NEWS},
    {"kevent, held back: ENOMEM", CALL_KEVENT_HELD_BACK, ENOMEM, STORM, 0},
    {"kevent, wait: EINTR", CALL_KEVENT_WAIT, EINTR, STORM, FAULT_DONE | FAULT_NO_NEWS},
};
const size_t all_faults_count = sizeof all_faults / sizeof all_faults[0];
