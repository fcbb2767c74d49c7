/* Sleeping and yielding, on a clock that takes no time. */
#include "support.h"

#include <errno.h>
#include <string.h>

static struct notes trace;
static int outcome[8];

static int run_task(aiol_task_fn fn, void *arg)
{
    memset(&trace, 0, sizeof trace);
    memset(outcome, 0, sizeof outcome);
    return run_sim(0, fn, arg);
}

static uint64_t now_ns(void)
{
    return aiol_loop_now_ns(aiol_loop_current());
}

static int sleep_for_hours(void *arg)
{
    uint64_t *ret_ended_ns = arg;

    for (int i = 0; i < 1000 && outcome[0] == 0; i++)
        outcome[0] = aiol_await_sleep(AIOL_HOUR);
    *ret_ended_ns = now_ns();
    return outcome[0];
}

static void test_p10_a_thousand_hours_pass_exactly_and_in_no_time(void **state)
{
    uint64_t ended_ns = 0;

    (void)state;
    assert_int_equal(run_task(sleep_for_hours, &ended_ns), 0);
    assert_true(ended_ns == 1000 * AIOL_HOUR);
}

struct sleeper {
    uint64_t until_ns;
    char letter;
};

static int sleep_and_note(void *arg)
{
    const struct sleeper *sleeper = arg;
    int rc = aiol_await_sleep_until(sleeper->until_ns);

    outcome[0] += now_ns() != sleeper->until_ns;
    note(&trace, sleeper->letter);
    return rc;
}

static void test_p6_sleepers_wake_by_deadline_and_equal_ones_in_their_order(void **state)
{
    static const struct sleeper sleepers[] = {{3 * AIOL_SECOND, 'e'},
                                              {1 * AIOL_SECOND, 'a'},
                                              {2 * AIOL_SECOND, 'c'},
                                              {1 * AIOL_SECOND, 'b'},
                                              {2 * AIOL_SECOND + 1, 'd'}};
    struct aiol_loop *loop = new_sim_loop(0);

    (void)state;
    memset(&trace, 0, sizeof trace);
    memset(outcome, 0, sizeof outcome);
    for (size_t i = 0; i < COUNT_OF(sleepers); i++)
        assert_int_equal(
            aiol_task_spawn_copy(loop, sleep_and_note, &sleepers[i], sizeof sleepers[i], NULL), 0);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_string_equal(trace.text, "abcde");
    assert_int_equal(outcome[0], 0);
    free_loop(loop);
}

static int note_and_end(void *arg)
{
    note(&trace, *(char *)arg);
    return 0;
}

static int sleep_until_the_past(void *arg)
{
    uint64_t before_ns;

    (void)arg;
    aiol_await_sleep(5);
    before_ns = now_ns();
    aiol_task_spawn(aiol_loop_current(), note_and_end, "a", NULL);
    outcome[0] = aiol_await_sleep_until(2);
    note(&trace, 'b');
    aiol_task_spawn(aiol_loop_current(), note_and_end, "c", NULL);
    outcome[1] = aiol_await_sleep(0);
    note(&trace, 'd');
    outcome[2] = now_ns() == before_ns;
    return 0;
}

static void test_sleeping_until_the_past_takes_a_turn_but_no_time(void **state)
{
    (void)state;
    assert_int_equal(run_task(sleep_until_the_past, NULL), 0);
    assert_string_equal(trace.text, "abcd");
    assert_int_equal(outcome[0], 0);
    assert_int_equal(outcome[1], 0);
    assert_int_equal(outcome[2], 1);
}

static int sleep_for_ever(void *arg)
{
    uint64_t delay_ns = *(uint64_t *)arg;

    aiol_await_sleep(10); /* from now on the sum overflows */
    outcome[0] = aiol_await_sleep(delay_ns);
    return 0;
}

static int cancel_sleeper(void *arg)
{
    struct aiol_task *sleeper = NULL;

    aiol_task_spawn(aiol_loop_current(), sleep_for_ever, arg, &sleeper);
    aiol_await_sleep(100 * AIOL_HOUR);
    outcome[1] = aiol_task_is_done(sleeper);
    aiol_task_cancel(sleeper);
    return aiol_await_task(sleeper, NULL);
}

static void test_p4_a_sleep_that_overflows_lasts_until_it_is_cancelled(void **state)
{
    static uint64_t delays[] = {AIOL_NEVER, AIOL_NEVER - 5};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(delays); i++) {
        assert_int_equal(run_task(cancel_sleeper, &delays[i]), 0);
        assert_int_equal(outcome[0], -ECANCELED);
        assert_int_equal(outcome[1], 0);
    }
}

static int sleep_until_two(void *arg)
{
    (void)arg;
    outcome[0] = aiol_await_sleep_until(2 * AIOL_SECOND);
    outcome[1] = aiol_await_sleep(1);
    return 0;
}

static void cancel_on_timer(struct aiol_timer *timer, void *data)
{
    (void)timer;
    aiol_task_cancel(data);
}

/* The timer is due in the same phase as the sleep; when the sleep was started first, the cancel
 * comes after it is over, but before the task has run. */
static void
test_p2_a_sleep_that_is_over_is_a_success_and_the_cancel_shows_at_the_next_call(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_task *task = NULL;
    struct aiol_timer timer;

    (void)state;
    memset(outcome, 0, sizeof outcome);
    assert_int_equal(aiol_task_spawn(loop, sleep_until_two, NULL, &task), 0);
    assert_int_equal(aiol_loop_run_once(loop, 0), 1);
    aiol_timer_init(&timer, loop, cancel_on_timer, task);
    assert_int_equal(aiol_timer_start_at(&timer, 2 * AIOL_SECOND), 0);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_int_equal(outcome[0], 0);
    assert_int_equal(outcome[1], -ECANCELED);
    assert_int_equal(aiol_loop_now_ns(loop), 2 * AIOL_SECOND);
    free_loop(loop);
}

static int yield_cancelled(void *arg)
{
    (void)arg;
    aiol_task_spawn(aiol_loop_current(), note_and_end, "a", NULL);
    outcome[0] = aiol_await_yield();
    note(&trace, 'b');
    aiol_task_cancel(aiol_task_current());
    aiol_task_spawn(aiol_loop_current(), note_and_end, "c", NULL);
    outcome[1] = aiol_await_yield();
    note(&trace, 'd');
    return 0;
}

static void test_a_yield_lets_the_others_run_also_when_it_is_cancelled(void **state)
{
    (void)state;
    assert_int_equal(run_task(yield_cancelled, NULL), 0);
    assert_string_equal(trace.text, "abcd");
    assert_int_equal(outcome[0], 0);
    assert_int_equal(outcome[1], -ECANCELED);
}

static int sleep_a_little(void *arg)
{
    uint64_t *ret_slept_ns = arg, before_ns = now_ns();
    int rc = aiol_await_sleep(2 * AIOL_MILLISECOND);

    *ret_slept_ns = now_ns() - before_ns;
    return rc;
}

static void test_p4_on_a_real_clock_a_sleep_is_never_too_short(void **state)
{
    uint64_t slept_ns = 0;

    (void)state;
    assert_int_equal(run_real(sleep_a_little, &slept_ns), 0);
    assert_true(slept_ns >= 2 * AIOL_MILLISECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p10_a_thousand_hours_pass_exactly_and_in_no_time),
        TEST(test_p6_sleepers_wake_by_deadline_and_equal_ones_in_their_order),
        TEST(test_sleeping_until_the_past_takes_a_turn_but_no_time),
        TEST(test_p4_a_sleep_that_overflows_lasts_until_it_is_cancelled),
        TEST(test_p2_a_sleep_that_is_over_is_a_success_and_the_cancel_shows_at_the_next_call),
        TEST(test_a_yield_lets_the_others_run_also_when_it_is_cancelled),
        TEST(test_p4_on_a_real_clock_a_sleep_is_never_too_short),
    };

    return cmocka_run_group_tests_name("await/sleep", tests, NULL, NULL);
}
