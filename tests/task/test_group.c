/* Groups: they wait for all of their tasks, and say what the worst of them came to. */
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

/* A child: sleeps that many seconds, and ends with that result; notes its letter at the end, in
 * upper case if it was cancelled, and then fails with -ECANCELED. */
struct child {
    int seconds;
    int result;
    char letter;
};

static int be_child(void *arg)
{
    const struct child *child = arg;

    if (aiol_await_sleep((uint64_t)child->seconds * AIOL_SECOND) < 0) {
        note(&trace, (char)(child->letter - 'a' + 'A'));
        return -ECANCELED;
    }
    note(&trace, child->letter);
    return child->result;
}

static int spawn(struct aiol_group *group, int seconds, int result, char letter)
{
    struct child child = {seconds, result, letter};

    return aiol_group_spawn_copy(group, be_child, &child, sizeof child);
}

static int now_s(void)
{
    return (int)(aiol_loop_now_ns(aiol_loop_current()) / AIOL_SECOND);
}

static int wait_for_three(void *arg)
{
    struct aiol_group group;

    (void)arg;
    outcome[0] = aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    spawn(&group, 3, 30, 'c');
    spawn(&group, 1, 10, 'a');
    spawn(&group, 2, 20, 'b');
    outcome[1] = (int)aiol_group_running_count(&group);
    aiol_await_sleep(AIOL_SECOND + 1);
    outcome[2] = (int)aiol_group_running_count(&group);
    outcome[3] = aiol_await_group(&group);
    outcome[4] = now_s();
    outcome[5] = (int)aiol_group_running_count(&group);
    return 0;
}

static void test_a_group_waits_for_all_of_its_tasks_and_success_is_0(void **state)
{
    (void)state;
    assert_int_equal(run_task(wait_for_three), 0);
    assert_string_equal(trace.text, "abc");
    assert_int_equal(outcome[1], 3);
    assert_int_equal(outcome[2], 2);
    assert_int_equal(outcome[3], 0);
    assert_int_equal(outcome[4], 3);
    assert_int_equal(outcome[5], 0);
}

static int let_the_second_fail(void *arg)
{
    struct aiol_group group;

    (void)arg;
    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    spawn(&group, 5, 0, 'a');
    spawn(&group, 2, -EIO, 'b');
    spawn(&group, 6, -EPIPE, 'c');
    outcome[0] = aiol_await_sleep(AIOL_HOUR); /* the body belongs to the group, too */
    outcome[1] = now_s();
    outcome[2] = aiol_scope_is_cancelled(&group.scope);
    return aiol_await_group(&group);
}

static void test_the_first_failure_cancels_the_rest_and_the_body(void **state)
{
    (void)state;
    assert_int_equal(run_task(let_the_second_fail), -EIO);
    assert_string_equal(trace.text, "bAC");
    assert_int_equal(outcome[0], -ECANCELED);
    assert_int_equal(outcome[1], 2);
    assert_int_equal(outcome[2], 1);
}

static int let_each_be(void *arg)
{
    struct aiol_group group;

    (void)arg;
    aiol_group_open(&group, AIOL_GROUP_INDEPENDENT);
    spawn(&group, 3, 0, 'a');
    spawn(&group, 1, -EIO, 'b');
    spawn(&group, 2, -EPIPE, 'c');
    outcome[0] = aiol_await_sleep(2 * AIOL_SECOND + 1);
    outcome[1] = aiol_await_group(&group);
    return now_s();
}

static void test_independent_tasks_leave_each_other_alone_and_the_first_error_is_told(void **state)
{
    (void)state;
    assert_int_equal(run_task(let_each_be), 3);
    assert_string_equal(trace.text, "bca");
    assert_int_equal(outcome[0], 0);
    assert_int_equal(outcome[1], -EIO);
}

static int end_cancelled_by_oneself(void *arg)
{
    struct aiol_group group;

    (void)arg;
    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    spawn(&group, 1, -ECANCELED, 'a');
    spawn(&group, 2, 0, 'b');
    outcome[0] = aiol_await_group(&group);

    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    spawn(&group, 1, -ECANCELED, 'c');
    spawn(&group, 2, -EIO, 'd');
    outcome[1] = aiol_await_group(&group);
    return 0;
}

static void test_ending_with_ecanceled_is_no_failure_and_a_failure_outranks_it(void **state)
{
    (void)state;
    assert_int_equal(run_task(end_cancelled_by_oneself), 0);
    assert_string_equal(trace.text, "abcd");
    assert_int_equal(outcome[0], -ECANCELED);
    assert_int_equal(outcome[1], -EIO);
}

static int spawn_too_large(void *arg)
{
    static char bytes[16385];
    struct aiol_group group;

    (void)arg;
    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    spawn(&group, 1, 0, 'a');
    outcome[0] = aiol_group_spawn_copy(&group, be_child, bytes, sizeof bytes);
    outcome[1] = aiol_group_spawn(&group, be_child, bytes); /* cancelled by that failure */
    outcome[2] = (int)aiol_group_running_count(&group);
    outcome[3] = aiol_await_group(&group);

    aiol_group_open(&group, AIOL_GROUP_INDEPENDENT);
    spawn(&group, 1, 0, 'b');
    outcome[4] = aiol_group_spawn_copy(&group, be_child, bytes, sizeof bytes);
    outcome[5] = spawn(&group, 1, 0, 'c');
    outcome[6] = aiol_await_group(&group);
    return 0;
}

static void test_a_spawn_that_fails_is_a_failure_of_the_group(void **state)
{
    (void)state;
    assert_int_equal(run_task(spawn_too_large), 0);
    assert_string_equal(trace.text, "Abc");
    assert_int_equal(outcome[0], -E2BIG);
    assert_int_equal(outcome[1], -ECANCELED);
    assert_int_equal(outcome[2], 1);
    assert_int_equal(outcome[3], -E2BIG);
    assert_int_equal(outcome[4], -E2BIG);
    assert_int_equal(outcome[5], 0);
    assert_int_equal(outcome[6], -E2BIG);
}

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int spawn_without_memory(void *arg)
{
    struct aiol_group group;

    (void)arg;
    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    fail_allocation(1);
    /* Memory comes for many at a time. */
    while (outcome[0] == 0 && outcome[1] < 1000) {
        outcome[0] = aiol_group_spawn(&group, do_nothing, NULL);
        outcome[1] += outcome[0] == 0;
    }
    fail_allocation(0);
    outcome[2] = (int)aiol_group_running_count(&group);
    return aiol_await_group(&group);
}

static void test_p3_a_group_survives_that_there_is_no_memory_for_a_task(void **state)
{
    (void)state;
    assert_int_equal(run_task(spawn_without_memory), -ENOMEM);
    assert_int_equal(outcome[0], -ENOMEM);
    assert_int_equal(outcome[1], outcome[2]);
}

struct spawner {
    struct aiol_group *group;
    int depth;
};

static int spawn_two_more(void *arg)
{
    struct spawner *spawner = arg;
    struct spawner next = {spawner->group, spawner->depth - 1};

    aiol_await_sleep(AIOL_SECOND);
    note(&trace, (char)('0' + spawner->depth));
    if (spawner->depth > 0) {
        aiol_group_spawn_copy(spawner->group, spawn_two_more, &next, sizeof next);
        aiol_group_spawn_copy(spawner->group, spawn_two_more, &next, sizeof next);
    }
    return 0;
}

static int let_children_spawn(void *arg)
{
    struct aiol_group group;
    struct spawner first = {&group, 2};

    (void)arg;
    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    aiol_group_spawn_copy(&group, spawn_two_more, &first, sizeof first);
    outcome[0] = aiol_await_group(&group);
    return now_s();
}

static void test_tasks_of_a_group_may_spawn_into_it_while_it_is_awaited(void **state)
{
    (void)state;
    assert_int_equal(run_task(let_children_spawn), 3);
    assert_string_equal(trace.text, "2110000");
    assert_int_equal(outcome[0], 0);
}

static int spawn_into_cancelled(void *arg)
{
    struct aiol_group group;

    (void)arg;
    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    spawn(&group, 1, 0, 'a');
    aiol_group_cancel(&group);
    aiol_group_cancel(&group);
    outcome[0] = spawn(&group, 1, 0, 'b');
    outcome[1] = aiol_await_group(&group);
    outcome[2] = aiol_await_sleep(1); /* the group's cancel ended with it */

    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    aiol_group_cancel(&group);
    return aiol_await_group(&group); /* cancelled, but nobody was the worse for it */
}

static void test_a_cancelled_group_takes_no_more_tasks(void **state)
{
    (void)state;
    assert_int_equal(run_task(spawn_into_cancelled), 0);
    assert_string_equal(trace.text, "A"); /* was spawned, and so was entered */
    assert_int_equal(outcome[0], -ECANCELED);
    assert_int_equal(outcome[1], -ECANCELED);
    assert_int_equal(outcome[2], 0);
}

static int await_group_of_another(void *arg)
{
    outcome[3] = aiol_await_group(arg);
    return 0;
}

static int await_in_the_wrong_order(void *arg)
{
    struct aiol_group outer, inner;
    struct aiol_scope scope;

    (void)arg;
    aiol_group_open(&outer, AIOL_GROUP_CANCEL_ALL);
    aiol_group_open(&inner, AIOL_GROUP_CANCEL_ALL);
    outcome[0] = aiol_await_group(&outer);
    aiol_scope_enter(&scope, AIOL_NEVER);
    outcome[1] = aiol_await_group(&inner);
    aiol_scope_leave(&scope, 0);
    aiol_group_spawn(&inner, await_group_of_another, &inner);
    outcome[2] = aiol_await_group(&inner);
    return aiol_await_group(&outer);
}

static void test_p3_only_the_innermost_group_can_be_awaited_and_only_by_its_task(void **state)
{
    (void)state;
    assert_int_equal(run_task(await_in_the_wrong_order), 0);
    assert_int_equal(outcome[0], -EINVAL);
    assert_int_equal(outcome[1], -EINVAL);
    assert_int_equal(outcome[2], 0);
    assert_int_equal(outcome[3], -EINVAL);
}

static int limit_groups(void *arg)
{
    struct aiol_group group;

    (void)arg;
    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    spawn(&group, 1, 0, 'a');
    spawn(&group, 10, 0, 'b');
    outcome[0] = aiol_group_set_deadline(&group, aiol_deadline_after(9 * AIOL_SECOND));
    outcome[1] = aiol_group_set_deadline(&group, aiol_deadline_after(2 * AIOL_SECOND));
    outcome[2] = aiol_await_group(&group);
    outcome[3] = now_s();

    aiol_group_open(&group, AIOL_GROUP_INDEPENDENT); /* a failure besides says more */
    spawn(&group, 1, -EIO, 'c');
    spawn(&group, 10, 0, 'd');
    aiol_group_set_deadline(&group, aiol_deadline_after(2 * AIOL_SECOND));
    outcome[4] = aiol_await_group(&group);

    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL); /* taken back */
    spawn(&group, 3, 0, 'e');
    aiol_group_set_deadline(&group, aiol_deadline_after(2 * AIOL_SECOND));
    aiol_group_set_deadline(&group, AIOL_NEVER);
    outcome[5] = aiol_await_group(&group);

    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL); /* past */
    spawn(&group, 3, 0, 'f');
    aiol_group_set_deadline(&group, 1);
    outcome[6] = aiol_await_group(&group);
    return 0;
}

static void test_p14_a_groups_deadline_is_a_timeout_if_it_cut_one_of_its_tasks_short(void **state)
{
    (void)state;
    assert_int_equal(run_task(limit_groups), 0);
    assert_string_equal(trace.text, "aBcDeF");
    assert_int_equal(outcome[0], 0);
    assert_int_equal(outcome[1], 0);
    assert_int_equal(outcome[2], -ETIMEDOUT);
    assert_int_equal(outcome[3], 2);
    assert_int_equal(outcome[4], -EIO);
    assert_int_equal(outcome[5], 0);
    assert_int_equal(outcome[6], -ETIMEDOUT);
}

static int ignore_the_cancel(void *arg)
{
    (void)arg;
    aiol_await_sleep(AIOL_HOUR);
    return 0;
}

static int limit_a_group_that_succeeds(void *arg)
{
    struct aiol_group group;

    (void)arg;
    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    aiol_group_spawn(&group, ignore_the_cancel, NULL);
    aiol_group_set_deadline(&group, aiol_deadline_after(AIOL_SECOND));
    return aiol_await_group(&group);
}

static void test_p14_a_group_whose_tasks_succeed_all_the_same_is_no_timeout(void **state)
{
    (void)state;
    assert_int_equal(run_task(limit_a_group_that_succeeds), 0);
}

static int open_badly(void *arg)
{
    struct aiol_group group;

    (void)arg;
    outcome[0] = aiol_group_open(&group, AIOL_GROUP_INDEPENDENT + 1);
    outcome[1] = spawn(&group, 1, 0, 'a');
    outcome[2] = aiol_group_set_deadline(&group, 1);
    outcome[3] = aiol_await_group(&group);
    return aiol_await_sleep(1); /* and no scope was entered */
}

static void test_p3_a_group_that_could_not_be_opened_says_why_at_every_call(void **state)
{
    struct aiol_group group;

    (void)state;
    assert_int_equal(run_task(open_badly), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(outcome[i], -EINVAL);
    assert_int_equal(aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL), AIOL_ENOTASK);
    assert_int_equal(aiol_group_spawn(&group, be_child, NULL), AIOL_ENOTASK);
    assert_int_equal(aiol_group_set_deadline(&group, 1), AIOL_ENOTASK);
    assert_int_equal(aiol_await_group(&group), AIOL_ENOTASK);
    aiol_group_cancel(&group);
    assert_int_equal(aiol_group_running_count(&group), 0);
    assert_string_equal(trace.text, "");
    assert_int_equal(aiol_group_size(), sizeof group);
    assert_int_equal(aiol_group_align(), _Alignof(struct aiol_group));
}

static int cancel_while_awaited(void *arg)
{
    (void)arg;
    aiol_await_sleep(AIOL_SECOND);
    aiol_task_cancel(*(struct aiol_task **)arg);
    return 0;
}

static int await_group_while_cancelled(void *arg)
{
    struct aiol_task *self = aiol_task_current();
    struct aiol_group group;

    (void)arg;
    aiol_task_spawn(aiol_loop_current(), cancel_while_awaited, &self, NULL);
    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    spawn(&group, 5, 0, 'a');
    outcome[0] = aiol_await_group(&group);
    outcome[1] = now_s();
    outcome[2] = aiol_await_yield();
    return 0;
}

static void test_awaiting_a_group_is_not_cut_short_but_its_tasks_are(void **state)
{
    (void)state;
    assert_int_equal(run_task(await_group_while_cancelled), 0);
    assert_string_equal(trace.text, "A");
    assert_int_equal(outcome[0], -ECANCELED);
    assert_int_equal(outcome[1], 1);
    assert_int_equal(outcome[2], -ECANCELED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_group_waits_for_all_of_its_tasks_and_success_is_0),
        TEST(test_the_first_failure_cancels_the_rest_and_the_body),
        TEST(test_independent_tasks_leave_each_other_alone_and_the_first_error_is_told),
        TEST(test_ending_with_ecanceled_is_no_failure_and_a_failure_outranks_it),
        TEST(test_a_spawn_that_fails_is_a_failure_of_the_group),
        TEST(test_p3_a_group_survives_that_there_is_no_memory_for_a_task),
        TEST(test_tasks_of_a_group_may_spawn_into_it_while_it_is_awaited),
        TEST(test_a_cancelled_group_takes_no_more_tasks),
        TEST(test_p3_only_the_innermost_group_can_be_awaited_and_only_by_its_task),
        TEST(test_p14_a_groups_deadline_is_a_timeout_if_it_cut_one_of_its_tasks_short),
        TEST(test_p14_a_group_whose_tasks_succeed_all_the_same_is_no_timeout),
        TEST(test_p3_a_group_that_could_not_be_opened_says_why_at_every_call),
        TEST(test_awaiting_a_group_is_not_cut_short_but_its_tasks_are),
    };

    return cmocka_run_group_tests_name("task/group", tests, NULL, NULL);
}
