/* Echo by tasks of libaio-loop: one for each connection. */
#include "echo.h"

#include <aiol.h>

/* Tasks use it in turns, and never across a wait: with one request under way sending need not. */
static char buffer[BUFFER_BYTES];

static int echo(void *arg)
{
    int fd = *(int *)arg;
    int64_t size;

    while ((size = aiol_await_recv(fd, buffer, sizeof buffer)) > 0)
        bench_check(aiol_await_send(fd, buffer, (size_t)size) == size, "send");
    return aiol_fd_close(aiol_loop_current(), fd);
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
