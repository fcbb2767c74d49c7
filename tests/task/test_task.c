/* Tasks: their beginning, their handle, their cancellation and their end. */
#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static struct notes trace;

static struct aiol_loop *begin(void)
{
    memset(&trace, 0, sizeof trace);
    return new_sim_loop(0);
}

static int note_letter(void *arg)
{
    note(&trace, *(const char *)arg);
    return 0;
}

static int spawn_and_note(void *arg)
{
    static char c = 'c';
    int rc = aiol_task_spawn(aiol_loop_current(), note_letter, &c, NULL);

    note_letter(arg);
    return rc;
}

static void test_p6_tasks_begin_in_the_order_of_their_spawns_and_never_inside_the_call(void **state)
{
    struct aiol_loop *loop = begin();

    (void)state;
    assert_int_equal(aiol_task_spawn(loop, spawn_and_note, "a", NULL), 0);
    assert_int_equal(aiol_task_spawn(loop, note_letter, "b", NULL), 0);
    assert_string_equal(trace.text, "");
    assert_int_equal(aiol_loop_alive_count(loop, AIOL_ALIVE_TASK), 2);
    assert_int_equal(aiol_loop_free(loop), -EBUSY);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_string_equal(trace.text, "abc");
    assert_int_equal(aiol_loop_alive_count(loop, AIOL_ALIVE_TASK), 0);
    free_loop(loop);
}

static int return_arg(void *arg)
{
    return *(int *)arg;
}

static void test_a_handle_outlives_the_end_and_can_be_given_up_before_and_after_it(void **state)
{
    struct aiol_loop *loop = begin();
    struct aiol_task *early = NULL, *late = NULL, *kept = NULL;
    int failure = -EIO;

    (void)state;
    assert_int_equal(aiol_task_spawn(loop, return_arg, &failure, &early), 0);
    assert_int_equal(aiol_task_spawn(loop, return_arg, &failure, &late), 0);
    assert_int_equal(aiol_task_spawn(loop, return_arg, &failure, &kept), 0);
    assert_int_equal(aiol_task_detach(early), 0);
    assert_int_equal(aiol_task_is_done(late), 0);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_int_equal(aiol_task_is_done(late), 1);
    assert_int_equal(aiol_task_detach(late), 0);
    assert_int_equal(aiol_task_is_done(kept), 1);
    free_loop(loop); /* and `kept` with it */
}

static __attribute__((noinline)) int spawn_here(struct aiol_loop *loop, struct aiol_task **ret_task)
{
    int rc = aiol_task_spawn(loop, note_letter, "a", ret_task);

    return rc < 0 ? rc : 0;
}

static void test_p11_a_task_has_a_name_and_the_place_where_it_was_spawned(void **state)
{
    struct aiol_loop *loop = begin();
    struct aiol_task *task = NULL;
    uintptr_t place;

    (void)state;
    assert_int_equal(spawn_here(loop, &task), 0);
    assert_string_equal(aiol_task_name(task), "task");
    aiol_task_set_name(task, "letters");
    assert_string_equal(aiol_task_name(task), "letters");
    place = (uintptr_t)aiol_task_spawn_place(task);
    assert_in_range(place, (uintptr_t)spawn_here, (uintptr_t)spawn_here + 512);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_string_equal(aiol_task_name(task), "letters");
    free_loop(loop);
}

struct currents {
    struct aiol_task *in_task;
    struct aiol_task *in_callback;
    struct aiol_loop *loop_in_task;
};

static int look_at_current(void *arg)
{
    struct currents *currents = arg;

    currents->in_task = aiol_task_current();
    currents->loop_in_task = aiol_loop_current();
    return 0;
}

static void look_in_callback(struct aiol_deferred *deferred, void *data)
{
    (void)deferred;
    ((struct currents *)data)->in_callback = aiol_task_current();
}

static void test_the_current_task_is_the_one_that_runs_and_none_in_a_callback(void **state)
{
    struct aiol_loop *loop = begin();
    struct aiol_task *task = NULL;
    struct aiol_deferred deferred;
    struct currents currents = {.in_callback = (struct aiol_task *)&trace};

    (void)state;
    aiol_deferred_init(&deferred, loop, look_in_callback, &currents);
    assert_int_equal(aiol_deferred_start(&deferred), 0);
    assert_int_equal(aiol_task_spawn(loop, look_at_current, &currents, &task), 0);
    assert_null(aiol_task_current());
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_null(currents.in_callback);
    assert_ptr_equal(currents.in_task, task);
    assert_ptr_equal(currents.loop_in_task, loop);
    assert_null(aiol_task_current());
    free_loop(loop);
}

struct copied {
    struct copied *original;
    unsigned char bytes[100];
    unsigned char rest[16]; /* copied in part */
};

static struct {
    int mismatches;
    uintptr_t misalignment;
    int is_copy;
} copy_seen;

static int check_copy(void *arg)
{
    struct copied *copy = arg;
    max_align_t local;
    volatile uintptr_t place = (uintptr_t)&local; /* the compiler thinks that it knows the rest */

    copy_seen.is_copy += copy != copy->original;
    copy_seen.misalignment |= (uintptr_t)copy % 16;
    copy_seen.misalignment |= place % _Alignof(max_align_t); /* 32-bit ARM has 8 */
    aiol_await_yield();
    for (size_t i = 0; i < sizeof copy->bytes; i++)
        copy_seen.mismatches += copy->bytes[i] != (unsigned char)i;
    memset(copy->bytes, 0, sizeof copy->bytes); /* it is the task's own */
    return 0;
}

static void test_a_copied_argument_lies_aligned_on_the_tasks_own_stack(void **state)
{
    struct aiol_loop *loop = begin();
    struct copied data = {.original = &data};

    (void)state;
    memset(&copy_seen, 0, sizeof copy_seen);
    for (size_t i = 0; i < sizeof data.bytes; i++)
        data.bytes[i] = (unsigned char)i;
    for (size_t cut = 0; cut < sizeof data.rest; cut++)
        assert_int_equal(aiol_task_spawn_copy(loop, check_copy, &data, sizeof data - cut, NULL), 0);
    memset(data.bytes, 0xee, sizeof data.bytes);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_int_equal(copy_seen.is_copy, 16);
    assert_int_equal(copy_seen.misalignment, 0);
    assert_int_equal(copy_seen.mismatches, 0);
    free_loop(loop);
}

static int sum_bytes(void *arg)
{
    const unsigned char *bytes = arg;

    copy_seen.mismatches = 0;
    for (size_t i = 0; i < 16384; i++)
        copy_seen.mismatches += bytes[i] != (unsigned char)(i * 7);
    return 0;
}

static void test_p3_a_copy_may_have_16384_bytes_and_no_more(void **state)
{
    static unsigned char bytes[16385];
    struct aiol_loop *loop = begin();
    struct aiol_task *task = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 7);
    copy_seen.mismatches = -1;
    assert_int_equal(aiol_task_spawn_copy(loop, sum_bytes, bytes, 16385, &task), -E2BIG);
    assert_null(task);
    assert_int_equal(aiol_loop_is_alive(loop), 0);
    assert_int_equal(aiol_task_spawn_copy(loop, sum_bytes, bytes, 16384, NULL), 0);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_int_equal(copy_seen.mismatches, 0);
    free_loop(loop);
}

static int free_and_sleep(void *arg)
{
    free(arg); /* a sanitizer would see it missing, or freed twice */
    note(&trace, 'f');
    note(&trace, aiol_await_sleep(1) == -ECANCELED ? 'c' : '?');
    return 0;
}

static void test_p2_a_task_is_entered_exactly_once_even_if_it_was_cancelled_before(void **state)
{
    struct aiol_loop *loop = begin();
    struct aiol_task *task = NULL;

    (void)state;
    assert_int_equal(aiol_task_spawn(loop, free_and_sleep, malloc(10), &task), 0);
    aiol_task_cancel(task);
    aiol_task_cancel(task);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_string_equal(trace.text, "fc");
    aiol_task_cancel(task); /* it has ended */
    assert_int_equal(aiol_task_detach(task), 0);
    free_loop(loop);
}

static int cancel_oneself(void *arg)
{
    struct aiol_loop *loop = arg;
    struct aiol_queue *queue = NULL;
    struct aiol_future future;
    void *item = NULL;

    if (aiol_queue_new(loop, 4, NULL, &queue) < 0)
        return -ENOMEM;
    aiol_queue_put_nowait(queue, arg);
    aiol_future_init(&future, loop, NULL, NULL);
    aiol_future_set(&future, 0, NULL);
    aiol_task_cancel(aiol_task_current());
    /* Also those that would not have had to wait; each of them every time. */
    for (int i = 0; i < 2; i++) {
        note(&trace, aiol_await_sleep(0) == -ECANCELED ? 's' : '?');
        note(&trace, aiol_await_yield() == -ECANCELED ? 'y' : '?');
        note(&trace, aiol_await_queue_get(queue, &item) == -ECANCELED ? 'g' : '?');
        note(&trace, aiol_await_queue_put(queue, arg) == -ECANCELED ? 'p' : '?');
        note(&trace, aiol_await_queue_join(queue) == -ECANCELED ? 'j' : '?');
        note(&trace, aiol_await_future(&future, NULL) == -ECANCELED ? 'f' : '?');
        note(&trace, aiol_await_readable(0) == -ECANCELED ? 'r' : '?');
    }
    note(&trace, aiol_queue_count(queue) == 1 ? '1' : '?');
    aiol_future_close(&future);
    aiol_queue_free(queue);
    return 7;
}

static void test_a_cancelled_task_gets_it_from_every_awaiting_call_again_and_again(void **state)
{
    struct aiol_loop *loop = begin();

    (void)state;
    assert_int_equal(aiol_task_spawn(loop, cancel_oneself, loop, NULL), 0);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_string_equal(trace.text, "sygpjfrsygpjfr1");
    free_loop(loop);
}

static void test_p3_a_task_for_which_there_is_no_memory_is_not_started(void **state)
{
    struct aiol_task *const untouched = (struct aiol_task *)&trace;
    struct aiol_task *task = untouched;
    long number = 0;
    int rc;

    (void)state;
    do {
        struct aiol_loop *loop = begin();

        fail_allocation(++number);
        rc = aiol_task_spawn(loop, note_letter, "a", &task);
        fail_allocation(0);
        if (rc < 0) {
            assert_int_equal(rc, -ENOMEM);
            assert_ptr_equal(task, untouched);
            assert_int_equal(aiol_loop_run(loop), 0);
            assert_string_equal(trace.text, "");
            assert_int_equal(aiol_task_spawn(loop, note_letter, "b", NULL), 0);
        }
        assert_int_equal(aiol_loop_run(loop), 0);
        assert_string_equal(trace.text, rc < 0 ? "b" : "a");
        free_loop(loop);
    } while (rc < 0);
    assert_true(number > 3); /* scheduler, slab, task */
}

struct last_wish {
    struct aiol_loop *loop;
    int spawn_status;
};

static void on_last_post(int status, void *data)
{
    struct last_wish *wish = data;

    (void)status;
    wish->spawn_status = aiol_task_spawn(wish->loop, note_letter, "x", NULL);
}

static void test_a_loop_that_is_being_freed_starts_no_task(void **state)
{
    struct last_wish wish = {.loop = begin()};
    struct aiol_poster *poster = NULL;

    (void)state;
    assert_int_equal(aiol_poster_new(wish.loop, &poster), 0);
    assert_int_equal(aiol_poster_post(poster, on_last_post, &wish), 0);
    free_loop(wish.loop);
    aiol_poster_release(poster);
    assert_int_equal(wish.spawn_status, AIOL_ECLOSED);
    assert_string_equal(trace.text, "");
}

static void *run_elsewhere(void *arg)
{
    return (void *)(intptr_t)aiol_loop_run_once(arg, 0);
}

static int sleep_a_second(void *arg)
{
    (void)arg;
    return aiol_await_sleep(AIOL_SECOND);
}

static void test_p7_a_loop_with_tasks_does_not_change_threads(void **state)
{
    struct aiol_loop *loop = begin();
    pthread_t thread;
    void *result = NULL;

    (void)state;
    assert_int_equal(aiol_task_spawn(loop, sleep_a_second, NULL, NULL), 0);
    assert_int_equal(aiol_loop_run_once(loop, 0), 1);
    assert_int_equal(pthread_create(&thread, NULL, run_elsewhere, loop), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_int_equal((intptr_t)result, -EPERM);
    assert_int_equal(aiol_loop_run(loop), 0);
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p6_tasks_begin_in_the_order_of_their_spawns_and_never_inside_the_call),
        TEST(test_a_handle_outlives_the_end_and_can_be_given_up_before_and_after_it),
        TEST(test_p11_a_task_has_a_name_and_the_place_where_it_was_spawned),
        TEST(test_the_current_task_is_the_one_that_runs_and_none_in_a_callback),
        TEST(test_a_copied_argument_lies_aligned_on_the_tasks_own_stack),
        TEST(test_p3_a_copy_may_have_16384_bytes_and_no_more),
        TEST(test_p2_a_task_is_entered_exactly_once_even_if_it_was_cancelled_before),
        TEST(test_a_cancelled_task_gets_it_from_every_awaiting_call_again_and_again),
        TEST(test_p3_a_task_for_which_there_is_no_memory_is_not_started),
        TEST(test_a_loop_that_is_being_freed_starts_no_task),
        TEST(test_p7_a_loop_with_tasks_does_not_change_threads),
    };

    return cmocka_run_group_tests_name("task/task", tests, NULL, NULL);
}
