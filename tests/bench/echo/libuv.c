/* Echo by libuv: streams, which are its way to do this; uv_poll, meant for descriptors of other
 * libraries, would take a little less. All are read into one buffer, and written at once; what
 * there is no room for then is copied, and written when there is. */
#include "echo.h"

#include <uv.h>

#include <stdlib.h>
#include <string.h>

struct rest {
    uv_write_t request;
    char bytes[];
};

static uv_loop_t loop;
static char buffer[BUFFER_BYTES];

static void give_buffer(uv_handle_t *handle, size_t suggested_size, uv_buf_t *given)
{
    (void)handle;
    (void)suggested_size;
    *given = uv_buf_init(buffer, sizeof buffer);
}

static void free_connection(uv_handle_t *connection)
{
    free(connection);
}

static void free_rest(uv_write_t *request, int status)
{
    bench_check(status == 0 || status == UV_ECANCELED, "write");
    free(request);
}

static void write_later(uv_stream_t *stream, const uv_buf_t *unwritten)
{
    struct rest *rest = malloc(sizeof *rest + unwritten->len);
    uv_buf_t copied;

    bench_check(rest != NULL, "memory");
    memcpy(rest->bytes, unwritten->base, unwritten->len);
    copied = uv_buf_init(rest->bytes, (unsigned)unwritten->len);
    bench_check(uv_write(&rest->request, stream, &copied, 1, free_rest) == 0, "write");
}

static void echo(uv_stream_t *stream, ssize_t size, const uv_buf_t *filled)
{
    uv_buf_t unwritten;
    int written;

    if (size < 0)
        uv_close((uv_handle_t *)stream, free_connection);
    if (size <= 0)
        return;
    unwritten = uv_buf_init(filled->base, (unsigned)size);
    written = uv_try_write(stream, &unwritten, 1);
    if (written == size)
        return;
    bench_check(written >= 0 || written == UV_EAGAIN, "write");
    if (written > 0)
        unwritten = uv_buf_init(filled->base + written, (unsigned)(size - written));
    write_later(stream, &unwritten);
}

static void on_connection(uv_stream_t *listener, int status)
{
    uv_tcp_t *connection;

    if (status != 0)
        return;
    connection = malloc(sizeof *connection);
    bench_check(connection != NULL, "memory");
    bench_check(uv_tcp_init(&loop, connection) == 0, "init");
    bench_check(uv_accept(listener, (uv_stream_t *)connection) == 0, "accept");
    bench_check(uv_tcp_nodelay(connection, 1) == 0, "TCP_NODELAY");
    bench_check(uv_read_start((uv_stream_t *)connection, give_buffer, echo) == 0, "start");
}

static void serve(long size, long active)
{
    uv_tcp_t listener;

    (void)size;
    (void)active;
    bench_check(uv_loop_init(&loop) == 0, "loop");
    bench_check(uv_tcp_init(&loop, &listener) == 0, "init");
    bench_check(uv_tcp_open(&listener, bench_listen()) == 0, "open");
    bench_check(uv_listen((uv_stream_t *)&listener, 4096, on_connection) == 0, "listen");
    uv_run(&loop, UV_RUN_DEFAULT);
}

const struct bench_workload bench_workloads[] = {
    {"echo", serve, NULL},
    {"echo16k", serve, NULL},
    {NULL, NULL, NULL},
};
