/* Echo by libevent: a persistent event for each connection. With its buffers (bufferevent) it takes
 * half as long again, and for large requests several times as long. */
#include "echo.h"

#include <event2/event.h>
#include <event2/event_struct.h>

#include <stdlib.h>

static struct event_base *base;
static char buffer[BUFFER_BYTES];

static void watch(struct event *event, int fd, event_callback_fn callback)
{
    bench_check(event_assign(event, base, fd, EV_READ | EV_PERSIST, callback, event) == 0,
                "assign");
    bench_check(event_add(event, NULL) == 0, "add");
}

static void echo(evutil_socket_t fd, short ready, void *data)
{
    struct event *event = data;
    ssize_t size = recv(fd, buffer, sizeof buffer, 0);

    (void)ready;
    if (size > 0) {
        bench_check(send(fd, buffer, (size_t)size, MSG_NOSIGNAL) == size, "send");
        return;
    }
    bench_check(event_del(event) == 0, "del");
    close(fd);
    free(event);
}

static void on_connection(evutil_socket_t listener, short ready, void *data)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct event *connection;

    (void)ready;
    (void)data;
    if (fd < 0)
        return;
    bench_set_no_delay(fd);
    connection = malloc(sizeof *connection);
    bench_check(connection != NULL, "memory");
    watch(connection, fd, echo);
}

static void serve(long size, long active)
{
    struct event_config *config = event_config_new();
    struct event listener;

    (void)size;
    (void)active;
    bench_check(config != NULL, "config");
    bench_check(event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV |
                                                  EVENT_BASE_FLAG_NO_CACHE_TIME) == 0,
                "flags");
    base = event_base_new_with_config(config);
    bench_check(base != NULL, "base");
    event_config_free(config);
    watch(&listener, bench_listen(), on_connection);
    event_base_loop(base, 0);
}

const struct bench_workload bench_workloads[] = {
    {"echo", serve, NULL},
    {"echo16k", serve, NULL},
    {NULL, NULL, NULL},
};
