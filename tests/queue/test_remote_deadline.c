/* The queue from other threads when time runs out: in whatever state the call is, the thread gives
 * up by itself, takes nothing, and leaves nothing once the loop has turned.
 *
 * The clock is the tests' own, and passes only when a test says so. Threads look at it again and
 * again.
 */
#include "reactor/loop.h"
#include "threads.h"

#include <errno.h>
#include <sched.h>

#define LATE_NS (3 * AIOL_MILLISECOND)

static atomic_int late_count; /* how often a thread has seen that its deadline has passed */

static void pass_deadline(void)
{
    atomic_store(&clock_ns, LATE_NS);
}

static void begin_timed_scene_on(struct scene *scene, struct aiol_loop *loop, size_t capacity)
{
    begin_scene_on(scene, loop, capacity, NULL);
    atomic_store(&late_count, 0);
    begin_clock(BEGIN_NS);
}

static void begin_timed_scene(struct scene *scene, size_t capacity)
{
    begin_timed_scene_on(scene, new_loop(), capacity);
}

static void begin_timed_call(struct call *own, struct scene *scene, enum kind kind, char *item)
{
    begin_call_until(own, scene, kind, item, DEADLINE_NS, NULL);
}

static void test_a_call_times_out_before_the_loop_receives_it(void **state)
{
    struct scene scene;
    struct call one;
    void *item;
    long alive;

    (void)state;
    begin_timed_scene(&scene, 2);
    /* One is in the queue, and one is out and could be done. */
    for (int i = 0; i < 2; i++)
        assert_int_equal(aiol_queue_put_nowait(scene.queue, &letters[i]), 0);
    assert_int_equal(aiol_queue_get_nowait(scene.queue, &item), 0);
    alive = allocations_alive();
    for (int kind = PUT; kind <= JOIN; kind++) {
        /* First with a deadline that is past from the start. */
        begin_call_until(&one, &scene, (enum kind)kind, &letters[9], BEGIN_NS, NULL);
        assert_int_equal(end_call(&one), -ETIMEDOUT);
        begin_timed_call(&one, &scene, (enum kind)kind, &letters[9]);
        await_post(&scene);
        assert_false(atomic_load(&one.is_over));
        pass_deadline();
        assert_int_equal(end_call(&one), -ETIMEDOUT);
        assert_ptr_equal(one.item, &letters[9]);
        atomic_store(&clock_ns, BEGIN_NS);
    }
    assert_int_equal(aiol_loop_run_once(scene.loop, 0), 1);
    assert_int_equal(allocations_alive(), alive);
    assert_int_equal(aiol_queue_count(scene.queue), 1);
    assert_true(aiol_queue_unfinished(scene.queue) == 2);
    assert_int_equal(aiol_queue_get_nowait(scene.queue, &item), 0);
    assert_ptr_equal(item, &letters[1]);
    end_scene(&scene);
}

/* The loop may turn meanwhile, or not at all. */
static void test_p2_a_get_that_times_out_takes_nothing(void **state)
{
    struct scene scene;
    struct call get;
    long alive;

    (void)state;
    for (int turns = 0; turns < 2; turns++) {
        begin_timed_scene(&scene, 1);
        alive = allocations_alive();
        begin_timed_call(&get, &scene, GET, &letters[9]);
        await_waiting(&scene, &scene.queue->getters, 1);
        assert_false(atomic_load(&get.is_over));
        pass_deadline();
        assert_int_equal(turns ? serve_until_over(&get, &scene) : end_call(&get), -ETIMEDOUT);
        assert_ptr_equal(get.item, &letters[9]);
        assert_int_equal(aiol_queue_put_nowait(scene.queue, &letters[0]), 0);
        assert_int_equal(aiol_queue_count(scene.queue), 1);
        assert_int_equal(aiol_loop_run_once(scene.loop, 0), 1);
        assert_int_equal(aiol_queue_count(scene.queue), 1);
        assert_int_equal(count_waiting(&scene.queue->getters), 0);
        assert_int_equal(allocations_alive(), alive);
        end_scene(&scene);
    }
}

static void test_p2_a_put_that_times_out_keeps_its_item(void **state)
{
    struct scene scene;
    struct call put;
    void *item;
    long alive;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        size_t capacity = i / 2;

        begin_timed_scene(&scene, capacity);
        if (capacity > 0)
            assert_int_equal(aiol_queue_put_nowait(scene.queue, &letters[0]), 0);
        alive = allocations_alive();
        begin_timed_call(&put, &scene, PUT, &letters[1]);
        await_waiting(&scene, &scene.queue->putters, 1);
        pass_deadline();
        assert_int_equal(i % 2 ? serve_until_over(&put, &scene) : end_call(&put), -ETIMEDOUT);
        if (capacity > 0)
            assert_int_equal(aiol_queue_get_nowait(scene.queue, &item), 0);
        assert_int_equal(aiol_queue_get_nowait(scene.queue, &item), -EAGAIN);
        assert_true(aiol_queue_unfinished(scene.queue) == capacity);
        assert_int_equal(aiol_loop_run_once(scene.loop, 0), 1);
        assert_int_equal(aiol_queue_get_nowait(scene.queue, &item), -EAGAIN);
        assert_int_equal(count_waiting(&scene.queue->putters), 0);
        assert_int_equal(allocations_alive(), alive);
        end_scene(&scene);
    }
}

static void test_a_join_that_times_out_is_not_missed(void **state)
{
    struct scene scene;
    struct call join;
    void *item;
    long alive;

    (void)state;
    begin_timed_scene(&scene, 1);
    assert_int_equal(aiol_queue_put_nowait(scene.queue, &letters[0]), 0);
    for (int done_first = 0; done_first < 2; done_first++) {
        alive = allocations_alive();
        begin_timed_call(&join, &scene, JOIN, NULL);
        await_waiting(&scene, &scene.queue->joiners, 1);
        pass_deadline();
        assert_int_equal(end_call(&join), -ETIMEDOUT);
        if (done_first) {
            assert_int_equal(aiol_queue_get_nowait(scene.queue, &item), 0);
            assert_int_equal(aiol_queue_done(scene.queue), 0);
        }
        assert_int_equal(aiol_loop_run_once(scene.loop, 0), 1);
        assert_int_equal(count_waiting(&scene.queue->joiners), 0);
        assert_int_equal(allocations_alive(), alive);
        atomic_store(&clock_ns, BEGIN_NS);
    }
    end_scene(&scene);
}

/* Whoever stood behind those who gave up is served, although the loop has not noticed that yet. */
static void test_p2_who_waits_behind_a_call_that_timed_out_is_served(void **state)
{
    struct scene scene;
    struct call gone[2], next;
    struct aiol__list *waiters;
    void *item;

    (void)state;
    for (int kind = PUT; kind <= GET; kind++) {
        begin_timed_scene(&scene, 0);
        waiters = kind == PUT ? &scene.queue->putters : &scene.queue->getters;
        for (size_t i = 0; i < 2; i++) {
            begin_timed_call(&gone[i], &scene, (enum kind)kind, &letters[i]);
            await_waiting(&scene, waiters, i + 1);
        }
        begin_call(&next, &scene, (enum kind)kind, &letters[2]);
        await_waiting(&scene, waiters, 3);
        pass_deadline();
        for (int i = 0; i < 2; i++)
            assert_int_equal(end_call(&gone[i]), -ETIMEDOUT);
        if (kind == PUT) {
            assert_int_equal(aiol_queue_get_nowait(scene.queue, &item), 0);
            assert_ptr_equal(item, &letters[2]);
        } else {
            assert_int_equal(aiol_queue_put_nowait(scene.queue, &letters[0]), 0);
        }
        assert_int_equal(end_call(&next), 0);
        assert_ptr_equal(next.item, &letters[kind == PUT ? 2 : 0]);
        assert_true(aiol_queue_unfinished(scene.queue) == 1);
        end_scene(&scene);
    }
}

static void test_p8_calls_that_time_out_do_not_pile_up(void **state)
{
    struct scene scene;
    struct call get;
    long alive;

    (void)state;
    begin_timed_scene(&scene, 1);
    alive = allocations_alive();
    for (int i = 0; i < 100; i++) {
        begin_timed_call(&get, &scene, GET, NULL);
        await_waiting(&scene, &scene.queue->getters, 1);
        pass_deadline();
        assert_int_equal(serve_until_over(&get, &scene), -ETIMEDOUT);
        assert_int_equal(aiol_loop_run_once(scene.loop, 0), 1);
        assert_int_equal(allocations_alive(), alive);
        assert_int_equal(count_waiting(&scene.queue->getters), 0);
        atomic_store(&clock_ns, BEGIN_NS);
    }
    end_scene(&scene);
}

static void look_at_lateness(void)
{
    if (atomic_load(&clock_ns) == LATE_NS)
        atomic_fetch_add(&late_count, 1);
}

static atomic_bool is_memory_slow;

/* While the loop puts an item, the deadline passes, and the thread finds that out. */
static void *allocate_slowly(void *context, size_t size_bytes)
{
    if (atomic_load(&is_memory_slow)) {
        pass_deadline();
        while (atomic_load(&late_count) == 0)
            sched_yield();
    }
    return counting_allocator.allocate(context, size_bytes);
}

static void test_p2_a_deadline_that_passes_while_the_loop_puts_is_too_late(void **state)
{
    struct aiol_allocator allocator = counting_allocator;
    struct aiol_loop_options options = {.size = sizeof options, .allocator = &allocator};
    struct aiol_loop *loop = NULL;
    struct scene scene;
    struct call put;
    void *item;

    (void)state;
    allocator.allocate = allocate_slowly;
    assert_int_equal(aiol_loop_new(&options, &loop), 0);
    begin_timed_scene_on(&scene, loop, AIOL_QUEUE_UNBOUNDED);
    begin_call_until(&put, &scene, PUT, &letters[0], DEADLINE_NS, look_at_lateness);
    await_post(&scene);
    atomic_store(&is_memory_slow, true);
    assert_int_equal(aiol_loop_run_once(loop, 0), 1);
    atomic_store(&is_memory_slow, false);
    assert_int_equal(end_call(&put), 0);
    assert_int_equal(aiol_queue_get_nowait(scene.queue, &item), 0);
    assert_ptr_equal(item, &letters[0]);
    assert_int_equal(aiol_queue_get_nowait(scene.queue, &item), -EAGAIN);
    end_scene(&scene);
}

static struct scene *busy_scene;
static atomic_bool is_putter_to_stop;
static atomic_bool has_putter_stopped;

/* Called with the lock of the put that waits in the queue, which the loop then has to wait for. */
static void stop_putter(void)
{
    if (!atomic_load(&is_putter_to_stop))
        return;
    atomic_store(&has_putter_stopped, true);
    while (atomic_load(&late_count) == 0)
        sched_yield();
    for (int i = 0; i < 100; i++)
        sched_yield();
}

/* Called by the get while the loop works on it, since that waits for the lock above. */
static void pass_deadline_in_getter(void)
{
    static _Thread_local int looks;

    if (aiol__mailbox_is_empty(busy_scene->loop->mailbox) && ++looks == 100)
        pass_deadline();
    look_at_lateness();
}

/*
 * The get is in the loop's hands, which looks for a put, when its deadline passes; then it turns
 * out that it would have to wait. That the loop has come as far as that when the deadline passes
 * cannot be seen from outside. So it is given time, and comes so far nearly always; the result is
 * the same.
 */
static void test_a_deadline_that_passes_while_the_loop_looks_for_an_item(void **state)
{
    struct scene scene;
    struct call put, get;
    void *item;

    (void)state;
    busy_scene = &scene;
    atomic_store(&is_putter_to_stop, false);
    atomic_store(&has_putter_stopped, false);
    begin_timed_scene(&scene, 0);
    begin_call_until(&put, &scene, PUT, &letters[0], DEADLINE_NS, stop_putter);
    await_waiting(&scene, &scene.queue->putters, 1);
    atomic_store(&is_putter_to_stop, true);
    while (!atomic_load(&has_putter_stopped))
        sched_yield();
    begin_call_until(&get, &scene, GET, &letters[9], DEADLINE_NS, pass_deadline_in_getter);
    assert_int_equal(serve_until_over(&get, &scene), -ETIMEDOUT);
    assert_int_equal(end_call(&put), -ETIMEDOUT);
    assert_ptr_equal(get.item, &letters[9]);
    assert_int_equal(aiol_loop_run_once(scene.loop, 0), 1);
    assert_int_equal(aiol_queue_get_nowait(scene.queue, &item), -EAGAIN);
    assert_int_equal(count_waiting(&scene.queue->getters), 0);
    end_scene(&scene);
}

/* What is left of a call goes with the queue and the loop, also if that never turns again. */
static void test_p1_calls_that_timed_out_end_with_queue_and_loop(void **state)
{
    struct scene scene;
    struct call gone[3];
    void *item;

    (void)state;
    for (uint32_t how = AIOL_QUEUE_DRAIN; how <= AIOL_QUEUE_NOW; how++) {
        begin_timed_scene(&scene, 1);
        assert_int_equal(aiol_queue_put_nowait(scene.queue, &letters[0]), 0);
        assert_int_equal(aiol_queue_get_nowait(scene.queue, &item), 0);
        begin_timed_call(&gone[0], &scene, JOIN, NULL);
        await_waiting(&scene, &scene.queue->joiners, 1);
        begin_timed_call(&gone[1], &scene, GET, NULL);
        await_waiting(&scene, &scene.queue->getters, 1);
        begin_timed_call(&gone[2], &scene, PUT, &letters[1]);
        await_post(&scene);
        pass_deadline();
        for (int i = 0; i < 3; i++)
            assert_int_equal(end_call(&gone[i]), -ETIMEDOUT);
        assert_int_equal(aiol_queue_shutdown(scene.queue, how), 0);
        if (how == AIOL_QUEUE_DRAIN)
            assert_int_equal(aiol_loop_run_once(scene.loop, 0), 1);
        aiol_queue_free(scene.queue);
        free_loop(scene.loop);
        aiol_queue_remote_release(scene.remote);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_call_times_out_before_the_loop_receives_it),
        TEST(test_p2_a_get_that_times_out_takes_nothing),
        TEST(test_p2_a_put_that_times_out_keeps_its_item),
        TEST(test_a_join_that_times_out_is_not_missed),
        TEST(test_p2_who_waits_behind_a_call_that_timed_out_is_served),
        TEST(test_p8_calls_that_time_out_do_not_pile_up),
        TEST(test_p2_a_deadline_that_passes_while_the_loop_puts_is_too_late),
        TEST(test_a_deadline_that_passes_while_the_loop_looks_for_an_item),
        TEST(test_p1_calls_that_timed_out_end_with_queue_and_loop),
    };

    return cmocka_run_group_tests_name("queue/remote_deadline", tests, NULL, NULL);
}
