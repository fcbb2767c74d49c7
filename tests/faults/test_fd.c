/* Awaiting descriptors while memory and the system fail: socket pairs, and TCP on the loopback. */
#include "faults.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char message[] = "twenty-four letters, all";

/* Read until the end of the stream, and compare. */
static int read_message(int fd)
{
    char received[sizeof message + 1];
    size_t received_bytes = 0;
    int64_t size;

    do {
        size = aiol_await_recv(fd, received + received_bytes, sizeof received - received_bytes);
        if (size > 0)
            received_bytes += (size_t)size;
    } while (size > 0 && received_bytes < sizeof received);
    if (size < 0)
        return (int)size;
    return expect(received_bytes == sizeof message &&
                      memcmp(received, message, sizeof message) == 0,
                  "what was sent is received");
}

static int write_message(int fd)
{
    size_t sent_bytes = 0;
    int rc = aiol_await_send_all(fd, message, sizeof message, &sent_bytes);

    if (rc == 0)
        rc = expect(sent_bytes == sizeof message, "all was sent");
    return rc == 0 ? aiol_fd_shutdown(aiol_loop_current(), fd) : rc;
}

struct ends {
    int near_fd;
    int far_fd;
};

static int write_then_read(void *arg)
{
    int rc = write_message(((struct ends *)arg)->near_fd);

    return rc == 0 ? read_message(((struct ends *)arg)->near_fd) : rc;
}

static int read_then_write(void *arg)
{
    int rc = read_message(((struct ends *)arg)->far_fd);

    return rc == 0 ? write_message(((struct ends *)arg)->far_fd) : rc;
}

static int talk(void *arg)
{
    struct aiol_group group;

    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    aiol_group_spawn(&group, read_then_write, arg);
    aiol_group_spawn(&group, write_then_read, arg);
    return aiol_await_group(&group);
}

static int talk_over_a_pair(struct aiol_loop *loop)
{
    struct ends ends;
    int fds[2];
    int rc = open_pair(loop, fds);

    if (rc < 0)
        return rc;
    ends = (struct ends){fds[0], fds[1]};
    rc = run_task(loop, talk, &ends);
    return aiol_first_error(rc, close_pair(loop, fds));
}

static int answer(void *arg)
{
    const struct ends *ends = arg;
    struct aiol_io io;
    char byte;
    int64_t size;
    int rc;

    aiol_io_init(&io, aiol_loop_current(), ends->far_fd, NULL, NULL);
    rc = aiol_await_io(&io, AIOL_READABLE);
    aiol_io_close(&io);
    if (rc < 0)
        return rc;
    size = aiol_await_recv(ends->far_fd, &byte, 1);
    if (size == 1)
        size = aiol_await_send(ends->far_fd, &byte, 1);
    return size < 0 ? (int)size : expect(size == 1, "a byte comes and goes");
}

/* Readiness, and a wait for it that is bounded. */
static int ask(void *arg)
{
    const struct ends *ends = arg;
    struct aiol_group group;
    struct aiol_scope limit;
    int64_t size;
    int rc;

    aiol_scope_enter(&limit, aiol_deadline_after(AIOL_MILLISECOND));
    rc = aiol_scope_leave(&limit, aiol_await_readable(ends->far_fd));
    if (rc != -ETIMEDOUT)
        return rc < 0 ? rc : expect(false, "nothing was to be read yet");
    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    rc = aiol_group_spawn(&group, answer, arg);
    if (rc == 0)
        rc = aiol_await_writable(ends->near_fd);
    if (rc == 0) {
        size = aiol_await_send(ends->near_fd, "x", 1);
        rc = size < 0 ? (int)size : aiol_await_readable(ends->near_fd);
    }
    if (rc < 0)
        aiol_group_cancel(&group);
    return aiol_first_error(rc, aiol_await_group(&group));
}

static int ask_over_a_pair(struct aiol_loop *loop)
{
    struct ends ends;
    int fds[2];
    int rc = open_pair(loop, fds);

    if (rc < 0)
        return rc;
    ends = (struct ends){fds[0], fds[1]};
    rc = run_task(loop, ask, &ends);
    return aiol_first_error(rc, close_pair(loop, fds));
}

struct server {
    int fd;
    struct sockaddr_in address;
};

static int open_server(struct server *ret_server)
{
    socklen_t size_bytes = sizeof ret_server->address;
    struct sockaddr *address = (struct sockaddr *)&ret_server->address;
    int rc = 0;

    *ret_server = (struct server){
        .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
        .address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    if (bind(ret_server->fd, address, size_bytes) < 0 || listen(ret_server->fd, 4) < 0 ||
        getsockname(ret_server->fd, address, &size_bytes) < 0)
        rc = -errno;
    if (rc < 0)
        close(ret_server->fd);
    return rc;
}

static int serve_one(void *arg)
{
    const struct server *server = arg;
    int fd = -1;
    int rc = aiol_await_accept(server->fd, &fd);

    if (rc < 0)
        return rc;
    rc = read_message(fd);
    if (rc == 0)
        rc = write_message(fd);
    return aiol_first_error(rc, aiol_fd_close(aiol_loop_current(), fd));
}

static int be_a_client(void *arg)
{
    const struct server *server = arg;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int rc =
        aiol_await_connect(fd, (const struct sockaddr *)&server->address, sizeof server->address);

    if (rc == 0)
        rc = write_message(fd);
    if (rc == 0)
        rc = read_message(fd);
    return aiol_first_error(rc, aiol_fd_close(aiol_loop_current(), fd));
}

static int serve_two(void *arg)
{
    struct aiol_group group;

    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    for (int i = 0; i < 2; i++) {
        aiol_group_spawn(&group, serve_one, arg);
        aiol_group_spawn(&group, be_a_client, arg);
    }
    return aiol_await_group(&group);
}

static int talk_over_tcp(struct aiol_loop *loop)
{
    struct server server;
    int rc = open_server(&server);

    if (rc < 0)
        return rc;
    rc = run_task(loop, serve_two, &server);
    return aiol_first_error(rc, aiol_fd_close(loop, server.fd));
}

/* Nobody listens where this connects to. */
static int be_refused(void *arg)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int rc = aiol_await_connect(fd, arg, sizeof(struct sockaddr_in));

    if (rc >= 0)
        rc = expect(false, "the connection is refused");
    return aiol_first_error(rc == -ECONNREFUSED ? 0 : rc, aiol_fd_close(aiol_loop_current(), fd));
}

static int connect_to_nobody(struct aiol_loop *loop)
{
    struct server server;
    int rc = open_server(&server);

    if (rc < 0)
        return rc;
    close(server.fd);
    return run_task(loop, be_refused, &server.address);
}

static void test_talking_over_a_pair(void **state)
{
    (void)state;
    inject_faults("talking over a pair", talk_over_a_pair, ON_BOTH);
}

static void test_readiness(void **state)
{
    (void)state;
    inject_faults("awaiting readiness", ask_over_a_pair, ON_BOTH);
}

static void test_talking_over_tcp(void **state)
{
    (void)state;
    inject_faults("talking over TCP", talk_over_tcp, ON_REAL);
}

static void test_a_refused_connection(void **state)
{
    (void)state;
    inject_faults("a refused connection", connect_to_nobody, ON_REAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_talking_over_a_pair),
        TEST(test_readiness),
        TEST(test_talking_over_tcp),
        TEST(test_a_refused_connection),
    };

    return cmocka_run_group_tests_name("faults/fd", tests, NULL, print_points);
}
