/* Timers while memory and the system fail. */
#include "faults.h"

static void ring(struct aiol_timer *timer, void *data)
{
    int *count = data;

    if (++*count == 3) /* a repeating one goes on until it is stopped */
        aiol_timer_stop(timer);
}

static int use_one_timer(struct aiol_loop *loop)
{
    struct aiol_timer timer;
    uint64_t begin_ns = aiol_loop_now_ns(loop);
    int count = 0;
    int rc;

    aiol_timer_init(&timer, loop, ring, &count);
    rc = aiol_timer_start_at(&timer, AIOL_NEVER);
    if (rc == 0)
        rc = aiol_timer_start(&timer, 5 * AIOL_MILLISECOND + 1);
    if (rc == 0)
        rc = expect(aiol_timer_is_active(&timer) == 1, "an armed timer is active");
    if (rc == 0)
        rc = expect(aiol_timer_deadline_ns(&timer) == begin_ns + 5 * AIOL_MILLISECOND + 1 &&
                        aiol_timer_remaining_ns(&timer) == 5 * AIOL_MILLISECOND + 1,
                    "a timer knows its deadline");
    if (rc == 0)
        rc = run_loop(loop);
    aiol_loop_update_now(loop);
    if (rc == 0)
        rc = expect(count == 1 && aiol_loop_now_ns(loop) > begin_ns + 5 * AIOL_MILLISECOND,
                    "a timer fires once, and not early");
    aiol_timer_stop(&timer);
    return rc;
}

/* A repeating timer and a single one; and one that nobody waits for. */
static int use_timers(struct aiol_loop *loop)
{
    struct aiol_timer background;
    struct aiol_timer *single = NULL, *repeating = NULL;
    int single_count = 0, repeating_count = 0, background_count = 0;
    int rc;

    aiol_timer_init(&background, loop, ring, &background_count);
    aiol_timer_unref(&background);
    aiol_timer_ref(&background);
    aiol_timer_unref(&background);
    rc = aiol_timer_start(&background, AIOL_HOUR);
    if (rc == 0)
        rc = aiol_timer_new(loop, ring, &single_count, &single);
    if (rc == 0)
        rc = aiol_timer_new(loop, ring, &repeating_count, &repeating);
    if (rc == 0)
        rc = aiol_timer_start(single, 10 * AIOL_SECOND);
    if (rc == 0)
        rc = aiol_timer_start_every(repeating, AIOL_SECOND, AIOL_FIXED_RATE);
    if (rc == 0)
        rc = run_loop(loop);
    if (rc == 0)
        rc = expect(single_count == 1 && repeating_count == 3 && background_count == 0,
                    "each timer fires as often as it should");
    aiol_timer_stop(&background);
    aiol_timer_free(single);
    aiol_timer_free(repeating);
    return rc;
}

static void test_one_timer(void **state)
{
    (void)state;
    inject_faults("one timer", use_one_timer, ON_BOTH);
}

static void test_timers(void **state)
{
    (void)state;
    inject_faults("timers", use_timers, ON_BOTH);
}

static void test_sizes_cannot_fail(void **state)
{
    (void)state;
    assert_int_equal(aiol_timer_size(), sizeof(struct aiol_timer));
    assert_int_equal(aiol_timer_align(), _Alignof(struct aiol_timer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_timer),
        TEST(test_timers),
        TEST(test_sizes_cannot_fail),
    };

    return cmocka_run_group_tests_name("faults/timer", tests, NULL, print_points);
}
