/* Scopes that nest, that are cancelled, that are left in the wrong order or not at all. Deadlines
 * are in test_deadline.c. */
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct notes trace;
static int outcome[16];

static int run_task(aiol_task_fn fn, void *arg)
{
    memset(&trace, 0, sizeof trace);
    memset(outcome, 0, sizeof outcome);
    return run_sim(0, fn, arg);
}

static int cancel_the_inner_one(void *arg)
{
    struct aiol_scope outer, inner;

    (void)arg;
    aiol_scope_enter(&outer, AIOL_NEVER);
    aiol_scope_enter(&inner, AIOL_NEVER);
    aiol_scope_cancel(&inner);
    aiol_scope_cancel(&inner);
    outcome[0] = aiol_scope_is_cancelled(&inner);
    outcome[1] = aiol_scope_is_cancelled(&outer);
    outcome[2] = aiol_await_sleep(1);
    outcome[3] = aiol_await_sleep(1);
    outcome[4] = aiol_scope_leave(&inner, outcome[3]);
    outcome[5] = aiol_scope_is_cancelled(&inner); /* left: no more */
    outcome[6] = aiol_await_sleep(1);
    return aiol_scope_leave(&outer, outcome[6]);
}

static void test_cancelling_an_inner_scope_ends_with_it(void **state)
{
    (void)state;
    assert_int_equal(run_task(cancel_the_inner_one, NULL), 0);
    assert_int_equal(outcome[0], 1);
    assert_int_equal(outcome[1], 0);
    assert_int_equal(outcome[2], -ECANCELED);
    assert_int_equal(outcome[3], -ECANCELED);
    assert_int_equal(outcome[4], -ECANCELED);
    assert_int_equal(outcome[5], 0);
    assert_int_equal(outcome[6], 0);
}

static int cancel_the_outer_one(void *arg)
{
    struct aiol_scope outer, inner, late;

    (void)arg;
    aiol_scope_enter(&outer, AIOL_NEVER);
    aiol_scope_enter(&inner, AIOL_NEVER);
    aiol_scope_cancel(&outer);
    outcome[0] = aiol_scope_is_cancelled(&inner);
    outcome[1] = aiol_await_sleep(1);
    aiol_scope_leave(&inner, 0);
    outcome[2] = aiol_scope_enter(&late, AIOL_NEVER); /* born cancelled */
    outcome[3] = aiol_scope_is_cancelled(&late);
    outcome[4] = aiol_await_sleep(1);
    aiol_scope_leave(&late, 0);
    outcome[5] = aiol_scope_leave(&outer, -ECANCELED);
    return aiol_await_sleep(1);
}

static void test_cancelling_an_outer_scope_cancels_all_that_is_in_it_and_will_be(void **state)
{
    (void)state;
    assert_int_equal(run_task(cancel_the_outer_one, NULL), 0);
    assert_int_equal(outcome[0], 1);
    assert_int_equal(outcome[1], -ECANCELED);
    assert_int_equal(outcome[2], 0);
    assert_int_equal(outcome[3], 1);
    assert_int_equal(outcome[4], -ECANCELED);
    assert_int_equal(outcome[5], -ECANCELED);
}

static void cancel_on_timer(struct aiol_timer *timer, void *data)
{
    (void)timer;
    aiol_scope_cancel(data);
}

static int be_cancelled_by_a_callback(void *arg)
{
    struct aiol_scope scope;
    struct aiol_timer timer;

    (void)arg;
    aiol_scope_enter(&scope, AIOL_NEVER);
    aiol_timer_init(&timer, aiol_loop_current(), cancel_on_timer, &scope);
    aiol_timer_start(&timer, 5 * AIOL_SECOND);
    outcome[0] = aiol_await_sleep(AIOL_NEVER);
    outcome[1] = (int)(aiol_loop_now_ns(aiol_loop_current()) / AIOL_SECOND);
    return aiol_scope_leave(&scope, outcome[0]);
}

static void test_a_callback_cancels_a_scope_in_which_a_task_sleeps_for_ever(void **state)
{
    (void)state;
    assert_int_equal(run_task(be_cancelled_by_a_callback, NULL), -ECANCELED);
    assert_int_equal(outcome[1], 5);
}

static int leave_scope_of_another(void *arg)
{
    outcome[3] = aiol_scope_leave(arg, 17);
    aiol_scope_cancel(arg); /* cancelling it is anybody's right */
    return 0;
}

static int leave_in_the_wrong_order(void *arg)
{
    struct aiol_scope outer, inner;
    struct aiol_group group;

    (void)arg;
    aiol_scope_enter(&outer, AIOL_NEVER);
    aiol_scope_enter(&inner, AIOL_NEVER);
    outcome[0] = aiol_scope_leave(&outer, 17);
    outcome[1] = aiol_scope_leave(&inner, 18);
    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    outcome[2] = aiol_scope_leave(&group.scope, 17);
    outcome[4] = aiol_scope_leave(&outer, 17);
    aiol_await_group(&group);
    aiol_task_spawn(aiol_loop_current(), leave_scope_of_another, &outer, NULL);
    outcome[5] = aiol_await_sleep(1);
    outcome[6] = aiol_scope_leave(&outer, 19);
    outcome[7] = aiol_scope_leave(&outer, 20); /* left already: nothing to do */
    return 0;
}

static void test_p3_only_the_innermost_scope_can_be_left_and_only_by_its_task(void **state)
{
    (void)state;
    assert_int_equal(run_task(leave_in_the_wrong_order, NULL), 0);
    assert_int_equal(outcome[0], -EINVAL);
    assert_int_equal(outcome[1], 18);
    assert_int_equal(outcome[2], -EINVAL);
    assert_int_equal(outcome[3], -EINVAL);
    assert_int_equal(outcome[4], -EINVAL);
    assert_int_equal(outcome[5], -ECANCELED);
    assert_int_equal(outcome[6], 19);
    assert_int_equal(outcome[7], 20);
}

static void test_outside_of_a_task_there_is_no_scope_and_leaving_it_changes_nothing(void **state)
{
    struct aiol_scope scope, never_entered;

    (void)state;
    memset(&never_entered, 0, sizeof never_entered);
    aiol_scope_cancel(&never_entered);
    assert_int_equal(aiol_scope_is_cancelled(&never_entered), 0);
    assert_int_equal(aiol_scope_enter(&scope, AIOL_NEVER), AIOL_ENOTASK);
    assert_int_equal(aiol_scope_is_cancelled(&scope), 0);
    aiol_scope_cancel(&scope);
    assert_int_equal(aiol_scope_leave(&scope, -EIO), -EIO);
    assert_int_equal(aiol_scope_leave(&scope, 3), 3);
    assert_int_equal(aiol_scope_size(), sizeof scope);
    assert_int_equal(aiol_scope_align(), _Alignof(struct aiol_scope));
}

static int enter_and_leave_often(void *arg)
{
    long *ret_made = arg;
    long made;

    aiol_await_sleep(1); /* the loop has all it needs */
    made = allocations_made();
    for (int i = 0; i < 1000; i++) {
        struct aiol_scope scope;
        struct aiol_group group;

        aiol_scope_enter(&scope, aiol_deadline_after(AIOL_SECOND));
        aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
        aiol_await_sleep(1);
        aiol_await_group(&group);
        aiol_scope_leave(&scope, 0);
    }
    *ret_made = allocations_made() - made;
    return 0;
}

static void test_p5_scopes_with_deadlines_and_groups_allocate_nothing(void **state)
{
    long made = -1;

    (void)state;
    assert_int_equal(run_task(enter_and_leave_often, &made), 0);
    assert_int_equal(made, 0);
}

/* Frames as deep as that, so that the leftover scopes lie where later calls would write. */
static __attribute__((noinline)) int leave_scopes_open(int depth)
{
    volatile char ballast[600];
    struct aiol_scope scopes[2];
    int rc = 0;

    ballast[0] = (char)depth;
    aiol_scope_enter(&scopes[0], aiol_deadline_after(AIOL_HOUR));
    aiol_scope_enter(&scopes[1], AIOL_NEVER);
    if (depth > 0)
        rc = leave_scopes_open(depth - 1);
    return rc + (ballast[0] == (char)depth ? 0 : 1);
}

static int forget_scopes(void *arg)
{
    int rc = leave_scopes_open(20);

    return rc == 0 ? *(int *)arg : -EIO;
}

static int await_forgetful(void *arg)
{
    struct aiol_task *task = NULL;
    int success = 5, failure = -EPIPE;

    (void)arg;
    aiol_task_spawn(aiol_loop_current(), forget_scopes, &success, &task);
    aiol_await_task(task, &outcome[0]);
    aiol_task_spawn(aiol_loop_current(), forget_scopes, &failure, &task);
    aiol_await_task(task, &outcome[1]);
    outcome[2] = (int)aiol_loop_alive_count(aiol_loop_current(), AIOL_ALIVE_TIMER);
    return 0;
}

static void test_a_task_that_forgets_scopes_is_told_and_they_are_closed(void **state)
{
    (void)state;
    assert_int_equal(run_task(await_forgetful, NULL), 0);
    assert_int_equal(outcome[0], AIOL_ESCOPE);
    assert_int_equal(outcome[1], -EPIPE); /* its own failure says more */
    assert_int_equal(outcome[2], 0);      /* their deadlines are stopped */
}

static int sleep_and_note(void *arg)
{
    (void)arg;
    note(&trace, aiol_await_sleep(AIOL_HOUR) == -ECANCELED ? 'c' : '?');
    /* A clean-up that takes its turns. */
    note(&trace, aiol_await_yield() == -ECANCELED ? 'y' : '?');
    return -ECANCELED;
}

static __attribute__((noinline)) int leave_a_group_open(void)
{
    struct aiol_scope scope;
    struct aiol_group outer, inner;

    aiol_group_open(&outer, AIOL_GROUP_CANCEL_ALL);
    aiol_group_spawn(&outer, sleep_and_note, NULL);
    aiol_scope_enter(&scope, AIOL_NEVER);
    aiol_group_open(&inner, AIOL_GROUP_INDEPENDENT);
    aiol_group_spawn(&inner, sleep_and_note, NULL);
    aiol_group_spawn(&inner, sleep_and_note, NULL);
    return aiol_await_sleep(AIOL_SECOND);
}

static int forget_groups(void *arg)
{
    (void)arg;
    return leave_a_group_open();
}

static int await_forgetful_of_groups(void *arg)
{
    struct aiol_task *task = NULL;

    (void)arg;
    aiol_task_spawn(aiol_loop_current(), forget_groups, NULL, &task);
    aiol_await_task(task, &outcome[0]);
    outcome[1] = (int)aiol_loop_alive_count(aiol_loop_current(), AIOL_ALIVE_TASK);
    outcome[2] = (int)(aiol_loop_now_ns(aiol_loop_current()) / AIOL_SECOND);
    return 0;
}

static void test_a_task_that_forgets_groups_ends_when_all_their_tasks_have(void **state)
{
    (void)state;
    assert_int_equal(run_task(await_forgetful_of_groups, NULL), 0);
    assert_int_equal(outcome[0], AIOL_ESCOPE);
    assert_int_equal(outcome[1], 1); /* the one that asks */
    assert_int_equal(outcome[2], 1);
    assert_int_equal(trace.length, 6);
    assert_null(strchr(trace.text, '?'));
}

static int forget_a_scope_of_the_caller(void *arg)
{
    return aiol_scope_enter(arg, AIOL_NEVER);
}

static int await_one_that_forgets(void *arg)
{
    struct aiol_task *task = NULL;
    int result = 0;

    aiol_task_spawn(aiol_loop_current(), forget_a_scope_of_the_caller, arg, &task);
    aiol_await_task(task, &result);
    return result;
}

/* Two mistakes at once: the scope is not on the task's stack, but on its caller's, and is left
 * open. In a child process, since a wrong stack pointer is the end of it. */
static void test_p3_a_forgotten_scope_that_is_not_on_the_tasks_stack_is_closed_too(void **state)
{
    struct aiol_scope scope;
    int status = -1;
    pid_t child = fork();

    (void)state;
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        _exit(run_sim(0, await_one_that_forgets, &scope) == AIOL_ESCOPE ? 0 : 1);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_cancelling_an_inner_scope_ends_with_it),
        TEST(test_cancelling_an_outer_scope_cancels_all_that_is_in_it_and_will_be),
        TEST(test_a_callback_cancels_a_scope_in_which_a_task_sleeps_for_ever),
        TEST(test_p3_only_the_innermost_scope_can_be_left_and_only_by_its_task),
        TEST(test_outside_of_a_task_there_is_no_scope_and_leaving_it_changes_nothing),
        TEST(test_p5_scopes_with_deadlines_and_groups_allocate_nothing),
        TEST(test_a_task_that_forgets_scopes_is_told_and_they_are_closed),
        TEST(test_a_task_that_forgets_groups_ends_when_all_their_tasks_have),
        TEST(test_p3_a_forgotten_scope_that_is_not_on_the_tasks_stack_is_closed_too),
    };

    return cmocka_run_group_tests_name("task/scope", tests, NULL, NULL);
}
