/*
 * What is awaited ends while the call that awaits it has been made to yield, after having been
 * served often enough: the call must not meet whatever has taken its place. For queues and futures
 * see test_forced_yield.c.
 */
#include "support.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FAR_TOO_OFTEN = 1000 };

struct connection {
    int fds[2];
    int others[2]; /* get the number of the first when it is closed */
    int close_status;
    bool is_closed;
    int bad_calls;
};

static int close_and_reuse_number(void *arg)
{
    struct connection *connection = arg;

    connection->close_status = aiol_fd_close(aiol_loop_current(), connection->fds[0]);
    if (connection->close_status < 0)
        return 0;
    connection->is_closed = true;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, connection->others) < 0)
        return -errno;
    return send(connection->others[1], "other", 5, MSG_NOSIGNAL) == 5 ? 0 : -EIO;
}

/* Each call that began before the close has the connection's own bytes, also if it returns later.
 */
static int receive_until_closed(void *arg)
{
    struct connection *connection = arg;
    char bytes[FAR_TOO_OFTEN];

    memset(bytes, '.', sizeof bytes);
    if (send(connection->fds[1], bytes, sizeof bytes, MSG_NOSIGNAL) != (ssize_t)sizeof bytes)
        return -EIO;
    aiol_task_spawn(aiol_loop_current(), close_and_reuse_number, connection, NULL);
    for (int i = 0; i < FAR_TOO_OFTEN && !connection->is_closed; i++) {
        char byte = 0;

        if (aiol_await_recv(connection->fds[0], &byte, 1) != 1 || byte != '.')
            connection->bad_calls++;
    }
    return 0;
}

static void test_p2_a_receiver_made_to_yield_gets_no_bytes_of_the_next_with_its_number(void **state)
{
    struct connection connection = {.others = {-1, -1}, .close_status = 1};

    (void)state;
    make_socket_pair(connection.fds);
    assert_int_equal(run_real(receive_until_closed, &connection), 0);
    assert_int_equal(connection.close_status, 0);
    assert_int_equal(connection.others[0], connection.fds[0]);
    assert_int_equal(connection.bad_calls, 0);
    close(connection.fds[1]);
    close(connection.others[0]);
    close(connection.others[1]);
}

static int send_until_closed(void *arg)
{
    struct connection *connection = arg;

    aiol_task_spawn(aiol_loop_current(), close_and_reuse_number, connection, NULL);
    for (int i = 0; i < FAR_TOO_OFTEN && !connection->is_closed; i++)
        connection->bad_calls += aiol_await_send(connection->fds[0], ".", 1) != 1;
    return 0;
}

static void test_p2_a_sender_made_to_yield_sends_nothing_to_the_next_with_its_number(void **state)
{
    struct connection connection = {.others = {-1, -1}, .close_status = 1};
    char bytes[FAR_TOO_OFTEN];

    (void)state;
    make_socket_pair(connection.fds);
    assert_int_equal(run_real(send_until_closed, &connection), 0);
    assert_int_equal(connection.others[0], connection.fds[0]);
    assert_int_equal(connection.bad_calls, 0);
    assert_int_equal(recv(connection.others[1], bytes, sizeof bytes, 0), -1);
    assert_int_equal(errno, EAGAIN);
    close(connection.fds[1]);
    close(connection.others[0]);
    close(connection.others[1]);
}

/* A rival who notes whether another task is inside its awaiting call. */
struct ended {
    bool is_inside_call;
    bool has_met;
    int wrong_results;
};

static int end_with_11(void *arg)
{
    (void)arg;
    return 11;
}

static int note_meeting(void *arg)
{
    struct ended *ended = arg;

    ended->has_met |= ended->is_inside_call;
    return 0;
}

/* After `count` calls that need not wait, await a task that has ended. */
static int await_ended_task(struct ended *ended, int count)
{
    struct aiol_loop *loop = aiol_loop_current();
    struct aiol_future ready;
    struct aiol_task *task;
    int result = 0;
    int rc = aiol_task_spawn(loop, end_with_11, NULL, &task);

    if (rc < 0)
        return rc;
    aiol_await_sleep(1);
    aiol_task_spawn(loop, note_meeting, ended, NULL);
    aiol_future_init(&ready, loop, NULL, NULL);
    aiol_future_set(&ready, 0, NULL);
    for (int i = 0; i < count; i++)
        aiol_await_future(&ready, NULL);
    aiol_future_close(&ready);
    ended->is_inside_call = true;
    rc = aiol_await_task(task, &result);
    ended->is_inside_call = false;
    ended->wrong_results += result != 11;
    return rc < 0 ? rc : aiol_await_yield();
}

static int await_ended_tasks(void *arg)
{
    int rc = 0;

    /* Some number of calls is the one after which another kind of call would yield. */
    for (int count = 0; rc == 0 && count < FAR_TOO_OFTEN; count++)
        rc = await_ended_task(arg, count);
    return rc;
}

/* Taking the result and giving up the handle are one: nobody can come between. */
static void test_p2_the_result_of_an_ended_task_is_taken_without_a_switch(void **state)
{
    struct ended ended = {.has_met = false};

    (void)state;
    assert_int_equal(run_sim(0, await_ended_tasks, &ended), 0);
    assert_false(ended.has_met);
    assert_int_equal(ended.wrong_results, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p2_a_receiver_made_to_yield_gets_no_bytes_of_the_next_with_its_number),
        TEST(test_p2_a_sender_made_to_yield_sends_nothing_to_the_next_with_its_number),
        TEST(test_p2_the_result_of_an_ended_task_is_taken_without_a_switch),
    };

    return cmocka_run_group_tests_name("await/lifetimes", tests, NULL, NULL);
}
