/* The bug museum, 10 to 13: timers that starve the rest, far deadlines, clocks that step back. */
#include "platform/sys.h"
#include "support.h"

#include <unistd.h>

struct starving_timer {
    int timer_count;
    int io_count;
};

static void start_again_at_zero(struct aiol_timer *timer, void *data)
{
    struct starving_timer *counts = data;

    if (++counts->timer_count < 1000)
        aiol_timer_start(timer, 0);
}

static void count_io(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)io;
    (void)ready;
    ((struct starving_timer *)data)->io_count++;
}

/* libuv#4245: a timer started at 0 in its callback ran again in the same phase, for ever. */
static void test_museum_10_zero_timers_starve_descriptors(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct starving_timer counts = {0};
    struct aiol_timer timer;
    struct aiol_io io;
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    assert_int_equal(write(fds[1], "x", 1), 1);
    aiol_io_init(&io, loop, fds[0], count_io, &counts);
    assert_int_equal(aiol_io_start(&io, AIOL_READABLE), 0);
    aiol_timer_init(&timer, loop, start_again_at_zero, &counts);
    aiol_timer_start(&timer, 0);
    for (int i = 1; i <= 10; i++) {
        aiol_loop_run_once(loop, 0);
        assert_int_equal(counts.timer_count, i);
        assert_int_equal(counts.io_count, i);
    }
    aiol_timer_stop(&timer);
    aiol_io_close(&io);
    close(fds[0]);
    close(fds[1]);
    free_loop(loop);
}

struct alarm {
    struct aiol_timer timer;
    uint64_t fired_ns;
};

static void ring(struct aiol_timer *timer, void *data)
{
    (void)timer;
    ((struct alarm *)data)->fired_ns = aiol_loop_now_ns(aiol_loop_current());
}

/* From a loop whose clock stands at `now_ns`, sleeps of a nanosecond to a year. */
static void check_sleeps_from(uint64_t now_ns)
{
    const uint64_t delays_ns[] = {1,
                                  AIOL_MICROSECOND,
                                  AIOL_MILLISECOND,
                                  AIOL_HOUR,
                                  24 * AIOL_HOUR,
                                  12 * 24 * AIOL_HOUR,
                                  13 * 24 * AIOL_HOUR,
                                  365 * 24 * AIOL_HOUR};
    struct aiol_loop *loop = new_sim_loop(1);
    struct alarm alarms[COUNT_OF(delays_ns)];

    aiol_loop_run_once(loop, now_ns);
    for (size_t i = 0; i < COUNT_OF(delays_ns); i++) {
        aiol_timer_init(&alarms[i].timer, loop, ring, &alarms[i]);
        alarms[i].fired_ns = 0;
        aiol_timer_start(&alarms[i].timer, delays_ns[i]);
    }
    for (size_t i = 0; i < COUNT_OF(delays_ns); i++) {
        uint64_t deadline_ns = now_ns + delays_ns[i];

        /* Early or in time, but never more than a few turns away. */
        for (int turn = 0; turn < 20 && aiol_loop_now_ns(loop) < deadline_ns; turn++)
            aiol_loop_run_once(loop, deadline_ns - aiol_loop_now_ns(loop));
        assert_true(alarms[i].fired_ns == deadline_ns);
        aiol_timer_stop(&alarms[i].timer);
    }
    free_loop(loop);
}

static void check_sleeps_around(uint64_t now_ns)
{
    check_sleeps_from(now_ns - 1);
    check_sleeps_from(now_ns);
    check_sleeps_from(now_ns + AIOL_MILLISECOND);
}

/* tokio#8334: after 12 days the position came round to where it had begun. */
static void test_museum_11_the_wheel_wraps_after_12_days(void **state)
{
    (void)state;
    /* Each level of 64 slots, of ticks of 1024 ns as ours are, and of milliseconds. */
    for (unsigned bits = 0; bits <= 48; bits += 6)
        check_sleeps_around(UINT64_C(1024) << bits);
    for (unsigned bits = 0; bits <= 42; bits += 6)
        check_sleeps_around(AIOL_MILLISECOND << bits);
}

static int (*fake_clock)(clockid_t clock, struct timespec *time);
static int reading_count;

/* The time of day is set back by an hour at each look; the monotonic clock is not. */
static int tell_jumping_time(clockid_t clock, struct timespec *time)
{
    fake_clock(clock, time);
    if (clock != CLOCK_MONOTONIC)
        time->tv_sec -= ++reading_count * 3600;
    return 0;
}

/* haproxy#2704: when the system's time was set back, everything waited until it had come again. */
static void test_museum_12_the_time_of_day_jumps_back(void **state)
{
    struct aiol_loop *loop;
    struct alarm alarm = {.fired_ns = 0};

    (void)state;
    begin_fake_time(1000 * AIOL_HOUR);
    fake_clock = aiol__sys.clock_gettime;
    aiol__sys.clock_gettime = tell_jumping_time;
    reading_count = 0;
    loop = new_loop();
    aiol_timer_init(&alarm.timer, loop, ring, &alarm);
    aiol_timer_start(&alarm.timer, AIOL_SECOND);
    for (int turn = 0; turn < 3; turn++)
        aiol_loop_run_once(loop, AIOL_SECOND);
    assert_true(alarm.fired_ns == 1000 * AIOL_HOUR + AIOL_SECOND);
    aiol_timer_stop(&alarm.timer);
    free_loop(loop);
}

/* Each second reading is five milliseconds behind the one before it. */
static int tell_unsteady_time(clockid_t clock, struct timespec *time)
{
    uint64_t now_ns;

    fake_clock(clock, time);
    now_ns = (uint64_t)time->tv_sec * AIOL_SECOND + (uint64_t)time->tv_nsec;
    if (++reading_count % 2 == 0)
        now_ns -= 5 * AIOL_MILLISECOND;
    *time = (struct timespec){.tv_sec = (time_t)(now_ns / AIOL_SECOND),
                              .tv_nsec = (long)(now_ns % AIOL_SECOND)};
    return 0;
}

/* libuv#2891 */
static void test_museum_13_the_monotonic_clock_is_not_monotonic(void **state)
{
    struct aiol_loop *loop;
    struct alarm alarm;
    uint64_t latest_ns;

    (void)state;
    begin_fake_time(AIOL_HOUR);
    fake_clock = aiol__sys.clock_gettime;
    aiol__sys.clock_gettime = tell_unsteady_time;
    reading_count = 0;
    loop = new_loop();
    latest_ns = aiol_loop_now_ns(loop);
    aiol_timer_init(&alarm.timer, loop, ring, &alarm);
    for (int i = 0; i < 50; i++) {
        uint64_t deadline_ns;

        alarm.fired_ns = 0;
        aiol_timer_start(&alarm.timer, (uint64_t)i * AIOL_MILLISECOND);
        deadline_ns = aiol_timer_deadline_ns(&alarm.timer);
        for (int turn = 0; turn < 10 && !alarm.fired_ns; turn++) {
            aiol_loop_run_once(loop, AIOL_NEVER);
            assert_true(aiol_loop_now_ns(loop) >= latest_ns);
            latest_ns = aiol_loop_now_ns(loop);
        }
        assert_true(alarm.fired_ns >= deadline_ns);
        assert_true(alarm.fired_ns <= deadline_ns + 20 * AIOL_MILLISECOND);
    }
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_museum_10_zero_timers_starve_descriptors),
        TEST(test_museum_11_the_wheel_wraps_after_12_days),
        TEST(test_museum_12_the_time_of_day_jumps_back),
        TEST(test_museum_13_the_monotonic_clock_is_not_monotonic),
    };

    return cmocka_run_group_tests_name("museum/time", tests, NULL, NULL);
}
