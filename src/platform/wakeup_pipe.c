/* The wakeup descriptor where there is no eventfd: a pipe. */
#include "platform/sys.h"
#include "platform/wakeup.h"

#include <errno.h>

int aiol__wakeup_open(struct aiol__wakeup *wakeup)
{
    int fds[2];

    if (aiol__sys.pipe(fds) < 0)
        return -errno;
    wakeup->read_fd = fds[0];
    wakeup->write_fd = fds[1];
    return 0;
}

void aiol__wakeup_close(struct aiol__wakeup *wakeup)
{
    aiol__sys_close(wakeup->read_fd);
    aiol__sys_close(wakeup->write_fd);
}

void aiol__wakeup_signal(const struct aiol__wakeup *wakeup)
{
    int saved_errno = errno;

    /* EAGAIN: the pipe is full, so it is readable. */
    while (aiol__sys.write(wakeup->write_fd, "", 1) < 0 && errno == EINTR)
        ;
    errno = saved_errno;
}

void aiol__wakeup_clear(const struct aiol__wakeup *wakeup)
{
    char bytes[64];
    ssize_t size;

    do
        size = aiol__sys.read(wakeup->read_fd, bytes, sizeof bytes);
    while (size == (ssize_t)sizeof bytes || (size < 0 && errno == EINTR));
}
