/* Queues while memory and the system fail: without waiting, in callback form, and in tasks. */
#include "faults.h"

#include <errno.h>
#include <stdlib.h>

#define ITEM_COUNT 20 /* more than an unbounded queue has room for at first, which is 16 */

static int destroyed_count;

static void destroy_item(void *item)
{
    destroyed_count++;
    free(item);
}

/* On success the item is the queue's. */
static int put_new_item(struct aiol_queue *queue)
{
    void *item = malloc(1);
    int rc = item ? aiol_queue_put_nowait(queue, item) : -ENOMEM;

    if (rc < 0)
        free(item);
    return rc;
}

static int put_and_get_nowait(struct aiol_loop *loop)
{
    struct aiol_queue *queue = NULL;
    int rc = aiol_queue_new(loop, AIOL_QUEUE_UNBOUNDED, destroy_item, &queue);
    int put_count = 0, got_count = 0;

    destroyed_count = 0;
    while (rc == 0 && put_count < ITEM_COUNT) {
        rc = put_new_item(queue);
        put_count += rc == 0;
    }
    for (int i = 0; i < 3 && rc == 0; i++) {
        void *item = NULL;

        rc = aiol_queue_get_nowait(queue, &item);
        got_count += rc == 0;
        free(item);
        if (rc == 0)
            rc = aiol_queue_done(queue);
    }
    if (queue && (aiol_queue_count(queue) != (size_t)(put_count - got_count) ||
                  aiol_queue_high_water(queue) != (size_t)put_count ||
                  aiol_queue_unfinished(queue) != (uint64_t)(put_count - got_count) ||
                  aiol_queue_capacity(queue) != AIOL_QUEUE_UNBOUNDED))
        rc = expect(false, "a put that fails changes nothing");
    if (rc == 0)
        rc = aiol_queue_shutdown(queue, AIOL_QUEUE_NOW);
    aiol_queue_free(queue);
    if (destroyed_count != put_count - got_count)
        rc = expect(false, "each item that is left is destroyed");
    return rc;
}

/* What came of a getter, putter or joiner. */
struct end {
    int count;
    int status;
    void *item;
};

static void end_get(struct aiol_queue_getter *getter, int status, void *item, void *data)
{
    struct end *end = data;

    (void)getter;
    *end = (struct end){end->count + 1, status, item};
}

static void end_put(struct aiol_queue_putter *putter, int status, void *item, void *data)
{
    struct end *end = data;

    (void)putter;
    *end = (struct end){end->count + 1, status, item};
}

static void end_join(struct aiol_queue_joiner *joiner, int status, void *data)
{
    struct end *end = data;

    (void)joiner;
    *end = (struct end){end->count + 1, status, NULL};
}

/* A rendezvous: each side waits for the other one. */
static int meet_in_callbacks(struct aiol_loop *loop, struct aiol_queue *queue)
{
    struct aiol_queue_getter getter;
    struct aiol_queue_putter putter;
    struct aiol_queue_joiner joiner;
    struct end got = {0}, put = {0}, joined = {0};
    void *item = NULL;
    int rc;

    aiol_queue_getter_init(&getter, queue, end_get, &got);
    aiol_queue_putter_init(&putter, queue, end_put, &put);
    aiol_queue_joiner_init(&joiner, queue, end_join, &joined);
    rc = aiol_queue_putter_start(&putter, &got);
    if (rc == 0)
        rc = aiol_queue_getter_start(&getter);
    if (rc == 0)
        rc = aiol_queue_joiner_start(&joiner);
    if (rc == 0)
        rc = aiol_queue_done(queue);
    if (rc == 0)
        rc = run_loop(loop);
    if (rc == 0)
        rc = expect(got.count == 1 && got.item == &got && put.count == 1 && put.status == 0 &&
                        joined.count == 1 && joined.status == 0,
                    "the getter gets what the putter puts");
    aiol_queue_getter_stop(&getter, &item);
    aiol_queue_putter_stop(&putter);
    aiol_queue_joiner_stop(&joiner);
    return rc;
}

static int wait_in_callbacks(struct aiol_loop *loop)
{
    struct aiol_queue_getter *getter = NULL;
    struct aiol_queue_putter *putter = NULL;
    struct aiol_queue_joiner *joiner = NULL;
    struct aiol_queue *queue = NULL;
    struct end got = {0}, put = {0}, joined = {0};
    void *item = NULL;
    int rc = aiol_queue_new(loop, 0, NULL, &queue);

    if (rc < 0)
        return rc;
    rc = meet_in_callbacks(loop, queue);
    if (rc == 0)
        rc = aiol_queue_getter_new(queue, end_get, &got, &getter);
    if (rc == 0)
        rc = aiol_queue_putter_new(queue, end_put, &put, &putter);
    if (rc == 0)
        rc = aiol_queue_joiner_new(queue, end_join, &joined, &joiner);
    if (rc == 0)
        rc = aiol_queue_joiner_start(joiner); /* there is nothing to wait for */
    if (rc == 0)
        rc = run_loop(loop);
    if (rc == 0)
        rc = aiol_queue_putter_start(putter, &got);
    aiol_queue_free(queue); /* tells the putter */
    if (rc == 0)
        rc = expect(joined.count == 1 && joined.status == 0 && put.count == 1 &&
                        put.status == AIOL_ECLOSED && put.item == &got && got.count == 0,
                    "who waits is told that the queue is freed");
    if (getter)
        aiol_queue_getter_stop(getter, &item);
    if (putter)
        aiol_queue_putter_stop(putter);
    aiol_queue_getter_free(getter);
    aiol_queue_putter_free(putter);
    aiol_queue_joiner_free(joiner);
    return rc;
}

struct pipeline {
    struct aiol_queue *queue;
    int put_count;
    int got_count;
};

static int produce(void *arg)
{
    struct pipeline *pipeline = arg;
    int rc = 0;

    while (rc == 0 && pipeline->put_count < ITEM_COUNT) {
        void *item = malloc(1);

        rc = item ? aiol_await_queue_put(pipeline->queue, item) : -ENOMEM;
        pipeline->put_count += rc == 0;
        if (rc < 0)
            free(item);
    }
    aiol_queue_shutdown(pipeline->queue, AIOL_QUEUE_DRAIN);
    return rc;
}

static int consume(void *arg)
{
    struct pipeline *pipeline = arg;
    void *item;
    int rc;

    while ((rc = aiol_await_queue_get(pipeline->queue, &item)) == 0) {
        pipeline->got_count++;
        free(item);
        aiol_queue_done(pipeline->queue);
    }
    return rc == AIOL_ECLOSED ? 0 : rc;
}

static int run_pipeline(void *arg)
{
    struct pipeline pipeline = {0};
    struct aiol_group group;
    int rc = aiol_queue_new(aiol_loop_current(), *(size_t *)arg, destroy_item, &pipeline.queue);

    if (rc < 0)
        return rc;
    destroyed_count = 0;
    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    aiol_group_spawn(&group, consume, &pipeline);
    aiol_group_spawn(&group, produce, &pipeline);
    aiol_group_spawn(&group, consume, &pipeline);
    rc = aiol_await_group(&group);
    if (rc == 0)
        rc = aiol_await_queue_join(pipeline.queue);
    if (rc == 0)
        rc = expect(pipeline.got_count == ITEM_COUNT, "each item comes");
    aiol_queue_free(pipeline.queue);
    if (pipeline.got_count + destroyed_count != pipeline.put_count)
        rc = expect(false, "each item that was put is got or destroyed");
    return rc;
}

static int wait_in_tasks(struct aiol_loop *loop)
{
    static size_t capacities[] = {0, 3, AIOL_QUEUE_UNBOUNDED};
    int rc = 0;

    for (size_t i = 0; i < COUNT_OF(capacities) && rc == 0; i++)
        rc = run_task(loop, run_pipeline, &capacities[i]);
    return rc;
}

static void test_without_waiting(void **state)
{
    (void)state;
    inject_faults("a queue without waiting", put_and_get_nowait, ON_BOTH);
}

static void test_callbacks(void **state)
{
    (void)state;
    inject_faults("a queue in callback form", wait_in_callbacks, ON_BOTH);
}

static void test_tasks(void **state)
{
    (void)state;
    inject_faults("a queue between tasks", wait_in_tasks, ON_BOTH);
}

static void test_sizes_cannot_fail(void **state)
{
    (void)state;
    assert_int_equal(aiol_queue_getter_size(), sizeof(struct aiol_queue_getter));
    assert_int_equal(aiol_queue_getter_align(), _Alignof(struct aiol_queue_getter));
    assert_int_equal(aiol_queue_putter_size(), sizeof(struct aiol_queue_putter));
    assert_int_equal(aiol_queue_putter_align(), _Alignof(struct aiol_queue_putter));
    assert_int_equal(aiol_queue_joiner_size(), sizeof(struct aiol_queue_joiner));
    assert_int_equal(aiol_queue_joiner_align(), _Alignof(struct aiol_queue_joiner));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_without_waiting),
        TEST(test_callbacks),
        TEST(test_tasks),
        TEST(test_sizes_cannot_fail),
    };

    return cmocka_run_group_tests_name("faults/queue", tests, NULL, print_points);
}
