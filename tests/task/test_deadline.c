/* P14: a scope's deadline becomes -ETIMEDOUT if, and only if, it cut a call inside it short. */
#include "support.h"

#include <errno.h>
#include <string.h>

static int outcome[16];

static int run_task(aiol_task_fn fn)
{
    memset(outcome, 0, sizeof outcome);
    return run_sim(0, fn, NULL);
}

static uint64_t now_ns(void)
{
    return aiol_loop_now_ns(aiol_loop_current());
}

static int now_s(void)
{
    return (int)(now_ns() / AIOL_SECOND);
}

static int sleep_too_long(void *arg)
{
    struct aiol_scope limit;

    (void)arg;
    aiol_scope_enter(&limit, aiol_deadline_after(2 * AIOL_SECOND));
    outcome[0] = aiol_await_sleep(AIOL_HOUR);
    outcome[1] = now_ns() == 2 * AIOL_SECOND;
    outcome[2] = aiol_await_yield(); /* still inside */
    return aiol_scope_leave(&limit, outcome[0]);
}

static void test_p14_a_deadline_that_cuts_a_call_short_is_a_timeout(void **state)
{
    (void)state;
    assert_int_equal(run_task(sleep_too_long), -ETIMEDOUT);
    assert_int_equal(outcome[0], -ECANCELED);
    assert_int_equal(outcome[1], 1);
    assert_int_equal(outcome[2], -ECANCELED);
}

static int finish_in_time(void *arg)
{
    struct aiol_scope limit;

    (void)arg;
    aiol_scope_enter(&limit, aiol_deadline_after(2 * AIOL_SECOND));
    outcome[0] = aiol_await_sleep(AIOL_SECOND);
    outcome[1] = aiol_scope_leave(&limit, 9);
    outcome[2] = aiol_await_sleep(5 * AIOL_SECOND); /* the deadline passes outside */
    return 0;
}

static void test_p14_a_deadline_that_was_not_reached_leaves_no_trace(void **state)
{
    (void)state;
    assert_int_equal(run_task(finish_in_time), 0);
    assert_int_equal(outcome[0], 0);
    assert_int_equal(outcome[1], 9);
    assert_int_equal(outcome[2], 0);
}

static int succeed_or_fail_after_the_cut(void *arg)
{
    static const int results[] = {0, 7, -EIO, AIOL_ECLOSED};

    (void)arg;
    for (size_t i = 0; i < COUNT_OF(results); i++) {
        struct aiol_scope limit;

        aiol_scope_enter(&limit, aiol_deadline_after(AIOL_SECOND));
        aiol_await_sleep(AIOL_HOUR);
        outcome[i] = aiol_scope_leave(&limit, results[i]) == results[i];
    }
    return 0;
}

static void test_p14_a_success_is_never_thrown_away_and_other_failures_stay(void **state)
{
    (void)state;
    assert_int_equal(run_task(succeed_or_fail_after_the_cut), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(outcome[i], 1);
}

static int time_out_inside(void *arg)
{
    struct aiol_scope outer, inner;

    (void)arg;
    aiol_scope_enter(&outer, aiol_deadline_after(10 * AIOL_SECOND));
    aiol_scope_enter(&inner, aiol_deadline_after(1 * AIOL_SECOND));
    outcome[0] = aiol_scope_leave(&inner, aiol_await_sleep(AIOL_HOUR));
    outcome[1] = aiol_await_sleep(AIOL_SECOND);
    outcome[2] = now_s();
    return aiol_scope_leave(&outer, outcome[1]);
}

static void test_p14_an_inner_deadline_is_not_the_outer_scopes_affair(void **state)
{
    (void)state;
    assert_int_equal(run_task(time_out_inside), 0);
    assert_int_equal(outcome[0], -ETIMEDOUT);
    assert_int_equal(outcome[1], 0);
    assert_int_equal(outcome[2], 2);
}

static int time_out_outside(void *arg)
{
    struct aiol_scope outer, inner;

    (void)arg;
    aiol_scope_enter(&outer, aiol_deadline_after(1 * AIOL_SECOND));
    aiol_scope_enter(&inner, aiol_deadline_after(10 * AIOL_SECOND));
    outcome[0] = aiol_scope_leave(&inner, aiol_await_sleep(AIOL_HOUR));
    outcome[1] = now_s();
    return aiol_scope_leave(&outer, outcome[0]);
}

static void test_p14_an_outer_deadline_is_a_timeout_of_the_outer_scope_only(void **state)
{
    (void)state;
    assert_int_equal(run_task(time_out_outside), -ETIMEDOUT);
    assert_int_equal(outcome[0], -ECANCELED);
    assert_int_equal(outcome[1], 1);
}

static int cancel_on_top(void *arg)
{
    struct aiol_scope outer, inner;

    (void)arg;
    aiol_scope_enter(&outer, AIOL_NEVER);
    aiol_scope_enter(&inner, aiol_deadline_after(1 * AIOL_SECOND));
    outcome[0] = aiol_await_sleep(AIOL_HOUR); /* by the inner deadline */
    aiol_scope_cancel(&outer);
    outcome[1] = aiol_scope_leave(&inner, outcome[0]);
    return aiol_scope_leave(&outer, outcome[1]);
}

static void test_p14_an_outer_cancel_outranks_an_inner_timeout(void **state)
{
    (void)state;
    assert_int_equal(run_task(cancel_on_top), -ECANCELED);
    assert_int_equal(outcome[0], -ECANCELED);
    assert_int_equal(outcome[1], -ECANCELED);
}

static int begin_too_late(void *arg)
{
    struct aiol_scope limit;

    (void)arg;
    aiol_await_sleep(5 * AIOL_SECOND);
    aiol_scope_enter(&limit, 3 * AIOL_SECOND);
    outcome[0] = aiol_scope_is_cancelled(&limit);
    outcome[1] = aiol_await_sleep(1);
    outcome[2] = aiol_scope_leave(&limit, outcome[1]);
    outcome[3] = now_ns() == 5 * AIOL_SECOND;

    aiol_scope_enter(&limit, now_ns()); /* now is too late as well */
    outcome[4] = aiol_scope_leave(&limit, aiol_await_yield());

    aiol_scope_enter(&limit, 3 * AIOL_SECOND); /* nothing is awaited: nothing was cut short */
    outcome[5] = aiol_scope_leave(&limit, -ECANCELED);
    aiol_scope_enter(&limit, 3 * AIOL_SECOND);
    outcome[6] = aiol_scope_leave(&limit, 4);
    return aiol_await_sleep(1);
}

static void test_p14_a_deadline_already_past_cancels_at_once(void **state)
{
    (void)state;
    assert_int_equal(run_task(begin_too_late), 0);
    assert_int_equal(outcome[0], 1);
    assert_int_equal(outcome[1], -ECANCELED);
    assert_int_equal(outcome[2], -ETIMEDOUT);
    assert_int_equal(outcome[3], 1);
    assert_int_equal(outcome[4], -ETIMEDOUT);
    assert_int_equal(outcome[5], -ECANCELED);
    assert_int_equal(outcome[6], 4);
}

static int cancel_before_the_deadline(void *arg)
{
    struct aiol_scope limit;
    struct aiol_future never;

    (void)arg;
    aiol_scope_enter(&limit, aiol_deadline_after(AIOL_SECOND));
    aiol_scope_cancel(&limit);
    outcome[0] = aiol_scope_leave(&limit, aiol_await_sleep(AIOL_HOUR));

    /* A -ECANCELED that is the doing of neither the scope nor its deadline. */
    aiol_future_init(&never, aiol_loop_current(), NULL, NULL);
    aiol_future_cancel(&never);
    aiol_scope_enter(&limit, aiol_deadline_after(AIOL_SECOND));
    outcome[1] = aiol_await_future(&never, NULL);
    outcome[2] = aiol_scope_leave(&limit, outcome[1]);
    aiol_future_close(&never);
    return 0;
}

static void test_p14_a_cancel_is_not_a_timeout(void **state)
{
    (void)state;
    assert_int_equal(run_task(cancel_before_the_deadline), 0);
    assert_int_equal(outcome[0], -ECANCELED);
    assert_int_equal(outcome[1], -ECANCELED);
    assert_int_equal(outcome[2], -ECANCELED);
}

static int let_the_deadline_pass_after_a_cancel(void *arg)
{
    struct aiol_scope limit;
    uint64_t deadline_ns = aiol_deadline_after(AIOL_SECOND);

    (void)arg;
    aiol_scope_enter(&limit, deadline_ns);
    aiol_scope_cancel(&limit);
    pass_fake_time(2 * AIOL_SECOND);
    for (int i = 0; i < 10000 && now_ns() <= deadline_ns; i++)
        outcome[0] = aiol_await_yield();
    for (int i = 0; i < 1000; i++) /* another turn, so that the timer has fired */
        aiol_await_yield();
    outcome[1] = now_ns() > deadline_ns;
    return aiol_scope_leave(&limit, outcome[0]);
}

static void test_p14_a_cancel_stays_one_when_the_deadline_passes_later(void **state)
{
    (void)state;
    begin_fake_time(AIOL_HOUR);
    assert_int_equal(run_real(let_the_deadline_pass_after_a_cancel, NULL), -ECANCELED);
    assert_int_equal(outcome[0], -ECANCELED);
    assert_int_equal(outcome[1], 1);
}

static int sleep_until_an_equal_deadline(void *arg)
{
    struct aiol_scope outer, inner;

    (void)arg;
    aiol_scope_enter(&outer, AIOL_SECOND);
    aiol_scope_enter(&inner, AIOL_SECOND);
    /* Three timers are due at once; the first one started is the outer scope's. */
    outcome[0] = aiol_await_sleep_until(AIOL_SECOND);
    outcome[1] = aiol_scope_leave(&inner, outcome[0]);
    return aiol_scope_leave(&outer, outcome[1]);
}

static void test_p14_of_equal_deadlines_the_outer_one_comes_first(void **state)
{
    (void)state;
    assert_int_equal(run_task(sleep_until_an_equal_deadline), -ETIMEDOUT);
    assert_int_equal(outcome[0], -ECANCELED);
    assert_int_equal(outcome[1], -ECANCELED);
}

static int sleep_for_an_hour(void *arg)
{
    outcome[*(int *)arg] = aiol_await_sleep(AIOL_HOUR);
    return outcome[*(int *)arg];
}

static int limit_a_group(void *arg)
{
    static int first = 0, second = 1;
    struct aiol_scope limit;
    struct aiol_group group;

    (void)arg;
    aiol_scope_enter(&limit, aiol_deadline_after(AIOL_SECOND));
    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    aiol_group_spawn(&group, sleep_for_an_hour, &first);
    aiol_group_spawn(&group, sleep_for_an_hour, &second);
    outcome[2] = aiol_await_group(&group);
    return aiol_scope_leave(&limit, outcome[2]);
}

static void test_p14_a_deadline_around_a_group_counts_what_it_cut_short_in_its_tasks(void **state)
{
    (void)state;
    assert_int_equal(run_task(limit_a_group), -ETIMEDOUT);
    assert_int_equal(outcome[0], -ECANCELED);
    assert_int_equal(outcome[1], -ECANCELED);
    assert_int_equal(outcome[2], -ECANCELED);
}

static int cancel_the_task_itself(void *arg)
{
    struct aiol_scope limit;

    (void)arg;
    aiol_scope_enter(&limit, aiol_deadline_after(AIOL_SECOND));
    outcome[0] = aiol_await_sleep(AIOL_HOUR);
    aiol_task_cancel(aiol_task_current());
    return aiol_scope_leave(&limit, outcome[0]);
}

static void test_p14_the_cancel_of_the_task_outranks_every_timeout_in_it(void **state)
{
    (void)state;
    assert_int_equal(run_task(cancel_the_task_itself), -ECANCELED);
    assert_int_equal(outcome[0], -ECANCELED);
}

static int wake_up_just_before_the_deadline(void *arg)
{
    struct aiol_scope limit;
    struct aiol_future future;

    (void)arg;
    aiol_scope_enter(&limit, AIOL_SECOND);
    aiol_future_init(&future, aiol_loop_current(), NULL, NULL);
    aiol_future_set(&future, 3, NULL);
    aiol_await_sleep_until(AIOL_SECOND - 1);
    outcome[0] = aiol_await_future(&future, NULL);
    outcome[1] = aiol_await_sleep(AIOL_NEVER);
    outcome[2] = aiol_await_future(&future, NULL); /* ready, but the scope is cancelled */
    aiol_future_close(&future);
    return aiol_scope_leave(&limit, outcome[0]);
}

static void test_p14_what_had_succeeded_before_the_deadline_can_be_the_result(void **state)
{
    (void)state;
    assert_int_equal(run_task(wake_up_just_before_the_deadline), 3);
    assert_int_equal(outcome[0], 3);
    assert_int_equal(outcome[1], -ECANCELED);
    assert_int_equal(outcome[2], -ECANCELED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p14_a_deadline_that_cuts_a_call_short_is_a_timeout),
        TEST(test_p14_a_deadline_that_was_not_reached_leaves_no_trace),
        TEST(test_p14_a_success_is_never_thrown_away_and_other_failures_stay),
        TEST(test_p14_an_inner_deadline_is_not_the_outer_scopes_affair),
        TEST(test_p14_an_outer_deadline_is_a_timeout_of_the_outer_scope_only),
        TEST(test_p14_an_outer_cancel_outranks_an_inner_timeout),
        TEST(test_p14_a_deadline_already_past_cancels_at_once),
        TEST(test_p14_a_cancel_is_not_a_timeout),
        TEST(test_p14_a_cancel_stays_one_when_the_deadline_passes_later),
        TEST(test_p14_of_equal_deadlines_the_outer_one_comes_first),
        TEST(test_p14_a_deadline_around_a_group_counts_what_it_cut_short_in_its_tasks),
        TEST(test_p14_the_cancel_of_the_task_outranks_every_timeout_in_it),
        TEST(test_p14_what_had_succeeded_before_the_deadline_can_be_the_result),
    };

    return cmocka_run_group_tests_name("task/deadline", tests, NULL, NULL);
}
