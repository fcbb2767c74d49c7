/* How aiol_run() ends when something is wrong or left over: polling fails, scopes are left open,
 * operations are under way, nothing can wake anybody. */
#include "poller.h"
#include "support.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct notes trace;

static int own_an_argument(void *arg)
{
    int rc = aiol_await_sleep(AIOL_HOUR);

    note(&trace, rc == -ECANCELED ? 'c' : '?');
    aiol_await_yield(); /* its clean-up takes a turn */
    free(arg);
    note(&trace, 'f');
    return 0;
}

static void ignore_io(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)io, (void)ready, (void)data;
}

static struct poller_watch how_it_fails;

static int be_run_while_polling_fails(void *arg)
{
    struct aiol_loop *loop = aiol_loop_current();
    struct aiol_io io;
    int *fds = arg, rc;

    aiol_io_init(&io, loop, fds[0], ignore_io, NULL);
    if (aiol_io_start(&io, AIOL_READABLE) < 0 ||
        aiol_task_spawn(loop, own_an_argument, malloc(8), NULL) < 0)
        return -EIO;
    aiol_await_yield();
    poller_watch = how_it_fails;
    aiol_io_start(&io, AIOL_READABLE | AIOL_WRITABLE);
    rc = aiol_await_sleep(AIOL_HOUR);
    note(&trace, rc == -ECANCELED ? 'm' : '?');
    aiol_io_close(&io);
    return 9;
}

static void check_failing_poller(int expected)
{
    int fds[2];

    memset(&trace, 0, sizeof trace);
    make_socket_pair(fds);
    assert_int_equal(run_real(be_run_while_polling_fails, fds), expected);
    assert_string_equal(trace.text, "mcf");
    close(fds[0]);
    close(fds[1]);
}

static void test_p2_a_change_that_the_poller_refuses_does_not_drop_living_tasks(void **state)
{
    (void)state;
    only_with_epoll();
    begin_fake_time(AIOL_HOUR);
    watch_poller();
    how_it_fails = (struct poller_watch){.modify_errno = ENOMEM};
    check_failing_poller(-ENOMEM);
}

static void test_p2_a_wait_that_fails_does_not_drop_living_tasks(void **state)
{
    (void)state;
    watch_poller();
    how_it_fails = (struct poller_watch){.failing_wait_count = INT_MAX, .wait_errno = EFAULT};
    check_failing_poller(-EFAULT);
}

static int sleep_and_note(void *arg)
{
    note(&trace, aiol_await_sleep(AIOL_HOUR) == -ECANCELED ? *(char *)arg : '?');
    return 0;
}

static __attribute__((noinline)) int leave_group_and_scope_open(void *arg)
{
    struct aiol_group group;
    struct aiol_scope scope;

    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    aiol_group_spawn(&group, sleep_and_note, "a");
    aiol_group_spawn(&group, sleep_and_note, "b");
    aiol_scope_enter(&scope, aiol_deadline_after(AIOL_MINUTE));
    return *(int *)arg;
}

static void test_run_tells_of_a_group_left_open_when_its_tasks_have_ended(void **state)
{
    int success = 3, failure = -EIO;

    (void)state;
    memset(&trace, 0, sizeof trace);
    assert_int_equal(run_sim(0, leave_group_and_scope_open, &success), AIOL_ESCOPE);
    assert_string_equal(trace.text, "ab");
    assert_int_equal(run_sim(0, leave_group_and_scope_open, &failure), -EIO);
    assert_string_equal(trace.text, "abab");
}

static int leave_open(void *scope)
{
    return aiol_scope_enter(scope, aiol_deadline_after(AIOL_HOUR));
}

static void test_p3_a_scope_left_open_that_is_static_or_on_the_heap_is_closed(void **state)
{
    static struct aiol_scope static_scope;
    /* Small ones and mapped ones lie on different sides of a task's stack. */
    const size_t sizes[] = {sizeof(struct aiol_scope), 10000000};

    (void)state;
    assert_int_equal(run_sim(0, leave_open, &static_scope), AIOL_ESCOPE);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct aiol_scope *scope = malloc(sizes[i]);

        assert_non_null(scope);
        assert_int_equal(run_sim(0, leave_open, scope), AIOL_ESCOPE);
        free(scope);
    }
}

struct leftover {
    struct aiol_queue *queue;
    struct aiol_queue_getter getter;
    struct aiol_deferred deferred;
    int status;
    void *item;
};

static void take_item(struct aiol_queue_getter *getter, int status, void *item, void *data)
{
    struct leftover *leftover = data;

    (void)getter;
    note(&trace, 'g');
    leftover->status = status;
    leftover->item = item;
    aiol_queue_free(leftover->queue);
}

static void note_deferred(struct aiol_deferred *deferred, void *data)
{
    (void)deferred, (void)data;
    note(&trace, 'd');
}

static int leave_operations_behind(void *arg)
{
    struct leftover *leftover = arg;
    struct aiol_loop *loop = aiol_loop_current();
    int rc = aiol_queue_new(loop, 4, NULL, &leftover->queue);

    if (rc < 0)
        return rc;
    aiol_queue_put_nowait(leftover->queue, arg);
    aiol_queue_getter_init(&leftover->getter, leftover->queue, take_item, leftover);
    rc = aiol_queue_getter_start(&leftover->getter);
    aiol_deferred_init(&leftover->deferred, loop, note_deferred, NULL);
    return rc < 0 ? rc : aiol_deferred_start(&leftover->deferred);
}

static void test_p2_what_was_accepted_before_the_run_ends_is_delivered(void **state)
{
    struct leftover leftover = {.status = 1};

    (void)state;
    memset(&trace, 0, sizeof trace);
    assert_int_equal(run_sim(0, leave_operations_behind, &leftover), 0);
    assert_string_equal(trace.text, "gd");
    assert_int_equal(leftover.status, 0);
    assert_ptr_equal(leftover.item, &leftover);
    assert_int_equal(aiol_deferred_is_active(&leftover.deferred), 0);
}

static int swallow_the_cancel(void *arg)
{
    (void)arg;
    return aiol_await_sleep(AIOL_NEVER) == -ECANCELED ? 7 : -EIO;
}

static void test_a_deadlock_is_told_even_if_the_task_makes_a_success_of_it(void **state)
{
    (void)state;
    assert_int_equal(run_sim(0, swallow_the_cancel, NULL), -EDEADLK);
    assert_int_equal(run_real(swallow_the_cancel, NULL), -EDEADLK);
}

static int await_a_stuck_child(void *arg)
{
    struct aiol_group group;

    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    aiol_group_spawn(&group, swallow_the_cancel, arg);
    return aiol_await_group(&group);
}

static void test_a_deadlock_in_a_group_is_one_of_the_run(void **state)
{
    (void)state;
    assert_int_equal(run_sim(0, await_a_stuck_child, NULL), -EDEADLK);
    assert_int_equal(run_real(await_a_stuck_child, NULL), -EDEADLK);
}

static int receive_one(void *arg)
{
    char byte;
    int64_t rc = aiol_await_recv(*(int *)arg, &byte, 1);

    note(&trace, rc == -ECANCELED ? 'c' : '?');
    return (int)rc;
}

static int receive_at_both_ends(void *arg)
{
    struct aiol_group group;
    int fds[2], rc = aiol_sim_stream_pair(aiol_loop_current(), NULL, fds);

    (void)arg;
    if (rc < 0)
        return rc;
    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    aiol_group_spawn(&group, receive_one, &fds[0]);
    aiol_group_spawn(&group, receive_one, &fds[1]);
    return aiol_await_group(&group);
}

/* On a real loop somebody else might hold a duplicate; here nobody can. */
static void test_p10_two_that_wait_for_each_others_bytes_are_in_a_deadlock(void **state)
{
    (void)state;
    memset(&trace, 0, sizeof trace);
    assert_int_equal(run_sim(0, receive_at_both_ends, NULL), -EDEADLK);
    assert_string_equal(trace.text, "cc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p2_a_change_that_the_poller_refuses_does_not_drop_living_tasks),
        TEST(test_p2_a_wait_that_fails_does_not_drop_living_tasks),
        TEST(test_run_tells_of_a_group_left_open_when_its_tasks_have_ended),
        TEST(test_p3_a_scope_left_open_that_is_static_or_on_the_heap_is_closed),
        TEST(test_p2_what_was_accepted_before_the_run_ends_is_delivered),
        TEST(test_a_deadlock_is_told_even_if_the_task_makes_a_success_of_it),
        TEST(test_a_deadlock_in_a_group_is_one_of_the_run),
        TEST(test_p10_two_that_wait_for_each_others_bytes_are_in_a_deadlock),
    };

    return cmocka_run_group_tests_name("task/run_ends", tests, NULL, NULL);
}
