/* The system-call table on Linux. What the C library has no function for, or may lack, is called by
 * its number. */
#include "platform/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The tests run that poller on Linux too, over an imitation of kqueue(2). */
#ifdef AIOL__KQUEUE_DOUBLE
#include "platform/sys_kqueue.h"
#endif

static int accept_cloexec_nonblocking(int fd)
{
    return accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static int pipe_cloexec_nonblocking(int fds[2])
{
    return pipe2(fds, O_CLOEXEC | O_NONBLOCK);
}

static int wait_with_timespec(int poller_fd, struct epoll_event *events, int count,
                              const struct timespec *timeout)
{
#if defined(SYS_epoll_pwait2) && !defined(__ILP32__) && __SIZEOF_LONG__ == 8
    return (int)syscall(SYS_epoll_pwait2, poller_fd, events, count, timeout, NULL, (size_t)0);
#else
    (void)poller_fd, (void)events, (void)count, (void)timeout;
    errno = ENOSYS;
    return -1;
#endif
}

struct aiol__sys aiol__sys = {
    .clock_gettime = clock_gettime,
    .read = read,
    .write = write,
    .close = close,
    .poll = poll,
    .fstat = fstat,
    .pipe = pipe_cloexec_nonblocking,
    .recv = recv,
    .send = send,
    .shutdown = shutdown,
    .accept = accept_cloexec_nonblocking,
    .connect = connect,
    .getsockopt = getsockopt,
    .mmap = mmap,
    .munmap = munmap,
    .mprotect = mprotect,
    .madvise = madvise,
    .getrandom = getrandom,
    .epoll_create1 = epoll_create1,
    .epoll_ctl = epoll_ctl,
    .epoll_wait = epoll_wait,
    .epoll_pwait2 = wait_with_timespec,
    .eventfd = eventfd,
#ifdef AIOL__KQUEUE_DOUBLE
    .kqueue = aiol__kqueue_cloexec,
    .kevent = kevent,
#endif
};
