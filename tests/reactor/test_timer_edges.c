/* Timers that are started where the clock of the loop is old, and crowds that are never due. */
#include "platform/sys.h"
#include "support.h"

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

static void test_p4_a_delay_given_before_the_run_counts_from_the_call(void **state)
{
    struct alarm once = {.count = 0}, every = {.count = 0};
    struct aiol_loop *loop;

    (void)state;
    begin_fake_time(AIOL_HOUR);
    loop = new_loop();
    aiol_timer_init(&once.timer, loop, ring, &once);
    aiol_timer_init(&every.timer, loop, ring, &every);
    pass_fake_time(90 * AIOL_MILLISECOND); /* the program has other things to do first */
    aiol_timer_start(&once.timer, 100 * AIOL_MILLISECOND);
    pass_fake_time(10 * AIOL_MILLISECOND);
    aiol_timer_start_every(&every.timer, 100 * AIOL_MILLISECOND, AIOL_FIXED_RATE);
    aiol_timer_unref(&every.timer);
    assert_true(aiol_timer_deadline_ns(&every.timer) == AIOL_HOUR + 200 * AIOL_MILLISECOND);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_true(once.fired_ns == AIOL_HOUR + 190 * AIOL_MILLISECOND);
    aiol_timer_stop(&every.timer);
    free_loop(loop);
}

static void start_in_hook(struct aiol_hook *hook, void *data)
{
    struct alarm *alarm = data;

    aiol_hook_stop(hook);
    aiol_timer_start(&alarm->timer, 100 * AIOL_MILLISECOND);
}

static void test_p4_a_timer_started_in_a_hook_after_the_wait_is_not_early_by_the_wait(void **state)
{
    struct alarm first = {.count = 0}, second = {.count = 0};
    struct aiol_loop *loop;
    struct aiol_hook hook;

    (void)state;
    begin_fake_time(AIOL_HOUR);
    loop = new_loop();
    aiol_timer_init(&first.timer, loop, ring, &first);
    aiol_timer_init(&second.timer, loop, ring, &second);
    aiol_timer_start(&first.timer, 90 * AIOL_MILLISECOND);
    aiol_hook_init(&hook, loop, AIOL_HOOK_AFTER_WAIT, start_in_hook, &second);
    assert_int_equal(aiol_hook_start(&hook), 0);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_true(first.fired_ns == AIOL_HOUR + 90 * AIOL_MILLISECOND);
    assert_true(second.fired_ns == AIOL_HOUR + 190 * AIOL_MILLISECOND);
    free_loop(loop);
}

static void note_post(int status, void *data)
{
    *(int *)data += status == 0;
}

/* Waiting for ever, a simulated loop lets real time pass and not its own: another thread will wake
 * it. Here its post comes in the middle of that wait. */
static struct aiol_poster *poster;
static int post_count, wait_count;
static int (*real_poll)(struct pollfd *fds, nfds_t count, int timeout_ms);

static int post_and_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    if (wait_count++ == 0)
        aiol_poster_post(poster, note_post, &post_count);
    return real_poll(fds, count, timeout_ms);
}

static void test_p10_a_crowd_of_timers_that_never_fire_does_not_move_virtual_time(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    static struct alarm alarms[33]; /* one more than the wheel looks through */
    struct aiol_timer nearby;
    struct alarm alarm = {.count = 0};

    (void)state;
    post_count = wait_count = 0;
    real_poll = aiol__sys.poll;
    aiol__sys.poll = post_and_poll;
    for (size_t i = 0; i < COUNT_OF(alarms); i++) {
        alarms[i].count = 0;
        aiol_timer_init(&alarms[i].timer, loop, ring, &alarms[i]);
        aiol_timer_start_at(&alarms[i].timer, AIOL_NEVER);
    }
    assert_true(aiol_loop_next_timeout_ns(loop) == AIOL_NEVER);
    assert_int_equal(aiol_poster_new(loop, &poster), 0);
    assert_int_equal(aiol_loop_run_once(loop, AIOL_NEVER), 1);
    assert_int_equal(post_count, 1);
    assert_true(aiol_loop_now_ns(loop) == 0);

    /* Nor do they hide one that does fire. */
    aiol_timer_init(&nearby, loop, ring, &alarm);
    aiol_timer_start(&nearby, AIOL_HOUR);
    assert_int_equal(aiol_loop_run_once(loop, AIOL_NEVER), 1);
    assert_true(alarm.fired_ns == AIOL_HOUR);
    for (size_t i = 0; i < COUNT_OF(alarms); i++) {
        assert_int_equal(alarms[i].count, 0);
        aiol_timer_stop(&alarms[i].timer);
    }
    aiol_poster_release(poster);
    assert_int_equal(aiol_loop_run(loop), 0);
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p4_a_delay_given_before_the_run_counts_from_the_call),
        TEST(test_p4_a_timer_started_in_a_hook_after_the_wait_is_not_early_by_the_wait),
        TEST(test_p10_a_crowd_of_timers_that_never_fire_does_not_move_virtual_time),
    };

    return cmocka_run_group_tests_name("reactor/timer_edges", tests, NULL, NULL);
}
