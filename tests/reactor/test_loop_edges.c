/* Loops that are to be freed too early, and options that come from a newer program. */
#include "support.h"

#include <errno.h>
#include <string.h>

static void ignore_timer(struct aiol_timer *timer, void *data)
{
    (void)timer, (void)data;
}

static void ignore_deferred(struct aiol_deferred *deferred, void *data)
{
    (void)deferred, (void)data;
}

static void ignore_hook(struct aiol_hook *hook, void *data)
{
    (void)hook, (void)data;
}

static void ignore_io(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)io, (void)ready, (void)data;
}

static void ignore_result(struct aiol_future_observer *observer, int status, void *value,
                          void *data)
{
    (void)observer, (void)status, (void)value, (void)data;
}

static void ignore_item(struct aiol_queue_getter *getter, int status, void *item, void *data)
{
    (void)getter, (void)status, (void)item, (void)data;
}

static void ignore_put(struct aiol_queue_putter *putter, int status, void *item, void *data)
{
    (void)putter, (void)status, (void)item, (void)data;
}

static void ignore_join(struct aiol_queue_joiner *joiner, int status, void *data)
{
    (void)joiner, (void)status, (void)data;
}

static void test_p3_a_loop_with_allocated_objects_left_is_not_freed(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct aiol_timer *timer;
    struct aiol_deferred *deferred;
    struct aiol_hook *hook;
    struct aiol_io *io;

    (void)state;
    assert_int_equal(aiol_timer_new(loop, ignore_timer, NULL, &timer), 0);
    assert_int_equal(aiol_loop_free(loop), -EBUSY);
    aiol_timer_free(timer);
    assert_int_equal(aiol_deferred_new(loop, ignore_deferred, NULL, &deferred), 0);
    assert_int_equal(aiol_loop_free(loop), -EBUSY);
    aiol_deferred_free(deferred);
    assert_int_equal(aiol_hook_new(loop, AIOL_HOOK_AFTER_WAIT, ignore_hook, NULL, &hook), 0);
    assert_int_equal(aiol_loop_free(loop), -EBUSY);
    aiol_hook_free(hook);
    assert_int_equal(aiol_io_new(loop, 0, ignore_io, NULL, &io), 0);
    assert_int_equal(aiol_loop_free(loop), -EBUSY);
    aiol_io_free(io);
    free_loop(loop);
}

static void test_p3_a_loop_with_futures_or_observers_left_is_not_freed(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct aiol_future_observer *observer;
    struct aiol_future *future;

    (void)state;
    assert_int_equal(aiol_future_new(loop, NULL, NULL, &future), 0);
    assert_int_equal(aiol_loop_free(loop), -EBUSY);
    assert_int_equal(aiol_future_observer_new(future, ignore_result, NULL, &observer), 0);
    aiol_future_free(future);
    assert_int_equal(aiol_loop_free(loop), -EBUSY);
    aiol_future_observer_free(observer);
    free_loop(loop);
}

static void test_p3_a_loop_with_queues_or_their_waiters_left_is_not_freed(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct aiol_queue *queue, *unbounded;
    struct aiol_queue_getter *getter;
    struct aiol_queue_putter *putter;
    struct aiol_queue_joiner *joiner;

    (void)state;
    assert_int_equal(aiol_queue_new(loop, 4, NULL, &queue), 0);
    assert_int_equal(aiol_loop_free(loop), -EBUSY);
    assert_int_equal(aiol_queue_new(loop, AIOL_QUEUE_UNBOUNDED, NULL, &unbounded), 0);
    assert_int_equal(aiol_queue_getter_new(queue, ignore_item, NULL, &getter), 0);
    assert_int_equal(aiol_queue_putter_new(queue, ignore_put, NULL, &putter), 0);
    assert_int_equal(aiol_queue_joiner_new(queue, ignore_join, NULL, &joiner), 0);
    aiol_queue_free(queue);
    assert_int_equal(aiol_loop_free(loop), -EBUSY);
    aiol_queue_free(unbounded);
    assert_int_equal(aiol_loop_free(loop), -EBUSY);
    assert_int_equal(aiol_queue_getter_free(getter), 0);
    assert_int_equal(aiol_loop_free(loop), -EBUSY);
    assert_int_equal(aiol_queue_putter_free(putter), 0);
    assert_int_equal(aiol_loop_free(loop), -EBUSY);
    aiol_queue_joiner_free(joiner);
    free_loop(loop);
}

static void test_an_object_that_there_was_no_memory_for_does_not_keep_the_loop(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct aiol_queue *queue;
    struct aiol_timer *timer;

    (void)state;
    fail_allocation(1);
    assert_int_equal(aiol_timer_new(loop, ignore_timer, NULL, &timer), -ENOMEM);
    for (long number = 1; number <= 2; number++) {
        fail_allocation(number);
        assert_int_equal(aiol_queue_new(loop, 4, NULL, &queue), -ENOMEM);
    }
    free_loop(loop);
}

/* A header that knows one more option. */
struct newer_loop_options {
    struct aiol_loop_options known;
    uint64_t unknown;
};

static void test_p9_a_newer_option_that_is_set_is_refused_and_else_passed_over(void **state)
{
    struct newer_loop_options options = {.known = {.size = sizeof options,
                                                   .allocator = &counting_allocator,
                                                   .clock = AIOL_CLOCK_VIRTUAL}};
    struct aiol_loop *loop = NULL;

    (void)state;
    for (unsigned bit = 0; bit < 64; bit += 63) {
        options.unknown = UINT64_C(1) << bit;
        assert_int_equal(aiol_loop_new(&options.known, &loop), -EINVAL);
        assert_null(loop);
        assert_int_equal(allocations_made(), 0);
    }
    options.unknown = 0;
    assert_int_equal(aiol_loop_new(&options.known, &loop), 0);
    free_loop(loop);
}

struct newer_stream_options {
    struct aiol_sim_stream_options known;
    uint8_t unknown[3];
};

static void test_p9_a_newer_option_of_a_simulated_pair_is_refused_too(void **state)
{
    struct newer_stream_options options;
    struct aiol_loop *loop = new_sim_loop(1);
    int fds[2] = {-1, -1};

    (void)state;
    memset(&options, 0, sizeof options);
    options.known.size = offsetof(struct newer_stream_options, unknown) + 3;
    options.unknown[2] = 1;
    assert_int_equal(aiol_sim_stream_pair(loop, &options.known, fds), -EINVAL);
    assert_int_equal(fds[0], -1);
    options.unknown[2] = 0;
    assert_int_equal(aiol_sim_stream_pair(loop, &options.known, fds), 0);
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p3_a_loop_with_allocated_objects_left_is_not_freed),
        TEST(test_p3_a_loop_with_futures_or_observers_left_is_not_freed),
        TEST(test_p3_a_loop_with_queues_or_their_waiters_left_is_not_freed),
        TEST(test_an_object_that_there_was_no_memory_for_does_not_keep_the_loop),
        TEST(test_p9_a_newer_option_that_is_set_is_refused_and_else_passed_over),
        TEST(test_p9_a_newer_option_of_a_simulated_pair_is_refused_too),
    };

    return cmocka_run_group_tests_name("reactor/loop_edges", tests, NULL, NULL);
}
