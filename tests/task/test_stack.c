/* Stacks: many of them, used again, and with a guard that faults. */
#include "support.h"

#include "platform/sys.h"
#include "task/context.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(AIOL__ASAN) || defined(AIOL__TSAN)
#define MANY 1000 /* the sanitizers keep a stack of their own beside each */
#define STACK_KIB 512
#else
#define MANY 20000
#define STACK_KIB 128
#endif

static int entered, left;

static int sleep_a_second(void *arg)
{
    (void)arg;
    entered++;
    if (aiol_await_sleep(AIOL_SECOND) == 0)
        left++;
    return 0;
}

static void test_20000_tasks_sleep_at_once(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);

    (void)state;
    entered = left = 0;
    for (int i = 0; i < MANY; i++)
        assert_int_equal(aiol_task_spawn(loop, sleep_a_second, NULL, NULL), 0);
    assert_int_equal(aiol_loop_alive_count(loop, AIOL_ALIVE_TASK), MANY);
    while (entered < MANY)
        assert_int_equal(aiol_loop_run_once(loop, 0), 1);
    assert_int_equal(left, 0);
    /* A full run would never end if the clock did not move on. */
    for (int turn = 0; turn < 1000 && left < MANY; turn++)
        aiol_loop_run_once(loop, AIOL_NEVER);
    assert_int_equal(left, MANY);
    assert_int_equal(aiol_loop_now_ns(loop), AIOL_SECOND);
    free_loop(loop);
}

static int return_0(void *arg)
{
    (void)arg;
    return 0;
}

static void spawn_a_hundred_and_run(struct aiol_loop *loop)
{
    for (int i = 0; i < 100; i++)
        assert_int_equal(aiol_task_spawn(loop, return_0, NULL, NULL), 0);
    assert_int_equal(aiol_loop_run(loop), 0);
}

static int mapped;

static void *count_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    mapped++;
    return mmap(address, size, protection, flags, fd, offset);
}

static void test_p5_stacks_and_tasks_are_used_again_without_asking_for_more(void **state)
{
    struct aiol_loop *loop;
    long made;

    (void)state;
    mapped = 0;
    aiol__sys.mmap = count_mmap;
    loop = new_sim_loop(0);
    spawn_a_hundred_and_run(loop);
    made = allocations_made();
    assert_true(mapped > 0);
    mapped = 0;
    for (int i = 0; i < 50; i++)
        spawn_a_hundred_and_run(loop);
    assert_int_equal(allocations_made(), made);
    assert_int_equal(mapped, 0);
    free_loop(loop);
}

static void *refuse_mmap(void *address, size_t size, int protection, int flags, int fd,
                         off_t offset)
{
    (void)address, (void)size, (void)protection, (void)flags, (void)fd, (void)offset;
    errno = ENOMEM;
    return MAP_FAILED;
}

static int refuse_guards(void *address, size_t size, int advice)
{
    (void)address, (void)size, (void)advice;
    errno = EINVAL;
    return -1;
}

static int refuse_mprotect(void *address, size_t size, int protection)
{
    (void)address, (void)size, (void)protection;
    errno = ENOMEM;
    return -1;
}

static void
test_p3_without_address_space_or_guards_no_task_is_made_and_the_loop_goes_on(void **state)
{
    struct aiol__sys real = aiol__sys;
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_task *task = NULL;

    (void)state;
    aiol__sys.mmap = refuse_mmap;
    assert_int_equal(aiol_task_spawn(loop, return_0, NULL, &task), -ENOMEM);
    aiol__sys.mmap = real.mmap;
    aiol__sys.madvise = refuse_guards;
    aiol__sys.mprotect = refuse_mprotect;
    assert_int_equal(aiol_task_spawn(loop, return_0, NULL, &task), -ENOMEM);
    assert_null(task);
    assert_int_equal(aiol_loop_is_alive(loop), 0);
    aiol__sys = real;
    spawn_a_hundred_and_run(loop);
    free_loop(loop);
}

static void test_p11_a_loop_says_how_its_stacks_are_guarded(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    const char *kind;

    (void)state;
    assert_string_equal(aiol_task_guard_kind(loop), "none yet");
    spawn_a_hundred_and_run(loop);
    kind = aiol_task_guard_kind(loop);
    assert_true(strcmp(kind, "guard") == 0 || strcmp(kind, "mprotect") == 0);
    free_loop(loop);

    aiol__sys.madvise = refuse_guards;
    loop = new_sim_loop(0);
    spawn_a_hundred_and_run(loop);
    assert_string_equal(aiol_task_guard_kind(loop), "mprotect");
    free_loop(loop);
}

/* Frames smaller than a page, so that none of them jumps over the guard. Each call looks at its
 * caller's, lest an optimizing compiler makes this a loop with a single one. */
static __attribute__((noinline)) int use_stack(uintptr_t lowest, volatile char *above)
{
    volatile char frame[512];

    frame[0] = 1;
    frame[511] = *above;
    if ((uintptr_t)__builtin_frame_address(0) < lowest)
        return 0;
    return use_stack(lowest, frame) + frame[0];
}

/* Ends the process, lest the neighbour does, finding its stack overwritten. */
static int use_stack_and_exit(void *arg)
{
    volatile char above = 1;

    use_stack((uintptr_t)__builtin_frame_address(0) - *(size_t *)arg * 1024, &above);
    _exit(0);
}

static int *canary_status;

static int hold_a_stack(void *arg)
{
    volatile char canary[4096];

    memset((void *)canary, 0x5a, sizeof canary);
    aiol_await_yield();
    for (size_t i = 0; i < sizeof canary; i++)
        *canary_status += canary[i] != 0x5a;
    return *(int *)arg;
}

/* In a child process, since it is to die: 0 when it lived, else the signal that killed it. */
static int signal_of_using(size_t kib)
{
    static const struct rlimit no_core = {0, 0};
    int zero = 0, status = 0;
    pid_t child = fork();

    if (child == 0) {
        struct aiol_loop *loop = new_loop();

        /* A sanitizer would catch the signal and exit. */
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        setrlimit(RLIMIT_CORE, &no_core);
        aiol_task_spawn(loop, hold_a_stack, &zero, NULL); /* its stack lies below */
        aiol_task_spawn(loop, use_stack_and_exit, &kib, NULL);
        aiol_loop_run_once(loop, 0);
        _exit(1);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) ? -1 : 0;
}

static void test_an_overflow_of_the_stack_faults_at_the_guard(void **state)
{
    int dummy = 0;

    (void)state;
    canary_status = &dummy;
    assert_int_equal(signal_of_using(STACK_KIB / 2), 0); /* it is the depth that kills */
    /* Without a guard it would be in its neighbour's stack, and live. */
    assert_int_equal(signal_of_using(STACK_KIB + STACK_KIB / 2), SIGSEGV);
    aiol__sys.madvise = refuse_guards; /* and so with the other kind of guard */
    assert_int_equal(signal_of_using(STACK_KIB / 2), 0);
    assert_int_equal(signal_of_using(STACK_KIB + STACK_KIB / 2), SIGSEGV);
}

static void test_neighbouring_stacks_do_not_touch_each_other(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    int zero = 0, bad = 0;

    (void)state;
    canary_status = &bad;
    for (int i = 0; i < 200; i++)
        assert_int_equal(aiol_task_spawn(loop, hold_a_stack, &zero, NULL), 0);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_int_equal(bad, 0);
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p5_stacks_and_tasks_are_used_again_without_asking_for_more),
        TEST(test_p3_without_address_space_or_guards_no_task_is_made_and_the_loop_goes_on),
        TEST(test_p11_a_loop_says_how_its_stacks_are_guarded),
        TEST(test_an_overflow_of_the_stack_faults_at_the_guard),
        TEST(test_neighbouring_stacks_do_not_touch_each_other),
        TEST(test_20000_tasks_sleep_at_once),
    };

    return cmocka_run_group_tests_name("task/stack", tests, NULL, NULL);
}
