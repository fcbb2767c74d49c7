/* Echo by State Threads: one for each connection. Debian's has no epoll, but poll(), to which
 * all connections are passed each time; select() takes no more than a thousand. */
#include "echo.h"

#include <poll.h>
#include <st.h>

/* Threads use it in turns, and never across a wait: with one request under way writing need not. */
static char buffer[BUFFER_BYTES];

/* To wait first mostly saves a read() that finds nothing. */
static void *echo(void *arg)
{
    st_netfd_t fd = arg;
    ssize_t size;

    for (;;) {
        bench_check(st_netfd_poll(fd, POLLIN, ST_UTIME_NO_TIMEOUT) == 0, "poll");
        size = st_read(fd, buffer, sizeof buffer, ST_UTIME_NO_TIMEOUT);
        if (size <= 0)
            break;
        bench_check(st_write(fd, buffer, (size_t)size, ST_UTIME_NO_TIMEOUT) == size, "write");
    }
    bench_check(st_netfd_close(fd) == 0, "close");
    return NULL;
}

static void serve(long size, long active)
{
    st_netfd_t listener, fd;

    (void)size;
    (void)active;
    /* Where there is no epoll, to ask for it is no failure, but the answer is select(). */
    st_set_eventsys(ST_EVENTSYS_ALT);
    if (st_get_eventsys() != ST_EVENTSYS_ALT)
        bench_check(st_set_eventsys(ST_EVENTSYS_POLL) == 0, "st_set_eventsys");
    bench_check(st_init() == 0, "st_init");
    listener = st_netfd_open_socket(bench_listen());
    bench_check(listener != NULL, "st_netfd_open_socket");
    while ((fd = st_accept(listener, NULL, NULL, ST_UTIME_NO_TIMEOUT)) != NULL) {
        bench_set_no_delay(st_netfd_fileno(fd));
        bench_check(st_thread_create(echo, fd, 0, 0) != NULL, "st_thread_create");
    }
    bench_fail("st_accept");
}

const struct bench_workload bench_workloads[] = {
    {"echo", serve, NULL},
    {"echo16k", serve, NULL},
    {NULL, NULL, NULL},
};
