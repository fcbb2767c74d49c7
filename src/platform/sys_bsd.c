/* The system-call table on FreeBSD, OpenBSD and DragonFly. */
#include "platform/sys.h"
#include "platform/sys_kqueue.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int accept_cloexec_nonblocking(int fd)
{
    return accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static int pipe_cloexec_nonblocking(int fds[2])
{
    return pipe2(fds, O_CLOEXEC | O_NONBLOCK);
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
    .kqueue = aiol__kqueue_cloexec,
    .kevent = kevent,
};
