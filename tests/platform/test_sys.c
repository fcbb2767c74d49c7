/* System calls that are interrupted, refused or cut, as the rest of the library sees them. */
#include "platform/sys.h"
#include "platform/wakeup.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct aiol__sys real_sys;
static int interruptions; /* how many calls are still to be interrupted */
static int interruption;  /* the error */

static bool is_interrupted(void)
{
    if (interruptions == 0)
        return false;
    interruptions--;
    errno = interruption;
    return true;
}

static ssize_t recv_later(int fd, void *buffer, size_t size, int flags)
{
    return is_interrupted() ? -1 : real_sys.recv(fd, buffer, size, flags);
}

static ssize_t send_later(int fd, const void *buffer, size_t size, int flags)
{
    return is_interrupted() ? -1 : real_sys.send(fd, buffer, size, flags);
}

static int accept_later(int fd)
{
    return is_interrupted() ? -1 : real_sys.accept(fd);
}

static ssize_t read_later(int fd, void *buffer, size_t size)
{
    return is_interrupted() ? -1 : real_sys.read(fd, buffer, size);
}

static ssize_t write_later(int fd, const void *buffer, size_t size)
{
    return is_interrupted() ? -1 : real_sys.write(fd, buffer, size);
}

static void interrupt_calls(int count, int error)
{
    real_sys = aiol__sys;
    interruptions = count;
    interruption = error;
    aiol__sys.recv = recv_later;
    aiol__sys.send = send_later;
    aiol__sys.accept = accept_later;
    aiol__sys.read = read_later;
    aiol__sys.write = write_later;
}

static void test_interrupted_transfers_are_repeated(void **state)
{
    char byte;
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    interrupt_calls(3, EINTR);
    assert_true(aiol__sys_send(fds[0], "x", 1) == 1);
    assert_int_equal(interruptions, 0);
    interruptions = 3;
    assert_true(aiol__sys_recv(fds[1], &byte, 1) == 1);
    assert_int_equal(interruptions, 0);
    assert_true(aiol__sys_recv(fds[1], &byte, 1) == -EAGAIN);
    close(fds[0]);
    close(fds[1]);
}

/* The bug museum, 25: SIGPIPE kills. */
static void test_p12_writing_to_a_closed_peer_is_an_error_and_no_signal(void **state)
{
    struct aiol_loop *loop = new_loop();
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    close(fds[1]);
    assert_true(aiol_fd_send(loop, fds[0], "x", 1) == -EPIPE);
    close(fds[0]);
    free_loop(loop);
}

static int listen_on_any_port(struct sockaddr_in *ret_address)
{
    socklen_t size = sizeof *ret_address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    *ret_address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(fd, (struct sockaddr *)ret_address, sizeof *ret_address), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)ret_address, &size), 0);
    return fd;
}

static bool is_ready(int fd, short events, int timeout_ms)
{
    struct pollfd pollfd = {.fd = fd, .events = events};

    return poll(&pollfd, 1, timeout_ms) == 1;
}

static void test_p12_accepted_descriptors_are_closed_on_exec_and_non_blocking(void **state)
{
    struct sockaddr_in address;
    int listener = listen_on_any_port(&address);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), accepted, rc;

    (void)state;
    assert_int_equal(aiol__sys_accept(listener), -EAGAIN);
    rc = aiol__sys_connect(client, (struct sockaddr *)&address, sizeof address);
    assert_true(rc == 0 || rc == -EINPROGRESS);
    assert_true(is_ready(client, POLLOUT, 5000));
    assert_int_equal(aiol__sys_connect_result(client), 0);
    assert_true(is_ready(listener, POLLIN, 5000));
    interrupt_calls(2, ECONNABORTED);
    accepted = aiol__sys_accept(listener);
    assert_int_equal(interruptions, 0);
    assert_true(accepted >= 0);
    assert_true(fcntl(accepted, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(accepted, F_GETFL) & O_NONBLOCK);
    close(accepted);
    close(client);
    close(listener);
}

static void test_a_refused_connection_tells_its_error_once(void **state)
{
    struct sockaddr_in address;
    int listener = listen_on_any_port(&address);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), rc;

    (void)state;
    close(listener);
    rc = aiol__sys_connect(client, (struct sockaddr *)&address, sizeof address);
    if (rc == -EINPROGRESS) {
        assert_true(is_ready(client, POLLOUT, 5000));
        rc = aiol__sys_connect_result(client);
    }
    assert_int_equal(rc, -ECONNREFUSED);
    close(client);
}

static int close_count;

static int interrupted_close(int fd)
{
    close_count++;
    real_sys.close(fd);
    errno = EINTR;
    return -1;
}

/* The number may be another thread's by then. */
static void test_an_interrupted_close_is_not_repeated(void **state)
{
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    real_sys = aiol__sys;
    aiol__sys.close = interrupted_close;
    close_count = 0;
    assert_int_equal(aiol__sys_close(fds[0]), 0);
    assert_int_equal(close_count, 1);
    aiol__sys.close = real_sys.close;
    assert_int_equal(aiol__sys_close(fds[0]), -EBADF);
    close(fds[1]);
}

static void test_a_wakeup_is_readable_from_signal_to_clear_however_often_signalled(void **state)
{
    struct aiol__wakeup wakeup;

    (void)state;
    assert_int_equal(aiol__wakeup_open(&wakeup), 0);
    assert_false(is_ready(wakeup.read_fd, POLLIN, 0));
    interrupt_calls(2, EINTR);
    errno = EDOM;
    aiol__wakeup_signal(&wakeup);
    assert_int_equal(errno, EDOM);
    assert_int_equal(interruptions, 0);
    aiol__wakeup_signal(&wakeup);
    assert_true(is_ready(wakeup.read_fd, POLLIN, 0));
    interruptions = 2;
    aiol__wakeup_clear(&wakeup);
    assert_false(is_ready(wakeup.read_fd, POLLIN, 0));
    aiol__wakeup_clear(&wakeup);
    aiol__wakeup_close(&wakeup);
}

static void test_a_wakeup_whose_counter_is_full_does_not_spin(void **state)
{
    const uint64_t full = UINT64_MAX - 1;
    struct aiol__wakeup wakeup;

    (void)state;
    assert_int_equal(aiol__wakeup_open(&wakeup), 0);
    assert_int_equal(write(wakeup.write_fd, &full, sizeof full), sizeof full);
    aiol__wakeup_signal(&wakeup);
    assert_true(is_ready(wakeup.read_fd, POLLIN, 0));
    aiol__wakeup_close(&wakeup);
}

static void test_a_connection_may_come_about_at_once(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = sizeof address;
    int listening_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    (void)state;
    /* The system chooses an abstract name (unix(7), "Autobind feature"). */
    assert_int_equal(bind(listening_fd, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
    assert_int_equal(listen(listening_fd, 1), 0);
    assert_int_equal(getsockname(listening_fd, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(aiol__sys_connect(client_fd, (struct sockaddr *)&address, size), 0);
    close(client_fd);
    close(listening_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_interrupted_transfers_are_repeated),
        TEST(test_p12_writing_to_a_closed_peer_is_an_error_and_no_signal),
        TEST(test_p12_accepted_descriptors_are_closed_on_exec_and_non_blocking),
        TEST(test_a_refused_connection_tells_its_error_once),
        TEST(test_a_connection_may_come_about_at_once),
        TEST(test_an_interrupted_close_is_not_repeated),
        TEST(test_a_wakeup_is_readable_from_signal_to_clear_however_often_signalled),
        TEST(test_a_wakeup_whose_counter_is_full_does_not_spin),
    };

    return cmocka_run_group_tests_name("platform/sys", tests, NULL, NULL);
}
