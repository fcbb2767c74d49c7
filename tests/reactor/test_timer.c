/* Timers, one at a time: when they fire, how they repeat, what their calls return. How several of
 * them get on with one another is in test_timer_batch.c. */
#include "platform/sys.h"
#include "support.h"

#include <errno.h>

/* A timer that counts, and remembers when it fired. */
struct alarm {
    struct aiol_timer timer;
    struct aiol_loop *loop;
    int count;
    uint64_t fired_ns[16];
    bool was_active;
};

static void ring(struct aiol_timer *timer, void *data)
{
    struct alarm *alarm = data;

    alarm->was_active = aiol_timer_is_active(timer);
    if ((size_t)alarm->count < COUNT_OF(alarm->fired_ns))
        alarm->fired_ns[alarm->count] = aiol_loop_now_ns(alarm->loop);
    alarm->count++;
}

static void init_alarm(struct alarm *alarm, struct aiol_loop *loop)
{
    *alarm = (struct alarm){.loop = loop};
    aiol_timer_init(&alarm->timer, loop, ring, alarm);
}

static void test_a_timer_fires_once_and_is_not_armed_in_its_callback(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct alarm alarm;

    (void)state;
    init_alarm(&alarm, loop);
    assert_int_equal(aiol_timer_is_active(&alarm.timer), 0);
    assert_int_equal(aiol_timer_start(&alarm.timer, 3 * AIOL_SECOND), 0);
    assert_int_equal(aiol_timer_is_active(&alarm.timer), 1);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_int_equal(alarm.count, 1);
    assert_false(alarm.was_active);
    assert_true(alarm.fired_ns[0] == 3 * AIOL_SECOND);
    free_loop(loop);
}

static void test_p4_a_timer_never_fires_before_its_deadline(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct alarm alarm;

    (void)state;
    init_alarm(&alarm, loop);
    for (uint64_t i = 0; i < 40; i++) {
        uint64_t after_ns = i * 37001 + 1, begin_ns;

        aiol_loop_update_now(loop);
        begin_ns = aiol__sys_monotonic_ns();
        assert_int_equal(aiol_timer_start_at(&alarm.timer, begin_ns + after_ns), 0);
        assert_int_equal(aiol_loop_run(loop), 0);
        assert_true(aiol__sys_monotonic_ns() - begin_ns >= after_ns);
        assert_int_equal(alarm.count, i + 1);
    }
    free_loop(loop);
}

static void test_p4_a_timer_does_not_fire_a_nanosecond_early(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct alarm alarm;

    (void)state;
    init_alarm(&alarm, loop);
    aiol_timer_start(&alarm.timer, 1000001);
    assert_int_equal(aiol_loop_run_once(loop, 1000000), 1);
    assert_true(aiol_loop_now_ns(loop) == 1000000);
    assert_int_equal(alarm.count, 0);
    assert_int_equal(aiol_loop_run_once(loop, 1), 0);
    assert_int_equal(alarm.count, 1);
    free_loop(loop);
}

/* Milliseconds in 32 bits, and wheels of 6 levels of 64 milliseconds, have wrapped around here. */
static void test_p4_far_deadlines_are_exact(void **state)
{
    const uint64_t deadlines_ns[] = {
        (UINT64_C(1) << 32) * AIOL_MILLISECOND - 1,
        (UINT64_C(1) << 32) * AIOL_MILLISECOND,
        (UINT64_C(1) << 36) * AIOL_MILLISECOND,
        (UINT64_C(1) << 36) * AIOL_MILLISECOND + 1,
        500 * 365 * 24 * AIOL_HOUR,
        UINT64_MAX - 1,
    };
    struct aiol_loop *loop = new_sim_loop(1);
    struct alarm alarms[COUNT_OF(deadlines_ns)];

    (void)state;
    for (size_t i = COUNT_OF(deadlines_ns); i-- > 0;) {
        init_alarm(&alarms[i], loop);
        assert_int_equal(aiol_timer_start_at(&alarms[i].timer, deadlines_ns[i]), 0);
    }
    assert_int_equal(aiol_loop_run(loop), 0);
    for (size_t i = 0; i < COUNT_OF(deadlines_ns); i++) {
        assert_int_equal(alarms[i].count, 1);
        assert_true(alarms[i].fired_ns[0] == deadlines_ns[i]);
    }
    free_loop(loop);
}

static void test_p4_a_delay_that_overflows_is_never(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct alarm alarm;

    (void)state;
    init_alarm(&alarm, loop);
    aiol_loop_run_once(loop, AIOL_HOUR);
    assert_int_equal(aiol_timer_start(&alarm.timer, UINT64_MAX - 1), 0);
    assert_true(aiol_timer_deadline_ns(&alarm.timer) == AIOL_NEVER);
    assert_int_equal(aiol_timer_is_active(&alarm.timer), 1);
    assert_int_equal(aiol_loop_is_alive(loop), 1);
    assert_true(aiol_loop_next_timeout_ns(loop) == AIOL_NEVER);
    aiol_loop_run_once(loop, UINT64_MAX - 2 * AIOL_HOUR);
    assert_int_equal(alarm.count, 0);
    aiol_timer_stop(&alarm.timer);
    free_loop(loop);
}

static void test_p4_a_repetition_that_overflows_stays_armed_for_ever(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct alarm alarm;

    (void)state;
    init_alarm(&alarm, loop);
    assert_int_equal(aiol_timer_start_every(&alarm.timer, UINT64_MAX / 2, AIOL_FIXED_RATE), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(aiol_loop_run_once(loop, AIOL_NEVER), 1);
    assert_int_equal(alarm.count, 2);
    assert_true(aiol_loop_now_ns(loop) == UINT64_MAX - 1);
    assert_int_equal(aiol_timer_is_active(&alarm.timer), 1);
    assert_true(aiol_timer_deadline_ns(&alarm.timer) == AIOL_NEVER);
    aiol_timer_stop(&alarm.timer);
    free_loop(loop);
}

static void test_p4_a_fixed_rate_does_not_drift_and_skips_what_it_missed(void **state)
{
    struct aiol_loop *loop;
    struct alarm alarm;

    (void)state;
    begin_fake_time(AIOL_HOUR);
    loop = new_loop();
    init_alarm(&alarm, loop);
    aiol_timer_start_every(&alarm.timer, 10 * AIOL_MILLISECOND, AIOL_FIXED_RATE);
    pass_fake_time(12 * AIOL_MILLISECOND);
    aiol_loop_run_once(loop, 0);
    assert_true(aiol_timer_remaining_ns(&alarm.timer) == 8 * AIOL_MILLISECOND);
    pass_fake_time(8 * AIOL_MILLISECOND);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(alarm.count, 2);
    assert_true(aiol_timer_remaining_ns(&alarm.timer) == 10 * AIOL_MILLISECOND);

    /* Three and a half periods late: one call, and the next one is on the grid again. */
    pass_fake_time(45 * AIOL_MILLISECOND);
    aiol_loop_run_once(loop, 0);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(alarm.count, 3);
    assert_true(aiol_timer_remaining_ns(&alarm.timer) == 5 * AIOL_MILLISECOND);
    aiol_timer_stop(&alarm.timer);
    free_loop(loop);
}

static void test_p4_a_fixed_delay_counts_from_the_turn_in_which_it_fired(void **state)
{
    struct aiol_loop *loop;
    struct alarm alarm;

    (void)state;
    begin_fake_time(AIOL_HOUR);
    loop = new_loop();
    init_alarm(&alarm, loop);
    aiol_timer_start_every(&alarm.timer, 10 * AIOL_MILLISECOND, AIOL_FIXED_DELAY);
    pass_fake_time(47 * AIOL_MILLISECOND);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(alarm.count, 1);
    assert_true(aiol_timer_remaining_ns(&alarm.timer) == 10 * AIOL_MILLISECOND);
    aiol_loop_run_once(loop, 9 * AIOL_MILLISECOND);
    assert_int_equal(alarm.count, 1);
    aiol_loop_run_once(loop, AIOL_MILLISECOND);
    assert_int_equal(alarm.count, 2);
    aiol_timer_stop(&alarm.timer);
    free_loop(loop);
}

static void test_moving_a_timer_earlier_or_later_takes_the_new_deadline(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct alarm alarm;

    (void)state;
    init_alarm(&alarm, loop);
    aiol_timer_start(&alarm.timer, AIOL_HOUR);
    aiol_timer_start(&alarm.timer, 2 * AIOL_HOUR);
    assert_int_equal(aiol_loop_alive_count(loop, AIOL_ALIVE_TIMER), 1);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_true(alarm.fired_ns[0] == 2 * AIOL_HOUR);

    aiol_timer_start(&alarm.timer, AIOL_HOUR);
    aiol_timer_start(&alarm.timer, AIOL_SECOND);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_true(alarm.fired_ns[1] == 2 * AIOL_HOUR + AIOL_SECOND);

    aiol_timer_start(&alarm.timer, AIOL_SECOND);
    aiol_timer_start(&alarm.timer, AIOL_HOUR);
    aiol_timer_start(&alarm.timer, AIOL_MINUTE);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_true(alarm.fired_ns[2] == 2 * AIOL_HOUR + AIOL_SECOND + AIOL_MINUTE);
    assert_int_equal(alarm.count, 3);
    free_loop(loop);
}

static void test_deadline_and_remaining_time_can_be_asked_for(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct alarm alarm;

    (void)state;
    init_alarm(&alarm, loop);
    assert_true(aiol_timer_deadline_ns(&alarm.timer) == AIOL_NEVER);
    assert_true(aiol_timer_remaining_ns(&alarm.timer) == AIOL_NEVER);
    aiol_timer_start_at(&alarm.timer, 5 * AIOL_SECOND);
    aiol_loop_run_once(loop, 2 * AIOL_SECOND);
    assert_true(aiol_timer_deadline_ns(&alarm.timer) == 5 * AIOL_SECOND);
    assert_true(aiol_timer_remaining_ns(&alarm.timer) == 3 * AIOL_SECOND);
    aiol_timer_start_at(&alarm.timer, AIOL_SECOND);
    assert_true(aiol_timer_remaining_ns(&alarm.timer) == 0);
    aiol_timer_stop(&alarm.timer);
    assert_true(aiol_timer_deadline_ns(&alarm.timer) == AIOL_NEVER);
    free_loop(loop);
}

static void start_at_zero_again(struct aiol_timer *timer, void *data)
{
    int *count = data;

    ++*count;
    aiol_timer_start(timer, 0);
}

static void test_a_timer_started_at_zero_in_its_callback_fires_once_a_turn(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct aiol_timer timer;
    int count = 0;

    (void)state;
    aiol_timer_init(&timer, loop, start_at_zero_again, &count);
    aiol_timer_start(&timer, 0);
    assert_int_equal(count, 0);
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(aiol_loop_run_once(loop, AIOL_NEVER), 1);
        assert_int_equal(count, i);
    }
    assert_true(aiol_loop_now_ns(loop) == 0);
    aiol_timer_stop(&timer);
    free_loop(loop);
}

static void change_to_every_second(struct aiol_timer *timer, void *data)
{
    struct alarm *alarm = data;

    ring(timer, alarm);
    if (alarm->count == 1)
        aiol_timer_start_every(timer, AIOL_SECOND, AIOL_FIXED_RATE);
    else if (alarm->count == 3)
        aiol_timer_start(timer, AIOL_HOUR);
}

static void test_the_callback_may_make_the_timer_repeat_and_single_again(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct alarm alarm = {.loop = loop};

    (void)state;
    aiol_timer_init(&alarm.timer, loop, change_to_every_second, &alarm);
    aiol_timer_start(&alarm.timer, AIOL_MINUTE);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_int_equal(alarm.count, 4);
    assert_true(alarm.fired_ns[1] == AIOL_MINUTE + AIOL_SECOND);
    assert_true(alarm.fired_ns[2] == AIOL_MINUTE + 2 * AIOL_SECOND);
    assert_true(alarm.fired_ns[3] == AIOL_MINUTE + 2 * AIOL_SECOND + AIOL_HOUR);
    free_loop(loop);
}

static void test_p3_a_bad_period_is_refused_and_changes_nothing(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct alarm alarm;

    (void)state;
    init_alarm(&alarm, loop);
    assert_int_equal(aiol_timer_start_every(&alarm.timer, 0, AIOL_FIXED_RATE), -EINVAL);
    assert_int_equal(aiol_timer_is_active(&alarm.timer), 0);
    aiol_timer_start(&alarm.timer, AIOL_SECOND);
    assert_int_equal(aiol_timer_start_every(&alarm.timer, 0, AIOL_FIXED_DELAY), -EINVAL);
    assert_int_equal(aiol_timer_start_every(&alarm.timer, AIOL_NEVER, AIOL_FIXED_RATE), -EINVAL);
    assert_int_equal(aiol_timer_start_every(&alarm.timer, AIOL_MINUTE, 2), -EINVAL);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_int_equal(alarm.count, 1);
    assert_true(alarm.fired_ns[0] == AIOL_SECOND);
    free_loop(loop);
}

static void test_an_unrefd_timer_does_not_keep_the_loop_running(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct alarm quiet, loud;

    (void)state;
    init_alarm(&quiet, loop);
    init_alarm(&loud, loop);
    aiol_timer_start_every(&quiet.timer, AIOL_SECOND, AIOL_FIXED_RATE);
    aiol_timer_unref(&quiet.timer);
    aiol_timer_unref(&quiet.timer);
    assert_int_equal(aiol_loop_is_alive(loop), 0);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_int_equal(quiet.count, 0);

    /* It still fires while something else keeps the loop going. */
    aiol_timer_start(&loud.timer, 3 * AIOL_SECOND + 1);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_int_equal(quiet.count, 3);
    aiol_timer_ref(&quiet.timer);
    aiol_timer_ref(&quiet.timer);
    assert_int_equal(aiol_loop_alive_count(loop, AIOL_ALIVE_TIMER), 1);
    aiol_timer_stop(&quiet.timer);
    assert_int_equal(aiol_loop_alive_count(loop, AIOL_ALIVE_TIMER), 0);

    /* Unref'd before it is started, stopped, and fired. */
    aiol_timer_unref(&quiet.timer);
    aiol_timer_start(&quiet.timer, 0);
    assert_int_equal(aiol_loop_is_alive(loop), 0);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(quiet.count, 4);
    assert_int_equal(aiol_loop_alive_count(loop, AIOL_ALIVE_TIMER), 0);
    free_loop(loop);
}

static void test_a_turn_that_does_not_wait_fires_what_is_due_and_nothing_else(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct alarm due, later;

    (void)state;
    init_alarm(&due, loop);
    init_alarm(&later, loop);
    aiol_timer_start(&due.timer, 0);
    aiol_timer_start(&later.timer, 1);
    assert_int_equal(aiol_loop_run_once(loop, 0), 1);
    assert_int_equal(aiol_loop_run_once(loop, 0), 1);
    assert_int_equal(due.count, 1);
    assert_int_equal(later.count, 0);
    aiol_timer_stop(&later.timer);
    free_loop(loop);
}

static void ask_for_timeout(struct aiol_timer *timer, void *data)
{
    (void)timer;
    *(uint64_t *)data = aiol_loop_next_timeout_ns(timer->loop);
}

static void do_nothing(struct aiol_timer *timer, void *data)
{
    (void)timer;
    (void)data;
}

/* One more: of a few timers each deadline is known, of many the beginning of their slot. */
static void test_a_callback_may_ask_when_the_next_timer_fires(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct aiol_timer first, others[40];
    uint64_t timeout_ns = 0;

    (void)state;
    for (int count = 1; count <= 40; count += 39) {
        aiol_timer_init(&first, loop, ask_for_timeout, &timeout_ns);
        aiol_timer_start(&first, AIOL_SECOND);
        for (int i = 0; i < count; i++) {
            aiol_timer_init(&others[i], loop, do_nothing, NULL);
            aiol_timer_start(&others[i], AIOL_SECOND + AIOL_MILLISECOND);
        }
        assert_int_equal(aiol_loop_run(loop), 0);
        if (count == 1)
            assert_true(timeout_ns == AIOL_MILLISECOND);
        else
            assert_true(timeout_ns <= AIOL_MILLISECOND);
    }
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_timer_fires_once_and_is_not_armed_in_its_callback),
        TEST(test_p4_a_timer_never_fires_before_its_deadline),
        TEST(test_p4_a_timer_does_not_fire_a_nanosecond_early),
        TEST(test_p4_far_deadlines_are_exact),
        TEST(test_p4_a_delay_that_overflows_is_never),
        TEST(test_p4_a_repetition_that_overflows_stays_armed_for_ever),
        TEST(test_p4_a_fixed_rate_does_not_drift_and_skips_what_it_missed),
        TEST(test_p4_a_fixed_delay_counts_from_the_turn_in_which_it_fired),
        TEST(test_moving_a_timer_earlier_or_later_takes_the_new_deadline),
        TEST(test_deadline_and_remaining_time_can_be_asked_for),
        TEST(test_a_callback_may_ask_when_the_next_timer_fires),
        TEST(test_a_timer_started_at_zero_in_its_callback_fires_once_a_turn),
        TEST(test_the_callback_may_make_the_timer_repeat_and_single_again),
        TEST(test_p3_a_bad_period_is_refused_and_changes_nothing),
        TEST(test_an_unrefd_timer_does_not_keep_the_loop_running),
        TEST(test_a_turn_that_does_not_wait_fires_what_is_due_and_nothing_else),
    };

    return cmocka_run_group_tests_name("reactor/timer", tests, NULL, NULL);
}
