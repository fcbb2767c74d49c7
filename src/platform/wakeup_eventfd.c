/* The wakeup descriptor by eventfd(2). */
#include "platform/sys.h"
#include "platform/wakeup.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>

int aiol__wakeup_open(struct aiol__wakeup *wakeup)
{
    int fd = aiol__sys.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    if (fd < 0)
        return -errno;
    wakeup->read_fd = fd;
    wakeup->write_fd = fd;
    return 0;
}

void aiol__wakeup_close(struct aiol__wakeup *wakeup)
{
    aiol__sys_close(wakeup->read_fd);
}

void aiol__wakeup_signal(const struct aiol__wakeup *wakeup)
{
    const uint64_t one = 1;
    int saved_errno = errno;

    /* EAGAIN: the counter is full, so it is readable. */
    while (aiol__sys.write(wakeup->write_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
    errno = saved_errno;
}

void aiol__wakeup_clear(const struct aiol__wakeup *wakeup)
{
    uint64_t count;

    while (aiol__sys.read(wakeup->read_fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
}
