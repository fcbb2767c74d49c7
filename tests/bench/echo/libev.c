/* Echo by libev: an ev_io for each connection. */
#include "echo.h"

#include <ev.h>

#include <stdlib.h>

static char buffer[BUFFER_BYTES];

static void echo(struct ev_loop *loop, struct ev_io *io, int events)
{
    ssize_t size = recv(io->fd, buffer, sizeof buffer, 0);

    (void)events;
    if (size > 0) {
        bench_check(send(io->fd, buffer, (size_t)size, MSG_NOSIGNAL) == size, "send");
        return;
    }
    ev_io_stop(loop, io);
    close(io->fd);
    free(io);
}

static void on_connection(struct ev_loop *loop, struct ev_io *io, int events)
{
    int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct ev_io *connection;

    (void)events;
    if (fd < 0)
        return;
    bench_set_no_delay(fd);
    connection = malloc(sizeof *connection);
    bench_check(connection != NULL, "memory");
    ev_io_init(connection, echo, fd, EV_READ);
    ev_io_start(loop, connection);
}

static void serve(long size, long active)
{
    struct ev_loop *loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    struct ev_io listener;

    (void)size;
    (void)active;
    bench_check(loop != NULL, "loop");
    ev_io_init(&listener, on_connection, bench_listen(), EV_READ);
    ev_io_start(loop, &listener);
    ev_run(loop, 0);
}

const struct bench_workload bench_workloads[] = {
    {"echo", serve, NULL},
    {"echo16k", serve, NULL},
    {NULL, NULL, NULL},
};
