/* The queue from many threads at once: what remotes mean to their loop, pipelines of threads, tasks
 * and callbacks, and deadlines so short that they race with what is handed over. */
#include "threads.h"

#include <errno.h>
#include <string.h>

#define HOLDER_COUNT 4

static void *put_and_release(void *data)
{
    struct aiol_queue_remote *remote = data;

    /* As a thread would that hands it on. */
    aiol_queue_remote_retain(remote);
    aiol_queue_remote_release(remote);
    if (aiol_blocking_queue_put(remote, letters, AIOL_NEVER) != 0)
        return remote;
    aiol_queue_remote_release(remote);
    return NULL;
}

static void test_p7_a_remote_keeps_its_loop_alive_until_the_last_release(void **state)
{
    pthread_t threads[HOLDER_COUNT];
    struct aiol_queue_remote *second;
    struct scene scene;
    void *failed;

    (void)state;
    begin_scene(&scene, HOLDER_COUNT);
    assert_int_equal(aiol_queue_remote_new(scene.queue, &second), 0);
    assert_true(aiol_loop_alive_count(scene.loop, AIOL_ALIVE_POSTER) == 2);
    aiol_queue_remote_release(second);
    aiol_queue_remote_release(NULL);
    while (aiol_loop_alive_count(scene.loop, AIOL_ALIVE_POSTER) > 1)
        assert_int_equal(aiol_loop_run_once(scene.loop, 0), 1);
    for (int i = 0; i < HOLDER_COUNT; i++) {
        aiol_queue_remote_retain(scene.remote);
        assert_int_equal(pthread_create(&threads[i], NULL, put_and_release, scene.remote), 0);
    }
    aiol_queue_remote_release(scene.remote);
    /* Every put comes before the release of the thread that made it. */
    assert_int_equal(aiol_loop_run(scene.loop), 0);
    assert_int_equal(aiol_queue_count(scene.queue), HOLDER_COUNT);
    for (int i = 0; i < HOLDER_COUNT; i++) {
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    aiol_queue_free(scene.queue);
    free_loop(scene.loop);
}

struct rescue {
    struct scene scene;
    char got_by_task;
    struct aiol_hook hook;
    pthread_t thread;
    int begun_count;
};

static int get_in_task(void *arg)
{
    struct rescue *rescue = arg;
    void *item;

    rescue->got_by_task = aiol_await_queue_get(rescue->scene.queue, &item) == 0 ? *(char *)item
                                                                                : '!';
    return 0;
}

/* The loop is about to wait, although nothing is there but a task that waits and a remote. */
static void begin_rescue(struct aiol_hook *hook, void *data)
{
    struct rescue *rescue = data;

    aiol_hook_stop(hook);
    rescue->begun_count++;
    if (pthread_create(&rescue->thread, NULL, put_and_release, rescue->scene.remote) != 0)
        rescue->begun_count = -1;
}

static void test_a_task_that_only_a_remote_can_wake_is_not_deadlocked(void **state)
{
    static struct rescue rescue;
    struct scene *scene = &rescue.scene;

    (void)state;
    memset(&rescue, 0, sizeof rescue);
    begin_scene(scene, 0);
    assert_int_equal(aiol_task_spawn(scene->loop, get_in_task, &rescue, NULL), 0);
    assert_int_equal(aiol_loop_run_once(scene->loop, 0), 1);
    aiol_hook_init(&rescue.hook, scene->loop, AIOL_HOOK_BEFORE_WAIT, begin_rescue, &rescue);
    assert_int_equal(aiol_hook_start(&rescue.hook), 0);
    assert_int_equal(aiol_loop_run(scene->loop), 0);
    assert_int_equal(rescue.begun_count, 1);
    pthread_join(rescue.thread, NULL);
    assert_int_equal(rescue.got_by_task, 'a');

    /* It was released: now nothing can wake such a task. */
    assert_int_equal(aiol_task_spawn(scene->loop, get_in_task, &rescue, NULL), 0);
    assert_int_equal(aiol_loop_run(scene->loop), -EDEADLK);
    aiol_queue_free(scene->queue);
    free_loop(scene->loop);
}

/*
 * A pipeline: threads, a task and a callback put numbered items, and others of each kind get them.
 * The last producer to end puts an end mark for each consumer, behind all items.
 */
#define ITEM_COUNT 200 /* of each producer */
#define THREAD_COUNT 3
#define MEMBER_COUNT (THREAD_COUNT + 2) /* on each side */

struct item {
    int producer;
    int number;
};

struct pipeline;
struct member {
    struct pipeline *pipeline;
    int index;
    pthread_t thread;
    struct aiol_queue_getter getter;
    struct aiol_queue_putter putter;
    int put_count;                 /* a producer's; after the items come end marks */
    int last_number[MEMBER_COUNT]; /* a consumer's, by producer */
    int failure_count;
};

struct pipeline {
    struct scene scene;
    struct item items[MEMBER_COUNT][ITEM_COUNT];
    struct item end_mark;
    atomic_int seen[MEMBER_COUNT][ITEM_COUNT];
    atomic_int producers_left;
    struct member producers[MEMBER_COUNT];
    struct member consumers[MEMBER_COUNT];
};

/* What a producer has to put next; NULL: nothing more. */
static struct item *next_item(struct member *producer)
{
    struct pipeline *pipeline = producer->pipeline;
    int index = producer->put_count++;

    if (index < ITEM_COUNT)
        return &pipeline->items[producer->index][index];
    if (index == ITEM_COUNT && atomic_fetch_sub(&pipeline->producers_left, 1) > 1)
        producer->put_count += MEMBER_COUNT;
    return producer->put_count <= ITEM_COUNT + MEMBER_COUNT ? &pipeline->end_mark : NULL;
}

/* False when it was the last one. */
static bool take(struct member *consumer, const struct item *item)
{
    struct pipeline *pipeline = consumer->pipeline;

    if (item == &pipeline->end_mark)
        return false;
    atomic_fetch_add(&pipeline->seen[item->producer][item->number], 1);
    if (item->number <= consumer->last_number[item->producer])
        consumer->failure_count++;
    consumer->last_number[item->producer] = item->number;
    return true;
}

static void *produce_in_thread(void *data)
{
    struct member *producer = data;
    struct aiol_queue_remote *remote = producer->pipeline->scene.remote;
    struct item *item;

    while ((item = next_item(producer)) != NULL)
        producer->failure_count += aiol_blocking_queue_put(remote, item, AIOL_NEVER) != 0;
    aiol_queue_remote_release(remote);
    return NULL;
}

static void *consume_in_thread(void *data)
{
    struct member *consumer = data;
    struct aiol_queue_remote *remote = consumer->pipeline->scene.remote;
    bool goes_on = true;
    void *item;

    while (goes_on) {
        if (aiol_blocking_queue_get(remote, AIOL_NEVER, &item) != 0) {
            consumer->failure_count++;
            break;
        }
        goes_on = take(consumer, item);
        consumer->failure_count += aiol_blocking_queue_done(remote, AIOL_NEVER) != 0;
    }
    /* The end marks of the others may still be on their way. */
    consumer->failure_count += aiol_blocking_queue_join(remote, AIOL_NEVER) != 0;
    aiol_queue_remote_release(remote);
    return NULL;
}

static int produce_in_task(void *arg)
{
    struct member *producer = arg;
    struct item *item;

    while ((item = next_item(producer)) != NULL)
        producer->failure_count += aiol_await_queue_put(producer->pipeline->scene.queue, item) != 0;
    return 0;
}

static int consume_in_task(void *arg)
{
    struct member *consumer = arg;
    struct aiol_queue *queue = consumer->pipeline->scene.queue;
    bool goes_on = true;
    void *item;

    while (goes_on) {
        if (aiol_await_queue_get(queue, &item) != 0) {
            consumer->failure_count++;
            break;
        }
        goes_on = take(consumer, item);
        consumer->failure_count += aiol_queue_done(queue) != 0;
    }
    return 0;
}

static void on_put(struct aiol_queue_putter *putter, int status, void *data_item, void *data)
{
    struct member *producer = data;
    struct item *item = next_item(producer);

    (void)data_item;
    producer->failure_count += status != 0;
    if (item)
        producer->failure_count += aiol_queue_putter_start(putter, item) != 0;
}

static void on_get(struct aiol_queue_getter *getter, int status, void *item, void *data)
{
    struct member *consumer = data;

    if (status != 0) {
        consumer->failure_count++;
        return;
    }
    if (take(consumer, item))
        consumer->failure_count += aiol_queue_getter_start(getter) != 0;
    consumer->failure_count += aiol_queue_done(consumer->pipeline->scene.queue) != 0;
}

static void begin_members(struct pipeline *pipeline)
{
    struct aiol_queue *queue = pipeline->scene.queue;
    struct member *producer = pipeline->producers, *consumer = pipeline->consumers;

    for (int i = 0; i < MEMBER_COUNT; i++) {
        producer[i] = (struct member){.pipeline = pipeline, .index = i};
        consumer[i] = (struct member){.pipeline = pipeline, .index = i};
        for (int j = 0; j < MEMBER_COUNT; j++)
            consumer[i].last_number[j] = -1;
    }
    for (int i = 0; i < THREAD_COUNT; i++, producer++, consumer++) {
        aiol_queue_remote_retain(pipeline->scene.remote);
        assert_int_equal(pthread_create(&producer->thread, NULL, produce_in_thread, producer), 0);
        aiol_queue_remote_retain(pipeline->scene.remote);
        assert_int_equal(pthread_create(&consumer->thread, NULL, consume_in_thread, consumer), 0);
    }
    aiol_queue_remote_release(pipeline->scene.remote);
    assert_int_equal(aiol_task_spawn(pipeline->scene.loop, produce_in_task, producer++, NULL), 0);
    assert_int_equal(aiol_task_spawn(pipeline->scene.loop, consume_in_task, consumer++, NULL), 0);
    aiol_queue_putter_init(&producer->putter, queue, on_put, producer);
    assert_int_equal(aiol_queue_putter_start(&producer->putter, next_item(producer)), 0);
    aiol_queue_getter_init(&consumer->getter, queue, on_get, consumer);
    assert_int_equal(aiol_queue_getter_start(&consumer->getter), 0);
}

static void run_pipeline(size_t capacity)
{
    static struct pipeline pipeline;

    memset(&pipeline, 0, sizeof pipeline);
    begin_scene(&pipeline.scene, capacity);
    for (int i = 0; i < MEMBER_COUNT; i++) {
        for (int j = 0; j < ITEM_COUNT; j++)
            pipeline.items[i][j] = (struct item){.producer = i, .number = j};
    }
    atomic_init(&pipeline.producers_left, MEMBER_COUNT);
    begin_members(&pipeline);
    assert_int_equal(aiol_loop_run(pipeline.scene.loop), 0);
    for (int i = 0; i < MEMBER_COUNT; i++) {
        if (i < THREAD_COUNT) {
            pthread_join(pipeline.producers[i].thread, NULL);
            pthread_join(pipeline.consumers[i].thread, NULL);
        }
        assert_int_equal(pipeline.producers[i].failure_count, 0);
        assert_int_equal(pipeline.consumers[i].failure_count, 0);
        for (int j = 0; j < ITEM_COUNT; j++)
            assert_int_equal(atomic_load(&pipeline.seen[i][j]), 1);
    }
    assert_int_equal(aiol_queue_count(pipeline.scene.queue), 0);
    assert_true(aiol_queue_unfinished(pipeline.scene.queue) == 0);
    assert_true(aiol_queue_high_water(pipeline.scene.queue) <= capacity);
    aiol_queue_free(pipeline.scene.queue);
    free_loop(pipeline.scene.loop);
}

static void test_p2_a_pipeline_of_all_kinds_delivers_everything_once_and_in_order(void **state)
{
    const size_t capacities[] = {0, 1, 5, AIOL_QUEUE_UNBOUNDED};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(capacities); i++)
        run_pipeline(capacities[i]);
}

/* Deadlines that pass anywhere between the call and the hand-over. */
#define RACER_COUNT 2 /* on each side */
#define RACE_COUNT 1000

struct racer {
    struct scene *scene;
    pthread_t thread;
    unsigned random;
    struct item items[RACE_COUNT]; /* a putter's */
    bool was_put[RACE_COUNT];
    int failure_count;
};

static atomic_int got[RACER_COUNT][RACE_COUNT];

static uint64_t soon(struct racer *racer)
{
    racer->random = racer->random * 1103515245 + 12345;
    return aiol_deadline_after((racer->random >> 16) % 20 * AIOL_MICROSECOND);
}

static void *race_to_put(void *data)
{
    struct racer *racer = data;

    for (int i = 0; i < RACE_COUNT; i++) {
        int rc = aiol_blocking_queue_put(racer->scene->remote, &racer->items[i], soon(racer));

        racer->was_put[i] = rc == 0;
        racer->failure_count += rc != 0 && rc != -ETIMEDOUT;
    }
    aiol_queue_remote_release(racer->scene->remote);
    return NULL;
}

static void *race_to_get(void *data)
{
    struct racer *racer = data;

    for (int i = 0; i < RACE_COUNT; i++) {
        void *found;
        int rc = aiol_blocking_queue_get(racer->scene->remote, soon(racer), &found);
        struct item *item = found;

        if (rc == 0)
            atomic_fetch_add(&got[item->producer][item->number], 1);
        racer->failure_count += rc != 0 && rc != -ETIMEDOUT;
    }
    aiol_queue_remote_release(racer->scene->remote);
    return NULL;
}

static void run_race(size_t capacity)
{
    static struct racer racers[2 * RACER_COUNT];
    struct scene scene;
    void *left;

    begin_scene(&scene, capacity);
    memset(got, 0, sizeof got);
    for (int i = 0; i < 2 * RACER_COUNT; i++) {
        struct racer *racer = &racers[i];
        bool puts = i < RACER_COUNT;

        *racer = (struct racer){.scene = &scene, .random = (unsigned)i};
        for (int j = 0; puts && j < RACE_COUNT; j++)
            racer->items[j] = (struct item){.producer = i, .number = j};
        aiol_queue_remote_retain(scene.remote);
        assert_int_equal(
            pthread_create(&racer->thread, NULL, puts ? race_to_put : race_to_get, racer), 0);
    }
    aiol_queue_remote_release(scene.remote);
    assert_int_equal(aiol_loop_run(scene.loop), 0);
    while (aiol_queue_get_nowait(scene.queue, &left) == 0) {
        struct item *item = left;

        atomic_fetch_add(&got[item->producer][item->number], 1);
    }
    for (int i = 0; i < 2 * RACER_COUNT; i++) {
        pthread_join(racers[i].thread, NULL);
        assert_int_equal(racers[i].failure_count, 0);
        for (int j = 0; i < RACER_COUNT && j < RACE_COUNT; j++)
            assert_int_equal(atomic_load(&got[i][j]), racers[i].was_put[j]);
    }
    aiol_queue_free(scene.queue);
    free_loop(scene.loop);
}

static void test_p2_deadlines_that_race_with_the_hand_over_lose_and_double_nothing(void **state)
{
    const size_t capacities[] = {0, 1, 5, AIOL_QUEUE_UNBOUNDED};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(capacities); i++)
        run_race(capacities[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p7_a_remote_keeps_its_loop_alive_until_the_last_release),
        TEST(test_a_task_that_only_a_remote_can_wake_is_not_deadlocked),
        TEST(test_p2_a_pipeline_of_all_kinds_delivers_everything_once_and_in_order),
        TEST(test_p2_deadlines_that_race_with_the_hand_over_lose_and_double_nothing),
    };

    return cmocka_run_group_tests_name("queue/remote_threads", tests, NULL, NULL);
}
