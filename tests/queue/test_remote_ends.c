/* The queue from other threads at the end of things: the queue is shut down or freed, the loop ends
 * with or without it, and remotes outlive both. Whoever is blocked is told, and no call is lost on
 * its way. */
#include "reactor/loop.h"
#include "threads.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

static struct notes destroyed;

static void note_destroyed(void *item)
{
    note(&destroyed, *(char *)item);
}

/* With so many items in the queue. */
static void begin_scene_with_items(struct scene *scene, size_t capacity, size_t item_count)
{
    memset(&destroyed, 0, sizeof destroyed);
    begin_scene_on(scene, new_loop(), capacity, note_destroyed);
    for (size_t i = 0; i < item_count; i++)
        assert_int_equal(aiol_queue_put_nowait(scene->queue, &letters[i]), 0);
}

static void begin_waiting_call(struct call *own, struct scene *scene, enum kind kind, char *item)
{
    struct aiol__list *waiters = kind == PUT   ? &scene->queue->putters
                                 : kind == GET ? &scene->queue->getters
                                               : &scene->queue->joiners;

    begin_call(own, scene, kind, item);
    await_waiting(scene, waiters, count_waiting(waiters) + 1);
}

static void test_a_shutdown_ends_gets_that_wait(void **state)
{
    struct scene scene;
    struct call gets[3];

    (void)state;
    for (uint32_t how = AIOL_QUEUE_DRAIN; how <= AIOL_QUEUE_NOW; how++) {
        begin_scene_with_items(&scene, 1, 0);
        for (int i = 0; i < 3; i++)
            begin_waiting_call(&gets[i], &scene, GET, &letters[9]);
        assert_int_equal(aiol_queue_shutdown(scene.queue, how), 0);
        for (int i = 0; i < 3; i++) {
            assert_int_equal(end_call(&gets[i]), AIOL_ECLOSED);
            assert_ptr_equal(gets[i].item, &letters[9]);
        }
        end_scene(&scene);
    }
}

static void test_a_gentle_shutdown_lets_threads_get_what_is_left(void **state)
{
    struct scene scene;
    struct call put, join, other;

    (void)state;
    begin_scene_with_items(&scene, 1, 1);
    begin_waiting_call(&put, &scene, PUT, &letters[1]);
    begin_waiting_call(&join, &scene, JOIN, NULL);
    assert_int_equal(aiol_queue_shutdown(scene.queue, AIOL_QUEUE_DRAIN), 0);
    assert_int_equal(end_call(&put), AIOL_ECLOSED);
    assert_int_equal(serve_call(&other, &scene, PUT, &letters[2]), AIOL_ECLOSED);
    assert_int_equal(serve_call(&other, &scene, GET, NULL), 0);
    assert_ptr_equal(other.item, &letters[0]);
    assert_int_equal(serve_call(&other, &scene, GET, NULL), AIOL_ECLOSED);
    assert_false(atomic_load(&join.is_over));
    assert_int_equal(serve_call(&other, &scene, DONE, NULL), 0);
    assert_int_equal(end_call(&join), 0);
    end_scene(&scene);
    assert_string_equal(destroyed.text, "");
}

static void test_a_shutdown_at_once_destroys_what_is_left_and_ends_joins(void **state)
{
    struct scene scene;
    struct call put, join, other;

    (void)state;
    begin_scene_with_items(&scene, 1, 1);
    begin_waiting_call(&put, &scene, PUT, &letters[1]);
    begin_waiting_call(&join, &scene, JOIN, NULL);
    assert_int_equal(aiol_queue_shutdown(scene.queue, AIOL_QUEUE_NOW), 0);
    assert_int_equal(end_call(&put), AIOL_ECLOSED);
    assert_int_equal(end_call(&join), 0);
    assert_string_equal(destroyed.text, "a");
    assert_int_equal(serve_call(&other, &scene, GET, NULL), AIOL_ECLOSED);
    assert_int_equal(serve_call(&other, &scene, JOIN, NULL), 0);
    end_scene(&scene);
}

static void check_that_all_is_closed(struct aiol_queue_remote *remote)
{
    struct call one = {.remote = remote, .item = letters, .deadline_ns = AIOL_NEVER};

    for (int kind = PUT; kind <= JOIN; kind++) {
        one.kind = (enum kind)kind;
        assert_int_equal(call(&one), AIOL_ECLOSED);
    }
    assert_ptr_equal(one.item, letters);
}

static void test_p2_a_queue_that_is_freed_tells_all_that_wait(void **state)
{
    struct scene scene;
    struct call waiting[2], join, late;

    (void)state;
    for (int kind = PUT; kind <= GET; kind++) {
        begin_scene_with_items(&scene, 1, 1);
        if (kind == GET)
            assert_int_equal(serve_call(&late, &scene, GET, NULL), 0);
        for (int i = 0; i < 2; i++)
            begin_waiting_call(&waiting[i], &scene, (enum kind)kind, &letters[9]);
        begin_waiting_call(&join, &scene, JOIN, NULL);
        aiol_queue_free(scene.queue);
        for (int i = 0; i < 2; i++)
            assert_int_equal(end_call(&waiting[i]), AIOL_ECLOSED);
        assert_int_equal(end_call(&join), AIOL_ECLOSED);
        assert_string_equal(destroyed.text, kind == PUT ? "a" : "");
        /* The loop lives, and tells who comes later. */
        for (int i = PUT; i <= JOIN; i++)
            assert_int_equal(serve_call(&late, &scene, (enum kind)i, &letters[9]), AIOL_ECLOSED);
        free_loop(scene.loop);
        check_that_all_is_closed(scene.remote);
        aiol_queue_remote_release(scene.remote);
    }
}

static void test_p2_a_call_on_its_way_is_told_of_the_end(void **state)
{
    struct scene scene;
    struct call one;

    (void)state;
    for (int i = 0; i < 8; i++) {
        enum kind kind = (enum kind)(i / 2);

        begin_scene_with_items(&scene, 2, 1);
        begin_call(&one, &scene, kind, &letters[9]);
        await_post(&scene);
        aiol_queue_free(scene.queue);
        assert_false(atomic_load(&one.is_over));
        if (i % 2)
            assert_int_equal(aiol_loop_run_once(scene.loop, 0), 1);
        else
            free_loop(scene.loop);
        assert_int_equal(end_call(&one), AIOL_ECLOSED);
        assert_ptr_equal(one.item, &letters[9]);
        if (i % 2)
            free_loop(scene.loop);
        aiol_queue_remote_release(scene.remote);
    }
}

/* Not even if everything ends before the thread has looked. */
static void test_p2_what_was_handed_over_is_not_taken_back(void **state)
{
    struct scene scene;
    struct call get;

    (void)state;
    begin_scene_with_items(&scene, 0, 0);
    begin_waiting_call(&get, &scene, GET, NULL);
    assert_int_equal(aiol_queue_put_nowait(scene.queue, &letters[0]), 0);
    aiol_queue_free(scene.queue);
    free_loop(scene.loop);
    assert_int_equal(end_call(&get), 0);
    assert_ptr_equal(get.item, &letters[0]);
    assert_string_equal(destroyed.text, "");
    aiol_queue_remote_release(scene.remote);
}

/* A run whose main task ends while a thread waits in the queue, and another one's post is there. */
struct ending {
    struct scene scene;
    struct call waiting, on_its_way;
    struct aiol_poster *poster;
    struct aiol_deferred cleanup;
    size_t waiting_count;
    int post_status;
    int put_rc;
    int remote_rc;
    int spawn_rc;
};

/* Called when no more posts are accepted: nobody may be left who would post that he gives up. */
static void look_who_waits(int status, void *data)
{
    struct ending *ending = data;

    ending->post_status = status;
    ending->waiting_count = count_waiting(&ending->scene.queue->getters);
}

/* The queue is still there when all others have been told, and goes while they go. */
static void clean_up(struct aiol_deferred *deferred, void *data)
{
    struct ending *ending = data;
    struct aiol_queue_remote *late;

    (void)deferred;
    ending->put_rc = aiol_queue_put_nowait(ending->scene.queue, &letters[0]);
    ending->remote_rc = aiol_queue_remote_new(ending->scene.queue, &late);
    aiol_queue_free(ending->scene.queue);
}

static void *call_and_release(void *data)
{
    struct call *own = data;

    own->result = call(own);
    aiol_queue_remote_release(own->remote);
    return NULL;
}

static int begin_last_get(struct call *get, struct scene *scene)
{
    *get = (struct call){.remote = scene->remote, .kind = GET, .deadline_ns = AIOL_NEVER};
    return pthread_create(&get->thread, NULL, call_and_release, get);
}

static int end_while_threads_wait(void *arg)
{
    struct ending *ending = arg;
    struct scene *scene = &ending->scene;

    scene->loop = aiol_loop_current();
    aiol_queue_new(scene->loop, 0, NULL, &scene->queue);
    aiol_queue_remote_new(scene->queue, &scene->remote);
    aiol_queue_remote_retain(scene->remote);
    aiol_poster_new(scene->loop, &ending->poster);
    ending->spawn_rc = begin_last_get(&ending->waiting, scene);
    while (count_waiting(&scene->queue->getters) == 0)
        aiol_await_yield();
    ending->spawn_rc += begin_last_get(&ending->on_its_way, scene);
    while (aiol__mailbox_is_empty(scene->loop->mailbox))
        sched_yield();
    ending->spawn_rc += aiol_poster_post(ending->poster, look_who_waits, ending);
    aiol_poster_release(ending->poster);
    aiol_deferred_init(&ending->cleanup, scene->loop, clean_up, ending);
    aiol_deferred_start(&ending->cleanup);
    return 7;
}

static void test_p2_the_end_of_a_run_ends_what_threads_wait_for(void **state)
{
    struct ending ending;
    int rc;

    (void)state;
    for (int i = 0; i < 20; i++) {
        ending = (struct ending){0};
        rc = i % 2 ? run_real(end_while_threads_wait, &ending)
                   : run_sim(1, end_while_threads_wait, &ending);
        assert_int_equal(rc, 7);
        assert_int_equal(ending.spawn_rc, 0);
        assert_int_equal(end_call(&ending.waiting), AIOL_ECLOSED);
        assert_int_equal(end_call(&ending.on_its_way), AIOL_ECLOSED);
        assert_int_equal(ending.post_status, AIOL_ECLOSED);
        assert_int_equal(ending.waiting_count, 0);
        assert_int_equal(ending.put_rc, -EAGAIN);
        assert_int_equal(ending.remote_rc, AIOL_ECLOSED);
    }
}

static struct aiol_queue *queue_being_freed;
static int remote_rc;

static void make_remote(void *item)
{
    struct aiol_queue_remote *remote;

    (void)item;
    remote_rc = aiol_queue_remote_new(queue_being_freed, &remote);
}

static void test_a_queue_that_is_being_freed_gets_no_remote(void **state)
{
    struct aiol_loop *loop = new_loop();

    (void)state;
    assert_int_equal(aiol_queue_new(loop, 1, make_remote, &queue_being_freed), 0);
    assert_int_equal(aiol_queue_put_nowait(queue_being_freed, letters), 0);
    aiol_queue_free(queue_being_freed);
    assert_int_equal(remote_rc, AIOL_ECLOSED);
    free_loop(loop);
}

/* Two remotes of one queue: its end and that of one of them leave the other one's links whole. */
static void test_p1_remotes_end_in_any_order(void **state)
{
    struct aiol_queue_remote *remotes[3];
    struct scene scene;
    struct call late;

    (void)state;
    for (int first = 0; first < 3; first++) {
        begin_scene_with_items(&scene, 1, 0);
        remotes[0] = scene.remote;
        for (int i = 1; i < 3; i++)
            assert_int_equal(aiol_queue_remote_new(scene.queue, &remotes[i]), 0);
        aiol_queue_remote_release(remotes[first]);
        assert_int_equal(aiol_loop_run_once(scene.loop, 0), 1);
        aiol_queue_free(scene.queue);
        aiol_queue_remote_release(remotes[(first + 1) % 3]);
        scene.remote = remotes[(first + 2) % 3];
        assert_int_equal(serve_call(&late, &scene, GET, NULL), AIOL_ECLOSED);
        free_loop(scene.loop);
        check_that_all_is_closed(scene.remote);
        aiol_queue_remote_release(scene.remote);
    }
}

/* A thread that releases the last reference, at a moment that others choose by the barrier. */
struct holder {
    pthread_t thread;
    pthread_barrier_t barrier;
    struct aiol_queue_remote *remote;
    bool calls_first;
    int result;
};

static void *release_last(void *data)
{
    struct holder *holder = data;
    void *item;

    pthread_barrier_wait(&holder->barrier);
    if (holder->calls_first)
        holder->result = aiol_blocking_queue_get(holder->remote, AIOL_NEVER, &item);
    aiol_queue_remote_release(holder->remote);
    return NULL;
}

static void begin_holder(struct holder *holder, struct scene *scene, bool calls_first)
{
    *holder = (struct holder){.remote = scene->remote, .calls_first = calls_first};
    pthread_barrier_init(&holder->barrier, NULL, 2);
    assert_int_equal(pthread_create(&holder->thread, NULL, release_last, holder), 0);
}

static void end_holder(struct holder *holder)
{
    pthread_join(holder->thread, NULL);
    pthread_barrier_destroy(&holder->barrier);
}

static void test_p7_another_thread_may_release_last_before_and_after_the_end(void **state)
{
    struct scene scene;
    struct holder holder;

    (void)state;
    for (int is_after = 0; is_after < 2; is_after++) {
        begin_scene_with_items(&scene, 1, 0);
        begin_holder(&holder, &scene, false);
        if (!is_after) {
            pthread_barrier_wait(&holder.barrier);
            assert_int_equal(aiol_loop_run(scene.loop), 0);
        }
        aiol_queue_free(scene.queue);
        free_loop(scene.loop);
        if (is_after)
            pthread_barrier_wait(&holder.barrier);
        end_holder(&holder);
    }
}

static void test_p7_another_thread_may_release_last_during_the_end(void **state)
{
    struct scene scene;
    struct holder holder;

    (void)state;
    for (int i = 0; i < 200; i++) {
        begin_scene_with_items(&scene, 1, 0);
        begin_holder(&holder, &scene, i % 2);
        pthread_barrier_wait(&holder.barrier);
        aiol_queue_free(scene.queue);
        free_loop(scene.loop);
        end_holder(&holder);
        assert_int_equal(holder.result, i % 2 ? AIOL_ECLOSED : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_shutdown_ends_gets_that_wait),
        TEST(test_a_gentle_shutdown_lets_threads_get_what_is_left),
        TEST(test_a_shutdown_at_once_destroys_what_is_left_and_ends_joins),
        TEST(test_p2_a_queue_that_is_freed_tells_all_that_wait),
        TEST(test_p2_a_call_on_its_way_is_told_of_the_end),
        TEST(test_p2_what_was_handed_over_is_not_taken_back),
        TEST(test_p2_the_end_of_a_run_ends_what_threads_wait_for),
        TEST(test_a_queue_that_is_being_freed_gets_no_remote),
        TEST(test_p1_remotes_end_in_any_order),
        TEST(test_p7_another_thread_may_release_last_before_and_after_the_end),
        TEST(test_p7_another_thread_may_release_last_during_the_end),
    };

    return cmocka_run_group_tests_name("queue/remote_ends", tests, NULL, NULL);
}
