/* Waiting from a fresh clock, and what a run does when nothing can go on. */
#include "platform/sys.h"
#include "support.h"

#include <errno.h>

static void test_p4_a_turn_waits_for_all_of_its_time_though_the_loop_was_idle(void **state)
{
    struct aiol_loop *loop;

    (void)state;
    begin_fake_time(AIOL_HOUR);
    loop = new_loop();
    aiol_loop_run_once(loop, 0);
    pass_fake_time(AIOL_MINUTE); /* the program has its own work between the turns */
    aiol_loop_run_once(loop, AIOL_SECOND);
    assert_true(aiol_loop_now_ns(loop) == AIOL_HOUR + AIOL_MINUTE + AIOL_SECOND);
    free_loop(loop);
}

static void ignore_timer(struct aiol_timer *timer, void *data)
{
    (void)timer;
    (void)data;
}

static void test_p4_an_embedding_loop_is_told_how_long_to_wait_from_now(void **state)
{
    struct aiol_loop *loop;
    struct aiol_timer timer;

    (void)state;
    begin_fake_time(AIOL_HOUR);
    loop = new_loop();
    aiol_timer_init(&timer, loop, ignore_timer, NULL);
    aiol_timer_start(&timer, AIOL_MINUTE);
    pass_fake_time(10 * AIOL_SECOND);
    assert_int_equal(aiol_loop_prepare(loop), 0);
    assert_true(aiol_loop_next_timeout_ns(loop) == 50 * AIOL_SECOND);
    aiol_timer_stop(&timer);
    free_loop(loop);
}

struct forlorn {
    uint32_t events;
    int status;
    int cleanup_status;
};

static void hear_nothing(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)io;
    (void)ready;
    (void)data;
}

/* Its edges have been reported, and nobody will ever send. */
static int wait_beside_an_edge(void *arg)
{
    struct forlorn *forlorn = arg;
    struct aiol_loop *loop = aiol_loop_current();
    struct aiol_io io;
    int fds[2];
    int rc = aiol_sim_stream_pair(loop, NULL, fds);

    if (rc < 0)
        return rc;
    aiol_io_init(&io, loop, fds[0], hear_nothing, NULL);
    aiol_io_start(&io, forlorn->events | AIOL_EDGE);
    forlorn->status = aiol_await_sleep(AIOL_NEVER);
    aiol_io_close(&io);
    return 0;
}

static void test_p10_an_edge_that_was_reported_does_not_hide_a_deadlock(void **state)
{
    const uint32_t events[] = {AIOL_READABLE, AIOL_WRITABLE, AIOL_READABLE | AIOL_WRITABLE};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(events); i++) {
        struct forlorn forlorn = {.events = events[i]};

        assert_int_equal(run_sim(0, wait_beside_an_edge, &forlorn), -EDEADLK);
        assert_int_equal(forlorn.status, -ECANCELED);
    }
}

static int clean_up(void *arg)
{
    struct forlorn *forlorn = arg;

    forlorn->cleanup_status = aiol_await_sleep(AIOL_HOUR);
    return 0;
}

static int leave_a_cleanup_behind(void *arg)
{
    struct forlorn *forlorn = arg;

    forlorn->status = aiol_await_sleep(AIOL_NEVER);
    return aiol_task_spawn(aiol_loop_current(), clean_up, forlorn, NULL);
}

/* What is spawned while the tasks are brought to their end is cancelled too. */
static void test_a_deadlock_is_over_at_once_whatever_the_tasks_spawn_at_their_end(void **state)
{
    struct forlorn forlorn = {.status = 0};
    struct aiol_loop *loop = new_sim_loop(0);
    struct forlorn again = {.status = 0};

    (void)state;
    assert_int_equal(run_sim(0, leave_a_cleanup_behind, &forlorn), -EDEADLK);
    assert_int_equal(forlorn.status, -ECANCELED);
    assert_int_equal(forlorn.cleanup_status, -ECANCELED);

    /* A loop of one's own can be used afterwards, and what it spawns then is not cancelled. */
    assert_int_equal(aiol_task_spawn(loop, leave_a_cleanup_behind, &again, NULL), 0);
    assert_int_equal(aiol_loop_run(loop), -EDEADLK);
    assert_int_equal(again.cleanup_status, -ECANCELED);
    assert_int_equal(aiol_task_spawn(loop, clean_up, &again, NULL), 0);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_int_equal(again.cleanup_status, 0);
    free_loop(loop);
}

struct other_loop {
    struct aiol_loop *loop;
    int status;
    int await_status;
    bool has_task;
};

static void try_to_yield(int status, void *data)
{
    struct other_loop *other = data;

    other->status = status;
    other->has_task = aiol_task_current() != NULL;
    other->await_status = aiol_await_yield();
}

static int free_other_loop(void *arg)
{
    struct other_loop *other = arg;
    struct aiol_poster *poster;
    int rc = aiol_loop_new(NULL, &other->loop);

    if (rc < 0)
        return rc;
    rc = aiol_poster_new(other->loop, &poster);
    if (rc == 0) {
        aiol_poster_post(poster, try_to_yield, other);
        aiol_poster_release(poster);
    }
    return aiol_loop_free(other->loop);
}

static void test_p13_posts_left_in_a_loop_that_a_task_frees_are_no_part_of_the_task(void **state)
{
    struct other_loop other = {.status = 1, .has_task = true};

    (void)state;
    assert_int_equal(run_sim(0, free_other_loop, &other), 0);
    assert_int_equal(other.status, AIOL_ECLOSED);
    assert_false(other.has_task);
    assert_int_equal(other.await_status, AIOL_ENOTASK);
}

struct attempt {
    struct aiol_loop *loop;
    int status;
};

static void free_loop_inside(struct aiol_future_observer *observer, int status, void *value,
                             void *data)
{
    struct attempt *attempt = data;

    (void)observer;
    (void)status;
    (void)value;
    attempt->status = aiol_loop_free(attempt->loop);
}

static void test_p3_a_loop_is_not_freed_in_what_a_close_calls(void **state)
{
    struct attempt attempt = {.loop = new_loop()};
    struct aiol_future_observer observer;
    struct aiol_future future;

    (void)state;
    aiol_future_init(&future, attempt.loop, NULL, NULL);
    aiol_future_observer_init(&observer, &future, free_loop_inside, &attempt);
    assert_int_equal(aiol_future_observer_start(&observer), 0);
    aiol_future_close(&future);
    assert_int_equal(attempt.status, -EBUSY);
    free_loop(attempt.loop);
}

static void free_loop_in_withdrawal(struct aiol_future *future, void *data)
{
    struct attempt *attempt = data;

    (void)future;
    attempt->status = aiol_loop_free(attempt->loop);
}

static void test_p3_a_loop_is_not_freed_in_a_withdrawal(void **state)
{
    struct attempt attempt = {.loop = new_loop()};
    struct aiol_future future;

    (void)state;
    aiol_future_init(&future, attempt.loop, free_loop_in_withdrawal, &attempt);
    aiol_future_close(&future);
    assert_int_equal(attempt.status, -EBUSY);
    free_loop(attempt.loop);
}

static struct {
    struct aiol_loop *loop;
    struct aiol_queue *queue;
    int status;
} destroyed;

static void free_queue_and_loop(void *item)
{
    (void)item;
    aiol_queue_free(destroyed.queue);
    destroyed.status = aiol_loop_free(destroyed.loop);
}

static void test_p3_a_loop_is_not_freed_in_a_destructor_that_frees_the_queue(void **state)
{
    (void)state;
    destroyed.status = 1;
    destroyed.loop = new_loop();
    assert_int_equal(aiol_queue_new(destroyed.loop, 4, free_queue_and_loop, &destroyed.queue), 0);
    assert_int_equal(aiol_queue_put_nowait(destroyed.queue, &destroyed), 0);
    aiol_queue_shutdown(destroyed.queue, AIOL_QUEUE_NOW);
    assert_int_equal(destroyed.status, -EBUSY);
    free_loop(destroyed.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p4_a_turn_waits_for_all_of_its_time_though_the_loop_was_idle),
        TEST(test_p4_an_embedding_loop_is_told_how_long_to_wait_from_now),
        TEST(test_p10_an_edge_that_was_reported_does_not_hide_a_deadlock),
        TEST(test_a_deadlock_is_over_at_once_whatever_the_tasks_spawn_at_their_end),
        TEST(test_p13_posts_left_in_a_loop_that_a_task_frees_are_no_part_of_the_task),
        TEST(test_p3_a_loop_is_not_freed_in_what_a_close_calls),
        TEST(test_p3_a_loop_is_not_freed_in_a_withdrawal),
        TEST(test_p3_a_loop_is_not_freed_in_a_destructor_that_frees_the_queue),
    };

    return cmocka_run_group_tests_name("reactor/run", tests, NULL, NULL);
}
