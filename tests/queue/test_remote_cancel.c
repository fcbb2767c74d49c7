/* Threads that are cancelled (pthread_cancel(3)) in a call that blocks: it goes on to its end, and
 * so does the loop. */
#include "support.h"

#include <errno.h>
#include <pthread.h>

struct scene {
    struct aiol_queue_remote *remote;
    char item;
    int put_rc, done_rc, join_rc, get_rc;
    char got;
};

/* With a cancellation pending from the start. */
static void *call_everything(void *data)
{
    struct scene *scene = data;
    void *item = NULL;

    pthread_cancel(pthread_self());
    scene->put_rc = aiol_blocking_queue_put(scene->remote, &scene->item, AIOL_NEVER);
    scene->get_rc = aiol_blocking_queue_get(scene->remote, AIOL_NEVER, &item);
    scene->got = item ? *(char *)item : '!';
    scene->done_rc = aiol_blocking_queue_done(scene->remote, AIOL_NEVER);
    scene->join_rc = aiol_blocking_queue_join(scene->remote, AIOL_NEVER);
    aiol_queue_remote_release(scene->remote);
    pthread_testcancel();
    return NULL;
}

static void test_p2_a_cancelled_thread_ends_behind_its_calls(void **state)
{
    struct scene scene = {.item = 'i', .put_rc = 1, .get_rc = 1, .done_rc = 1, .join_rc = 1};
    struct aiol_loop *loop = new_loop();
    struct aiol_queue *queue;
    pthread_t thread;
    void *result = NULL;

    (void)state;
    assert_int_equal(aiol_queue_new(loop, 1, NULL, &queue), 0);
    assert_int_equal(aiol_queue_remote_new(queue, &scene.remote), 0);
    assert_int_equal(pthread_create(&thread, NULL, call_everything, &scene), 0);
    assert_int_equal(aiol_loop_run(loop), 0);
    pthread_join(thread, &result);
    assert_ptr_equal(result, PTHREAD_CANCELED);
    assert_int_equal(scene.put_rc, 0);
    assert_int_equal(scene.get_rc, 0);
    assert_int_equal(scene.got, 'i');
    assert_int_equal(scene.done_rc, 0);
    assert_int_equal(scene.join_rc, 0);
    aiol_queue_free(queue);
    free_loop(loop);
}

static void *get_until_soon(void *data)
{
    struct scene *scene = data;
    void *item;

    pthread_cancel(pthread_self());
    scene->get_rc =
        aiol_blocking_queue_get(scene->remote, aiol_deadline_after(AIOL_MILLISECOND), &item);
    pthread_testcancel();
    return NULL;
}

/* Nobody turns the loop meanwhile. */
static void test_p1_a_cancelled_thread_that_gives_up_leaves_no_lock(void **state)
{
    struct scene scene = {.get_rc = 1};
    struct aiol_loop *loop = new_loop();
    struct aiol_queue *queue;
    pthread_t thread;

    (void)state;
    assert_int_equal(aiol_queue_new(loop, 1, NULL, &queue), 0);
    assert_int_equal(aiol_queue_remote_new(queue, &scene.remote), 0);
    assert_int_equal(pthread_create(&thread, NULL, get_until_soon, &scene), 0);
    pthread_join(thread, NULL);
    assert_int_equal(scene.get_rc, -ETIMEDOUT);
    aiol_queue_remote_release(scene.remote);
    assert_int_equal(aiol_loop_run(loop), 0);
    aiol_queue_free(queue);
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p2_a_cancelled_thread_ends_behind_its_calls),
        TEST(test_p1_a_cancelled_thread_that_gives_up_leaves_no_lock),
    };

    return cmocka_run_group_tests_name("queue/remote_cancel", tests, NULL, NULL);
}
