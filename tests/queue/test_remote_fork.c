/*
 * The queue from other threads in a child of fork(), which has none of the parent's threads:
 * nothing is given to them or taken from them, nothing is waited for that only they could do, and
 * the child can free everything but what they have left. The parent notices nothing.
 *
 * The child ends with a status that says what went wrong in it; 0 is nothing. It makes no threads,
 * which not every sanitizer allows there.
 */
#include "platform/sys.h"
#include "threads.h"

#include <errno.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

static struct aiol_queue_remote *second_remote; /* of the same queue; NULL: there is none */

/* What the parent's threads hold is lost in a child. Kept here so that no leak checker finds it. */
static void *kept[64];
static atomic_uint kept_count;

static void *allocate_and_keep(void *context, size_t size_bytes)
{
    void *memory = counting_allocator.allocate(context, size_bytes);

    kept[atomic_fetch_add(&kept_count, 1) % COUNT_OF(kept)] = memory;
    return memory;
}

static void begin_kept_scene(struct scene *scene, size_t capacity)
{
    struct aiol_allocator allocator = counting_allocator;
    struct aiol_loop_options options = {.size = sizeof options, .allocator = &allocator};
    struct aiol_loop *loop = NULL;

    allocator.allocate = allocate_and_keep;
    assert_int_equal(aiol_loop_new(&options, &loop), 0);
    begin_scene_on(scene, loop, capacity, NULL);
    second_remote = NULL;
}

/* Returns 0 when all could be freed. */
static int end_scene_in_child(struct scene *scene)
{
    aiol_queue_remote_release(scene->remote);
    aiol_queue_remote_release(second_remote);
    if (aiol_loop_run(scene->loop) != 0)
        return -1;
    aiol_queue_free(scene->queue);
    return aiol_loop_free(scene->loop);
}

/* What the child ends with. One that hangs is killed after a while. */
static int status_of_child(int (*child)(struct scene *), struct scene *scene)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        alarm(30);
        end_child(aiol_loop_reinit_after_fork(scene->loop) < 0 ? 100 : child(scene));
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

/* An item goes through the queue as if the parent's thread had never come for it. */
static int pass_an_item(struct scene *scene)
{
    void *item;

    if (aiol_queue_put_nowait(scene->queue, &letters[0]) != 0)
        return 1;
    if (aiol_queue_count(scene->queue) != 1)
        return 2;
    if (aiol_loop_run_once(scene->loop, 0) != 1 || aiol_queue_count(scene->queue) != 1)
        return 3;
    if (aiol_queue_get_nowait(scene->queue, &item) != 0 || item != &letters[0])
        return 4;
    if (aiol_queue_get_nowait(scene->queue, &item) != -EAGAIN)
        return 5;
    return end_scene_in_child(scene) == 0 ? 0 : 6;
}

static void test_p2_a_get_that_waits_takes_nothing_in_a_child(void **state)
{
    struct scene scene;
    struct call get;

    (void)state;
    begin_kept_scene(&scene, 1);
    begin_call(&get, &scene, GET, NULL);
    await_waiting(&scene, &scene.queue->getters, 1);
    assert_int_equal(status_of_child(pass_an_item, &scene), 0);
    assert_int_equal(aiol_queue_put_nowait(scene.queue, &letters[1]), 0);
    assert_int_equal(end_call(&get), 0);
    assert_ptr_equal(get.item, &letters[1]);
    end_scene(&scene);
}

static void test_p2_a_get_on_its_way_takes_nothing_in_a_child(void **state)
{
    struct scene scene;
    struct call get;

    (void)state;
    begin_kept_scene(&scene, 1);
    begin_call(&get, &scene, GET, NULL);
    await_post(&scene);
    assert_int_equal(status_of_child(pass_an_item, &scene), 0);
    assert_int_equal(aiol_queue_put_nowait(scene.queue, &letters[1]), 0);
    assert_int_equal(aiol_loop_run_once(scene.loop, 0), 1);
    assert_int_equal(end_call(&get), 0);
    assert_ptr_equal(get.item, &letters[1]);
    end_scene(&scene);
}

/* The queue is full, with one item; the put that waits is no more of the child's. */
static int get_the_only_item(struct scene *scene)
{
    void *item;

    if (aiol_queue_get_nowait(scene->queue, &item) != 0 || item != &letters[0])
        return 1;
    if (aiol_loop_run_once(scene->loop, 0) != 1)
        return 2;
    if (aiol_queue_get_nowait(scene->queue, &item) != -EAGAIN)
        return 3;
    if (aiol_queue_done(scene->queue) != 0 || aiol_queue_unfinished(scene->queue) != 0)
        return 4;
    return end_scene_in_child(scene) == 0 ? 0 : 5;
}

static void test_p2_a_put_and_a_join_that_wait_are_the_parents_alone(void **state)
{
    struct scene scene;
    struct call put, join;
    void *item;

    (void)state;
    begin_kept_scene(&scene, 1);
    assert_int_equal(aiol_queue_put_nowait(scene.queue, &letters[0]), 0);
    begin_call(&put, &scene, PUT, &letters[1]);
    await_waiting(&scene, &scene.queue->putters, 1);
    begin_call(&join, &scene, JOIN, NULL);
    await_waiting(&scene, &scene.queue->joiners, 1);
    assert_int_equal(status_of_child(get_the_only_item, &scene), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(aiol_queue_get_nowait(scene.queue, &item), 0);
        assert_ptr_equal(item, &letters[i]);
        assert_int_equal(aiol_queue_done(scene.queue), 0);
    }
    assert_int_equal(end_call(&put), 0);
    assert_int_equal(end_call(&join), 0);
    end_scene(&scene);
}

/* Where a thread stops, with the lock of its call, until it is to stop no more. */
enum place { NOWHERE, AT_CLOCK, AT_WAKEUP };
static atomic_int place_to_stop;
static atomic_bool has_stopped;

static void stop_at(enum place place)
{
    if (atomic_load(&place_to_stop) != (int)place)
        return;
    atomic_store(&has_stopped, true);
    while (atomic_load(&place_to_stop) != NOWHERE)
        sched_yield();
}

static void await_stop(void)
{
    while (!atomic_load(&has_stopped))
        sched_yield();
}

static void stop_at_clock(void)
{
    stop_at(AT_CLOCK);
}

static ssize_t (*real_write)(int, const void *, size_t);

static ssize_t write_after_stop(int fd, const void *data, size_t size_bytes)
{
    if (call_of_this_thread)
        stop_at(AT_WAKEUP);
    return real_write(fd, data, size_bytes);
}

/* Until the end of the test. */
static void begin_slow_system(void)
{
    begin_clock(BEGIN_NS);
    atomic_store(&place_to_stop, NOWHERE);
    atomic_store(&has_stopped, false);
    real_write = aiol__sys.write == write_after_stop ? real_write : aiol__sys.write;
    aiol__sys.write = write_after_stop;
}

/* What a call that timed out has left in the queue and among the posts is left in the child too. */
static void test_p2_a_call_that_timed_out_takes_nothing_in_a_child(void **state)
{
    struct scene scene;
    struct call get;

    (void)state;
    begin_kept_scene(&scene, 1);
    begin_slow_system();
    begin_call_until(&get, &scene, GET, NULL, DEADLINE_NS, stop_at_clock);
    await_waiting(&scene, &scene.queue->getters, 1);
    atomic_store(&clock_ns, DEADLINE_NS);
    assert_int_equal(end_call(&get), -ETIMEDOUT);
    assert_int_equal(status_of_child(pass_an_item, &scene), 0);
    end_scene(&scene);
}

static int free_all_at_once(struct scene *scene)
{
    aiol_queue_free(scene->queue);
    if (aiol_loop_free(scene->loop) != 0)
        return 1;
    aiol_queue_remote_release(scene->remote);
    return 0;
}

static int turn_and_free_all(struct scene *scene)
{
    aiol_loop_run_once(scene->loop, 0);
    return free_all_at_once(scene);
}

/* Nobody in the child will ever unlock it. */
static void test_a_child_waits_for_no_lock_that_a_thread_held(void **state)
{
    int (*const children[])(struct scene *) = {free_all_at_once, turn_and_free_all};
    struct scene scene;
    struct call get;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        bool waits_in_queue = i / 2;

        begin_kept_scene(&scene, 1);
        begin_slow_system();
        begin_call_until(&get, &scene, GET, NULL, DEADLINE_NS, stop_at_clock);
        if (waits_in_queue)
            await_waiting(&scene, &scene.queue->getters, 1);
        else
            await_post(&scene);
        atomic_store(&place_to_stop, AT_CLOCK);
        await_stop();
        assert_int_equal(status_of_child(children[i % 2], &scene), 0);
        atomic_store(&place_to_stop, NOWHERE);
        assert_int_equal(aiol_queue_put_nowait(scene.queue, &letters[0]), 0);
        assert_int_equal(aiol_loop_run_once(scene.loop, 0), 1);
        assert_int_equal(end_call(&get), 0);
        end_scene(&scene);
    }
}

static void test_a_child_waits_for_no_lock_of_a_thread_that_gave_up(void **state)
{
    int (*const children[])(struct scene *) = {free_all_at_once, turn_and_free_all};
    struct scene scene;
    struct call get;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(children); i++) {
        begin_kept_scene(&scene, 1);
        begin_slow_system();
        begin_call_until(&get, &scene, GET, NULL, DEADLINE_NS, stop_at_clock);
        await_waiting(&scene, &scene.queue->getters, 1);
        assert_int_equal(aiol_loop_prepare(scene.loop), 0); /* so that posts have to wake it */
        atomic_store(&place_to_stop, AT_WAKEUP);
        atomic_store(&clock_ns, DEADLINE_NS);
        await_stop();
        assert_int_equal(status_of_child(children[i], &scene), 0);
        atomic_store(&place_to_stop, NOWHERE);
        assert_int_equal(end_call(&get), -ETIMEDOUT);
        end_scene(&scene);
    }
}

static int fork_again(struct scene *scene)
{
    return status_of_child(pass_an_item, scene);
}

/* And has two remotes. */
static void test_a_grandchild_is_a_child(void **state)
{
    struct scene scene, by_second;
    struct call waiting, on_its_way;

    (void)state;
    begin_kept_scene(&scene, 1);
    assert_int_equal(aiol_queue_remote_new(scene.queue, &second_remote), 0);
    by_second = scene;
    by_second.remote = second_remote;
    begin_call(&waiting, &by_second, GET, NULL);
    await_waiting(&scene, &scene.queue->getters, 1);
    begin_call(&on_its_way, &scene, GET, NULL);
    await_post(&scene);
    assert_int_equal(status_of_child(fork_again, &scene), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(aiol_queue_put_nowait(scene.queue, &letters[i]), 0);
    assert_int_equal(aiol_loop_run_once(scene.loop, 0), 1);
    assert_int_equal(end_call(&waiting), 0);
    assert_ptr_equal(waiting.item, &letters[0]);
    assert_int_equal(end_call(&on_its_way), 0);
    assert_ptr_equal(on_its_way.item, &letters[1]);
    aiol_queue_remote_release(second_remote);
    end_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p2_a_get_that_waits_takes_nothing_in_a_child),
        TEST(test_p2_a_get_on_its_way_takes_nothing_in_a_child),
        TEST(test_p2_a_put_and_a_join_that_wait_are_the_parents_alone),
        TEST(test_p2_a_call_that_timed_out_takes_nothing_in_a_child),
        TEST(test_a_child_waits_for_no_lock_that_a_thread_held),
        TEST(test_a_child_waits_for_no_lock_of_a_thread_that_gave_up),
        TEST(test_a_grandchild_is_a_child),
    };

    return cmocka_run_group_tests_name("queue/remote_fork", tests, NULL, NULL);
}
