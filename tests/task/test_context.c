/* What a task keeps across switches: its registers, its floating-point control words, its stack;
 * and what a debugger sees of it. */
#include "support.h"

#include "task/scheduler.h"

#include <fenv.h>
#include <math.h>
#include <string.h>

#if defined(__has_include)
#if __has_include(<execinfo.h>)
#include <execinfo.h>
#define HAS_BACKTRACE 1
#endif
#endif
#ifndef HAS_BACKTRACE /* as in musl */
static int backtrace(void **frames, int count)
{
    (void)frames, (void)count;
    return 0;
}
#endif

static int outcome[16];

/* A half, rounded as SSE and as x87 are to round at the moment: 0 or 11. What is volatile an
 * optimizing compiler neither works out in advance nor puts off; and only of such conversions
 * valgrind minds the mode. */
static int round_a_half(void)
{
    volatile double half = 0.5;
    volatile long double long_half = 0.5L;
    volatile long by_sse = lrint(half), by_x87 = lrintl(long_half);

    return (int)(by_sse * 10 + by_x87);
}

static int round_upwards(void *arg)
{
    (void)arg;
    outcome[0] = round_a_half() == 0;
    fesetround(FE_UPWARD);
    outcome[1] = round_a_half() == 11;
    aiol_await_yield();
    outcome[2] = fegetround() == FE_UPWARD && round_a_half() == 11;
    aiol_await_sleep(1); /* by way of the loop */
    outcome[3] = fegetround() == FE_UPWARD && round_a_half() == 11;
    return 0;
}

static int round_as_ever(void *arg)
{
    (void)arg;
    outcome[4] = fegetround() == FE_TONEAREST && round_a_half() == 0;
    aiol_await_yield();
    outcome[5] = fegetround() == FE_TONEAREST && round_a_half() == 0;
    aiol_await_sleep(1);
    outcome[6] = fegetround() == FE_TONEAREST && round_a_half() == 0;
    return 0;
}

static void look_at_rounding(struct aiol_timer *timer, void *data)
{
    (void)timer, (void)data;
    outcome[7] = fegetround() == FE_TONEAREST && round_a_half() == 0;
}

static void test_rounding_modes_do_not_leak_from_one_task_into_another(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_timer timer;

    (void)state;
    memset(outcome, 0, sizeof outcome);
    aiol_timer_init(&timer, loop, look_at_rounding, NULL);
    assert_int_equal(aiol_timer_start(&timer, 0), 0);
    assert_int_equal(aiol_task_spawn(loop, round_upwards, NULL, NULL), 0);
    assert_int_equal(aiol_task_spawn(loop, round_as_ever, NULL, NULL), 0);
    assert_int_equal(aiol_loop_run_once(loop, 0), 1);
    assert_int_equal(fegetround(), FE_TONEAREST);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_int_equal(fegetround(), FE_TONEAREST);
    for (int i = 0; i < 8; i++)
        assert_int_equal(outcome[i], 1);
    free_loop(loop);
}

/* More values than there are registers, so that an optimizing compiler has some in each register
 * that a switch must keep; and different ones in each task, even the counter. */
static int keep_many_values(void *arg)
{
    uint64_t seed = (uintptr_t)arg, a = seed * 3, b = seed * 5, c = seed * 7, d = seed * 11;
    uint64_t e = seed * 13, f = seed * 17, g = seed * 19;
    double s = (double)seed * 1.5, t = s + 1, u = s + 2, v = s + 3, w = s + 4, x = s + 5, y = s + 6;
    double z = s + 7;

    for (uint64_t i = 50 + seed; i > 0; i--) {
        aiol_await_yield();
        a += b, b += c, c += d, d += e, e += f, f += g, g += seed;
        s += t, t += u, u += v, v += w, w += x, x += y, y += z, z += 1;
    }
    for (uint64_t i = 50 + seed; i > 0; i--) {
        z -= 1, y -= z, x -= y, w -= x, v -= w, u -= v, t -= u, s -= t;
        g -= seed, f -= g, e -= f, d -= e, c -= d, b -= c, a -= b;
    }
    outcome[seed] = a == seed * 3 && b == seed * 5 && c == seed * 7 && d == seed * 11 &&
                    e == seed * 13 && f == seed * 17 && g == seed * 19 && s == (double)seed * 1.5 &&
                    t == s + 1 && u == s + 2 && v == s + 3 && w == s + 4 && x == s + 5 &&
                    y == s + 6 && z == s + 7;
    return 0;
}

static void test_a_task_finds_its_values_again_after_every_switch(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);

    (void)state;
    memset(outcome, 0, sizeof outcome);
    for (uintptr_t i = 0; i < COUNT_OF(outcome); i++)
        assert_int_equal(aiol_task_spawn(loop, keep_many_values, (void *)i, NULL), 0);
    assert_int_equal(aiol_loop_run(loop), 0);
    for (size_t i = 0; i < COUNT_OF(outcome); i++)
        assert_int_equal(outcome[i], 1);
    free_loop(loop);
}

struct backtrace_seen {
    void *frames[64];
    int count;
    int deep_count;
};

static __attribute__((noinline)) int look_back_from(int depth, struct backtrace_seen *seen)
{
    volatile int kept = depth; /* so that this is no tail call */

    if (depth > 0)
        return look_back_from(depth - 1, seen) + kept;
    seen->deep_count = backtrace(seen->frames, COUNT_OF(seen->frames));
    return kept;
}

static int look_back(void *arg)
{
    struct backtrace_seen *seen = arg;

    aiol_await_yield(); /* from another task's stack, not just from the loop's */
    look_back_from(10, seen);
    seen->count = backtrace(seen->frames, COUNT_OF(seen->frames));
    return 0;
}

static int yield_often(void *arg)
{
    (void)arg;
    return aiol_await_yield() + aiol_await_yield();
}

static int is_in(const void *address, const void *function, size_t size)
{
    return (uintptr_t)address > (uintptr_t)function &&
           (uintptr_t)address <= (uintptr_t)function + size;
}

static void test_p11_a_backtrace_in_a_task_ends_at_its_entry(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct backtrace_seen seen = {.count = 0};
    int main_index = -1;
    void *warm_up[1];

    (void)state;
    if (backtrace(warm_up, 1) == 0) { /* the first one loads a library */
        free_loop(loop);
        skip();
    }
    assert_int_equal(aiol_task_spawn(loop, look_back, &seen, NULL), 0);
    assert_int_equal(aiol_task_spawn(loop, yield_often, NULL, NULL), 0);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_in_range(seen.count, 2, 8);
    assert_int_equal(seen.deep_count, seen.count + 11);
    for (int i = 0; i < seen.count; i++) {
        if (is_in(seen.frames[i], (void *)aiol__task_main, 1024))
            main_index = i;
    }
    assert_in_range(main_index, 1, 3); /* backtrace(), when a tool wraps it; look_back(); this */
    assert_true(is_in(seen.frames[main_index - 1], (void *)look_back, 1024));
    /* Below it are at most the machine's entry and, with ucontext, what leads there. */
    assert_in_range(seen.count - main_index, 1, 4);
    free_loop(loop);
}

/* Fills `kib` KiB of stack, a KiB for each call, and checks on the way back what it wrote. */
static __attribute__((noinline)) int use_stack(int kib, int mark)
{
    volatile unsigned char frame[900];
    int bad = 0;

    memset((void *)frame, mark + kib, sizeof frame);
    if (kib == 50)
        aiol_await_yield(); /* also from down there */
    if (kib > 0)
        bad = use_stack(kib - 1, mark);
    for (size_t i = 0; i < sizeof frame; i++)
        bad += frame[i] != (unsigned char)(mark + kib);
    return bad;
}

static int use_a_deep_stack(void *arg)
{
    int bad = 0;

    for (int i = 0; i < 3; i++)
        bad += use_stack(100, (int)(uintptr_t)arg);
    outcome[(uintptr_t)arg] = bad == 0;
    return 0;
}

static void test_a_task_may_use_100_kib_of_stack(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);

    (void)state;
    memset(outcome, 0, sizeof outcome);
    for (uintptr_t i = 0; i < COUNT_OF(outcome); i++)
        assert_int_equal(aiol_task_spawn(loop, use_a_deep_stack, (void *)i, NULL), 0);
    assert_int_equal(aiol_loop_run(loop), 0);
    for (size_t i = 0; i < COUNT_OF(outcome); i++)
        assert_int_equal(outcome[i], 1);
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_rounding_modes_do_not_leak_from_one_task_into_another),
        TEST(test_a_task_finds_its_values_again_after_every_switch),
        TEST(test_p11_a_backtrace_in_a_task_ends_at_its_entry),
        TEST(test_a_task_may_use_100_kib_of_stack),
    };

    return cmocka_run_group_tests_name("task/context", tests, NULL, NULL);
}
