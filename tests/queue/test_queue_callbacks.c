/* Get, put and join in callback form. */
#include "support.h"

#include <errno.h>
#include <string.h>

static char letters[] = "abcdefghijklmnopqrstuvwxyz";

/* What the callbacks of a test saw; the getters, putters and joiners have it as their data. */
struct seen {
    struct notes items; /* a letter for each item got, '!' for each AIOL_ECLOSED without one */
    int calls;
    int last_status;
    void *last_item;
    int gets_wanted; /* how often a getter is to be started again */
    struct aiol_queue_getter *to_stop;
    void *stopped_item;
    int stop_result;
    int restart_status;
};

static void on_get(struct aiol_queue_getter *getter, int status, void *item, void *data)
{
    struct seen *seen = data;

    seen->calls++;
    seen->last_status = status;
    seen->last_item = item;
    note(&seen->items, item ? *(char *)item : '!');
    if (seen->gets_wanted > 0) {
        seen->gets_wanted--;
        seen->restart_status = aiol_queue_getter_start(getter);
    }
}

static void on_put(struct aiol_queue_putter *putter, int status, void *item, void *data)
{
    struct seen *seen = data;

    (void)putter;
    seen->calls++;
    seen->last_status = status;
    seen->last_item = item;
    note(&seen->items, item ? *(char *)item : status == 0 ? '+' : '!');
}

static void on_join(struct aiol_queue_joiner *joiner, int status, void *data)
{
    struct seen *seen = data;

    (void)joiner;
    seen->calls++;
    seen->last_status = status;
    note(&seen->items, status == 0 ? 'j' : 'J');
}

static struct aiol_queue *new_queue(struct aiol_loop *loop, size_t capacity)
{
    struct aiol_queue *queue = NULL;

    assert_int_equal(aiol_queue_new(loop, capacity, NULL, &queue), 0);
    return queue;
}

static void put_letter(struct aiol_queue *queue, char letter)
{
    assert_int_equal(aiol_queue_put_nowait(queue, &letters[letter - 'a']), 0);
}

static void run(struct aiol_loop *loop)
{
    assert_int_equal(aiol_loop_run(loop), 0);
}

static void test_a_getter_is_called_later_also_when_the_item_is_there(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 4);
    struct aiol_queue_getter getter;
    struct seen seen = {0};

    (void)state;
    put_letter(queue, 'a');
    aiol_queue_getter_init(&getter, queue, on_get, &seen);
    assert_int_equal(aiol_queue_getter_start(&getter), 0);
    assert_int_equal(seen.calls, 0);
    assert_int_equal(aiol_queue_count(queue), 0);
    run(loop);
    assert_int_equal(seen.last_status, 0);
    assert_string_equal(seen.items.text, "a");

    assert_int_equal(aiol_queue_getter_start(&getter), 0);
    put_letter(queue, 'b');
    assert_int_equal(seen.calls, 1);
    assert_int_equal(aiol_queue_count(queue), 0); /* it is the getter's already */
    run(loop);
    assert_string_equal(seen.items.text, "ab");
    aiol_queue_free(queue);
    free_loop(loop);
}

static void test_p6_waiting_getters_are_served_in_the_order_of_their_starts(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 4);
    struct aiol_queue_getter getters[3];
    struct seen seen[3] = {{.calls = 0}};

    (void)state;
    for (int i = 0; i < 3; i++) {
        aiol_queue_getter_init(&getters[i], queue, on_get, &seen[i]);
        assert_int_equal(aiol_queue_getter_start(&getters[i]), 0);
    }
    for (char letter = 'a'; letter <= 'd'; letter++)
        put_letter(queue, letter);
    run(loop);
    assert_string_equal(seen[0].items.text, "a");
    assert_string_equal(seen[1].items.text, "b");
    assert_string_equal(seen[2].items.text, "c");
    assert_int_equal(aiol_queue_count(queue), 1);
    aiol_queue_free(queue);
    free_loop(loop);
}

static void test_a_getter_may_be_started_again_in_its_callback(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 4);
    struct aiol_queue_getter getter;
    struct seen seen = {.gets_wanted = 3};

    (void)state;
    for (char letter = 'a'; letter <= 'c'; letter++)
        put_letter(queue, letter);
    aiol_queue_getter_init(&getter, queue, on_get, &seen);
    assert_int_equal(aiol_queue_getter_start(&getter), 0);
    assert_int_equal(aiol_queue_getter_start(&getter), -EALREADY);
    run(loop);
    assert_string_equal(seen.items.text, "abc");
    assert_int_equal(aiol_queue_getter_start(&getter), -EALREADY); /* it waits for a fourth */
    aiol_queue_getter_stop(&getter, &seen.stopped_item);
    aiol_queue_free(queue);
    free_loop(loop);
}

static void test_a_getter_drains_a_queue_that_is_shut_down_and_then_is_refused(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 4);
    struct aiol_queue_getter getter;
    struct seen seen = {.gets_wanted = 3};

    (void)state;
    put_letter(queue, 'a');
    put_letter(queue, 'b');
    assert_int_equal(aiol_queue_shutdown(queue, AIOL_QUEUE_DRAIN), 0);
    aiol_queue_getter_init(&getter, queue, on_get, &seen);
    assert_int_equal(aiol_queue_getter_start(&getter), 0);
    run(loop);
    assert_string_equal(seen.items.text, "ab");
    assert_int_equal(seen.restart_status, AIOL_ECLOSED);
    assert_int_equal(aiol_queue_getter_start(&getter), AIOL_ECLOSED);
    run(loop);
    assert_int_equal(seen.calls, 2);
    aiol_queue_free(queue);
    free_loop(loop);
}

static void test_p1_a_stopped_getter_leaves_its_place_to_the_next(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 4);
    struct aiol_queue_getter first, second;
    struct seen seen_first = {0}, seen_second = {0};
    void *item = letters;

    (void)state;
    aiol_queue_getter_init(&first, queue, on_get, &seen_first);
    aiol_queue_getter_init(&second, queue, on_get, &seen_second);
    assert_int_equal(aiol_queue_getter_stop(&first, &item), 0); /* never started */
    assert_int_equal(aiol_queue_getter_start(&first), 0);
    assert_int_equal(aiol_queue_getter_start(&second), 0);
    assert_int_equal(aiol_queue_getter_stop(&first, &item), 0);
    assert_ptr_equal(item, letters);
    memset(&first, 0xee, sizeof first); /* its memory may go */
    put_letter(queue, 'b');
    run(loop);
    assert_int_equal(seen_first.calls, 0);
    assert_string_equal(seen_second.items.text, "b");
    aiol_queue_free(queue);
    free_loop(loop);
}

static void test_p2_stopping_a_getter_gives_back_the_item_that_it_was_given(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 4);
    struct aiol_queue_getter getter;
    struct seen seen = {0};
    void *item = NULL;

    (void)state;
    aiol_queue_getter_init(&getter, queue, on_get, &seen);
    assert_int_equal(aiol_queue_getter_start(&getter), 0);
    put_letter(queue, 'a');
    assert_int_equal(aiol_queue_getter_stop(&getter, &item), 1);
    assert_ptr_equal(item, letters);
    item = NULL;
    assert_int_equal(aiol_queue_getter_stop(&getter, &item), 0);
    assert_null(item);

    assert_int_equal(aiol_queue_getter_start(&getter),
                     0); /* stopped for good reason: told the end */
    assert_int_equal(aiol_queue_shutdown(queue, AIOL_QUEUE_DRAIN), 0);
    assert_int_equal(aiol_queue_getter_stop(&getter, &item), 0);
    assert_null(item);
    run(loop);
    assert_int_equal(seen.calls, 0);
    aiol_queue_free(queue);
    free_loop(loop);
}

static void stop_other_on_get(struct aiol_queue_getter *getter, int status, void *item, void *data)
{
    struct seen *seen = data;
    void *own_item = NULL;

    seen->stop_result = aiol_queue_getter_stop(seen->to_stop, &seen->stopped_item);
    /* In its own callback a getter has nothing to give back any more. */
    seen->restart_status = aiol_queue_getter_stop(getter, &own_item);
    seen->last_item = own_item;
    on_get(getter, status, item, data);
    seen->last_item = own_item;
}

static void test_p1_a_getter_can_be_stopped_in_a_callback_of_the_same_batch(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 4);
    struct aiol_queue_getter first, second;
    struct seen seen_first = {.to_stop = &second}, seen_second = {0};

    (void)state;
    put_letter(queue, 'a');
    put_letter(queue, 'b');
    aiol_queue_getter_init(&first, queue, stop_other_on_get, &seen_first);
    aiol_queue_getter_init(&second, queue, on_get, &seen_second);
    assert_int_equal(aiol_queue_getter_start(&first), 0);
    assert_int_equal(aiol_queue_getter_start(&second), 0);
    run(loop);
    assert_string_equal(seen_first.items.text, "a");
    assert_int_equal(seen_first.stop_result, 1);
    assert_ptr_equal(seen_first.stopped_item, &letters[1]);
    assert_int_equal(seen_first.restart_status, 0);
    assert_null(seen_first.last_item);
    assert_int_equal(seen_second.calls, 0);
    aiol_queue_free(queue);
    free_loop(loop);
}

static void test_p6_waiting_putters_get_their_items_in_in_the_order_of_their_starts(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 1);
    struct aiol_queue_putter putters[3];
    struct seen seen[3] = {{.calls = 0}};
    void *item = NULL;

    (void)state;
    for (int i = 0; i < 3; i++) {
        aiol_queue_putter_init(&putters[i], queue, on_put, &seen[i]);
        assert_int_equal(aiol_queue_putter_start(&putters[i], &letters[i]), 0);
        assert_int_equal(aiol_queue_putter_start(&putters[i], &letters[25]), -EALREADY);
    }
    run(loop);
    assert_string_equal(seen[0].items.text, "+");
    assert_int_equal(seen[1].calls + seen[2].calls, 0);
    assert_int_equal(aiol_queue_unfinished(queue), 1); /* who waits has not put */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(aiol_queue_get_nowait(queue, &item), 0);
        assert_ptr_equal(item, &letters[i]);
    }
    run(loop);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(seen[i].calls, 1);
        assert_int_equal(seen[i].last_status, 0);
        assert_null(seen[i].last_item);
    }
    assert_int_equal(aiol_queue_high_water(queue), 1);
    aiol_queue_free(queue);
    free_loop(loop);
}

static void test_p6_room_goes_to_the_putter_that_waits_and_nobody_overtakes_it(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 2);
    struct aiol_queue_putter putter;
    struct seen seen = {0};
    void *item = NULL;

    (void)state;
    put_letter(queue, 'a');
    put_letter(queue, 'b');
    aiol_queue_putter_init(&putter, queue, on_put, &seen);
    assert_int_equal(aiol_queue_putter_start(&putter, &letters[2]), 0);
    assert_int_equal(aiol_queue_get_nowait(queue, &item), 0);
    assert_int_equal(aiol_queue_count(queue), 2);
    assert_int_equal(aiol_queue_put_nowait(queue, &letters[3]), -EAGAIN);
    run(loop);
    assert_string_equal(seen.items.text, "+");
    assert_int_equal(aiol_queue_get_nowait(queue, &item), 0);
    assert_int_equal(aiol_queue_get_nowait(queue, &item), 0);
    assert_ptr_equal(item, &letters[2]);
    aiol_queue_free(queue);
    free_loop(loop);
}

static void test_putters_and_getters_meet_in_a_rendezvous(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 0);
    struct aiol_queue_putter putter;
    struct aiol_queue_getter getter;
    struct seen put = {0}, got = {0};

    (void)state;
    aiol_queue_putter_init(&putter, queue, on_put, &put);
    aiol_queue_getter_init(&getter, queue, on_get, &got);
    assert_int_equal(aiol_queue_putter_start(&putter, letters), 0);
    run(loop);
    assert_int_equal(put.calls, 0);
    assert_int_equal(aiol_queue_getter_start(&getter), 0); /* the putter came first */
    run(loop);
    assert_string_equal(put.items.text, "+");
    assert_string_equal(got.items.text, "a");

    assert_int_equal(aiol_queue_getter_start(&getter), 0); /* the getter came first */
    assert_int_equal(aiol_queue_putter_start(&putter, &letters[1]), 0);
    run(loop);
    assert_string_equal(put.items.text, "++");
    assert_string_equal(got.items.text, "ab");
    assert_int_equal(aiol_queue_high_water(queue), 0);
    aiol_queue_free(queue);
    free_loop(loop);
}

static void test_p2_stopping_a_putter_says_whose_the_item_is(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 1);
    struct aiol_queue_putter taken, waiting;
    struct seen seen = {0};
    void *item = NULL;

    (void)state;
    aiol_queue_putter_init(&taken, queue, on_put, &seen);
    aiol_queue_putter_init(&waiting, queue, on_put, &seen);
    assert_int_equal(aiol_queue_putter_stop(&taken), 1); /* not started */
    assert_int_equal(aiol_queue_putter_start(&taken, letters), 0);
    assert_int_equal(aiol_queue_putter_start(&waiting, &letters[1]), 0);
    assert_int_equal(aiol_queue_putter_stop(&waiting), 0);
    assert_int_equal(aiol_queue_putter_stop(&taken), 1);
    run(loop);
    assert_int_equal(seen.calls, 0);
    assert_int_equal(aiol_queue_unfinished(queue), 1);
    assert_int_equal(aiol_queue_get_nowait(queue, &item), 0);
    assert_ptr_equal(item, letters);
    assert_int_equal(aiol_queue_get_nowait(queue, &item), -EAGAIN);
    aiol_queue_free(queue);
    free_loop(loop);
}

static void test_p3_a_putter_that_is_refused_keeps_its_item_and_can_be_started_later(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, AIOL_QUEUE_UNBOUNDED);
    struct aiol_queue_putter putter;
    struct seen seen = {0};

    (void)state;
    aiol_queue_putter_init(&putter, queue, on_put, &seen);
    fail_allocation(1);
    assert_int_equal(aiol_queue_putter_start(&putter, letters), -ENOMEM);
    assert_int_equal(aiol_queue_unfinished(queue), 0);
    run(loop);
    assert_int_equal(seen.calls, 0);
    assert_int_equal(aiol_queue_putter_start(&putter, letters), 0);
    run(loop);
    assert_string_equal(seen.items.text, "+");
    assert_int_equal(aiol_queue_shutdown(queue, AIOL_QUEUE_NOW), 0);
    assert_int_equal(aiol_queue_putter_start(&putter, letters), AIOL_ECLOSED);
    run(loop);
    assert_int_equal(seen.calls, 1);
    aiol_queue_free(queue);
    free_loop(loop);
}

static void test_a_shutdown_tells_all_who_wait_and_gives_putters_their_item_back(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *full = new_queue(loop, 1), *empty = new_queue(loop, 1);
    struct aiol_queue_putter putter;
    struct aiol_queue_getter getter;
    struct seen put = {0}, got = {0};

    (void)state;
    put_letter(full, 'a');
    aiol_queue_putter_init(&putter, full, on_put, &put);
    aiol_queue_getter_init(&getter, empty, on_get, &got);
    assert_int_equal(aiol_queue_putter_start(&putter, &letters[1]), 0);
    assert_int_equal(aiol_queue_getter_start(&getter), 0);
    assert_int_equal(aiol_queue_shutdown(full, AIOL_QUEUE_DRAIN), 0);
    assert_int_equal(aiol_queue_shutdown(empty, AIOL_QUEUE_NOW), 0);
    assert_int_equal(put.calls + got.calls, 0); /* a shutdown calls nobody but destructors */
    run(loop);
    assert_int_equal(put.last_status, AIOL_ECLOSED);
    assert_string_equal(put.items.text, "b");
    assert_int_equal(got.last_status, AIOL_ECLOSED);
    assert_string_equal(got.items.text, "!");
    assert_int_equal(aiol_queue_count(full), 1);
    aiol_queue_free(full);
    aiol_queue_free(empty);
    free_loop(loop);
}

static void test_a_joiner_is_called_when_every_item_is_done(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 4);
    struct aiol_queue_joiner joiner;
    struct seen seen = {0};
    void *item = NULL;

    (void)state;
    aiol_queue_joiner_init(&joiner, queue, on_join, &seen);
    assert_int_equal(aiol_queue_joiner_start(&joiner), 0); /* nothing was put: all is done */
    assert_int_equal(seen.calls, 0);
    run(loop);
    assert_string_equal(seen.items.text, "j");

    put_letter(queue, 'a');
    assert_int_equal(aiol_queue_joiner_start(&joiner), 0);
    assert_int_equal(aiol_queue_joiner_start(&joiner), -EALREADY);
    assert_int_equal(aiol_queue_get_nowait(queue, &item), 0);
    run(loop);
    assert_int_equal(seen.calls, 1); /* got, but not done */
    assert_int_equal(aiol_queue_done(queue), 0);
    run(loop);
    assert_string_equal(seen.items.text, "jj");

    put_letter(queue, 'b');
    assert_int_equal(aiol_queue_joiner_start(&joiner), 0);
    aiol_queue_joiner_stop(&joiner);
    aiol_queue_joiner_stop(&joiner);
    assert_int_equal(aiol_queue_shutdown(queue, AIOL_QUEUE_NOW), 0); /* counts as done */
    run(loop);
    assert_int_equal(seen.calls, 2);
    aiol_queue_free(queue);
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_getter_is_called_later_also_when_the_item_is_there),
        TEST(test_p6_waiting_getters_are_served_in_the_order_of_their_starts),
        TEST(test_a_getter_may_be_started_again_in_its_callback),
        TEST(test_a_getter_drains_a_queue_that_is_shut_down_and_then_is_refused),
        TEST(test_p1_a_stopped_getter_leaves_its_place_to_the_next),
        TEST(test_p2_stopping_a_getter_gives_back_the_item_that_it_was_given),
        TEST(test_p1_a_getter_can_be_stopped_in_a_callback_of_the_same_batch),
        TEST(test_p6_waiting_putters_get_their_items_in_in_the_order_of_their_starts),
        TEST(test_p6_room_goes_to_the_putter_that_waits_and_nobody_overtakes_it),
        TEST(test_putters_and_getters_meet_in_a_rendezvous),
        TEST(test_p2_stopping_a_putter_says_whose_the_item_is),
        TEST(test_p3_a_putter_that_is_refused_keeps_its_item_and_can_be_started_later),
        TEST(test_a_shutdown_tells_all_who_wait_and_gives_putters_their_item_back),
        TEST(test_a_joiner_is_called_when_every_item_is_done),
    };

    return cmocka_run_group_tests_name("queue/queue_callbacks", tests, NULL, NULL);
}
