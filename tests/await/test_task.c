/* Awaiting the end of a task. */
#include "support.h"

#include <errno.h>
#include <string.h>

static int outcome[16];

static int run_task(aiol_task_fn fn, void *arg)
{
    memset(outcome, 0, sizeof outcome);
    return run_sim(0, fn, arg);
}

static int sleep_and_return(void *arg)
{
    int rc = aiol_await_sleep(AIOL_SECOND);

    return rc < 0 ? rc : *(int *)arg;
}

static int now_s(void)
{
    return (int)(aiol_loop_now_ns(aiol_loop_current()) / AIOL_SECOND);
}

static int await_early_and_late(void *arg)
{
    static int success = 23, failure = -EIO;
    struct aiol_loop *loop = aiol_loop_current();
    struct aiol_task *early = NULL, *late = NULL, *unread = NULL;

    (void)arg;
    outcome[0] = aiol_task_spawn(loop, sleep_and_return, &success, &early);
    aiol_task_spawn(loop, sleep_and_return, &failure, &late);
    aiol_task_spawn(loop, sleep_and_return, &success, &unread);
    outcome[1] = aiol_await_task(early, &outcome[2]);
    outcome[3] = now_s();
    aiol_await_sleep(AIOL_SECOND);
    outcome[4] = aiol_task_is_done(late);
    outcome[5] = aiol_await_task(late, &outcome[6]); /* it has ended before */
    outcome[7] = now_s();
    return aiol_await_task(unread, NULL);
}

static void test_awaiting_a_task_gives_its_result_before_and_after_its_end(void **state)
{
    (void)state;
    assert_int_equal(run_task(await_early_and_late, NULL), 0);
    assert_int_equal(outcome[1], 0);
    assert_int_equal(outcome[2], 23);
    assert_int_equal(outcome[3], 1);
    assert_int_equal(outcome[4], 1);
    assert_int_equal(outcome[5], 0);
    assert_int_equal(outcome[6], -EIO);
    assert_int_equal(outcome[7], 2);
}

static int await_oneself(void *arg)
{
    struct aiol_task *self = *(struct aiol_task **)arg;
    int result = 77;

    outcome[0] = aiol_await_task(self, &result);
    outcome[1] = result;
    return 4;
}

static int spawn_narcissus(void *arg)
{
    struct aiol_task *task = NULL;

    (void)arg;
    aiol_task_spawn(aiol_loop_current(), await_oneself, &task, &task);
    outcome[2] = aiol_await_task(task, &outcome[3]);
    return 0;
}

static void test_p3_a_task_cannot_await_itself(void **state)
{
    (void)state;
    assert_int_equal(run_task(spawn_narcissus, NULL), 0);
    assert_int_equal(outcome[0], -EDEADLK);
    assert_int_equal(outcome[1], 77);
    assert_int_equal(outcome[2], 0);
    assert_int_equal(outcome[3], 4);
}

static int await_a_second_time(void *arg)
{
    outcome[0] = aiol_await_task(arg, &outcome[1]);
    outcome[2] = aiol_task_detach(arg);
    return 0;
}

static int await_what_another_awaits(void *arg)
{
    static int success = 8;
    struct aiol_task *task = NULL, *second = NULL;

    (void)arg;
    aiol_task_spawn(aiol_loop_current(), sleep_and_return, &success, &task);
    aiol_task_spawn(aiol_loop_current(), await_a_second_time, task, &second);
    outcome[3] = aiol_await_task(task, &outcome[4]);
    return aiol_await_task(second, NULL);
}

static void test_p3_only_one_task_can_await_another_and_meanwhile_nobody_detaches_it(void **state)
{
    (void)state;
    assert_int_equal(run_task(await_what_another_awaits, NULL), 0);
    assert_int_equal(outcome[0], -EBUSY);
    assert_int_equal(outcome[1], 0);
    assert_int_equal(outcome[2], -EBUSY);
    assert_int_equal(outcome[3], 0);
    assert_int_equal(outcome[4], 8);
}

static int await_with_a_limit(void *arg)
{
    static int success = 12;
    struct aiol_task *task = NULL;
    struct aiol_scope limit;

    (void)arg;
    aiol_task_spawn(aiol_loop_current(), sleep_and_return, &success, &task);
    aiol_scope_enter(&limit, aiol_deadline_after(AIOL_MILLISECOND));
    outcome[0] = aiol_await_task(task, &outcome[1]);
    outcome[2] = aiol_scope_leave(&limit, outcome[0]);
    outcome[3] = aiol_task_is_done(task); /* it was not cancelled itself */
    outcome[4] = aiol_await_task(task, &outcome[5]);
    outcome[6] = now_s();
    return 0;
}

static void test_p2_an_awaiter_that_is_cancelled_keeps_the_handle_and_can_try_again(void **state)
{
    (void)state;
    assert_int_equal(run_task(await_with_a_limit, NULL), 0);
    assert_int_equal(outcome[0], -ECANCELED);
    assert_int_equal(outcome[1], 0);
    assert_int_equal(outcome[2], -ETIMEDOUT);
    assert_int_equal(outcome[3], 0);
    assert_int_equal(outcome[4], 0);
    assert_int_equal(outcome[5], 12);
    assert_int_equal(outcome[6], 1);
}

struct pair {
    struct aiol_task *child;
    struct aiol_task *parent;
};

static int cancel_parent_and_end(void *arg)
{
    struct pair *pair = arg;

    aiol_await_yield(); /* until the parent awaits */
    outcome[4] = aiol_task_detach(pair->child);
    return 31;
}

static int cancel_after_the_end(void *arg)
{
    struct pair *pair = arg;

    aiol_await_yield();
    outcome[5] = aiol_task_is_done(pair->child);
    aiol_task_cancel(pair->parent); /* it has been woken, but has not run yet */
    return 0;
}

static int be_cancelled_just_too_late(void *arg)
{
    struct pair pair = {.parent = aiol_task_current()};

    (void)arg;
    aiol_task_spawn(aiol_loop_current(), cancel_parent_and_end, &pair, &pair.child);
    aiol_task_spawn(aiol_loop_current(), cancel_after_the_end, &pair, NULL);
    outcome[0] = aiol_await_task(pair.child, &outcome[1]);
    outcome[2] = aiol_await_yield();
    return 0;
}

static void test_p2_an_end_that_came_before_the_cancel_is_a_success(void **state)
{
    (void)state;
    assert_int_equal(run_task(be_cancelled_just_too_late, NULL), 0);
    assert_int_equal(outcome[0], 0);
    assert_int_equal(outcome[1], 31);
    assert_int_equal(outcome[2], -ECANCELED);
    assert_int_equal(outcome[4], -EBUSY);
    assert_int_equal(outcome[5], 1);
}

static int cancel_and_await(void *arg)
{
    static int success = 1;
    struct aiol_task *task = NULL;

    (void)arg;
    aiol_task_spawn(aiol_loop_current(), sleep_and_return, &success, &task);
    aiol_await_yield();
    aiol_task_cancel(task);
    outcome[0] = aiol_await_task(task, &outcome[1]);
    outcome[2] = (int)aiol_loop_now_ns(aiol_loop_current());
    return 0;
}

static void test_a_cancelled_task_ends_at_once_with_what_it_returns(void **state)
{
    (void)state;
    assert_int_equal(run_task(cancel_and_await, NULL), 0);
    assert_int_equal(outcome[0], 0);
    assert_int_equal(outcome[1], -ECANCELED);
    assert_int_equal(outcome[2], 0);
}

static int await_task_of_another_loop(void *arg)
{
    outcome[0] = aiol_await_task(arg, &outcome[1]);
    return 0;
}

static void test_p3_a_task_of_another_loop_cannot_be_awaited(void **state)
{
    static int success = 2;
    struct aiol_loop *other = new_sim_loop(0);
    struct aiol_task *task = NULL;

    (void)state;
    assert_int_equal(aiol_task_spawn(other, sleep_and_return, &success, &task), 0);
    assert_int_equal(run_task(await_task_of_another_loop, task), 0);
    assert_int_equal(outcome[0], -EINVAL);
    assert_int_equal(outcome[1], 0);
    assert_int_equal(aiol_loop_run(other), 0);
    assert_int_equal(aiol_task_is_done(task), 1);
    free_loop(other);
}

static int descend(void *arg)
{
    int depth = *(int *)arg, below = depth - 1, result = 0;
    struct aiol_task *task = NULL;

    if (depth == 0)
        return 0;
    if (aiol_task_spawn(aiol_loop_current(), descend, &below, &task) < 0 ||
        aiol_await_task(task, &result) < 0)
        return -EIO;
    return result + 1;
}

static void test_a_chain_of_tasks_of_which_each_awaits_the_next_comes_back(void **state)
{
    int depth = 1000;

    (void)state;
    assert_int_equal(run_task(descend, &depth), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_awaiting_a_task_gives_its_result_before_and_after_its_end),
        TEST(test_p3_a_task_cannot_await_itself),
        TEST(test_p3_only_one_task_can_await_another_and_meanwhile_nobody_detaches_it),
        TEST(test_p2_an_awaiter_that_is_cancelled_keeps_the_handle_and_can_try_again),
        TEST(test_p2_an_end_that_came_before_the_cancel_is_a_success),
        TEST(test_a_cancelled_task_ends_at_once_with_what_it_returns),
        TEST(test_p3_a_task_of_another_loop_cannot_be_awaited),
        TEST(test_a_chain_of_tasks_of_which_each_awaits_the_next_comes_back),
    };

    return cmocka_run_group_tests_name("await/task", tests, NULL, NULL);
}
