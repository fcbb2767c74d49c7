/* aiol_run(), and what a full run does when nothing can wake anybody any more. */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

static struct notes trace;
static int outcome[8];

static void begin(void)
{
    memset(&trace, 0, sizeof trace);
    memset(outcome, 0, sizeof outcome);
}

static int return_arg(void *arg)
{
    return *(int *)arg;
}

static void test_run_returns_what_the_function_returned(void **state)
{
    static int results[] = {0, 42, -EIO, -ECANCELED, -EDEADLK};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(results); i++) {
        assert_int_equal(run_sim(0, return_arg, &results[i]), results[i]);
        assert_int_equal(aiol_run(return_arg, &results[i]), results[i]);
    }
    assert_null(aiol_loop_current());
}

static void test_p3_run_fails_when_the_loop_or_the_task_cannot_be_made(void **state)
{
    struct aiol_loop_options options = {.size = 0};
    int result = 17, rc;
    long number = 0;

    (void)state;
    assert_int_equal(aiol_run_with(&options, return_arg, &result), -EINVAL);
    do {
        fail_allocation(++number);
        rc = run_sim(0, return_arg, &result);
        fail_allocation(0);
        assert_int_equal(allocations_alive(), 0);
        assert_true(rc == -ENOMEM || rc == result);
    } while (rc < 0);
    assert_true(number > 5);
}

static int leave_a_scope_open(void *arg)
{
    struct aiol_scope scope;
    int rc = aiol_scope_enter(&scope, AIOL_NEVER);

    return rc < 0 ? rc : *(int *)arg;
}

static void test_run_tells_of_a_scope_that_was_left_open(void **state)
{
    int success = 4, failure = -EIO;

    (void)state;
    assert_int_equal(run_sim(0, leave_a_scope_open, &success), AIOL_ESCOPE);
    assert_int_equal(run_sim(0, leave_a_scope_open, &failure), -EIO);
}

static int nest_runs(void *arg)
{
    struct aiol_loop *other = arg;
    static int result = 3;

    outcome[0] = aiol_run(return_arg, &result);
    outcome[1] = aiol_loop_run(aiol_loop_current());
    outcome[2] = aiol_loop_run_once(aiol_loop_current(), 0);
    outcome[3] = aiol_loop_run(other);
    outcome[4] = aiol_loop_run_once(other, 0);
    outcome[5] = aiol_task_spawn(other, return_arg, &result, NULL); /* starting is no running */
    return 5;
}

static void test_p13_no_loop_can_be_run_inside_a_task(void **state)
{
    struct aiol_loop *other = new_sim_loop(0);

    (void)state;
    begin();
    assert_int_equal(run_sim(0, nest_runs, other), 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(outcome[i], -EBUSY);
    assert_int_equal(outcome[5], 0);
    assert_int_equal(aiol_loop_run(other), 0);
    free_loop(other);
}

static void run_in_callback(struct aiol_deferred *deferred, void *data)
{
    (void)deferred;
    outcome[0] = run_sim(0, data, NULL);
    outcome[1] = aiol_task_current() == NULL;
}

static int sleep_an_hour(void *arg)
{
    (void)arg;
    return aiol_await_sleep(AIOL_HOUR) == 0 ? 11 : -EIO;
}

static void test_a_callback_may_run_another_loop_with_tasks(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_deferred deferred;

    (void)state;
    begin();
    aiol_deferred_init(&deferred, loop, run_in_callback, (void *)sleep_an_hour);
    assert_int_equal(aiol_deferred_start(&deferred), 0);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_int_equal(outcome[0], 11);
    assert_int_equal(outcome[1], 1);
    assert_int_equal(aiol_loop_now_ns(loop), 0);
    free_loop(loop);
}

static int be_left_behind(void *arg)
{
    char letter = *(char *)arg;

    note(&trace, letter);
    if (aiol_await_sleep(AIOL_HOUR) == -ECANCELED)
        note(&trace, (char)(letter - 'a' + 'A'));
    if (letter == 'b') /* a late child is born cancelled */
        aiol_task_spawn(aiol_loop_current(), be_left_behind, "c", NULL);
    return 0;
}

static int leave_tasks_behind(void *arg)
{
    struct aiol_task *handle = NULL;

    (void)arg;
    aiol_task_spawn(aiol_loop_current(), be_left_behind, "a", NULL);
    aiol_task_spawn(aiol_loop_current(), be_left_behind, "b", &handle);
    aiol_await_sleep(AIOL_SECOND);
    aiol_task_spawn(aiol_loop_current(), be_left_behind, "d", NULL); /* never had a turn */
    return 6;
}

static void test_run_cancels_the_tasks_left_behind_and_sees_them_to_their_end(void **state)
{
    (void)state;
    begin();
    assert_int_equal(run_sim(0, leave_tasks_behind, NULL), 6);
    assert_int_equal(trace.length, 8);
    assert_string_equal(trace.text, "abdABDcC");
}

static int sleep_for_ever(void *arg)
{
    int rc = aiol_await_sleep(AIOL_NEVER);

    note(&trace, rc == -ECANCELED ? *(char *)arg : '?');
    return rc;
}

static void test_run_of_a_task_that_nothing_can_wake_is_a_deadlock(void **state)
{
    (void)state;
    begin();
    assert_int_equal(run_sim(0, sleep_for_ever, "a"), -EDEADLK);
    assert_string_equal(trace.text, "a");
}

static int wait_for_item(void *arg)
{
    void *item = NULL;
    int rc = aiol_await_queue_get(arg, &item);

    note(&trace, rc == -ECANCELED ? 'g' : '?');
    /* The clean-up is not a deadlock of its own. */
    note(&trace, aiol_await_sleep(1) == -ECANCELED ? 's' : '?');
    return rc;
}

static void test_a_full_run_ends_in_a_deadlock_after_all_tasks_were_cancelled(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = NULL;

    (void)state;
    begin();
    assert_int_equal(aiol_queue_new(loop, 1, NULL, &queue), 0);
    assert_int_equal(aiol_task_spawn(loop, wait_for_item, queue, NULL), 0);
    assert_int_equal(aiol_task_spawn(loop, sleep_for_ever, "a", NULL), 0);
    assert_int_equal(aiol_loop_run(loop), -EDEADLK);
    assert_string_equal(trace.text, "gsa");
    assert_int_equal(aiol_loop_alive_count(loop, AIOL_ALIVE_TASK), 0);

    /* The loop is as good as new. */
    assert_int_equal(aiol_task_spawn(loop, wait_for_item, queue, NULL), 0);
    assert_int_equal(aiol_queue_put_nowait(queue, loop), 0);
    assert_int_equal(aiol_loop_run(loop), 0);
    aiol_queue_free(queue);
    free_loop(loop);
}

static void test_a_single_turn_never_ends_in_a_deadlock(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_task *task = NULL;

    (void)state;
    begin();
    assert_int_equal(aiol_task_spawn(loop, sleep_for_ever, "a", &task), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(aiol_loop_run_once(loop, 0), 1);
    assert_string_equal(trace.text, "");
    aiol_task_cancel(task);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_string_equal(trace.text, "a");
    free_loop(loop);
}

static void set_future(int status, void *data)
{
    aiol_future_set(data, status == 0 ? 9 : status, NULL);
}

struct other_thread {
    struct aiol_poster *poster;
    struct aiol_future *future;
};

static void *post_from_another_thread(void *arg)
{
    struct other_thread *thread = arg;

    aiol_poster_post(thread->poster, set_future, thread->future);
    aiol_poster_release(thread->poster);
    return NULL;
}

static int wait_for_another_thread(void *arg)
{
    struct aiol_future future;
    struct other_thread other = {.future = &future};
    pthread_t thread;
    int rc;

    (void)arg;
    aiol_future_init(&future, aiol_loop_current(), NULL, NULL);
    if (aiol_poster_new(aiol_loop_current(), &other.poster) < 0)
        return -ENOMEM;
    if (pthread_create(&thread, NULL, post_from_another_thread, &other) != 0)
        return -EAGAIN;
    rc = aiol_await_future(&future, NULL); /* nothing but the poster can end this */
    pthread_join(thread, NULL);
    aiol_future_close(&future);
    return rc;
}

static void test_who_may_be_woken_through_a_poster_is_not_in_a_deadlock(void **state)
{
    (void)state;
    assert_int_equal(run_sim(0, wait_for_another_thread, NULL), 9);
    assert_int_equal(run_real(wait_for_another_thread, NULL), 9);
}

static int sleep_in_a_scope(void *arg)
{
    struct aiol_scope limit;

    (void)arg;
    aiol_scope_enter(&limit, aiol_deadline_after(AIOL_HOUR));
    return aiol_scope_leave(&limit, aiol_await_sleep(AIOL_NEVER));
}

static void test_who_will_be_woken_by_a_deadline_is_not_in_a_deadlock(void **state)
{
    (void)state;
    assert_int_equal(run_sim(0, sleep_in_a_scope, NULL), -ETIMEDOUT);
}

static int stop_the_loop(void *arg)
{
    (void)arg;
    aiol_loop_stop(aiol_loop_current());
    return aiol_await_sleep(AIOL_SECOND);
}

static void test_a_run_that_was_stopped_goes_on_with_its_tasks_later(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);

    (void)state;
    assert_int_equal(aiol_task_spawn(loop, stop_the_loop, NULL, NULL), 0);
    assert_int_equal(aiol_loop_run(loop), 1);
    assert_int_equal(aiol_loop_now_ns(loop), 0);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_int_equal(aiol_loop_now_ns(loop), AIOL_SECOND);
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_run_returns_what_the_function_returned),
        TEST(test_p3_run_fails_when_the_loop_or_the_task_cannot_be_made),
        TEST(test_run_tells_of_a_scope_that_was_left_open),
        TEST(test_p13_no_loop_can_be_run_inside_a_task),
        TEST(test_a_callback_may_run_another_loop_with_tasks),
        TEST(test_run_cancels_the_tasks_left_behind_and_sees_them_to_their_end),
        TEST(test_run_of_a_task_that_nothing_can_wake_is_a_deadlock),
        TEST(test_a_full_run_ends_in_a_deadlock_after_all_tasks_were_cancelled),
        TEST(test_a_single_turn_never_ends_in_a_deadlock),
        TEST(test_who_may_be_woken_through_a_poster_is_not_in_a_deadlock),
        TEST(test_who_will_be_woken_by_a_deadline_is_not_in_a_deadlock),
        TEST(test_a_run_that_was_stopped_goes_on_with_its_tasks_later),
    };

    return cmocka_run_group_tests_name("task/run", tests, NULL, NULL);
}
