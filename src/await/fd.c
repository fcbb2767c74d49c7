/*
 * Awaiting descriptors. By a watcher of the caller's that is waiting and nothing else. A plain
 * descriptor is tried first, and if that would block, the task parks with a watcher on its own
 * stack. Such a watcher is new each time, so that the reactor has the poller confirm the
 * registration and a descriptor that was closed and handed out again is safe here.
 */
#include "platform/sys.h"
#include "task/scheduler.h"

#include <aiol/await.h>
#include <aiol/fd.h>
#include <aiol/io.h>

#include <errno.h>

static int park_on_watcher(struct aiol_task *task, struct aiol_io *io, uint32_t events)
{
    int rc = aiol__io_wait(io, events, aiol__task_waiter(task, io, &aiol__io_source));

    return (int)(rc < 0 ? aiol__await_end(task, rc) : aiol__task_park(task));
}

int aiol_await_io(struct aiol_io *io, uint32_t events)
{
    struct aiol_task *task;
    int rc = aiol__await_begin(&task);

    if (rc < 0)
        return rc;
    if (io->loop != task->scheduler->loop)
        return (int)aiol__await_end(task, -EINVAL);
    return park_on_watcher(task, io, events);
}

static int park_until_ready(struct aiol_task *task, int fd, uint32_t events)
{
    struct aiol_io io;
    int rc;

    aiol_io_init(&io, task->scheduler->loop, fd, NULL, NULL);
    rc = park_on_watcher(task, &io, events);
    return rc < 0 ? rc : 0;
}

static int await_ready(int fd, uint32_t events)
{
    struct aiol_task *task;
    int rc = aiol__await_begin(&task);

    return rc < 0 ? rc : park_until_ready(task, fd, events);
}

int aiol_await_readable(int fd)
{
    return await_ready(fd, AIOL_READABLE);
}

int aiol_await_writable(int fd)
{
    return await_ready(fd, AIOL_WRITABLE);
}

int64_t aiol_await_recv(int fd, void *buffer, size_t size_bytes)
{
    struct aiol_task *task;
    int64_t size;
    int rc = aiol__await_begin(&task);

    if (rc < 0)
        return rc;
    do {
        size = aiol_fd_recv(task->scheduler->loop, fd, buffer, size_bytes);
        if (size != -EAGAIN)
            return aiol__await_end(task, size);
        rc = park_until_ready(task, fd, AIOL_READABLE);
    } while (rc == 0);
    return rc;
}

int64_t aiol_await_send(int fd, const void *buffer, size_t size_bytes)
{
    struct aiol_task *task;
    int64_t size;
    int rc = aiol__await_begin(&task);

    if (rc < 0)
        return rc;
    do {
        size = aiol_fd_send(task->scheduler->loop, fd, buffer, size_bytes);
        if (size != -EAGAIN)
            return aiol__await_end(task, size);
        rc = park_until_ready(task, fd, AIOL_WRITABLE);
    } while (rc == 0);
    return rc;
}

int aiol_await_send_all(int fd, const void *buffer, size_t size_bytes, size_t *ret_sent_bytes)
{
    const char *bytes = buffer;
    size_t sent_bytes = 0;
    struct aiol_task *task;
    int rc = aiol__await_begin(&task);

    if (rc == 0 && size_bytes == 0)
        rc = (int)aiol__await_end(task, 0);
    while (sent_bytes < size_bytes && rc == 0) {
        int64_t size = aiol_await_send(fd, bytes + sent_bytes, size_bytes - sent_bytes);

        if (size < 0)
            rc = (int)size;
        else
            sent_bytes += (size_t)size;
    }
    if (ret_sent_bytes)
        *ret_sent_bytes = sent_bytes;
    return rc;
}

/* Simulated descriptors come in connected pairs; their numbers must not reach the system. */
static int begin_with_real_fd(struct aiol_task **ret_task)
{
    int rc = aiol__await_begin(ret_task);

    if (rc == 0 && (*ret_task)->scheduler->loop->clock == AIOL_CLOCK_VIRTUAL)
        return (int)aiol__await_end(*ret_task, -ENOTSUP);
    return rc;
}

int aiol_await_accept(int fd, int *ret_fd)
{
    struct aiol_task *task;
    int rc = begin_with_real_fd(&task);

    while (rc == 0) {
        int peer_fd = aiol__sys_accept(fd);

        if (peer_fd >= 0) {
            aiol__io_table_expect_new(task->scheduler->loop, peer_fd);
            *ret_fd = peer_fd;
            return (int)aiol__await_end(task, 0);
        }
        if (peer_fd != -EAGAIN)
            return (int)aiol__await_end(task, peer_fd);
        rc = park_until_ready(task, fd, AIOL_READABLE);
    }
    return rc;
}

int aiol_await_connect(int fd, const struct sockaddr *address, socklen_t address_bytes)
{
    struct aiol_task *task;
    int rc = begin_with_real_fd(&task);

    if (rc < 0)
        return rc;
    rc = aiol__sys_connect(fd, address, address_bytes);
    /* EAGAIN: a Unix socket whose listener's backlog is full; there is nothing to wait for. */
    if (rc != -EINPROGRESS)
        return (int)aiol__await_end(task, rc);
    rc = park_until_ready(task, fd, AIOL_WRITABLE);
    return rc < 0 ? rc : aiol__sys_connect_result(fd);
}
