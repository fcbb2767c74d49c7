/* The system-call table on FreeBSD, OpenBSD, NetBSD and DragonFly. */
#include "platform/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/event.h>
#include <sys/mman.h>
#include <unistd.h>

static int accept_cloexec_nonblocking(int fd)
{
    return accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static int pipe_cloexec_nonblocking(int fds[2])
{
    return pipe2(fds, O_CLOEXEC | O_NONBLOCK);
}

/* A kqueue is not inherited by fork(2), but without that an exec would hand it on. */
static int kqueue_cloexec(void)
{
    int fd = kqueue();

    if (fd >= 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
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
    .kqueue = kqueue_cloexec,
    .kevent = kevent,
};
