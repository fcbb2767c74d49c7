/* How long the poller on Linux asks the kernel to wait, with and without epoll_pwait2(). */
#include "platform/sys.h"
#include "support.h"

#include <errno.h>
#include <limits.h>

static int last_timeout_ms;
static struct timespec last_timeout;
static int pwait2_count;
static int pwait2_errno; /* 0: it returns no events */

static int fake_wait(int poller_fd, struct epoll_event *events, int count, int timeout_ms)
{
    (void)poller_fd;
    (void)events;
    (void)count;
    last_timeout_ms = timeout_ms;
    return 0;
}

static int fake_pwait2(int poller_fd, struct epoll_event *events, int count,
                       const struct timespec *timeout)
{
    (void)poller_fd;
    (void)events;
    (void)count;
    pwait2_count++;
    last_timeout = *timeout;
    errno = pwait2_errno;
    return pwait2_errno ? -1 : 0;
}

static struct aiol_loop *new_loop_with_fake_waits(int error)
{
    begin_fake_time(AIOL_HOUR);
    aiol__sys.epoll_wait = fake_wait;
    aiol__sys.epoll_pwait2 = fake_pwait2;
    pwait2_errno = error;
    pwait2_count = 0;
    last_timeout_ms = INT_MIN;
    return new_loop();
}

static void test_p4_waits_are_exact_to_the_nanosecond(void **state)
{
    struct aiol_loop *loop = new_loop_with_fake_waits(0);

    (void)state;
    aiol_loop_run_once(loop, 1);
    assert_int_equal(last_timeout.tv_sec, 0);
    assert_int_equal(last_timeout.tv_nsec, 1);
    aiol_loop_run_once(loop, 5 * AIOL_SECOND + 123456789);
    assert_int_equal(last_timeout.tv_sec, 5);
    assert_int_equal(last_timeout.tv_nsec, 123456789);
    /* What does not fit the kernel's idea of time is cut, not wrapped around. */
    aiol_loop_run_once(loop, AIOL_NEVER - 1);
    assert_true(last_timeout.tv_sec > 300000000);
    assert_in_range(last_timeout.tv_nsec, 0, 999999999);
    assert_int_equal(last_timeout_ms, INT_MIN);
    free_loop(loop);
}

static void test_no_wait_and_a_wait_for_ever_need_no_nanoseconds(void **state)
{
    struct aiol_loop *loop = new_loop_with_fake_waits(0);

    (void)state;
    aiol_loop_run_once(loop, 0);
    assert_int_equal(last_timeout_ms, 0);
    aiol_loop_run_once(loop, AIOL_NEVER);
    assert_int_equal(last_timeout_ms, -1);
    assert_int_equal(pwait2_count, 0);
    free_loop(loop);
}

static void check_fallback(int error)
{
    struct aiol_loop *loop = new_loop_with_fake_waits(error);

    aiol_loop_run_once(loop, 1);
    assert_int_equal(last_timeout_ms, 1);
    aiol_loop_run_once(loop, AIOL_MILLISECOND);
    assert_int_equal(last_timeout_ms, 1);
    aiol_loop_run_once(loop, AIOL_MILLISECOND + 1);
    assert_int_equal(last_timeout_ms, 2);
    aiol_loop_run_once(loop, (UINT64_C(1) << 32) * AIOL_MILLISECOND);
    assert_int_equal(last_timeout_ms, INT_MAX);
    aiol_loop_run_once(loop, AIOL_NEVER - 1);
    assert_int_equal(last_timeout_ms, INT_MAX);
    aiol_loop_run_once(loop, AIOL_NEVER);
    assert_int_equal(last_timeout_ms, -1);
    assert_int_equal(pwait2_count, 1); /* asked once, then remembered */
    free_loop(loop);
}

static void test_p4_without_epoll_pwait2_waits_are_rounded_up_to_milliseconds(void **state)
{
    (void)state;
    check_fallback(ENOSYS);
}

static void test_p4_with_epoll_pwait2_forbidden_waits_are_rounded_up_to_milliseconds(void **state)
{
    (void)state;
    check_fallback(EPERM);
}

static int lack_pwait2(int poller_fd, struct epoll_event *events, int count,
                       const struct timespec *timeout)
{
    (void)poller_fd;
    (void)events;
    (void)count;
    (void)timeout;
    errno = ENOSYS;
    return -1;
}

static void note_timer(struct aiol_timer *timer, void *data)
{
    (void)timer;
    note(data, 't');
}

static void test_p4_no_timer_is_early_without_epoll_pwait2(void **state)
{
    struct notes notes = {.length = 0};
    struct aiol_loop *loop;
    struct aiol_timer timer;
    uint64_t begin_ns;

    (void)state;
    aiol__sys.epoll_pwait2 = lack_pwait2;
    loop = new_loop();
    begin_ns = aiol__sys_monotonic_ns();
    aiol_timer_init(&timer, loop, note_timer, &notes);
    aiol_timer_start_at(&timer, begin_ns + 1300000);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_true(aiol__sys_monotonic_ns() - begin_ns >= 1300000);
    assert_string_equal(notes.text, "t");
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p4_waits_are_exact_to_the_nanosecond),
        TEST(test_no_wait_and_a_wait_for_ever_need_no_nanoseconds),
        TEST(test_p4_without_epoll_pwait2_waits_are_rounded_up_to_milliseconds),
        TEST(test_p4_with_epoll_pwait2_forbidden_waits_are_rounded_up_to_milliseconds),
        TEST(test_p4_no_timer_is_early_without_epoll_pwait2),
    };

    return cmocka_run_group_tests_name("platform/epoll", tests, NULL, NULL);
}
