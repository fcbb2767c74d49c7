/* Descriptors without waiting, real or simulated: the poller knows which. */
#include "platform/sim.h"
#include "reactor/loop.h"

#include <aiol/fd.h>

#include <errno.h>

int64_t aiol_fd_recv(struct aiol_loop *loop, int fd, void *buffer, size_t size_bytes)
{
    return loop->poller->ops->fd_recv(loop->poller, fd, buffer, size_bytes);
}

int64_t aiol_fd_send(struct aiol_loop *loop, int fd, const void *buffer, size_t size_bytes)
{
    return loop->poller->ops->fd_send(loop->poller, fd, buffer, size_bytes);
}

int aiol_fd_shutdown(struct aiol_loop *loop, int fd)
{
    return loop->poller->ops->fd_shutdown(loop->poller, fd);
}

int aiol_fd_close(struct aiol_loop *loop, int fd)
{
    int rc;

    aiol__loop_check_thread(loop);
    if (fd < 0)
        return -EBADF;
    rc = aiol__io_table_forget(loop, fd);
    if (rc < 0)
        return rc;
    return loop->poller->ops->fd_close(loop->poller, fd);
}

int aiol_sim_stream_pair(struct aiol_loop *loop, const struct aiol_sim_stream_options *options,
                         int ret_fds[2])
{
    aiol__loop_check_thread(loop);
    if (loop->clock != AIOL_CLOCK_VIRTUAL)
        return -ENOTSUP;
    return aiol__sim_stream_pair(loop->poller, options, ret_fds);
}

uint64_t aiol_sim_random(struct aiol_loop *loop)
{
    return loop->clock == AIOL_CLOCK_VIRTUAL ? aiol__sim_random(loop->poller) : 0;
}
