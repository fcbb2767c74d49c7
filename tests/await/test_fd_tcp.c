/* Accepting and connecting: TCP on the loopback, at whatever port is free. */
#include "support.h"

#include "platform/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static int outcome[16];
static int listener_fd;
static struct sockaddr_in address;

static int new_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    return fd;
}

static void begin_listening(int backlog)
{
    socklen_t size = sizeof address;

    memset(outcome, 0, sizeof outcome);
    listener_fd = new_socket();
    address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(bind(listener_fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener_fd, backlog), 0);
    assert_int_equal(getsockname(listener_fd, (struct sockaddr *)&address, &size), 0);
}

static int await_connect(int fd)
{
    return aiol_await_connect(fd, (struct sockaddr *)&address, sizeof address);
}

static int connect_and_send(void *arg)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    char byte = *(char *)arg;
    int rc = await_connect(fd);

    if (rc == 0)
        rc = aiol_await_send_all(fd, &byte, 1, NULL);
    return aiol_first_error(rc, aiol_fd_close(aiol_loop_current(), fd));
}

static int accept_three(void *arg)
{
    static char letters[] = "abc";
    struct aiol_group clients;

    (void)arg;
    aiol_group_open(&clients, AIOL_GROUP_CANCEL_ALL);
    for (int i = 0; i < 3; i++)
        aiol_group_spawn(&clients, connect_and_send, &letters[i]);
    for (int i = 0; i < 3; i++) {
        char byte = 0;
        int fd = -1;

        outcome[i] = aiol_await_accept(listener_fd, &fd);
        outcome[3] += (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
        outcome[4] += (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
        outcome[5] += (int)aiol_await_recv(fd, &byte, 1);
        outcome[6] += byte;
        outcome[7] += (int)aiol_await_recv(fd, &byte, 1); /* the end */
        aiol_fd_close(aiol_loop_current(), fd);
    }
    return aiol_await_group(&clients);
}

static void
test_p12_clients_connect_and_what_is_accepted_is_nonblocking_and_close_on_exec(void **state)
{
    (void)state;
    begin_listening(8);
    assert_int_equal(run_real(accept_three, NULL), 0);
    close(listener_fd);
    assert_int_equal(outcome[0] | outcome[1] | outcome[2], 0);
    assert_int_equal(outcome[3], 3);
    assert_int_equal(outcome[4], 3);
    assert_int_equal(outcome[5], 3);
    assert_int_equal(outcome[6], 'a' + 'b' + 'c');
    assert_int_equal(outcome[7], 0);
}

static int connect_to_nobody(void *arg)
{
    int fd = *(int *)arg;

    outcome[0] = await_connect(fd);
    outcome[1] = aiol_await_connect(-1, (struct sockaddr *)&address, sizeof address);
    outcome[2] = aiol_await_connect(fd, (struct sockaddr *)&address, 1);
    return 0;
}

static void test_a_refused_connection_says_so(void **state)
{
    int fd = new_socket();

    (void)state;
    begin_listening(1);
    close(listener_fd); /* whose port nobody listens at now */
    assert_int_equal(run_real(connect_to_nobody, &fd), 0);
    close(fd);
    assert_int_equal(outcome[0], -ECONNREFUSED);
    assert_int_equal(outcome[1], -EBADF);
    assert_int_equal(outcome[2], -EINVAL);
}

enum { CROWD = 5 };

/* More than the backlog holds: the system lets the last ones wait. */
static int connect_in_a_crowd(void *arg)
{
    int *fds = arg;
    struct aiol_scope limit;

    aiol_scope_enter(&limit, aiol_deadline_after(5 * AIOL_MILLISECOND));
    for (int i = 0; i < CROWD && outcome[0] == 0; i++)
        outcome[0] = await_connect(fds[i]);
    outcome[1] = aiol_scope_leave(&limit, outcome[0]);
    return 0;
}

static void test_p14_connecting_is_bounded_by_a_scope(void **state)
{
    int fds[CROWD];

    (void)state;
    begin_listening(0);
    for (int i = 0; i < CROWD; i++)
        fds[i] = new_socket();
    assert_int_equal(run_real(connect_in_a_crowd, fds), 0);
    for (int i = 0; i < CROWD; i++)
        close(fds[i]);
    close(listener_fd);
    assert_int_equal(outcome[0], -ECANCELED);
    assert_int_equal(outcome[1], -ETIMEDOUT);
}

static int accept_with_a_limit(void *arg)
{
    struct aiol_scope limit;
    int fd = -7;

    (void)arg;
    aiol_scope_enter(&limit, aiol_deadline_after(AIOL_MILLISECOND));
    outcome[0] = aiol_scope_leave(&limit, aiol_await_accept(listener_fd, &fd));
    return fd;
}

static void test_p14_accepting_is_bounded_by_a_scope(void **state)
{
    (void)state;
    begin_listening(1);
    assert_int_equal(run_real(accept_with_a_limit, NULL), -7);
    close(listener_fd);
    assert_int_equal(outcome[0], -ETIMEDOUT);
}

/* Valgrind keeps a limit that a process sets for itself from the system, and so accepts the
 * connection, and closes it. But the limit is that of each thread, too, and those it lets pass. */
static void *exchange_limit_from_a_thread(void *arg)
{
    rlim_t *limit = arg;
    pid_t thread_id = (pid_t)syscall(SYS_gettid);
    struct rlimit before, after;

    if (prlimit(thread_id, RLIMIT_NOFILE, NULL, &before) < 0)
        return NULL;
    after = (struct rlimit){*limit, before.rlim_max};
    *limit = before.rlim_cur;
    return prlimit(thread_id, RLIMIT_NOFILE, &after, NULL) < 0 ? NULL : arg;
}

/* Sets how many descriptors there may be, and `*limit` to how many there might be before. */
static bool exchange_limit(rlim_t *limit)
{
    pthread_t thread;
    void *result = NULL;

    if (pthread_create(&thread, NULL, exchange_limit_from_a_thread, limit) != 0)
        return false;
    pthread_join(thread, &result);
    return result;
}

static int accept_without_descriptors(void *arg)
{
    int fd = -7, free_fd;
    rlim_t limit;

    outcome[0] = await_connect(*(int *)arg);
    outcome[1] = aiol_await_readable(listener_fd);
    free_fd = dup(listener_fd); /* the number that comes next */
    close(free_fd);
    limit = (rlim_t)free_fd;
    outcome[5] = exchange_limit(&limit);
    outcome[2] = aiol_await_accept(listener_fd, &fd);
    outcome[3] = fd;
    outcome[6] = exchange_limit(&limit);
    outcome[4] = aiol_await_accept(listener_fd, &fd); /* the connection has waited */
    return aiol_fd_close(aiol_loop_current(), fd);
}

static void test_p3_without_descriptors_accept_fails_and_the_connection_waits(void **state)
{
    int fd = new_socket();

    (void)state;
    begin_listening(1);
    assert_int_equal(run_real(accept_without_descriptors, &fd), 0);
    close(fd);
    close(listener_fd);
    assert_int_equal(outcome[0], 0);
    assert_int_equal(outcome[1], 0);
    assert_int_equal(outcome[2], -EMFILE);
    assert_int_equal(outcome[3], -7);
    assert_int_equal(outcome[4], 0);
    assert_true(outcome[5] && outcome[6]);
}

static struct aiol__sys real_sys;
static int aborted;

static int abort_twice_then_accept(int fd)
{
    if (aborted < 2) {
        aborted++;
        errno = aborted == 1 ? ECONNABORTED : EINTR;
        return -1;
    }
    return real_sys.accept(fd);
}

static int accept_after_aborts(void *arg)
{
    int fd = -1;

    outcome[0] = await_connect(*(int *)arg);
    outcome[1] = aiol_await_accept(listener_fd, &fd);
    return aiol_fd_close(aiol_loop_current(), fd);
}

static void test_connections_that_were_reset_before_they_were_accepted_are_passed_over(void **state)
{
    int fd = new_socket();

    (void)state;
    begin_listening(1);
    real_sys = aiol__sys;
    aborted = 0;
    aiol__sys.accept = abort_twice_then_accept;
    assert_int_equal(run_real(accept_after_aborts, &fd), 0);
    close(fd);
    close(listener_fd);
    assert_int_equal(outcome[0], 0);
    assert_int_equal(outcome[1], 0);
    assert_int_equal(aborted, 2);
}

static int meet_a_reset(void *arg)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    char byte;
    int fd = -1;

    outcome[0] = await_connect(*(int *)arg);
    outcome[1] = aiol_await_accept(listener_fd, &fd);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    aiol_fd_close(aiol_loop_current(), fd); /* resets the connection */
    outcome[2] = (int)aiol_await_recv(*(int *)arg, &byte, 1);
    outcome[3] = (int)aiol_await_recv(*(int *)arg, &byte, 1);
    outcome[4] = (int)aiol_await_send(*(int *)arg, "x", 1);
    return 0;
}

static void test_p3_a_reset_connection_is_an_error_and_no_end(void **state)
{
    int fd = new_socket();

    (void)state;
    begin_listening(1);
    assert_int_equal(run_real(meet_a_reset, &fd), 0);
    close(fd);
    close(listener_fd);
    assert_int_equal(outcome[0] | outcome[1], 0);
    assert_int_equal(outcome[2], -ECONNRESET);
    assert_int_equal(outcome[3], 0); /* as recv(2): the error is told once */
    assert_int_equal(outcome[4], -EPIPE);
}

static int accept_and_cancel_the_other(void *arg)
{
    int fd = -1;

    outcome[0] = aiol_await_accept(listener_fd, &fd);
    aiol_task_cancel(*(struct aiol_task **)arg);
    return fd < 0 ? fd : aiol_fd_close(aiol_loop_current(), fd);
}

static int accept_one(void *arg)
{
    int fd = -1;

    (void)arg;
    outcome[1] = aiol_await_accept(listener_fd, &fd);
    return fd < 0 ? 0 : aiol_fd_close(aiol_loop_current(), fd);
}

static int let_two_accept_one_connection(void *arg)
{
    struct aiol_task *first = NULL, *second = NULL;
    int *fds = arg;

    aiol_task_spawn(aiol_loop_current(), accept_and_cancel_the_other, &second, &first);
    aiol_task_spawn(aiol_loop_current(), accept_one, NULL, &second);
    aiol_await_yield();
    outcome[2] = await_connect(fds[0]);
    aiol_await_task(first, NULL);
    aiol_await_sleep(AIOL_MILLISECOND);
    outcome[3] = aiol_task_is_done(second);
    outcome[4] = await_connect(fds[1]); /* or it would wait for ever */
    return aiol_await_task(second, NULL);
}

static void test_p2_a_cancel_is_not_lost_on_a_task_that_found_nothing_to_accept(void **state)
{
    int fds[2] = {new_socket(), new_socket()};

    (void)state;
    begin_listening(4);
    assert_int_equal(run_real(let_two_accept_one_connection, fds), 0);
    close(fds[0]);
    close(fds[1]);
    close(listener_fd);
    assert_int_equal(outcome[0], 0);
    assert_int_equal(outcome[2] | outcome[4], 0);
    assert_int_equal(outcome[3], 1);
    assert_int_equal(outcome[1], -ECANCELED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p12_clients_connect_and_what_is_accepted_is_nonblocking_and_close_on_exec),
        TEST(test_a_refused_connection_says_so),
        TEST(test_p14_connecting_is_bounded_by_a_scope),
        TEST(test_p14_accepting_is_bounded_by_a_scope),
        TEST(test_p3_without_descriptors_accept_fails_and_the_connection_waits),
        TEST(test_connections_that_were_reset_before_they_were_accepted_are_passed_over),
        TEST(test_p3_a_reset_connection_is_an_error_and_no_end),
        TEST(test_p2_a_cancel_is_not_lost_on_a_task_that_found_nothing_to_accept),
    };

    return cmocka_run_group_tests_name("await/fd_tcp", tests, NULL, NULL);
}
