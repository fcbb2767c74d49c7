/* The queue from other threads: what its calls do, and in which order they are served among tasks
 * and callbacks. Time runs out in test_remote_deadline.c, queues and loops end in
 * test_remote_ends.c, and many threads at once are in test_remote_threads.c. */
#include "threads.h"

#include <errno.h>
#include <string.h>

static void test_a_get_waits_for_an_item(void **state)
{
    const size_t capacities[] = {0, 1, 3, AIOL_QUEUE_UNBOUNDED};
    struct scene scene;
    struct call get;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(capacities); i++) {
        begin_scene(&scene, capacities[i]);
        begin_call(&get, &scene, GET, NULL);
        await_waiting(&scene, &scene.queue->getters, 1);
        assert_false(atomic_load(&get.is_over));
        assert_int_equal(aiol_queue_put_nowait(scene.queue, &letters[0]), 0);
        /* It was handed over inside that call, and the loop need not turn for it. */
        assert_int_equal(end_call(&get), 0);
        assert_ptr_equal(get.item, &letters[0]);
        assert_int_equal(aiol_queue_count(scene.queue), 0);
        assert_true(aiol_queue_unfinished(scene.queue) == 1);
        end_scene(&scene);
    }
}

static void test_a_put_waits_while_the_queue_is_full(void **state)
{
    struct scene scene;
    struct call put;
    void *item;

    (void)state;
    for (size_t capacity = 0; capacity < 4; capacity++) {
        begin_scene(&scene, capacity);
        for (size_t i = 0; i < capacity; i++)
            assert_int_equal(serve_call(&put, &scene, PUT, &letters[i]), 0);
        assert_int_equal(aiol_queue_count(scene.queue), capacity);
        begin_call(&put, &scene, PUT, &letters[capacity]);
        await_waiting(&scene, &scene.queue->putters, 1);
        assert_false(atomic_load(&put.is_over));
        assert_true(aiol_queue_unfinished(scene.queue) == capacity);
        assert_int_equal(aiol_queue_get_nowait(scene.queue, &item), 0);
        assert_ptr_equal(item, &letters[0]);
        assert_int_equal(end_call(&put), 0);
        assert_true(aiol_queue_unfinished(scene.queue) == capacity + 1);
        for (size_t i = 1; i <= capacity; i++) {
            assert_int_equal(aiol_queue_get_nowait(scene.queue, &item), 0);
            assert_ptr_equal(item, &letters[i]);
        }
        assert_int_equal(aiol_queue_get_nowait(scene.queue, &item), -EAGAIN);
        end_scene(&scene);
    }
}

/* A thread's put meets a thread's get that came first, and the other way round. */
static void test_a_thread_hands_to_another_one(void **state)
{
    struct scene scene;
    struct call get, put;

    (void)state;
    begin_scene(&scene, 0);
    begin_call(&get, &scene, GET, NULL);
    await_waiting(&scene, &scene.queue->getters, 1);
    assert_int_equal(serve_call(&put, &scene, PUT, &letters[0]), 0);
    assert_int_equal(end_call(&get), 0);
    assert_ptr_equal(get.item, &letters[0]);

    begin_call(&put, &scene, PUT, &letters[1]);
    await_waiting(&scene, &scene.queue->putters, 1);
    assert_int_equal(serve_call(&get, &scene, GET, NULL), 0);
    assert_int_equal(end_call(&put), 0);
    assert_ptr_equal(get.item, &letters[1]);
    end_scene(&scene);
}

static void test_an_unbounded_queue_never_makes_a_put_wait(void **state)
{
    struct scene scene;
    struct call one;

    (void)state;
    begin_scene(&scene, AIOL_QUEUE_UNBOUNDED);
    for (int i = 0; i < 20; i++)
        assert_int_equal(serve_call(&one, &scene, PUT, &letters[i]), 0);
    assert_int_equal(aiol_queue_count(scene.queue), 20);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(serve_call(&one, &scene, GET, NULL), 0);
        assert_ptr_equal(one.item, &letters[i]);
    }
    end_scene(&scene);
}

static void test_a_join_waits_until_everything_is_done(void **state)
{
    struct scene scene;
    struct call join, other;
    void *item;

    (void)state;
    begin_scene(&scene, 2);
    assert_int_equal(serve_call(&join, &scene, JOIN, NULL), 0);
    assert_int_equal(serve_call(&other, &scene, DONE, NULL), -EINVAL);
    assert_int_equal(aiol_queue_put_nowait(scene.queue, &letters[0]), 0);
    assert_int_equal(serve_call(&other, &scene, DONE, NULL), -EINVAL);
    assert_int_equal(serve_call(&other, &scene, PUT, &letters[1]), 0);

    begin_call(&join, &scene, JOIN, NULL);
    await_waiting(&scene, &scene.queue->joiners, 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(aiol_queue_get_nowait(scene.queue, &item), 0);
    assert_int_equal(serve_call(&other, &scene, DONE, NULL), 0);
    await_waiting(&scene, &scene.queue->joiners, 1);
    assert_false(atomic_load(&join.is_over));
    assert_int_equal(serve_call(&other, &scene, DONE, NULL), 0);
    assert_int_equal(end_call(&join), 0);
    assert_int_equal(serve_call(&other, &scene, DONE, NULL), -EINVAL);
    assert_true(aiol_queue_unfinished(scene.queue) == 0);
    end_scene(&scene);
}

/* Two threads, a callback and a task wait in one line. */
struct line {
    struct scene scene;
    struct call first, last;
    struct aiol_queue_getter getter;
    struct aiol_queue_putter putter;
    char got_by_callback, got_by_task;
};

static void on_get(struct aiol_queue_getter *getter, int status, void *item, void *data)
{
    struct line *line = data;

    (void)getter;
    line->got_by_callback = status == 0 ? *(char *)item : '!';
}

static int get_in_task(void *arg)
{
    struct line *line = arg;
    void *item;

    line->got_by_task = aiol_await_queue_get(line->scene.queue, &item) == 0 ? *(char *)item : '!';
    return 0;
}

static void test_p6_gets_are_served_in_the_order_of_arrival(void **state)
{
    struct line line = {0};
    struct aiol__list *getters;

    (void)state;
    begin_scene(&line.scene, 1);
    getters = &line.scene.queue->getters;
    begin_call(&line.first, &line.scene, GET, NULL);
    await_waiting(&line.scene, getters, 1);
    aiol_queue_getter_init(&line.getter, line.scene.queue, on_get, &line);
    assert_int_equal(aiol_queue_getter_start(&line.getter), 0);
    assert_int_equal(aiol_task_spawn(line.scene.loop, get_in_task, &line, NULL), 0);
    await_waiting(&line.scene, getters, 3);
    begin_call(&line.last, &line.scene, GET, NULL);
    await_waiting(&line.scene, getters, 4);

    for (int i = 0; i < 4; i++)
        assert_int_equal(aiol_queue_put_nowait(line.scene.queue, &letters[i]), 0);
    assert_int_equal(end_call(&line.first), 0);
    assert_int_equal(end_call(&line.last), 0);
    assert_int_equal(aiol_loop_run_once(line.scene.loop, 0), 1);
    assert_ptr_equal(line.first.item, &letters[0]);
    assert_int_equal(line.got_by_callback, 'b');
    assert_int_equal(line.got_by_task, 'c');
    assert_ptr_equal(line.last.item, &letters[3]);
    end_scene(&line.scene);
}

static void on_put(struct aiol_queue_putter *putter, int status, void *item, void *data)
{
    (void)putter, (void)status, (void)item, (void)data;
}

static int put_in_task(void *arg)
{
    struct line *line = arg;

    return aiol_await_queue_put(line->scene.queue, &letters[2]);
}

static void test_p6_puts_are_served_in_the_order_of_arrival(void **state)
{
    struct line line = {0};
    struct aiol__list *putters;
    void *item;

    (void)state;
    begin_scene(&line.scene, 0);
    putters = &line.scene.queue->putters;
    begin_call(&line.first, &line.scene, PUT, &letters[0]);
    await_waiting(&line.scene, putters, 1);
    aiol_queue_putter_init(&line.putter, line.scene.queue, on_put, NULL);
    assert_int_equal(aiol_queue_putter_start(&line.putter, &letters[1]), 0);
    assert_int_equal(aiol_task_spawn(line.scene.loop, put_in_task, &line, NULL), 0);
    await_waiting(&line.scene, putters, 3);
    begin_call(&line.last, &line.scene, PUT, &letters[3]);
    await_waiting(&line.scene, putters, 4);

    for (int i = 0; i < 4; i++) {
        assert_int_equal(aiol_queue_get_nowait(line.scene.queue, &item), 0);
        assert_ptr_equal(item, &letters[i]);
    }
    assert_int_equal(end_call(&line.first), 0);
    assert_int_equal(end_call(&line.last), 0);
    end_scene(&line.scene);
}

/* What each call says where it would stop the loop that is to serve it. */
struct refusal {
    struct scene scene;
    int results[4];
    long allocations;
};

static int call_everything(void *arg)
{
    struct refusal *refusal = arg;
    struct call one = {.remote = refusal->scene.remote, .item = letters, .deadline_ns = AIOL_NEVER};

    refusal->allocations = allocations_made();
    for (int kind = PUT; kind <= JOIN; kind++) {
        one.kind = (enum kind)kind;
        refusal->results[kind] = call(&one);
    }
    refusal->allocations = allocations_made() - refusal->allocations;
    return 0;
}

static void call_everything_in_callback(struct aiol_deferred *deferred, void *data)
{
    (void)deferred;
    call_everything(data);
}

static void check_refusal(struct refusal *refusal)
{
    aiol_loop_run_once(refusal->scene.loop, 0);
    for (int kind = PUT; kind <= JOIN; kind++)
        assert_int_equal(refusal->results[kind], -EBUSY);
    assert_int_equal(refusal->allocations, 0);
    aiol_loop_run_once(refusal->scene.loop, 0);
    assert_int_equal(aiol_queue_count(refusal->scene.queue), 0);
}

static void test_p13_callbacks_and_tasks_are_refused(void **state)
{
    struct refusal refusal = {0};
    struct aiol_deferred deferred;

    (void)state;
    begin_scene(&refusal.scene, 1);
    aiol_deferred_init(&deferred, refusal.scene.loop, call_everything_in_callback, &refusal);
    assert_int_equal(aiol_deferred_start(&deferred), 0);
    check_refusal(&refusal);
    memset(refusal.results, 0, sizeof refusal.results);
    assert_int_equal(aiol_task_spawn(refusal.scene.loop, call_everything, &refusal, NULL), 0);
    check_refusal(&refusal);
    end_scene(&refusal.scene);
}

static void test_p5_a_call_without_memory_changes_nothing(void **state)
{
    struct scene scene;
    struct call one;
    long alive;

    (void)state;
    begin_scene(&scene, AIOL_QUEUE_UNBOUNDED);
    alive = allocations_alive();
    for (int kind = PUT; kind <= JOIN; kind++) {
        fail_allocation(1);
        begin_call(&one, &scene, (enum kind)kind, &letters[0]);
        assert_int_equal(end_call(&one), -ENOMEM);
        assert_true(aiol_loop_next_timeout_ns(scene.loop) == AIOL_NEVER);
    }
    /* Now the queue, which has to grow for it, has none. */
    fail_allocation(2);
    assert_int_equal(serve_call(&one, &scene, PUT, &letters[0]), -ENOMEM);
    assert_int_equal(allocations_alive(), alive);
    assert_int_equal(aiol_queue_count(scene.queue), 0);
    assert_true(aiol_queue_unfinished(scene.queue) == 0);
    end_scene(&scene);
}

static void test_p5_a_remote_without_memory_leaves_nothing(void **state)
{
    struct aiol_queue_remote *remote = NULL;
    struct scene scene;
    long alive;

    (void)state;
    begin_scene(&scene, 1);
    alive = allocations_alive();
    for (int i = 1; i <= 2; i++) {
        fail_allocation(i);
        assert_int_equal(aiol_queue_remote_new(scene.queue, &remote), -ENOMEM);
        assert_null(remote);
        assert_int_equal(allocations_alive(), alive);
    }
    assert_true(aiol_loop_alive_count(scene.loop, AIOL_ALIVE_POSTER) == 1);
    end_scene(&scene);
}

struct planned_get {
    struct aiol_queue_remote *remote;
    uint64_t deadline_ns;
    int result;
};

static void *plan_and_get(void *data)
{
    struct planned_get *get = data;
    void *item;

    get->deadline_ns = aiol_deadline_after(AIOL_MILLISECOND);
    get->result = aiol_blocking_queue_get(get->remote, get->deadline_ns, &item);
    return NULL;
}

static void test_p10_a_simulated_loop_does_not_move_the_clock_of_threads(void **state)
{
    struct planned_get get = {0};
    struct scene scene;
    pthread_t thread;

    (void)state;
    begin_scene_on(&scene, new_sim_loop(1), 0, NULL);
    begin_clock(AIOL_MILLISECOND);
    get.remote = scene.remote;
    assert_int_equal(pthread_create(&thread, NULL, plan_and_get, &get), 0);
    await_waiting(&scene, &scene.queue->getters, 1);
    assert_int_equal(aiol_loop_run_once(scene.loop, AIOL_HOUR), 1);
    assert_true(aiol_loop_now_ns(scene.loop) == AIOL_HOUR);
    assert_int_equal(aiol_queue_put_nowait(scene.queue, &letters[0]), 0);
    pthread_join(thread, NULL);
    assert_true(get.deadline_ns == 2 * AIOL_MILLISECOND);
    assert_int_equal(get.result, 0);

    assert_int_equal(pthread_create(&thread, NULL, plan_and_get, &get), 0);
    await_waiting(&scene, &scene.queue->getters, 1);
    atomic_store(&clock_ns, 3 * AIOL_MILLISECOND);
    pthread_join(thread, NULL);
    assert_int_equal(get.result, -ETIMEDOUT);
    assert_true(aiol_loop_now_ns(scene.loop) == AIOL_HOUR);
    end_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_get_waits_for_an_item),
        TEST(test_a_put_waits_while_the_queue_is_full),
        TEST(test_a_thread_hands_to_another_one),
        TEST(test_an_unbounded_queue_never_makes_a_put_wait),
        TEST(test_a_join_waits_until_everything_is_done),
        TEST(test_p6_gets_are_served_in_the_order_of_arrival),
        TEST(test_p6_puts_are_served_in_the_order_of_arrival),
        TEST(test_p13_callbacks_and_tasks_are_refused),
        TEST(test_p5_a_call_without_memory_changes_nothing),
        TEST(test_p5_a_remote_without_memory_leaves_nothing),
        TEST(test_p10_a_simulated_loop_does_not_move_the_clock_of_threads),
    };

    return cmocka_run_group_tests_name("queue/remote", tests, NULL, NULL);
}
