/* Echo, the floor: epoll by hand. What the client's window has no room for is sent by trying again
 * when there is, which with one request under way never happens. */
#include "echo.h"

#include <sys/epoll.h>

#define MAX_EVENTS 1024

static char buffer[BUFFER_BYTES];

static void watch(int poller, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    bench_check(epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
}

static void echo(int fd)
{
    ssize_t size = recv(fd, buffer, sizeof buffer, 0);

    if (size <= 0)
        close(fd);
    else
        bench_check(send(fd, buffer, (size_t)size, MSG_NOSIGNAL) == size, "send");
}

static void serve(long size, long active)
{
    static struct epoll_event events[MAX_EVENTS];
    int poller = epoll_create1(EPOLL_CLOEXEC);
    int listener = bench_listen();

    (void)size;
    (void)active;
    watch(poller, listener);
    for (;;) {
        int count = epoll_wait(poller, events, MAX_EVENTS, -1);

        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;

            if (fd != listener) {
                echo(fd);
                continue;
            }
            fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd >= 0) {
                bench_set_no_delay(fd);
                watch(poller, fd);
            }
        }
    }
}

const struct bench_workload bench_workloads[] = {
    {"echo", serve, NULL},
    {"echo16k", serve, NULL},
    {NULL, NULL, NULL},
};
