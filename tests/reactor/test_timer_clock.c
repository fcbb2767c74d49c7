/* Timers and the clock they count by: while a callback computes, and when the system's steps back.
 */
#include "platform/sys.h"
#include "support.h"

/* A timer that remembers when it fired. */
struct alarm {
    struct aiol_timer timer;
    int count;
    uint64_t fired_ns;
};

static void ring(struct aiol_timer *timer, void *data)
{
    struct alarm *alarm = data;

    (void)timer;
    alarm->count++;
    alarm->fired_ns = aiol_loop_now_ns(aiol_loop_current());
}

static void init_alarm(struct alarm *alarm, struct aiol_loop *loop)
{
    *alarm = (struct alarm){.count = 0};
    aiol_timer_init(&alarm->timer, loop, ring, alarm);
}

/* A callback that computes for a second, then starts a timer, updates the clock, and starts another
 * one. */
struct computation {
    struct aiol_loop *loop;
    struct alarm alarms[2];
    uint64_t deadlines_ns[2];
};

static void compute_and_start(struct aiol_timer *timer, void *data)
{
    struct computation *computation = data;

    (void)timer;
    pass_fake_time(AIOL_SECOND);
    for (int i = 0; i < 2; i++) {
        aiol_timer_start(&computation->alarms[i].timer, AIOL_MINUTE);
        computation->deadlines_ns[i] = aiol_timer_deadline_ns(&computation->alarms[i].timer);
        aiol_loop_update_now(computation->loop);
    }
}

static void test_p4_delays_count_from_the_clock_of_the_loop(void **state)
{
    struct computation computation;
    struct aiol_timer timer;

    (void)state;
    begin_fake_time(AIOL_HOUR);
    computation.loop = new_loop();
    for (int i = 0; i < 2; i++)
        init_alarm(&computation.alarms[i], computation.loop);
    aiol_timer_init(&timer, computation.loop, compute_and_start, &computation);
    aiol_timer_start(&timer, 0);
    assert_int_equal(aiol_loop_run(computation.loop), 0);
    assert_true(computation.deadlines_ns[0] == AIOL_HOUR + AIOL_MINUTE);
    assert_true(computation.deadlines_ns[1] == AIOL_HOUR + AIOL_MINUTE + AIOL_SECOND);
    for (int i = 0; i < 2; i++)
        assert_true(computation.alarms[i].fired_ns >= computation.deadlines_ns[i]);
    free_loop(computation.loop);
}

/* What callbacks have computed is not slept once more. */
static void test_p4_a_timer_is_not_late_by_what_a_callback_took(void **state)
{
    struct computation computation;
    struct aiol_timer timer;

    (void)state;
    begin_fake_time(AIOL_HOUR);
    computation.loop = new_loop();
    for (int i = 0; i < 2; i++)
        init_alarm(&computation.alarms[i], computation.loop);
    aiol_timer_init(&timer, computation.loop, compute_and_start, &computation);
    aiol_timer_start(&timer, 0);
    aiol_loop_run_once(computation.loop, 0);
    pass_fake_time(AIOL_SECOND);
    assert_int_equal(aiol_loop_run(computation.loop), 0);
    assert_true(computation.alarms[0].fired_ns == AIOL_HOUR + AIOL_MINUTE);
    free_loop(computation.loop);
}

static int step_back(clockid_t clock, struct timespec *time)
{
    static uint64_t call_count;

    (void)clock;
    call_count++;
    *time = (struct timespec){.tv_sec = 1000 - (time_t)call_count};
    return 0;
}

/* The bug museum, 12 and 13: a clock that jumps back. */
static void test_p4_a_system_clock_that_steps_back_does_not_move_the_clock_of_the_loop(void **state)
{
    struct aiol_loop *loop;
    struct alarm alarm;
    uint64_t before_ns;

    (void)state;
    begin_fake_time(1000 * AIOL_SECOND);
    loop = new_loop();
    init_alarm(&alarm, loop);
    aiol__sys.clock_gettime = step_back;
    before_ns = aiol_loop_now_ns(loop);
    aiol_timer_start(&alarm.timer, 0);
    aiol_loop_run_once(loop, 0);
    assert_true(aiol_loop_now_ns(loop) == before_ns);
    assert_int_equal(alarm.count, 1);
    free_loop(loop);
}

static void ask_for_a_deadline(struct aiol_timer *timer, void *data)
{
    (void)timer;
    ((uint64_t *)data)[0] = aiol_deadline_after(AIOL_SECOND);
    ((uint64_t *)data)[1] = aiol_deadline_after(UINT64_MAX - 1);
}

static void test_deadline_after_counts_by_the_loop_that_runs_or_else_the_system(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct aiol_timer timer;
    uint64_t deadlines_ns[2] = {0, 0};
    uint64_t before_ns = aiol__sys_monotonic_ns();

    (void)state;
    assert_true(aiol_deadline_after(AIOL_SECOND) >= before_ns + AIOL_SECOND);
    assert_true(aiol_deadline_after(AIOL_NEVER) == AIOL_NEVER);
    aiol_timer_init(&timer, loop, ask_for_a_deadline, deadlines_ns);
    aiol_timer_start(&timer, 10 * AIOL_SECOND);
    aiol_loop_run(loop);
    assert_true(deadlines_ns[0] == 11 * AIOL_SECOND);
    assert_true(deadlines_ns[1] == AIOL_NEVER);
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p4_delays_count_from_the_clock_of_the_loop),
        TEST(test_p4_a_timer_is_not_late_by_what_a_callback_took),
        TEST(test_p4_a_system_clock_that_steps_back_does_not_move_the_clock_of_the_loop),
        TEST(test_deadline_after_counts_by_the_loop_that_runs_or_else_the_system),
    };

    return cmocka_run_group_tests_name("reactor/timer_clock", tests, NULL, NULL);
}
