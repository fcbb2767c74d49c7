/* The poller on Linux: how long it asks the kernel to wait, with and without epoll_pwait2(); and
 * waking it, also when another poller watches it. */
#include "platform/sys.h"
#include "support.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

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

static int wait_count, read_count;

static int count_wait(int poller_fd, struct epoll_event *events, int count, int timeout_ms)
{
    wait_count++;
    return epoll_wait(poller_fd, events, count, timeout_ms);
}

static ssize_t count_read(int fd, void *buffer, size_t size)
{
    read_count++;
    return read(fd, buffer, size);
}

static void test_a_wake_up_costs_the_loop_no_call_but_its_wait(void **state)
{
    struct aiol_loop *loop;
    struct aiol_poster *poster;

    (void)state;
    aiol__sys.epoll_wait = count_wait;
    aiol__sys.read = count_read;
    wait_count = read_count = 0;
    loop = new_loop();
    assert_int_equal(aiol_poster_new(loop, &poster), 0);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(aiol_loop_prepare(loop), 0);
        assert_int_equal(aiol_poster_wake(poster), 0);
        aiol_loop_run_once(loop, AIOL_NEVER);
        assert_int_equal(wait_count, i);
    }
    assert_int_equal(read_count, 0);
    aiol_poster_release(poster);
    assert_int_equal(aiol_loop_run(loop), 0);
    free_loop(loop);
}

/* Three programs that have the loop's descriptor in a poller of theirs: what each of them is told
 * now, 1 or 0. */
struct outside {
    int loop_fd;
    int by_level, by_edge;
};

static struct outside watch_from_outside(const struct aiol_loop *loop)
{
    struct outside outside = {aiol_loop_backend_fd(loop), epoll_create1(EPOLL_CLOEXEC),
                              epoll_create1(EPOLL_CLOEXEC)};
    struct epoll_event level = {.events = EPOLLIN}, edge = {.events = EPOLLIN | EPOLLET};

    assert_int_equal(epoll_ctl(outside.by_level, EPOLL_CTL_ADD, outside.loop_fd, &level), 0);
    assert_int_equal(epoll_ctl(outside.by_edge, EPOLL_CTL_ADD, outside.loop_fd, &edge), 0);
    return outside;
}

static void assert_told(const struct outside *outside, int by_level, int by_edge)
{
    struct pollfd polled = {.fd = outside->loop_fd, .events = POLLIN};
    struct epoll_event event;

    assert_int_equal(poll(&polled, 1, 0), by_level);
    assert_int_equal(epoll_wait(outside->by_level, &event, 1, 0), by_level);
    assert_int_equal(epoll_wait(outside->by_edge, &event, 1, 0), by_edge);
}

static void test_p2_pollers_outside_see_each_wake_up_until_the_loop_has_turned(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct outside outside = watch_from_outside(loop);
    struct aiol_poster *poster;

    (void)state;
    assert_int_equal(aiol_poster_new(loop, &poster), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(aiol_loop_prepare(loop), 0);
        assert_told(&outside, 0, 0);
        assert_int_equal(aiol_poster_wake(poster), 0);
        assert_told(&outside, 1, 1);
        assert_told(&outside, 1, 0); /* looking takes nothing away, but for an edge */
        aiol_loop_run_once(loop, 0);
        assert_told(&outside, 0, 0);
    }
    close(outside.by_level);
    close(outside.by_edge);
    aiol_poster_release(poster);
    assert_int_equal(aiol_loop_run(loop), 0);
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
        TEST(test_a_wake_up_costs_the_loop_no_call_but_its_wait),
        TEST(test_p2_pollers_outside_see_each_wake_up_until_the_loop_has_turned),
    };

    return cmocka_run_group_tests_name("platform/epoll", tests, NULL, NULL);
}
