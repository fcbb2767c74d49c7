/* The system-call table on macOS, which cannot make descriptors close-on-exec and non-blocking in
 * the call that creates them, and knows no MSG_NOSIGNAL. */
#include "platform/sys.h"
#include "platform/sys_kqueue.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The descriptor, or -1 after closing it. */
static int with_flags(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
        fcntl(fd, F_SETFD, FD_CLOEXEC) == 0)
        return fd;
    flags = errno;
    close(fd);
    errno = flags;
    return -1;
}

static int accept_cloexec_nonblocking(int fd)
{
    int peer = accept(fd, NULL, NULL);

    return peer < 0 ? -1 : with_flags(peer);
}

static int pipe_cloexec_nonblocking(int fds[2])
{
    if (pipe(fds) < 0)
        return -1;
    if (with_flags(fds[0]) < 0) {
        close(fds[1]);
        return -1;
    }
    if (with_flags(fds[1]) < 0) {
        close(fds[0]);
        return -1;
    }
    return 0;
}

/* No SIGPIPE is a property of the socket here, and this may be the first time we see it. */
static ssize_t send_without_signal(int fd, const void *buffer, size_t size, int flags)
{
    const int on = 1;

    setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
    return send(fd, buffer, size, flags);
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
    .send = send_without_signal,
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
