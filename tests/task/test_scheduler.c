/* Which task runs when, and that none of them has the loop to itself. */
#include "support.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static struct notes trace;

static int yield_and_note(void *arg)
{
    for (int i = 0; i < 3; i++) {
        note(&trace, *(char *)arg);
        aiol_await_yield();
    }
    return 0;
}

static void test_p6_ready_tasks_take_turns_in_the_order_in_which_they_became_ready(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);

    (void)state;
    memset(&trace, 0, sizeof trace);
    assert_int_equal(aiol_task_spawn(loop, yield_and_note, "a", NULL), 0);
    assert_int_equal(aiol_task_spawn(loop, yield_and_note, "b", NULL), 0);
    assert_int_equal(aiol_task_spawn(loop, yield_and_note, "c", NULL), 0);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_string_equal(trace.text, "abcabcabc");
    free_loop(loop);
}

static int count_steps(void *arg)
{
    for (;;) {
        ++*(int *)arg;
        if (aiol_await_yield() < 0)
            return 0;
    }
}

static void test_p8_a_turn_resumes_tasks_only_so_often(void **state)
{
    struct aiol_loop_options options = {.size = sizeof options,
                                        .allocator = &counting_allocator,
                                        .clock = AIOL_CLOCK_VIRTUAL,
                                        .max_task_steps_per_turn = 7};
    struct aiol_loop *loop = NULL;
    struct aiol_task *tasks[2];
    int steps = 0;

    (void)state;
    assert_int_equal(aiol_loop_new(&options, &loop), 0);
    assert_int_equal(aiol_task_spawn(loop, count_steps, &steps, &tasks[0]), 0);
    assert_int_equal(aiol_task_spawn(loop, count_steps, &steps, &tasks[1]), 0);
    for (int turn = 1; turn <= 5; turn++) {
        assert_int_equal(aiol_loop_run_once(loop, AIOL_NEVER), 1);
        assert_int_equal(steps, 7 * turn);
    }
    aiol_task_cancel(tasks[0]);
    aiol_task_cancel(tasks[1]);
    assert_int_equal(aiol_loop_run(loop), 0);
    free_loop(loop);
}

/* A task that calls one thing over and over, all of whose calls could return at once, until a
 * neighbour task and a timer have come through; gives up after far too many calls. */
struct busy {
    int (*call)(struct busy *busy);
    int is_cancelled; /* to be called in a cancelled scope */
    int calls;
    int has_neighbour_run;
    int has_timer_fired;
    struct aiol_queue *queue;
    struct aiol_future future;
    int fds[2];
};

enum { FAR_TOO_MANY = 1000000 };

static int get_ready_item(struct busy *busy)
{
    void *item = NULL;

    aiol_queue_put_nowait(busy->queue, busy);
    return aiol_await_queue_get(busy->queue, &item);
}

static int put_ready_item(struct busy *busy)
{
    void *item = NULL;
    int rc = aiol_await_queue_put(busy->queue, busy);

    aiol_queue_get_nowait(busy->queue, &item);
    return rc;
}

static int join_nothing(struct busy *busy)
{
    (void)busy;
    return aiol_await_queue_join(busy->queue);
}

static int await_set_future(struct busy *busy)
{
    return aiol_await_future(&busy->future, NULL);
}

static int await_bad_task(struct busy *busy)
{
    (void)busy;
    return aiol_await_task(aiol_task_current(), NULL);
}

static int watch_nothing(struct busy *busy)
{
    (void)busy;
    return aiol_await_readable(-1);
}

static int await_empty_group(struct busy *busy)
{
    struct aiol_group group;

    (void)busy;
    aiol_group_open(&group, AIOL_GROUP_INDEPENDENT);
    return aiol_await_group(&group);
}

static int send_and_receive(struct busy *busy)
{
    char byte = 'x';

    aiol_await_send(busy->fds[0], &byte, 1);
    return (int)aiol_await_recv(busy->fds[1], &byte, 1);
}

static int send_nothing(struct busy *busy)
{
    return aiol_await_send_all(busy->fds[0], "", 0, NULL);
}

static int sleep_not(struct busy *busy)
{
    (void)busy;
    return aiol_await_sleep(AIOL_HOUR); /* only when cancelled */
}

static int be_neighbour(void *arg)
{
    ((struct busy *)arg)->has_neighbour_run = 1;
    return 0;
}

static void on_timer(struct aiol_timer *timer, void *data)
{
    (void)timer;
    ((struct busy *)data)->has_timer_fired = 1;
}

static int be_busy(void *arg)
{
    struct busy *busy = arg;
    struct aiol_loop *loop = aiol_loop_current();
    struct aiol_timer timer;
    int rc;

    if ((rc = aiol_sim_stream_pair(loop, NULL, busy->fds)) < 0 ||
        (rc = aiol_queue_new(loop, 4, NULL, &busy->queue)) < 0)
        return rc;
    aiol_future_init(&busy->future, loop, NULL, NULL);
    aiol_future_set(&busy->future, 0, NULL);
    aiol_timer_init(&timer, loop, on_timer, busy);
    aiol_timer_start(&timer, 0);
    aiol_task_spawn(loop, be_neighbour, busy, NULL);
    if (busy->is_cancelled)
        aiol_task_cancel(aiol_task_current());
    while (busy->calls < FAR_TOO_MANY && !(busy->has_neighbour_run && busy->has_timer_fired)) {
        busy->call(busy);
        busy->calls++;
    }
    aiol_timer_stop(&timer);
    aiol_future_close(&busy->future);
    aiol_queue_free(busy->queue);
    return 0;
}

static void expect_to_be_interrupted(int (*call)(struct busy *), int is_cancelled)
{
    struct busy busy = {.call = call, .is_cancelled = is_cancelled};

    assert_int_equal(run_sim(0, be_busy, &busy), 0);
    assert_int_equal(busy.has_neighbour_run, 1);
    assert_int_equal(busy.has_timer_fired, 1);
    assert_true(busy.calls < FAR_TOO_MANY);
}

static void test_p8_a_task_that_is_always_served_lets_others_run(void **state)
{
    (void)state;
    expect_to_be_interrupted(get_ready_item, 0);
    expect_to_be_interrupted(put_ready_item, 0);
    expect_to_be_interrupted(join_nothing, 0);
    expect_to_be_interrupted(await_set_future, 0);
    expect_to_be_interrupted(send_and_receive, 0);
}

static void test_p8_a_task_whose_calls_always_fail_lets_others_run(void **state)
{
    (void)state;
    expect_to_be_interrupted(await_bad_task, 0);
    expect_to_be_interrupted(watch_nothing, 0);
}

static void test_p8_a_task_that_awaits_empty_groups_lets_others_run(void **state)
{
    (void)state;
    expect_to_be_interrupted(await_empty_group, 0);
    expect_to_be_interrupted(await_empty_group, 1);
}

static void test_p8_a_task_that_sends_nothing_lets_others_run(void **state)
{
    (void)state;
    expect_to_be_interrupted(send_nothing, 0);
    expect_to_be_interrupted(send_nothing, 1);
}

static void test_p8_a_task_that_does_not_heed_its_cancel_lets_others_run(void **state)
{
    (void)state;
    expect_to_be_interrupted(sleep_not, 1);
    expect_to_be_interrupted(get_ready_item, 1);
    expect_to_be_interrupted(put_ready_item, 1);
    expect_to_be_interrupted(join_nothing, 1);
    expect_to_be_interrupted(await_set_future, 1);
    expect_to_be_interrupted(send_and_receive, 1);
}

static void test_p13_every_await_outside_of_a_task_is_refused(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = NULL;
    struct aiol_task *task = NULL;
    struct aiol_future future;
    struct sockaddr address = {.sa_family = AF_UNSPEC};
    void *item = &future;
    size_t sent_bytes = 0;
    char byte = 'x';
    int fd = -7, steps = 0;

    (void)state;
    assert_int_equal(aiol_queue_new(loop, 1, NULL, &queue), 0);
    assert_int_equal(aiol_task_spawn(loop, count_steps, &steps, &task), 0);
    aiol_future_init(&future, loop, NULL, NULL);
    aiol_future_set(&future, 0, NULL);
    assert_int_equal(aiol_await_sleep(0), AIOL_ENOTASK);
    assert_int_equal(aiol_await_sleep_until(0), AIOL_ENOTASK);
    assert_int_equal(aiol_await_yield(), AIOL_ENOTASK);
    assert_int_equal(aiol_await_task(task, NULL), AIOL_ENOTASK);
    assert_int_equal(aiol_await_future(&future, &item), AIOL_ENOTASK);
    assert_int_equal(aiol_await_queue_put(queue, &byte), AIOL_ENOTASK);
    assert_int_equal(aiol_await_queue_get(queue, &item), AIOL_ENOTASK);
    assert_int_equal(aiol_await_queue_join(queue), AIOL_ENOTASK);
    assert_int_equal(aiol_await_readable(0), AIOL_ENOTASK);
    assert_int_equal(aiol_await_writable(0), AIOL_ENOTASK);
    assert_int_equal(aiol_await_recv(0, &byte, 1), AIOL_ENOTASK);
    assert_int_equal(aiol_await_send(0, &byte, 1), AIOL_ENOTASK);
    assert_int_equal(aiol_await_send_all(0, &byte, 1, &sent_bytes), AIOL_ENOTASK);
    assert_int_equal(aiol_await_accept(0, &fd), AIOL_ENOTASK);
    assert_int_equal(aiol_await_connect(0, &address, sizeof address), AIOL_ENOTASK);
    assert_ptr_equal(item, &future);
    assert_int_equal(fd, -7);
    assert_int_equal(sent_bytes, 0);
    assert_int_equal(aiol_queue_count(queue), 0);
    aiol_future_close(&future);
    aiol_queue_free(queue);
    aiol_task_cancel(task);
    assert_int_equal(aiol_loop_run(loop), 0);
    free_loop(loop);
}

static void test_p13_sending_nothing_outside_of_a_task_is_refused_too(void **state)
{
    (void)state;
    assert_int_equal(aiol_await_send_all(0, "", 0, NULL), AIOL_ENOTASK);
}

static int callback_outcome[4];

static void await_in_destructor(void *item)
{
    (void)item;
    callback_outcome[0] = aiol_await_yield();
    callback_outcome[1] = aiol_await_sleep(0);
    callback_outcome[2] = aiol_loop_run_once(aiol_loop_current(), 0);
    callback_outcome[3] = aiol_task_current() == NULL;
}

static int free_a_queue_with_an_item(void *arg)
{
    struct aiol_task *self = aiol_task_current();
    struct aiol_queue *queue = NULL;
    int rc = aiol_queue_new(aiol_loop_current(), 1, await_in_destructor, &queue);

    if (rc < 0)
        return rc;
    aiol_queue_put_nowait(queue, arg);
    aiol_queue_free(queue);
    return aiol_task_current() == self ? aiol_await_yield() : -EIO;
}

/* Otherwise freeing a queue would be a call that switches tasks. */
static void test_p13_a_callback_that_is_called_inside_a_task_cannot_await(void **state)
{
    int item = 0;

    (void)state;
    assert_int_equal(run_sim(0, free_a_queue_with_an_item, &item), 0);
    assert_int_equal(callback_outcome[0], AIOL_ENOTASK);
    assert_int_equal(callback_outcome[1], AIOL_ENOTASK);
    assert_int_equal(callback_outcome[2], -EBUSY);
    assert_int_equal(callback_outcome[3], 1);
}

/* What other tasks would see of a switch: the count goes up. */
static int call_what_does_not_switch(void *arg)
{
    static struct busy neighbour; /* outlives this task */
    struct aiol_loop *loop = aiol_loop_current();
    int *steps = arg, before;
    struct aiol_queue *queue = NULL;
    struct aiol_task *task = NULL;
    struct aiol_group group;
    struct aiol_scope scope;
    struct aiol_future future;
    void *item = NULL;

    aiol_await_yield();
    before = *steps;
    for (int i = 0; i < 1000; i++) {
        aiol_queue_new(loop, 2, NULL, &queue);
        aiol_queue_put_nowait(queue, arg);
        aiol_queue_get_nowait(queue, &item);
        aiol_queue_done(queue);
        aiol_queue_shutdown(queue, AIOL_QUEUE_NOW);
        aiol_queue_free(queue);
        aiol_scope_enter(&scope, AIOL_NEVER);
        aiol_scope_cancel(&scope);
        aiol_scope_leave(&scope, 0);
        aiol_future_init(&future, loop, NULL, NULL);
        aiol_future_set(&future, 0, NULL);
        aiol_future_close(&future);
        aiol_task_spawn(loop, be_neighbour, &neighbour, &task);
        aiol_task_cancel(task);
    }
    before = *steps - before;
    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    aiol_await_group(&group);
    return before;
}

static int run_beside_a_counter(void *arg)
{
    struct aiol_task *counter = NULL;
    int rc;

    aiol_task_spawn(aiol_loop_current(), count_steps, arg, &counter);
    rc = call_what_does_not_switch(arg);
    aiol_task_cancel(counter);
    return rc;
}

static void test_p13_no_other_call_switches_tasks(void **state)
{
    int steps = 0;

    (void)state;
    assert_int_equal(run_sim(0, run_beside_a_counter, &steps), 0);
    assert_true(steps > 0);
}

static int yield_a_thousand_times(void *arg)
{
    long made = allocations_made();

    for (int i = 0; i < 1000; i++) {
        aiol_await_yield();
        aiol_await_sleep(1);
        aiol_await_sleep_until(0);
    }
    *(long *)arg = allocations_made() - made;
    return 0;
}

static void test_p5_yielding_and_sleeping_allocate_nothing(void **state)
{
    long made = -1;

    (void)state;
    assert_int_equal(run_sim(0, yield_a_thousand_times, &made), 0);
    assert_int_equal(made, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p6_ready_tasks_take_turns_in_the_order_in_which_they_became_ready),
        TEST(test_p8_a_turn_resumes_tasks_only_so_often),
        TEST(test_p8_a_task_that_is_always_served_lets_others_run),
        TEST(test_p8_a_task_whose_calls_always_fail_lets_others_run),
        TEST(test_p8_a_task_that_awaits_empty_groups_lets_others_run),
        TEST(test_p8_a_task_that_sends_nothing_lets_others_run),
        TEST(test_p8_a_task_that_does_not_heed_its_cancel_lets_others_run),
        TEST(test_p13_every_await_outside_of_a_task_is_refused),
        TEST(test_p13_sending_nothing_outside_of_a_task_is_refused_too),
        TEST(test_p13_a_callback_that_is_called_inside_a_task_cannot_await),
        TEST(test_p13_no_other_call_switches_tasks),
        TEST(test_p5_yielding_and_sleeping_allocate_nothing),
    };

    return cmocka_run_group_tests_name("task/scheduler", tests, NULL, NULL);
}
