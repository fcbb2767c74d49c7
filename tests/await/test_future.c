/* Awaiting a future. */
#include "support.h"

#include <errno.h>
#include <string.h>

static struct notes trace;
static int outcome[16];
static struct aiol_future future;

static int run_task(aiol_task_fn fn)
{
    memset(&trace, 0, sizeof trace);
    memset(outcome, 0, sizeof outcome);
    return run_sim(0, fn, NULL);
}

static int await_and_note(void *arg)
{
    void *value = NULL;
    int rc = aiol_await_future(&future, &value);

    note(&trace, *(char *)arg);
    if (value)
        note(&trace, *(char *)value);
    return rc;
}

static void on_set(struct aiol_future_observer *observer, int status, void *value, void *data)
{
    (void)observer;
    outcome[*(int *)data] = status;
    note(&trace, value ? *(char *)value : '!');
}

static int set_for_all(void *arg)
{
    struct aiol_future_observer observer;
    struct aiol_group group;
    int slot = 1;

    (void)arg;
    aiol_future_init(&future, aiol_loop_current(), NULL, NULL);
    aiol_future_observer_init(&observer, &future, on_set, &slot);
    aiol_group_open(&group, AIOL_GROUP_INDEPENDENT);
    aiol_group_spawn(&group, await_and_note, "a");
    aiol_group_spawn(&group, await_and_note, "b");
    aiol_await_sleep(1);
    aiol_future_observer_start(&observer);
    aiol_future_set(&future, 5, "x");
    outcome[0] = trace.length == 0; /* nobody is called inside */
    outcome[2] = aiol_await_group(&group);
    aiol_await_sleep(1);
    outcome[3] = aiol_await_future(&future, NULL); /* it stays set */
    aiol_future_close(&future);
    return 0;
}

static void test_p6_a_future_wakes_all_who_wait_in_their_order(void **state)
{
    (void)state;
    assert_int_equal(run_task(set_for_all), 0);
    assert_string_equal(trace.text, "axbxx");
    assert_int_equal(outcome[0], 1);
    assert_int_equal(outcome[1], 5);
    assert_int_equal(outcome[2], 0);
    assert_int_equal(outcome[3], 5);
}

static int set_failure(void *arg)
{
    void *value = &trace;
    struct aiol_future unset;

    (void)arg;
    aiol_future_init(&future, aiol_loop_current(), NULL, NULL);
    aiol_future_set(&future, -EIO, &trace);
    outcome[0] = aiol_await_future(&future, &value);
    outcome[1] = value == &trace; /* left alone */
    outcome[2] = aiol_await_future(&future, NULL);
    aiol_future_close(&future);

    aiol_future_init(&unset, aiol_loop_current(), NULL, NULL);
    aiol_future_cancel(&unset);
    outcome[3] = aiol_await_future(&unset, &value);
    aiol_future_close(&unset);
    aiol_future_init(&unset, aiol_loop_current(), NULL, NULL);
    aiol_future_close(&unset);
    outcome[4] = aiol_await_future(&unset, &value);
    outcome[5] = value == &trace;
    return 0;
}

static void test_p3_a_failed_future_leaves_the_output_alone(void **state)
{
    (void)state;
    assert_int_equal(run_task(set_failure), 0);
    assert_int_equal(outcome[0], -EIO);
    assert_int_equal(outcome[1], 1);
    assert_int_equal(outcome[2], -EIO);
    assert_int_equal(outcome[3], -ECANCELED);
    assert_int_equal(outcome[4], AIOL_ECLOSED);
    assert_int_equal(outcome[5], 1);
}

static void note_withdrawal(struct aiol_future *withdrawn, void *data)
{
    (void)withdrawn;
    note(&trace, *(char *)data);
}

static int await_until_cancelled(void *arg)
{
    outcome[*(int *)arg] = aiol_await_future(&future, NULL);
    return outcome[*(int *)arg];
}

static int cancel_one_of_two(void *arg)
{
    static int first = 0, second = 1;
    struct aiol_task *tasks[2];

    (void)arg;
    aiol_future_init(&future, aiol_loop_current(), note_withdrawal, "w");
    aiol_task_spawn(aiol_loop_current(), await_until_cancelled, &first, &tasks[0]);
    aiol_task_spawn(aiol_loop_current(), await_until_cancelled, &second, &tasks[1]);
    aiol_await_yield();
    aiol_task_cancel(tasks[0]);
    aiol_await_task(tasks[0], NULL);
    outcome[2] = aiol_future_is_set(&future);
    outcome[3] = aiol_future_set(&future, 6, NULL);
    aiol_await_task(tasks[1], NULL);
    aiol_future_close(&future);
    return 0;
}

static void test_cancelling_one_who_waits_leaves_the_future_to_the_others(void **state)
{
    (void)state;
    assert_int_equal(run_task(cancel_one_of_two), 0);
    assert_int_equal(outcome[0], -ECANCELED);
    assert_int_equal(outcome[1], 6);
    assert_int_equal(outcome[2], 0);
    assert_int_equal(outcome[3], 0);
    assert_string_equal(trace.text, "");
}

static int set_and_cancel_the_task(void *arg)
{
    aiol_future_set(&future, 7, "v");
    aiol_task_cancel(arg);
    aiol_future_close(&future); /* and its memory may go before the task has run */
    memset(&future, 0xee, sizeof future);
    return 0;
}

static int race_with_a_cancel(void *arg)
{
    void *value = NULL;

    (void)arg;
    aiol_future_init(&future, aiol_loop_current(), NULL, NULL);
    aiol_task_spawn(aiol_loop_current(), set_and_cancel_the_task, aiol_task_current(), NULL);
    outcome[0] = aiol_await_future(&future, &value);
    outcome[1] = value && *(char *)value == 'v';
    outcome[2] = aiol_await_yield();
    return 0;
}

static void test_p2_a_result_that_came_before_the_cancel_is_not_lost(void **state)
{
    (void)state;
    assert_int_equal(run_task(race_with_a_cancel), 0);
    assert_int_equal(outcome[0], 7);
    assert_int_equal(outcome[1], 1);
    assert_int_equal(outcome[2], -ECANCELED);
}

static int close_it(void *arg)
{
    (void)arg;
    aiol_future_close(&future);
    memset(&future, 0xee, sizeof future);
    return 0;
}

static int wait_until_closed(void *arg)
{
    (void)arg;
    aiol_future_init(&future, aiol_loop_current(), note_withdrawal, "w");
    aiol_task_spawn(aiol_loop_current(), close_it, NULL, NULL);
    return aiol_await_future(&future, NULL);
}

static void test_p1_closing_a_future_tells_tasks_and_withdraws_the_work(void **state)
{
    (void)state;
    assert_int_equal(run_task(wait_until_closed), AIOL_ECLOSED);
    assert_string_equal(trace.text, "w");
}

static int await_future_of_another_loop(void *arg)
{
    (void)arg;
    return aiol_await_future(&future, NULL);
}

static void test_p3_a_future_of_another_loop_cannot_be_awaited(void **state)
{
    struct aiol_loop *other = new_sim_loop(0);

    (void)state;
    aiol_future_init(&future, other, NULL, NULL);
    aiol_future_set(&future, 3, NULL);
    assert_int_equal(run_task(await_future_of_another_loop), -EINVAL);
    aiol_future_close(&future);
    free_loop(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p6_a_future_wakes_all_who_wait_in_their_order),
        TEST(test_p3_a_failed_future_leaves_the_output_alone),
        TEST(test_cancelling_one_who_waits_leaves_the_future_to_the_others),
        TEST(test_p2_a_result_that_came_before_the_cancel_is_not_lost),
        TEST(test_p1_closing_a_future_tells_tasks_and_withdraws_the_work),
        TEST(test_p3_a_future_of_another_loop_cannot_be_awaited),
    };

    return cmocka_run_group_tests_name("await/future", tests, NULL, NULL);
}
