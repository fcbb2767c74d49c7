/* Functions that are called when a scope is left. */
#include "support.h"

#include <errno.h>
#include <string.h>

static struct notes trace;
static int outcome[16];

static int run_task(aiol_task_fn fn)
{
    memset(&trace, 0, sizeof trace);
    memset(outcome, 0, sizeof outcome);
    return run_sim(0, fn, NULL);
}

static void note_letter(void *data)
{
    note(&trace, *(const char *)data);
}

static int leave_with_cleanups(void *arg)
{
    struct aiol_cleanup cleanups[4];
    struct aiol_scope outer, inner;

    (void)arg;
    aiol_scope_enter(&outer, AIOL_NEVER);
    outcome[0] = aiol_scope_add_cleanup(&outer, &cleanups[0], note_letter, "a");
    aiol_scope_add_cleanup(&outer, &cleanups[1], note_letter, "b");
    aiol_scope_enter(&inner, AIOL_NEVER);
    aiol_scope_add_cleanup(&outer, &cleanups[2], note_letter, "c");
    aiol_scope_add_cleanup(&inner, &cleanups[3], note_letter, "d");
    outcome[1] = aiol_scope_remove_cleanup(&outer, &cleanups[1]);
    outcome[2] = aiol_scope_remove_cleanup(&outer, &cleanups[1]);
    aiol_scope_cancel(&outer);
    outcome[3] = aiol_await_sleep(1);
    note(&trace, '|');
    aiol_scope_leave(&inner, 0);
    note(&trace, '|');
    outcome[4] = aiol_scope_leave(&outer, outcome[3]);
    outcome[5] = aiol_scope_add_cleanup(&outer, &cleanups[0], note_letter, "e");
    outcome[6] = aiol_scope_remove_cleanup(&outer, &cleanups[0]);
    return 0;
}

static void test_the_last_one_added_is_called_first_and_before_what_is_around(void **state)
{
    (void)state;
    assert_int_equal(run_task(leave_with_cleanups), 0);
    assert_string_equal(trace.text, "|d|ca");
    assert_int_equal(outcome[0], 0);
    assert_int_equal(outcome[1], 1);
    assert_int_equal(outcome[2], 0);
    assert_int_equal(outcome[3], -ECANCELED);
    assert_int_equal(outcome[4], -ECANCELED);
    assert_int_equal(outcome[5], -EINVAL);
    assert_int_equal(outcome[6], 0);
}

static void try_to_wait(void *data)
{
    note(&trace, 'w');
    *(int *)data = aiol_await_sleep(1);
}

static int leave_at_once(void *arg)
{
    struct aiol_cleanup cleanup;
    struct aiol_scope scope;

    (void)arg;
    aiol_scope_enter(&scope, AIOL_NEVER);
    aiol_scope_add_cleanup(&scope, &cleanup, try_to_wait, &outcome[0]);
    outcome[1] = aiol_scope_leave(&scope, 3);
    outcome[2] = aiol_await_sleep(1);
    return 0;
}

static void test_a_cleanup_cannot_wait_inside_a_leave_that_does_not(void **state)
{
    (void)state;
    assert_int_equal(run_task(leave_at_once), 0);
    assert_string_equal(trace.text, "w");
    assert_int_equal(outcome[0], AIOL_ENOTASK);
    assert_int_equal(outcome[1], 3);
    assert_int_equal(outcome[2], 0);
}

static uint64_t moment_ns;

static void wait_long(void *data)
{
    *(int *)data = aiol_await_sleep(AIOL_HOUR);
    moment_ns = aiol_loop_now_ns(aiol_loop_current());
}

static int leave_by_waiting(void *arg)
{
    struct aiol_cleanup first, second;
    struct aiol_scope outer, scope;

    (void)arg;
    aiol_scope_enter(&outer, AIOL_NEVER);
    aiol_scope_enter(&scope, AIOL_NEVER);
    aiol_scope_add_cleanup(&scope, &first, wait_long, &outcome[0]);
    aiol_scope_add_cleanup(&scope, &second, try_to_wait, &outcome[1]);
    aiol_scope_cancel(&outer);
    outcome[2] = aiol_await_scope_leave(&scope, -ECANCELED, aiol_deadline_after(AIOL_SECOND));
    outcome[3] = aiol_await_scope_leave(&scope, 5, AIOL_NEVER); /* left before */
    outcome[4] = aiol_await_sleep(1);
    aiol_scope_enter(&scope, AIOL_NEVER);
    outcome[5] = aiol_await_scope_leave(&outer, 5, AIOL_NEVER); /* not the innermost one */
    aiol_scope_leave(&scope, 0);
    return aiol_scope_leave(&outer, 0);
}

static void test_p14_cleanups_wait_until_their_deadline_whatever_is_cancelled(void **state)
{
    (void)state;
    assert_int_equal(run_task(leave_by_waiting), 0);
    assert_int_equal(outcome[1], 0);
    assert_int_equal(outcome[0], -ECANCELED);
    assert_true(moment_ns == AIOL_SECOND);
    assert_int_equal(outcome[2], -ECANCELED);
    assert_int_equal(outcome[3], 5);
    assert_int_equal(outcome[4], -ECANCELED);
    assert_int_equal(outcome[5], -EINVAL);
}

static int leave_open(void *arg)
{
    struct aiol_cleanup cleanup;
    struct aiol_scope scope;
    char letter = 'x';

    (void)arg;
    aiol_scope_enter(&scope, AIOL_NEVER);
    aiol_scope_add_cleanup(&scope, &cleanup, note_letter, &letter);
    return 0;
}

static void test_a_scope_left_open_is_cleaned_up(void **state)
{
    (void)state;
    assert_int_equal(run_task(leave_open), AIOL_ESCOPE);
    assert_string_equal(trace.text, "x");
}

static struct aiol_scope *growing;
static struct aiol_cleanup late;

static void add_another(void *data)
{
    (void)data;
    note(&trace, '1');
    aiol_scope_add_cleanup(growing, &late, note_letter, "2");
}

static int add_while_leaving(void *arg)
{
    struct aiol_cleanup cleanup;
    struct aiol_scope scope;

    (void)arg;
    growing = &scope;
    aiol_scope_enter(&scope, AIOL_NEVER);
    aiol_scope_add_cleanup(&scope, &cleanup, add_another, NULL);
    return aiol_scope_leave(&scope, 0);
}

static void test_what_a_cleanup_adds_is_called_too(void **state)
{
    (void)state;
    assert_int_equal(run_task(add_while_leaving), 0);
    assert_string_equal(trace.text, "12");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_last_one_added_is_called_first_and_before_what_is_around),
        TEST(test_a_cleanup_cannot_wait_inside_a_leave_that_does_not),
        TEST(test_p14_cleanups_wait_until_their_deadline_whatever_is_cancelled),
        TEST(test_a_scope_left_open_is_cleaned_up),
        TEST(test_what_a_cleanup_adds_is_called_too),
    };

    return cmocka_run_group_tests_name("task/cleanup", tests, NULL, NULL);
}
