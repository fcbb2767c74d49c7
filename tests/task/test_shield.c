/* Shielded scopes, deadlines that are moved, and asking whether one is cancelled. */
#include "support.h"

#include <errno.h>
#include <string.h>

static int outcome[16];
static uint64_t moment_ns;

static int run_task(aiol_task_fn fn, void *arg)
{
    memset(outcome, 0, sizeof outcome);
    return run_sim(0, fn, arg);
}

static uint64_t now_ns(void)
{
    return aiol_loop_now_ns(aiol_loop_current());
}

static int sleep_shielded(void *arg)
{
    struct aiol_scope shield;

    (void)arg;
    aiol_scope_enter_shielded(&shield, AIOL_NEVER);
    outcome[0] = aiol_await_sleep(AIOL_SECOND);
    outcome[1] = aiol_scope_is_cancelled(&shield);
    outcome[2] = aiol_task_is_cancelled(aiol_task_current());
    outcome[3] = aiol_scope_leave(&shield, outcome[0]);
    outcome[4] = aiol_task_is_cancelled(aiol_task_current());
    outcome[5] = aiol_await_sleep(1);
    moment_ns = now_ns();
    return 7;
}

static int cancel_the_shielded(void *arg)
{
    struct aiol_task *task;

    (void)arg;
    aiol_task_spawn(aiol_loop_current(), sleep_shielded, NULL, &task);
    aiol_await_yield();
    aiol_task_cancel(task);
    outcome[6] = aiol_task_is_cancelled(task);
    outcome[7] = aiol_await_task(task, &outcome[8]);
    return 0;
}

static void test_p2_a_cancel_waits_for_the_end_of_a_shield(void **state)
{
    (void)state;
    assert_int_equal(run_task(cancel_the_shielded, NULL), 0);
    assert_int_equal(outcome[0], 0);
    assert_int_equal(outcome[1], 0);
    assert_int_equal(outcome[2], 0);
    assert_int_equal(outcome[3], 0);
    assert_int_equal(outcome[4], 1);
    assert_int_equal(outcome[5], -ECANCELED);
    assert_int_equal(outcome[6], 0);
    assert_int_equal(outcome[7], 0);
    assert_int_equal(outcome[8], 7);
    assert_true(moment_ns == AIOL_SECOND);
}

static int shield_in_a_cancelled_scope(void *arg)
{
    struct aiol_scope outer, shield, inner, deeper;

    (void)arg;
    aiol_scope_enter(&outer, AIOL_NEVER);
    aiol_scope_cancel(&outer);
    aiol_scope_enter_shielded(&shield, aiol_deadline_after(AIOL_SECOND));
    outcome[0] = aiol_await_sleep(1);
    aiol_scope_enter(&inner, AIOL_NEVER);
    outcome[1] = aiol_await_sleep(1);
    aiol_scope_cancel(&outer);
    outcome[2] = aiol_await_sleep(1);
    aiol_scope_enter_shielded(&deeper, AIOL_NEVER);
    aiol_scope_cancel(&shield);
    outcome[3] = aiol_await_sleep(1);
    aiol_scope_leave(&deeper, 0);
    outcome[4] = aiol_await_sleep(1);
    aiol_scope_leave(&inner, 0);
    aiol_scope_leave(&shield, 0);
    outcome[5] = aiol_await_sleep(1);
    return aiol_scope_leave(&outer, 0);
}

static void test_shields_nest(void **state)
{
    (void)state;
    assert_int_equal(run_task(shield_in_a_cancelled_scope, NULL), 0);
    assert_int_equal(outcome[0], 0);
    assert_int_equal(outcome[1], 0);
    assert_int_equal(outcome[2], 0);
    assert_int_equal(outcome[3], 0);
    assert_int_equal(outcome[4], -ECANCELED);
    assert_int_equal(outcome[5], -ECANCELED);
}

static int outlive_a_shield(void *arg)
{
    struct aiol_scope outer, shield;
    int rc;

    (void)arg;
    aiol_scope_enter(&outer, aiol_deadline_after(AIOL_SECOND));
    aiol_scope_enter_shielded(&shield, aiol_deadline_after(3 * AIOL_SECOND));
    rc = aiol_await_sleep(AIOL_HOUR);
    moment_ns = now_ns();
    outcome[0] = aiol_scope_leave(&shield, rc);
    outcome[1] = aiol_scope_leave(&outer, 0);
    aiol_scope_enter(&outer, aiol_deadline_after(AIOL_SECOND));
    aiol_scope_enter_shielded(&shield, aiol_deadline_after(AIOL_SECOND));
    rc = aiol_await_sleep(AIOL_HOUR);
    aiol_scope_leave(&shield, 0);
    /* Nothing but the shield was cut. */
    outcome[2] = aiol_scope_leave(&outer, rc);
    return 0;
}

static void test_p14_a_shields_own_deadline_holds_and_is_its_own(void **state)
{
    (void)state;
    assert_int_equal(run_task(outlive_a_shield, NULL), 0);
    assert_true(moment_ns == 3 * AIOL_SECOND);
    assert_int_equal(outcome[0], -ETIMEDOUT);
    assert_int_equal(outcome[1], 0);
    assert_int_equal(outcome[2], -ECANCELED);
}

static int sleep_for_a_second(void *arg)
{
    int rc = aiol_await_sleep(AIOL_SECOND);

    ++*(int *)arg;
    return rc;
}

static int spawn_in_a_shield(void *arg)
{
    struct aiol_scope outer, shield;
    struct aiol_group group;

    (void)arg;
    aiol_scope_enter(&outer, aiol_deadline_after(AIOL_MILLISECOND));
    aiol_scope_enter_shielded(&shield, AIOL_NEVER);
    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    aiol_group_spawn(&group, sleep_for_a_second, &outcome[0]);
    aiol_await_sleep(AIOL_SECOND / 2);
    aiol_group_spawn(&group, sleep_for_a_second, &outcome[0]);
    outcome[1] = aiol_await_group(&group);
    aiol_scope_leave(&shield, 0);
    return aiol_scope_leave(&outer, 0);
}

static void test_groups_and_their_tasks_are_shielded_too(void **state)
{
    (void)state;
    assert_int_equal(run_task(spawn_in_a_shield, NULL), 0);
    assert_int_equal(outcome[0], 2);
    assert_int_equal(outcome[1], 0);
}

static int move_deadlines(void *arg)
{
    struct aiol_scope scope;

    (void)arg;
    aiol_scope_enter(&scope, aiol_deadline_after(AIOL_SECOND));
    outcome[0] = aiol_scope_set_deadline(&scope, aiol_deadline_after(2 * AIOL_SECOND));
    outcome[1] = aiol_scope_deadline_ns(&scope) == 2 * AIOL_SECOND;
    outcome[2] = aiol_await_sleep(AIOL_SECOND + 1);
    aiol_scope_set_deadline(&scope, AIOL_NEVER);
    outcome[3] = aiol_scope_deadline_ns(&scope) == AIOL_NEVER;
    outcome[4] = aiol_await_sleep(AIOL_HOUR);
    aiol_scope_set_deadline(&scope, aiol_deadline_after(1));
    outcome[5] = aiol_await_sleep(AIOL_HOUR);
    aiol_scope_set_deadline(&scope, AIOL_NEVER);
    outcome[6] = aiol_await_sleep(1);
    outcome[7] = aiol_scope_leave(&scope, outcome[5]);
    outcome[8] = aiol_scope_set_deadline(&scope, 1);
    aiol_scope_enter(&scope, AIOL_NEVER);
    aiol_scope_set_deadline(&scope, now_ns());
    outcome[9] = aiol_await_sleep(1);
    return aiol_scope_leave(&scope, 0);
}

static void test_a_deadline_is_moved_removed_and_set_late(void **state)
{
    (void)state;
    assert_int_equal(run_task(move_deadlines, NULL), 0);
    assert_int_equal(outcome[0], 0);
    assert_int_equal(outcome[1], 1);
    assert_int_equal(outcome[2], 0);
    assert_int_equal(outcome[3], 1);
    assert_int_equal(outcome[4], 0);
    assert_int_equal(outcome[5], -ECANCELED);
    assert_int_equal(outcome[6], -ECANCELED);
    assert_int_equal(outcome[7], -ETIMEDOUT);
    assert_int_equal(outcome[8], -EINVAL);
    assert_int_equal(outcome[9], -ECANCELED);
}

static int sleep_in_a_shield(void *arg)
{
    struct aiol_scope shield;
    int rc;

    aiol_scope_enter_shielded(&shield, AIOL_NEVER);
    rc = aiol_await_sleep(*(uint64_t *)arg);
    moment_ns = now_ns();
    outcome[0] = rc;
    return aiol_scope_leave(&shield, rc);
}

static int leave_somebody_shielded(void *arg)
{
    aiol_task_spawn(aiol_loop_current(), sleep_in_a_shield, arg, NULL);
    return aiol_await_yield();
}

static void test_the_end_of_a_run_waits_for_what_is_shielded(void **state)
{
    uint64_t delay_ns = AIOL_HOUR;

    (void)state;
    assert_int_equal(run_task(leave_somebody_shielded, &delay_ns), 0);
    assert_int_equal(outcome[0], 0);
    assert_true(moment_ns == AIOL_HOUR);
}

static int stop_while_shielded(void *arg)
{
    struct aiol_scope shield;
    int rc;

    (void)arg;
    aiol_scope_enter_shielded(&shield, AIOL_NEVER);
    rc = aiol_await_sleep(AIOL_SECOND);
    aiol_loop_stop(aiol_loop_current());
    outcome[0] = aiol_first_error(rc, aiol_await_sleep(AIOL_SECOND));
    moment_ns = now_ns();
    return aiol_scope_leave(&shield, 0);
}

static int leave_somebody_who_stops(void *arg)
{
    aiol_task_spawn(aiol_loop_current(), stop_while_shielded, arg, NULL);
    return aiol_await_yield();
}

static void test_stopping_a_run_that_ends_does_not_keep_it_from_sleeping(void **state)
{
    (void)state;
    assert_int_equal(run_task(leave_somebody_who_stops, NULL), 0);
    assert_int_equal(outcome[0], 0);
    assert_true(moment_ns == 2 * AIOL_SECOND);
}

static void test_a_shield_does_not_hold_where_nothing_can_happen(void **state)
{
    uint64_t delay_ns = AIOL_NEVER;

    (void)state;
    assert_int_equal(run_task(leave_somebody_shielded, &delay_ns), 0);
    assert_int_equal(outcome[0], -ECANCELED);
    assert_int_equal(run_task(sleep_in_a_shield, &delay_ns), -EDEADLK);
    assert_int_equal(outcome[0], -ECANCELED);
}

static int enter_nowhere(void)
{
    struct aiol_scope shield;

    return aiol_scope_enter_shielded(&shield, AIOL_NEVER);
}

static void test_shields_are_for_tasks(void **state)
{
    (void)state;
    assert_int_equal(enter_nowhere(), AIOL_ENOTASK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p2_a_cancel_waits_for_the_end_of_a_shield),
        TEST(test_shields_nest),
        TEST(test_p14_a_shields_own_deadline_holds_and_is_its_own),
        TEST(test_groups_and_their_tasks_are_shielded_too),
        TEST(test_a_deadline_is_moved_removed_and_set_late),
        TEST(test_the_end_of_a_run_waits_for_what_is_shielded),
        TEST(test_stopping_a_run_that_ends_does_not_keep_it_from_sleeping),
        TEST(test_a_shield_does_not_hold_where_nothing_can_happen),
        TEST(test_shields_are_for_tasks),
    };

    return cmocka_run_group_tests_name("task/shield", tests, NULL, NULL);
}
