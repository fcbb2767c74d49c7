/* Queues used from another thread, while memory and the system fail. */
#include "faults.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#define ITEM_COUNT 3

static int items[ITEM_COUNT];

struct worker {
    struct aiol_queue_remote *remote;
    int got_count;
    int rc;
    atomic_bool is_done;
};

static int get_one(struct worker *worker)
{
    void *item = NULL;
    int rc = aiol_blocking_queue_get(worker->remote, AIOL_NEVER, &item);

    if (rc == 0)
        rc = expect(item == &items[worker->got_count++], "the items come in their order");
    return rc == 0 ? aiol_blocking_queue_done(worker->remote, AIOL_NEVER) : rc;
}

/* Gets all there is, and puts one back; whatever happens, it gives up the remote. */
static void *work(void *arg)
{
    struct worker *worker = arg;
    void *item = NULL;
    int rc = 0;

    while (rc == 0 && worker->got_count < ITEM_COUNT)
        rc = get_one(worker);
    if (rc == 0)
        rc = aiol_blocking_queue_join(worker->remote, AIOL_NEVER);
    if (rc == 0) {
        rc = aiol_blocking_queue_get(worker->remote, 0, &item);
        rc = rc == -ETIMEDOUT ? 0 : rc < 0 ? rc : expect(false, "there is no time to get more");
    }
    if (rc == 0)
        rc = aiol_blocking_queue_put(worker->remote, &items[0], AIOL_NEVER);
    aiol_queue_remote_release(worker->remote);
    worker->rc = rc;
    atomic_store(&worker->is_done, true);
    return NULL;
}

static int serve(struct aiol_loop *loop, struct aiol_queue *queue, struct worker *worker)
{
    pthread_t thread;
    int rc = aiol_queue_remote_new(queue, &worker->remote);

    for (int i = 0; i < ITEM_COUNT && rc == 0; i++)
        rc = aiol_queue_put_nowait(queue, &items[i]);
    if (rc == 0)
        rc = -pthread_create(&thread, NULL, work, worker);
    if (rc < 0) {
        aiol_queue_remote_release(worker->remote);
        aiol_loop_run(loop); /* it is given back by a post */
        return rc;
    }
    rc = run_loop(loop); /* until the thread gives up the remote */
    if (rc < 0)
        aiol_queue_shutdown(queue, AIOL_QUEUE_NOW);
    while (!atomic_load(&worker->is_done)) {
        aiol_loop_run_once(loop, 0);
        sched_yield();
    }
    pthread_join(thread, NULL);
    aiol_loop_run(loop);
    rc = aiol_first_error(rc, worker->rc);
    return rc == 0 ? expect(aiol_queue_count(queue) == 1, "one item was put back") : rc;
}

static int serve_a_thread(struct aiol_loop *loop)
{
    struct worker worker = {0};
    struct aiol_queue *queue = NULL;
    int rc = aiol_queue_new(loop, ITEM_COUNT, NULL, &queue);

    if (rc == 0)
        rc = serve(loop, queue, &worker);
    aiol_queue_free(queue);
    return rc;
}

/* A thread that has no time, and for which nobody turns the loop: this one. */
static int run_out_of_time(struct aiol_loop *loop)
{
    struct aiol_queue_remote *remote = NULL;
    struct aiol_queue *queue = NULL;
    void *item = NULL;
    int rc = aiol_queue_new(loop, 1, NULL, &queue);

    if (rc == 0)
        rc = aiol_queue_remote_new(queue, &remote);
    if (rc == 0) {
        aiol_queue_remote_retain(remote);
        aiol_queue_remote_release(remote);
        rc = aiol_blocking_queue_put(remote, &items[0], 0);
    }
    if (rc == -ETIMEDOUT)
        rc = aiol_blocking_queue_get(remote, 0, &item);
    if (rc == -ETIMEDOUT)
        rc = expect(aiol_queue_count(queue) == 0 && !item, "nothing was put, nothing was got");
    aiol_queue_free(queue);
    if (rc == 0)
        rc = aiol_blocking_queue_done(remote, 0);
    rc = rc == -ETIMEDOUT ? 0 : rc < 0 ? rc : expect(false, "nothing was said to be done");
    aiol_queue_remote_release(remote);
    return aiol_first_error(rc, run_loop(loop)); /* it is given back by a post */
}

/* A remote that outlives queue and loop. */
static int outlive_the_loop(const struct aiol_loop_options *options)
{
    struct aiol_queue_remote *remote = NULL;
    struct aiol_queue *queue = NULL;
    struct aiol_loop *loop = NULL;
    int rc = aiol_loop_new(options, &loop);

    if (rc == 0)
        rc = aiol_queue_new(loop, 1, NULL, &queue);
    if (rc == 0)
        rc = aiol_queue_remote_new(queue, &remote);
    aiol_queue_free(queue);
    rc = aiol_first_error(rc, aiol_loop_free(loop));
    if (rc == 0) {
        rc = aiol_blocking_queue_put(remote, &items[0], AIOL_NEVER);
        rc = rc == AIOL_ECLOSED ? 0 : rc < 0 ? rc : expect(false, "the loop is gone");
    }
    aiol_queue_remote_release(remote);
    return rc;
}

static void test_serving_a_thread(void **state)
{
    (void)state;
    inject_faults("serving a thread", serve_a_thread, ON_BOTH);
}

static void test_running_out_of_time(void **state)
{
    (void)state;
    inject_faults("running out of time", run_out_of_time, ON_BOTH);
}

static void test_a_remote_that_outlives_its_loop(void **state)
{
    (void)state;
    inject_faults_alone("a remote that outlives its loop", outlive_the_loop, ON_BOTH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_serving_a_thread),
        TEST(test_running_out_of_time),
        TEST(test_a_remote_that_outlives_its_loop),
    };

    return cmocka_run_group_tests_name("faults/remote", tests, NULL, print_points);
}
