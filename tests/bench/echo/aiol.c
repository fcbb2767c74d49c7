/* Echo by callbacks of libaio-loop, on bare watchers. */
#include "echo.h"

#include <aiol.h>

#include <stdlib.h>

struct listener {
    struct aiol_io io;
    struct aiol_loop *loop;
};

static char buffer[BUFFER_BYTES];

static void echo(struct aiol_io *io, uint32_t ready, void *data)
{
    struct aiol_loop *loop = data;
    int64_t size = aiol_fd_recv(loop, aiol_io_fd(io), buffer, sizeof buffer);

    (void)ready;
    if (size > 0) {
        bench_check(aiol_fd_send(loop, aiol_io_fd(io), buffer, (size_t)size) == size, "send");
        return;
    }
    aiol_io_close(io);
    aiol_fd_close(loop, aiol_io_fd(io));
    free(io);
}

static void on_connection(struct aiol_io *io, uint32_t ready, void *data)
{
    struct listener *listener = data;
    int fd = accept4(aiol_io_fd(io), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct aiol_io *connection;

    (void)ready;
    if (fd < 0)
        return;
    bench_set_no_delay(fd);
    connection = malloc(sizeof *connection);
    bench_check(connection != NULL, "memory");
    aiol_io_init(connection, listener->loop, fd, echo, listener->loop);
    bench_check(aiol_io_start(connection, AIOL_READABLE) == 0, "start");
}

static void serve(long size, long active)
{
    struct listener listener;

    (void)size;
    (void)active;
    bench_check(aiol_loop_new(NULL, &listener.loop) == 0, "loop");
    aiol_io_init(&listener.io, listener.loop, bench_listen(), on_connection, &listener);
    bench_check(aiol_io_start(&listener.io, AIOL_READABLE) == 0, "start");
    aiol_loop_run(listener.loop);
}

const struct bench_workload bench_workloads[] = {
    {"echo", serve, NULL},
    {"echo16k", serve, NULL},
    {NULL, NULL, NULL},
};
