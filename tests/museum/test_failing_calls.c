/* The bug museum, 21 to 25: system calls that fail, or do only a part. */
#include "platform/sys.h"
#include "poller.h"
#include "support.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static struct aiol__sys real_sys;
static int call_count;

/* The calls that fail here do so a thousand times, so that retrying shows and ends. */
static bool is_to_fail(void)
{
    return ++call_count <= 1000;
}

static int find_no_descriptor(int fd)
{
    if (!is_to_fail())
        return real_sys.accept(fd);
    errno = EMFILE;
    return -1;
}

struct acceptor {
    int listener_fd;
    int first_rc;
    int first_calls;
    int waits;
    int second_rc;
};

static int accept_sleep_and_accept(void *arg)
{
    struct acceptor *acceptor = arg;
    int fd = -1;

    acceptor->first_rc = aiol_await_accept(acceptor->listener_fd, &fd);
    acceptor->first_calls = call_count;
    if (acceptor->first_rc == 0)
        return aiol_fd_close(aiol_loop_current(), fd);
    watch_poller();
    aiol_await_sleep(AIOL_SECOND);
    acceptor->waits = poller_watch.wait_count;
    aiol__sys.accept = real_sys.accept;
    acceptor->second_rc = aiol_await_accept(acceptor->listener_fd, &fd);
    return acceptor->second_rc < 0 ? 0 : aiol_fd_close(aiol_loop_current(), fd);
}

/* joyent/libuv#690: the connection stays, so that the listener is always ready. */
static void test_museum_21_accept_spins_on_emfile(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr *any_address = (struct sockaddr *)&address;
    socklen_t size = sizeof address;
    struct acceptor acceptor = {
        .listener_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    int client_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    assert_int_equal(bind(acceptor.listener_fd, any_address, sizeof address), 0);
    assert_int_equal(listen(acceptor.listener_fd, 1), 0);
    assert_int_equal(getsockname(acceptor.listener_fd, any_address, &size), 0);
    assert_int_equal(connect(client_fd, any_address, sizeof address), 0);
    begin_fake_time(AIOL_HOUR);
    real_sys = aiol__sys;
    call_count = 0;
    aiol__sys.accept = find_no_descriptor;
    assert_int_equal(run_real(accept_sleep_and_accept, &acceptor), 0);
    assert_int_equal(acceptor.first_rc, -EMFILE);
    assert_int_equal(acceptor.first_calls, 1);
    assert_in_range(acceptor.waits, 1, 2);
    assert_int_equal(acceptor.second_rc, 0);
    close(acceptor.listener_fd);
    close(client_fd);
}

static ssize_t find_no_buffers(int fd, const void *buffer, size_t size, int flags)
{
    if (!is_to_fail())
        return real_sys.send(fd, buffer, size, flags);
    errno = ENOBUFS;
    return -1;
}

static int send_bytes(void *arg)
{
    char bytes[10] = {0};

    return aiol_await_send_all(*(int *)arg, bytes, sizeof bytes, NULL);
}

/* libuv#5194, of UDP: taken for "no room", though the socket is always writable. */
static void test_museum_22_send_spins_on_enobufs(void **state)
{
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    real_sys = aiol__sys;
    call_count = 0;
    aiol__sys.send = find_no_buffers;
    assert_int_equal(run_real(send_bytes, &fds[0]), -ENOBUFS);
    assert_int_equal(call_count, 1);
    close(fds[0]);
    close(fds[1]);
}

static ssize_t send_a_part(int fd, const void *buffer, size_t size, int flags)
{
    return real_sys.send(fd, buffer, size < 1000 ? size : 1000, flags);
}

static char payload[20500], received[sizeof payload];

static int send_payload(void *arg)
{
    size_t sent_bytes = 0;
    int rc = aiol_await_send_all(*(int *)arg, payload, sizeof payload, &sent_bytes);

    return rc < 0 ? rc : (int)sent_bytes;
}

/* cpython#103462: what the system had not taken at once was never sent. */
static void test_museum_23_the_tail_of_a_partial_write_is_lost(void **state)
{
    int fds[2];

    (void)state;
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (char)(i * 31 % 127);
    memset(received, 0, sizeof received);
    make_socket_pair(fds);
    real_sys = aiol__sys;
    aiol__sys.send = send_a_part;
    assert_int_equal(run_real(send_payload, &fds[0]), sizeof payload);
    for (size_t size = 0; size < sizeof payload;) {
        ssize_t part = recv(fds[1], received + size, sizeof received - size, 0);

        assert_true(part > 0);
        size += (size_t)part;
    }
    assert_memory_equal(received, payload, sizeof payload);
    close(fds[0]);
    close(fds[1]);
}

struct reader {
    size_t size;
    int rc;
    bool is_at_end;
};

static void read_a_little(struct aiol_io *io, uint32_t ready, void *data)
{
    struct reader *reader = data;
    char bytes[7];
    int64_t size;

    if (!(ready & AIOL_READABLE))
        return;
    size = aiol_fd_recv(aiol_loop_current(), aiol_io_fd(io), bytes, sizeof bytes);
    if (size > 0)
        reader->size += (size_t)size;
    else
        reader->rc = (int)size;
    reader->is_at_end = size <= 0;
    if (reader->is_at_end)
        aiol_io_close(io);
}

static int receive_all(void *arg)
{
    char bytes[7];
    int64_t size;
    int sum = 0;

    while ((size = aiol_await_recv(*(int *)arg, bytes, sizeof bytes)) > 0)
        sum += (int)size;
    aiol_fd_close(aiol_loop_current(), *(int *)arg);
    return size < 0 ? (int)size : sum;
}

/* libuv#4997: a hang-up and a short read were taken for the end. */
static void test_museum_24_data_is_lost_after_a_hang_up(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct reader reader = {.size = 0};
    struct aiol_io io;
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    assert_int_equal(write(fds[1], payload, 1000), 1000);
    close(fds[1]);
    aiol_io_init(&io, loop, fds[0], read_a_little, &reader);
    assert_int_equal(aiol_io_start(&io, AIOL_READABLE), 0);
    for (int turn = 0; turn < 300 && !reader.is_at_end; turn++)
        aiol_loop_run_once(loop, 0);
    assert_true(reader.is_at_end);
    assert_int_equal(reader.size, 1000);
    assert_int_equal(reader.rc, 0);
    close(fds[0]);
    free_loop(loop);

    make_socket_pair(fds);
    assert_int_equal(write(fds[1], payload, 1000), 1000);
    close(fds[1]);
    assert_int_equal(run_real(receive_all, &fds[0]), 1000);
}

static volatile sig_atomic_t signal_count;

static void count_signal(int number)
{
    (void)number;
    signal_count++;
}

/* libuv#45, #5087 */
static void test_museum_25_sigpipe_kills(void **state)
{
    const struct sigaction counting = {.sa_handler = count_signal};
    struct sigaction before;
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    close(fds[1]);
    signal_count = 0;
    assert_int_equal(sigaction(SIGPIPE, &counting, &before), 0);
    assert_int_equal(run_real(send_bytes, &fds[0]), -EPIPE);
    assert_int_equal(sigaction(SIGPIPE, &before, NULL), 0);
    assert_int_equal(signal_count, 0);
    close(fds[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_museum_21_accept_spins_on_emfile),
        TEST(test_museum_22_send_spins_on_enobufs),
        TEST(test_museum_23_the_tail_of_a_partial_write_is_lost),
        TEST(test_museum_24_data_is_lost_after_a_hang_up),
        TEST(test_museum_25_sigpipe_kills),
    };

    return cmocka_run_group_tests_name("museum/failing_calls", tests, NULL, NULL);
}
