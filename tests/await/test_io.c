/* Awaiting a watcher of one's own. */
#include "poller.h"
#include "support.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int outcome[16];
static int fds[2];
static struct aiol_io io;

static int run_on_pair(aiol_task_fn fn)
{
    int rc;

    memset(outcome, 0, sizeof outcome);
    make_socket_pair(fds);
    rc = run_real(fn, NULL);
    close(fds[0]);
    close(fds[1]);
    return rc;
}

static void init_io(aiol_io_fn callback)
{
    aiol_io_init(&io, aiol_loop_current(), fds[0], callback, NULL);
}

static int await_readable(void *arg)
{
    (void)arg;
    return aiol_await_io(&io, AIOL_READABLE);
}

/* Spawn a task that waits on the watcher, and let it begin to. */
static struct aiol_task *spawn_waiting(void)
{
    struct aiol_task *task = NULL;

    if (aiol_task_spawn(aiol_loop_current(), await_readable, NULL, &task) < 0)
        return NULL;
    aiol_await_yield();
    return task;
}

static int send_byte(void)
{
    return send(fds[1], "x", 1, MSG_NOSIGNAL) == 1 ? 0 : -EIO;
}

static int await_bytes_often(void *arg)
{
    char byte;

    (void)arg;
    init_io(NULL);
    watch_poller();
    for (int i = 0; i < 10; i++) {
        struct aiol_task *task = spawn_waiting();

        outcome[0] += send_byte();
        outcome[1] += aiol_await_task(task, &outcome[2]) == 0 && outcome[2] == AIOL_READABLE;
        outcome[3] += aiol_io_is_active(&io);
        outcome[4] += aiol_fd_recv(aiol_loop_current(), fds[0], &byte, 1) == 1;
        /* Turns in which nobody waits. */
        aiol_await_sleep(1);
        aiol_await_sleep(1);
    }
    outcome[5] = poller_watch.change_count;
    aiol_io_close(&io);
    return 0;
}

static void test_waiting_again_and_again_is_said_to_the_kernel_once(void **state)
{
    (void)state;
    assert_int_equal(run_on_pair(await_bytes_often), 0);
    assert_int_equal(outcome[0], 0);
    assert_int_equal(outcome[1], 10);
    assert_int_equal(outcome[3], 0);
    assert_int_equal(outcome[4], 10);
    assert_int_equal(outcome[5], 1);
}

static int await_the_end(void *arg)
{
    (void)arg;
    init_io(NULL);
    outcome[0] = aiol_await_io(&io, AIOL_WRITABLE);
    outcome[1] = shutdown(fds[1], SHUT_WR);
    outcome[2] = aiol_await_io(&io, AIOL_READABLE);
    outcome[3] = aiol_await_io(&io, AIOL_READABLE | AIOL_WRITABLE);
    aiol_io_close(&io);
    return 0;
}

static void test_what_is_ready_is_returned(void **state)
{
    (void)state;
    assert_int_equal(run_on_pair(await_the_end), 0);
    assert_int_equal(outcome[0], AIOL_WRITABLE);
    assert_int_equal(outcome[1], 0);
    assert_int_equal(outcome[2], AIOL_READABLE | AIOL_HANGUP);
    assert_int_equal(outcome[3], AIOL_READABLE | AIOL_WRITABLE | AIOL_HANGUP);
}

static int end_waits(void *arg)
{
    void (*const ends[])(struct aiol_io *) = {aiol_io_stop, aiol_io_close};

    (void)arg;
    init_io(NULL);
    for (int i = 0; i < 2; i++) {
        struct aiol_task *task = spawn_waiting();

        outcome[0] += aiol_io_is_active(&io);
        ends[i](&io);
        outcome[1] += aiol_io_is_active(&io);
        aiol_await_task(task, &outcome[2 + i]);
    }
    return 0;
}

static void test_a_watcher_that_is_stopped_ends_the_wait(void **state)
{
    (void)state;
    assert_int_equal(run_on_pair(end_waits), 0);
    assert_int_equal(outcome[0], 2);
    assert_int_equal(outcome[1], 0);
    assert_int_equal(outcome[2], AIOL_ECLOSED);
    assert_int_equal(outcome[3], AIOL_ECLOSED);
}

/* The turn that reports both descriptors calls the callback of one, which closes the other. */
static void close_awaited(struct aiol_io *closer, uint32_t ready, void *data)
{
    (void)ready;
    aiol_io_close(closer);
    aiol_io_close(data);
}

static int close_in_a_callback(void *arg)
{
    struct aiol_task *task;
    struct aiol_io closer;

    (void)arg;
    init_io(NULL);
    aiol_io_init(&closer, aiol_loop_current(), fds[0], close_awaited, &io);
    aiol_io_start(&closer, AIOL_READABLE);
    task = spawn_waiting();
    outcome[0] = send_byte();
    aiol_await_task(task, &outcome[1]);
    return 0;
}

static void test_a_watcher_that_a_callback_of_the_same_event_closes_ends_the_wait(void **state)
{
    (void)state;
    assert_int_equal(run_on_pair(close_in_a_callback), 0);
    assert_int_equal(outcome[0], 0);
    assert_int_equal(outcome[1], AIOL_ECLOSED);
}

static int cancel_the_wait(void *arg)
{
    struct aiol_task *task;

    (void)arg;
    init_io(NULL);
    task = spawn_waiting();
    aiol_task_cancel(task);
    outcome[0] = aiol_io_is_active(&io);
    aiol_await_task(task, &outcome[1]);
    outcome[2] = send_byte();
    outcome[3] = aiol_await_io(&io, AIOL_READABLE);
    aiol_io_close(&io);
    return 0;
}

static void test_p1_a_cancelled_wait_leaves_the_watcher_stopped(void **state)
{
    (void)state;
    assert_int_equal(run_on_pair(cancel_the_wait), 0);
    assert_int_equal(outcome[0], 0);
    assert_int_equal(outcome[1], -ECANCELED);
    assert_int_equal(outcome[3], AIOL_READABLE);
}

static void count_call(struct aiol_io *watcher, uint32_t ready, void *data)
{
    (void)watcher;
    (void)ready;
    (void)data;
    outcome[15]++;
}

static int use_one_twice(void *arg)
{
    struct aiol_task *task;

    (void)arg;
    init_io(count_call);
    task = spawn_waiting();
    outcome[0] = aiol_io_start(&io, AIOL_READABLE);
    outcome[1] = aiol_await_io(&io, AIOL_READABLE);
    outcome[2] = send_byte();
    aiol_await_task(task, &outcome[3]);
    outcome[4] = outcome[15];
    outcome[5] = aiol_io_start(&io, AIOL_READABLE);
    outcome[6] = aiol_await_io(&io, AIOL_READABLE);
    aiol_await_sleep(1);
    outcome[7] = outcome[15] > 0;
    aiol_io_close(&io);
    init_io(NULL);
    outcome[8] = aiol_io_start(&io, AIOL_READABLE);
    return 0;
}

static void test_a_watcher_has_one_user_at_a_time(void **state)
{
    (void)state;
    assert_int_equal(run_on_pair(use_one_twice), 0);
    assert_int_equal(outcome[0], -EBUSY);
    assert_int_equal(outcome[1], -EBUSY);
    assert_int_equal(outcome[3], AIOL_READABLE);
    assert_int_equal(outcome[4], 0);
    assert_int_equal(outcome[5], 0);
    assert_int_equal(outcome[6], -EBUSY);
    assert_int_equal(outcome[7], 1);
    assert_int_equal(outcome[8], -EINVAL);
}

static int await_badly(void *arg)
{
    struct aiol_loop *other = NULL;
    struct aiol_io bad;

    (void)arg;
    init_io(NULL);
    outcome[0] = aiol_await_io(&io, 0);
    outcome[1] = aiol_await_io(&io, AIOL_HANGUP);
    aiol_io_init(&bad, aiol_loop_current(), -1, NULL, NULL);
    outcome[2] = aiol_await_io(&bad, AIOL_READABLE);
    if (aiol_loop_new(NULL, &other) < 0)
        return -ENOMEM;
    aiol_io_init(&bad, other, fds[0], NULL, NULL);
    outcome[3] = aiol_await_io(&bad, AIOL_READABLE);
    aiol_io_close(&io);
    return aiol_loop_free(other);
}

static void test_what_cannot_be_awaited_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(run_on_pair(await_badly), 0);
    assert_int_equal(outcome[0], -EINVAL);
    assert_int_equal(outcome[1], -EINVAL);
    assert_int_equal(outcome[2], -EBADF);
    assert_int_equal(outcome[3], -EINVAL);
    assert_int_equal(aiol_await_io(&io, AIOL_READABLE), AIOL_ENOTASK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_waiting_again_and_again_is_said_to_the_kernel_once),
        TEST(test_what_is_ready_is_returned),
        TEST(test_a_watcher_that_is_stopped_ends_the_wait),
        TEST(test_a_watcher_that_a_callback_of_the_same_event_closes_ends_the_wait),
        TEST(test_p1_a_cancelled_wait_leaves_the_watcher_stopped),
        TEST(test_a_watcher_has_one_user_at_a_time),
        TEST(test_what_cannot_be_awaited_is_an_error),
    };

    return cmocka_run_group_tests_name("await/io", tests, NULL, NULL);
}
