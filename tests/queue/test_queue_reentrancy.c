/* What callbacks and destructors may do to the queue that calls them, and what is refused while the
 * queue or its loop is being freed. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

static char letters[] = "abc";
static struct notes calls; /* in their order: a letter for an item, '!' closed, '.' free returned */
static struct aiol_queue *queue;
static struct aiol_queue_getter late_getter;
static int late_status;

static void begin(struct aiol_loop *loop, size_t capacity, aiol_queue_destroy_fn destroy)
{
    memset(&calls, 0, sizeof calls);
    late_status = 1;
    assert_int_equal(aiol_queue_new(loop, capacity, destroy, &queue), 0);
}

static void put_letters(void)
{
    for (int i = 0; i < 3; i++)
        assert_int_equal(aiol_queue_put_nowait(queue, &letters[i]), 0);
}

static void on_get(struct aiol_queue_getter *getter, int status, void *item, void *data)
{
    (void)getter, (void)data;
    note(&calls, status == 0 ? *(char *)item : '!');
}

static void free_queue_with_first(void *item)
{
    note(&calls, *(char *)item);
    if (*(char *)item == 'a') {
        aiol_queue_free(queue);
        note(&calls, '.');
    }
}

static void test_p1_the_first_of_several_items_may_free_the_queue_that_drops_them(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);

    (void)state;
    begin(loop, 4, free_queue_with_first);
    put_letters();
    assert_int_equal(aiol_queue_shutdown(queue, AIOL_QUEUE_NOW), 0);
    assert_string_equal(calls.text, "a.bc");
    free_loop(loop);
}

static void test_p1_an_item_may_free_the_queue_that_is_being_freed(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);

    (void)state;
    begin(loop, AIOL_QUEUE_UNBOUNDED, free_queue_with_first);
    put_letters();
    aiol_queue_free(queue);
    assert_string_equal(calls.text, "a.bc");
    free_loop(loop);
}

static void free_on_get(struct aiol_queue_getter *getter, int status, void *item, void *data)
{
    on_get(getter, status, item, data);
    aiol_queue_free(queue);
    note(&calls, '.');
}

static void test_p1_when_an_inner_free_returns_all_getters_have_been_told(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue_getter getters[3];

    (void)state;
    begin(loop, 4, NULL);
    for (int i = 0; i < 3; i++) {
        aiol_queue_getter_init(&getters[i], queue, i == 0 ? free_on_get : on_get, NULL);
        assert_int_equal(aiol_queue_getter_start(&getters[i]), 0);
    }
    aiol_queue_free(queue);
    assert_string_equal(calls.text, "!!!.");
    memset(getters, 0xee, sizeof getters);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_string_equal(calls.text, "!!!.");
    free_loop(loop);
}

static void start_getter_with_first(void *item)
{
    note(&calls, *(char *)item);
    if (*(char *)item == 'a')
        late_status = aiol_queue_getter_start(&late_getter);
}

static void test_p2_a_destructor_cannot_start_a_getter_that_nobody_would_complete(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    void *item = NULL;

    (void)state;
    begin(loop, 4, start_getter_with_first);
    aiol_queue_getter_init(&late_getter, queue, on_get, NULL);
    put_letters();
    aiol_queue_free(queue);
    assert_int_equal(late_status, AIOL_ECLOSED);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_string_equal(calls.text, "abc");
    assert_int_equal(aiol_queue_getter_stop(&late_getter, &item), 0);
    free_loop(loop);
}

static void start_getter_in_last_post(int status, void *data)
{
    (void)data;
    note(&calls, status == AIOL_ECLOSED ? 'p' : '?');
    late_status = aiol_queue_getter_start(&late_getter);
    aiol_queue_free(queue);
}

/* Leaves behind a queue with an item, and a post that finds it when the loop is being freed. */
static int leave_post_behind(void *arg)
{
    struct aiol_poster *poster = NULL;
    int rc = aiol_queue_new(aiol_loop_current(), 4, NULL, &queue);

    if (rc < 0)
        return rc;
    aiol_queue_put_nowait(queue, arg);
    aiol_queue_getter_init(&late_getter, queue, on_get, NULL);
    if (aiol_poster_new(aiol_loop_current(), &poster) < 0)
        return -1;
    rc = aiol_poster_post(poster, start_getter_in_last_post, NULL);
    aiol_poster_release(poster);
    return rc;
}

static void test_p2_a_getter_cannot_be_started_while_the_loop_is_being_freed(void **state)
{
    (void)state;
    memset(&calls, 0, sizeof calls);
    late_status = 1;
    assert_int_equal(run_sim(0, leave_post_behind, letters), 0);
    assert_int_equal(late_status, AIOL_ECLOSED);
    assert_string_equal(calls.text, "p");
}

/* So many that looking through what is deferred for each getter would outlast any time limit. */
enum { MANY = 400000 };

static int getters_told, deferred_called;
static bool is_out_of_order;

static void count_getter(struct aiol_queue_getter *getter, int status, void *item, void *data)
{
    struct aiol_queue_getter *getters = data;

    (void)item;
    is_out_of_order |= getter != &getters[getters_told] || status != AIOL_ECLOSED;
    getters_told++;
}

static void count_deferred(struct aiol_deferred *deferred, void *data)
{
    struct aiol_deferred *calls_in_order = data;

    is_out_of_order |= deferred != &calls_in_order[deferred_called];
    deferred_called++;
}

/* Not the result is in question here, but that there is one. */
static void test_p8_freeing_a_queue_with_many_getters_passes_over_what_is_deferred(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue_getter *getters = calloc(MANY, sizeof *getters);
    struct aiol_deferred *deferred = calloc(MANY, sizeof *deferred);

    (void)state;
    assert_true(getters && deferred);
    begin(loop, 1, NULL);
    getters_told = deferred_called = 0;
    is_out_of_order = false;
    for (int i = 0; i < MANY; i++) {
        aiol_deferred_init(&deferred[i], loop, count_deferred, deferred);
        aiol_deferred_start(&deferred[i]);
        aiol_queue_getter_init(&getters[i], queue, count_getter, getters);
        aiol_queue_getter_start(&getters[i]);
    }
    aiol_queue_free(queue);
    assert_int_equal(getters_told, MANY);
    assert_int_equal(deferred_called, 0);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_int_equal(deferred_called, MANY);
    assert_int_equal(getters_told, MANY);
    assert_false(is_out_of_order);
    free_loop(loop);
    free(getters);
    free(deferred);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p1_the_first_of_several_items_may_free_the_queue_that_drops_them),
        TEST(test_p1_an_item_may_free_the_queue_that_is_being_freed),
        TEST(test_p1_when_an_inner_free_returns_all_getters_have_been_told),
        TEST(test_p2_a_destructor_cannot_start_a_getter_that_nobody_would_complete),
        TEST(test_p2_a_getter_cannot_be_started_while_the_loop_is_being_freed),
        TEST(test_p8_freeing_a_queue_with_many_getters_passes_over_what_is_deferred),
    };

    return cmocka_run_group_tests_name("queue/queue_reentrancy", tests, NULL, NULL);
}
