/* Awaiting plain descriptors: real sockets. The simulated ones are in test_fd_sim.c. */
#include "support.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int outcome[16];
static int fds[2];

static int run_on_pair(aiol_task_fn fn)
{
    int rc;

    memset(outcome, 0, sizeof outcome);
    make_socket_pair(fds);
    rc = run_real(fn, NULL);
    for (int i = 0; i < 2; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    return rc;
}

static int send_hello_later(void *arg)
{
    (void)arg;
    aiol_await_sleep(AIOL_MILLISECOND);
    outcome[0] = (int)aiol_await_send(fds[1], "hello", 5);
    aiol_await_sleep(AIOL_MILLISECOND);
    return aiol_fd_shutdown(aiol_loop_current(), fds[1]);
}

static int receive_hello(void *arg)
{
    char text[16] = "";

    (void)arg;
    aiol_task_spawn(aiol_loop_current(), send_hello_later, NULL, NULL);
    outcome[1] = (int)aiol_await_recv(fds[0], text, sizeof text);
    outcome[2] = memcmp(text, "hello", 5);
    outcome[3] = (int)aiol_await_recv(fds[0], text, sizeof text);
    outcome[4] = (int)aiol_await_recv(fds[0], text, sizeof text);
    return 0;
}

static void test_recv_waits_for_bytes_and_then_for_the_end(void **state)
{
    (void)state;
    assert_int_equal(run_on_pair(receive_hello), 0);
    assert_int_equal(outcome[0], 5);
    assert_int_equal(outcome[1], 5);
    assert_int_equal(outcome[2], 0);
    assert_int_equal(outcome[3], 0);
    assert_int_equal(outcome[4], 0);
}

enum { LARGE = 3000000 };

static int receive_all(void *arg)
{
    unsigned char *received = arg;
    size_t count = 0;

    for (;;) {
        int64_t rc = aiol_await_recv(fds[0], received + count, LARGE - count + 1);

        if (rc <= 0)
            return rc < 0 ? (int)rc : (int)count;
        count += (size_t)rc;
    }
}

static int send_a_lot(void *arg)
{
    unsigned char *bytes = arg;
    struct aiol_task *receiver = NULL;
    size_t sent_bytes = 0;

    aiol_task_spawn(aiol_loop_current(), receive_all, bytes + LARGE, &receiver);
    outcome[0] = aiol_await_send_all(fds[1], bytes, LARGE, &sent_bytes);
    outcome[1] = (int)sent_bytes;
    aiol_fd_shutdown(aiol_loop_current(), fds[1]);
    aiol_await_task(receiver, &outcome[2]);
    outcome[3] = memcmp(bytes, bytes + LARGE, LARGE);
    return 0;
}

static int send_a_lot_of_random_bytes(void *arg)
{
    unsigned char *bytes = malloc(2 * (size_t)LARGE + 1);
    uint32_t random = 1;
    int rc;

    if (!bytes)
        return -ENOMEM;
    for (size_t i = 0; i < LARGE; i++) {
        random = random * 1664525 + 1013904223;
        bytes[i] = (unsigned char)(random >> 24);
    }
    (void)arg;
    rc = send_a_lot(bytes);
    free(bytes);
    return rc;
}

static void test_p2_megabytes_arrive_whole_and_in_order(void **state)
{
    (void)state;
    assert_int_equal(run_on_pair(send_a_lot_of_random_bytes), 0);
    assert_int_equal(outcome[0], 0);
    assert_int_equal(outcome[1], LARGE);
    assert_int_equal(outcome[2], LARGE);
    assert_int_equal(outcome[3], 0);
}

static int cut_a_send_short(void *arg)
{
    static char bytes[LARGE];
    struct aiol_scope limit;
    size_t sent_bytes = 0, drained = 0;
    int64_t rc;

    (void)arg;
    aiol_scope_enter(&limit, aiol_deadline_after(2 * AIOL_MILLISECOND));
    outcome[0] = aiol_await_send_all(fds[1], bytes, sizeof bytes, &sent_bytes);
    outcome[1] = aiol_scope_leave(&limit, outcome[0]);
    outcome[2] = sent_bytes > 0 && sent_bytes < sizeof bytes;
    while ((rc = aiol_fd_recv(aiol_loop_current(), fds[0], bytes, sizeof bytes)) > 0)
        drained += (size_t)rc;
    outcome[3] = drained == sent_bytes;
    aiol_task_cancel(aiol_task_current());
    sent_bytes = 77;
    outcome[4] = aiol_await_send_all(fds[1], bytes, 1, &sent_bytes);
    outcome[5] = (int)sent_bytes;
    return 0;
}

static void test_p2_a_send_that_is_cut_short_says_how_far_it_came(void **state)
{
    (void)state;
    assert_int_equal(run_on_pair(cut_a_send_short), 0);
    assert_int_equal(outcome[0], -ECANCELED);
    assert_int_equal(outcome[1], -ETIMEDOUT);
    assert_int_equal(outcome[2], 1);
    assert_int_equal(outcome[3], 1);
    assert_int_equal(outcome[4], -ECANCELED);
    assert_int_equal(outcome[5], 0);
}

static int receive_in_spite_of_cancel(void *arg)
{
    char text[8] = "";

    (void)arg;
    outcome[0] = (int)aiol_await_recv(fds[0], text, sizeof text);
    outcome[1] = (int)aiol_await_recv(fds[0], text, sizeof text);
    return 0;
}

/* A watcher of the same descriptor that was started later: when it is called the task has been
 * woken, but has not run yet. */
static void cancel_on_ready(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)ready;
    aiol_io_close(io);
    aiol_task_cancel(data);
}

static int cancel_while_bytes_arrive(void *arg)
{
    struct aiol_task *task = NULL;
    struct aiol_io io;

    (void)arg;
    aiol_task_spawn(aiol_loop_current(), receive_in_spite_of_cancel, NULL, &task);
    aiol_await_yield();
    aiol_io_init(&io, aiol_loop_current(), fds[0], cancel_on_ready, task);
    aiol_io_start(&io, AIOL_READABLE);
    outcome[2] = aiol_fd_close(aiol_loop_current(), fds[0]); /* somebody waits on it */
    aiol_fd_send(aiol_loop_current(), fds[1], "abc", 3);
    return aiol_await_task(task, NULL);
}

static void test_p2_bytes_that_came_before_the_cancel_are_not_lost(void **state)
{
    (void)state;
    assert_int_equal(run_on_pair(cancel_while_bytes_arrive), 0);
    assert_int_equal(outcome[0], 3);
    assert_int_equal(outcome[1], -ECANCELED);
    assert_int_equal(outcome[2], -EBUSY);
}

static int wait_for_readiness(void *arg)
{
    static char bytes[LARGE];
    struct aiol_scope limit;
    struct aiol_loop *loop = aiol_loop_current();

    (void)arg;
    outcome[0] = aiol_await_writable(fds[0]);
    aiol_scope_enter(&limit, aiol_deadline_after(AIOL_MILLISECOND));
    outcome[1] = aiol_scope_leave(&limit, aiol_await_readable(fds[0]));
    while (aiol_fd_send(loop, fds[0], bytes, sizeof bytes) > 0)
        continue;
    aiol_scope_enter(&limit, aiol_deadline_after(AIOL_MILLISECOND));
    outcome[2] = aiol_scope_leave(&limit, aiol_await_writable(fds[0]));
    outcome[3] = aiol_await_readable(fds[1]);
    aiol_fd_shutdown(loop, fds[1]);
    outcome[4] = aiol_await_readable(fds[0]); /* the end can be read, too */
    outcome[5] = aiol_fd_close(loop, fds[0]);
    outcome[6] = aiol_fd_close(loop, fds[0]);
    fds[0] = -1;
    return 0;
}

static void test_readable_and_writable_wait_until_a_call_would_not_block(void **state)
{
    (void)state;
    assert_int_equal(run_on_pair(wait_for_readiness), 0);
    assert_int_equal(outcome[0], 0);
    assert_int_equal(outcome[1], -ETIMEDOUT);
    assert_int_equal(outcome[2], -ETIMEDOUT);
    assert_int_equal(outcome[3], 0);
    assert_int_equal(outcome[4], 0);
    assert_int_equal(outcome[5], 0);
    assert_int_equal(outcome[6], -EBADF);
}

static int meet_errors(void *arg)
{
    char byte = 'x', path[] = "/tmp/aiol-test-XXXXXX";
    int pipe_fds[2], file_fd;

    (void)arg;
    outcome[0] = aiol_await_readable(-1);
    outcome[1] = (int)aiol_await_recv(-1, &byte, 1);
    outcome[2] = (int)aiol_await_send(987654, &byte, 1);
    if (pipe(pipe_fds) < 0)
        return -errno;
    outcome[3] = (int)aiol_await_recv(pipe_fds[0], &byte, 1);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    file_fd = mkstemp(path); /* always ready */
    outcome[4] = aiol_await_readable(file_fd);
    outcome[5] = aiol_await_writable(file_fd);
    outcome[10] = aiol_fd_close(aiol_loop_current(), file_fd);
    unlink(path);
    close(fds[1]);
    fds[1] = -1;
    outcome[6] = (int)aiol_await_send(fds[0], &byte, 1); /* and no SIGPIPE */
    outcome[7] = aiol_await_send_all(fds[0], &byte, 1, NULL);
    outcome[8] = aiol_await_accept(fds[0], &outcome[9]);
    return 0;
}

static void test_p3_errors_of_the_system_come_as_values(void **state)
{
    (void)state;
    assert_int_equal(run_on_pair(meet_errors), 0);
    assert_int_equal(outcome[0], -EBADF);
    assert_int_equal(outcome[1], -EBADF);
    assert_int_equal(outcome[2], -EBADF);
    assert_int_equal(outcome[3], -ENOTSOCK);
    assert_int_equal(outcome[4], 0);
    assert_int_equal(outcome[5], 0);
    assert_int_equal(outcome[6], -EPIPE);
    assert_int_equal(outcome[7], -EPIPE);
    assert_int_equal(outcome[8], -EINVAL); /* it does not listen */
    assert_int_equal(outcome[9], 0);
    assert_int_equal(outcome[10], 0);
}

static int echo(void *arg)
{
    char byte;

    (void)arg;
    while (aiol_await_recv(fds[1], &byte, 1) == 1) {
        if (aiol_await_send(fds[1], &byte, 1) != 1)
            return -EIO;
    }
    return 0;
}

/* The numbers are closed by close(2), behind the loop's back, and handed out again. */
static int reuse_descriptor_numbers(void *arg)
{
    struct aiol_task *echoer = NULL;

    (void)arg;
    for (int i = 0; i < 20; i++) {
        int old_fd = fds[0];
        char byte = (char)i;

        aiol_task_spawn(aiol_loop_current(), echo, NULL, &echoer);
        outcome[0] += aiol_await_send(fds[0], &byte, 1) != 1;
        byte = -1;
        outcome[0] += aiol_await_recv(fds[0], &byte, 1) != 1 || byte != (char)i;
        aiol_task_cancel(echoer);
        aiol_await_task(echoer, NULL);
        close(fds[0]);
        close(fds[1]);
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
            return -errno;
        outcome[1] += fds[0] == old_fd;
    }
    return 0;
}

static void test_descriptors_closed_behind_the_loops_back_and_used_again_are_safe(void **state)
{
    (void)state;
    assert_int_equal(run_on_pair(reuse_descriptor_numbers), 0);
    assert_int_equal(outcome[0], 0);
    assert_int_equal(outcome[1], 20);
}

static int play_ping_pong(void *arg)
{
    struct aiol_task *echoer = NULL;
    long made = 0;
    char byte = 'x';

    (void)arg;
    aiol_task_spawn(aiol_loop_current(), echo, NULL, &echoer);
    for (int i = 0; i < 1000; i++) {
        if (i == 10)
            made = allocations_made();
        outcome[0] += aiol_await_send(fds[0], &byte, 1) != 1;
        outcome[0] += aiol_await_recv(fds[0], &byte, 1) != 1;
    }
    outcome[1] = (int)(allocations_made() - made);
    aiol_fd_shutdown(aiol_loop_current(), fds[0]);
    return aiol_await_task(echoer, NULL);
}

static void test_p5_sending_and_receiving_allocate_nothing(void **state)
{
    (void)state;
    assert_int_equal(run_on_pair(play_ping_pong), 0);
    assert_int_equal(outcome[0], 0);
    assert_int_equal(outcome[1], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_recv_waits_for_bytes_and_then_for_the_end),
        TEST(test_p2_megabytes_arrive_whole_and_in_order),
        TEST(test_p2_a_send_that_is_cut_short_says_how_far_it_came),
        TEST(test_p2_bytes_that_came_before_the_cancel_are_not_lost),
        TEST(test_readable_and_writable_wait_until_a_call_would_not_block),
        TEST(test_p3_errors_of_the_system_come_as_values),
        TEST(test_descriptors_closed_behind_the_loops_back_and_used_again_are_safe),
        TEST(test_p5_sending_and_receiving_allocate_nothing),
    };

    return cmocka_run_group_tests_name("await/fd", tests, NULL, NULL);
}
