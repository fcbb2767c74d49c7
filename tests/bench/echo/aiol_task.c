/* Echo by tasks of libaio-loop: one for each connection, on a watcher of its own. */
#include "echo.h"

#include <aiol.h>

/* Tasks use it in turns, and never across a wait: with one request under way sending need not. */
static char buffer[BUFFER_BYTES];

static int echo(void *arg)
{
    struct aiol_loop *loop = aiol_loop_current();
    int fd = *(int *)arg;
    int64_t size = 1;
    struct aiol_io io;

    aiol_io_init(&io, loop, fd, NULL, NULL);
    while (size > 0 && aiol_await_io(&io, AIOL_READABLE) > 0) {
        size = aiol_fd_recv(loop, fd, buffer, sizeof buffer);
        if (size > 0)
            bench_check(aiol_fd_send(loop, fd, buffer, (size_t)size) == size, "send");
    }
    aiol_io_close(&io);
    return aiol_fd_close(loop, fd);
}

static int accept_all(void *arg)
{
    int listener = *(int *)arg;
    int fd;

    while (aiol_await_accept(listener, &fd) == 0) {
        bench_set_no_delay(fd);
        bench_check(aiol_task_spawn_copy(aiol_loop_current(), echo, &fd, sizeof fd, NULL) == 0,
                    "spawn");
    }
    return 0;
}

static void serve(long size, long active)
{
    int listener = bench_listen();

    (void)size;
    (void)active;
    bench_check(aiol_run(accept_all, &listener) == 0, "run");
}

const struct bench_workload bench_workloads[] = {
    {"echo", serve, NULL},
    {"echo16k", serve, NULL},
    {NULL, NULL, NULL},
};
