/* Real time and real descriptors, for the system's pollers. */
#include "platform/poller_system.h"
#include "platform/sys.h"

bool aiol__system_may_wake(const struct aiol__poller *poller)
{
    (void)poller;
    return true;
}

uint64_t aiol__system_now_ns(struct aiol__poller *poller)
{
    (void)poller;
    return aiol__sys_monotonic_ns();
}

int64_t aiol__system_fd_recv(struct aiol__poller *poller, int fd, void *buffer, size_t size_bytes)
{
    (void)poller;
    return aiol__sys_recv(fd, buffer, size_bytes);
}

int64_t aiol__system_fd_send(struct aiol__poller *poller, int fd, const void *buffer,
                             size_t size_bytes)
{
    (void)poller;
    return aiol__sys_send(fd, buffer, size_bytes);
}

int aiol__system_fd_shutdown(struct aiol__poller *poller, int fd)
{
    (void)poller;
    return aiol__sys_shutdown(fd);
}

int aiol__system_fd_close(struct aiol__poller *poller, int fd)
{
    (void)poller;
    return aiol__sys_close(fd);
}
