/* The queue without anybody who waits: its order, its limits, its end. */
#include "support.h"

#include <errno.h>
#include <string.h>

/* Items are pointers into this text, so that an item is also its letter. */
static char letters[] = "abcdefghijklmnopqrstuvwxyz";

static struct notes destroyed;
static struct aiol_queue *queue_to_touch;
static int touch_status;

static void destroy_letter(void *item)
{
    note(&destroyed, *(char *)item);
}

static struct aiol_queue *new_queue(struct aiol_loop *loop, size_t capacity)
{
    struct aiol_queue *queue = NULL;

    memset(&destroyed, 0, sizeof destroyed);
    assert_int_equal(aiol_queue_new(loop, capacity, destroy_letter, &queue), 0);
    return queue;
}

static void put_letters(struct aiol_queue *queue, const char *text)
{
    for (; *text; text++)
        assert_int_equal(aiol_queue_put_nowait(queue, &letters[*text - 'a']), 0);
}

static void expect_letters(struct aiol_queue *queue, const char *text)
{
    for (; *text; text++) {
        void *item = NULL;

        assert_int_equal(aiol_queue_get_nowait(queue, &item), 0);
        assert_int_equal(*(char *)item, *text);
    }
}

static void test_p6_items_come_out_in_the_order_in_which_they_were_put(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 3);

    (void)state;
    put_letters(queue, "abc");
    assert_int_equal(aiol_queue_count(queue), 3);
    expect_letters(queue, "ab");
    put_letters(queue, "de");
    expect_letters(queue, "cde");
    assert_int_equal(aiol_queue_count(queue), 0);
    aiol_queue_free(queue);
    free_loop(loop);
}

static void test_p3_a_full_queue_refuses_and_an_empty_one_leaves_the_output_alone(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 2);
    void *item = letters;

    (void)state;
    assert_int_equal(aiol_queue_get_nowait(queue, &item), -EAGAIN);
    assert_ptr_equal(item, letters);
    put_letters(queue, "ab");
    assert_int_equal(aiol_queue_put_nowait(queue, letters), -EAGAIN);
    assert_int_equal(aiol_queue_count(queue), 2);
    assert_int_equal(aiol_queue_unfinished(queue), 2);
    expect_letters(queue, "ab");
    assert_int_equal(aiol_queue_get_nowait(queue, &item), -EAGAIN);
    aiol_queue_free(queue);
    free_loop(loop);
    assert_string_equal(destroyed.text, "");
}

static void test_a_rendezvous_holds_nothing(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 0);
    void *item = NULL;

    (void)state;
    assert_int_equal(aiol_queue_put_nowait(queue, letters), -EAGAIN);
    assert_int_equal(aiol_queue_get_nowait(queue, &item), -EAGAIN);
    assert_int_equal(aiol_queue_count(queue), 0);
    assert_int_equal(aiol_queue_unfinished(queue), 0);
    assert_int_equal(aiol_queue_capacity(queue), 0);
    aiol_queue_free(queue);
    free_loop(loop);
}

static void test_an_unbounded_queue_keeps_the_order_while_it_grows(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, AIOL_QUEUE_UNBOUNDED);
    uintptr_t next_in = 1, next_out = 1;
    void *item = NULL;

    (void)state;
    /* Two in, one out: whenever it must grow, its first item is somewhere in the middle. */
    while (next_in < 10000) {
        assert_int_equal(aiol_queue_put_nowait(queue, (void *)next_in++), 0);
        assert_int_equal(aiol_queue_put_nowait(queue, (void *)next_in++), 0);
        assert_int_equal(aiol_queue_get_nowait(queue, &item), 0);
        assert_int_equal((uintptr_t)item, next_out++);
    }
    while (next_out < next_in) {
        assert_int_equal(aiol_queue_get_nowait(queue, &item), 0);
        assert_int_equal((uintptr_t)item, next_out++);
    }
    assert_int_equal(aiol_queue_get_nowait(queue, &item), -EAGAIN);
    assert_true(aiol_queue_capacity(queue) == AIOL_QUEUE_UNBOUNDED);
    aiol_queue_free(queue);
    free_loop(loop);
}

static void test_p3_a_put_without_memory_changes_nothing(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, AIOL_QUEUE_UNBOUNDED);
    int refused = 0;

    (void)state;
    for (size_t i = 0; i < 100; i++) {
        fail_allocation(1);
        if (aiol_queue_put_nowait(queue, &letters[i % 26]) == 0)
            continue;
        refused++;
        assert_int_equal(aiol_queue_count(queue), i);
        assert_int_equal(aiol_queue_unfinished(queue), i);
        assert_int_equal(aiol_queue_high_water(queue), i);
        fail_allocation(1);
        assert_int_equal(aiol_queue_put_nowait(queue, &letters[i % 26]), -ENOMEM);
        fail_allocation(0);
        assert_int_equal(aiol_queue_put_nowait(queue, &letters[i % 26]), 0);
    }
    fail_allocation(0);
    assert_true(refused > 1);
    for (size_t i = 0; i < 100; i++) {
        void *item = NULL;

        assert_int_equal(aiol_queue_get_nowait(queue, &item), 0);
        assert_ptr_equal(item, &letters[i % 26]);
    }
    aiol_queue_free(queue);
    free_loop(loop);
}

static void test_p3_a_queue_for_which_there_is_no_memory_leaves_nothing_behind(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *const untouched = (struct aiol_queue *)letters;
    struct aiol_queue *queue = untouched;
    long alive = allocations_alive();

    (void)state;
    for (long number = 1; number <= 2; number++) {
        fail_allocation(number);
        assert_int_equal(aiol_queue_new(loop, 8, NULL, &queue), -ENOMEM);
        assert_ptr_equal(queue, untouched);
        assert_int_equal(allocations_alive(), alive);
    }
    fail_allocation(0);
    assert_int_equal(aiol_queue_new(loop, AIOL_QUEUE_UNBOUNDED - 1, NULL, &queue), -ENOMEM);
    assert_ptr_equal(queue, untouched);
    free_loop(loop);
}

static void test_p5_a_bounded_queue_allocates_nothing_after_it_was_made(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 5);
    long made = allocations_made();

    (void)state;
    for (int i = 0; i < 100; i++) {
        put_letters(queue, "abcde");
        expect_letters(queue, "abcde");
    }
    assert_int_equal(allocations_made(), made);
    aiol_queue_free(queue);
    free_loop(loop);
}

static void test_the_high_water_is_the_most_that_ever_was_in_it(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 8);

    (void)state;
    assert_int_equal(aiol_queue_capacity(queue), 8);
    assert_int_equal(aiol_queue_high_water(queue), 0);
    put_letters(queue, "abc");
    expect_letters(queue, "abc");
    put_letters(queue, "d");
    assert_int_equal(aiol_queue_high_water(queue), 3);
    put_letters(queue, "efghi");
    assert_int_equal(aiol_queue_high_water(queue), 6);
    aiol_queue_free(queue);
    free_loop(loop);
}

static void test_done_is_refused_for_what_nobody_can_have_dealt_with(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 4);

    (void)state;
    assert_int_equal(aiol_queue_done(queue), -EINVAL);
    put_letters(queue, "ab");
    assert_int_equal(aiol_queue_done(queue), -EINVAL); /* both are still in it */
    expect_letters(queue, "a");
    assert_int_equal(aiol_queue_done(queue), 0);
    assert_int_equal(aiol_queue_done(queue), -EINVAL);
    assert_int_equal(aiol_queue_unfinished(queue), 1);
    expect_letters(queue, "b");
    assert_int_equal(aiol_queue_done(queue), 0);
    assert_int_equal(aiol_queue_unfinished(queue), 0);
    assert_int_equal(aiol_queue_done(queue), -EINVAL);
    aiol_queue_free(queue);
    free_loop(loop);
}

static void test_a_gentle_shutdown_lets_what_is_there_be_got(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 4);
    void *item = letters;

    (void)state;
    put_letters(queue, "abc");
    assert_int_equal(aiol_queue_shutdown(queue, AIOL_QUEUE_DRAIN), 0);
    assert_int_equal(aiol_queue_put_nowait(queue, letters), AIOL_ECLOSED);
    expect_letters(queue, "abc");
    assert_int_equal(aiol_queue_get_nowait(queue, &item), AIOL_ECLOSED);
    assert_ptr_equal(item, letters);
    assert_int_equal(aiol_queue_shutdown(queue, AIOL_QUEUE_DRAIN), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(aiol_queue_done(queue), 0);
    aiol_queue_free(queue);
    free_loop(loop);
    assert_string_equal(destroyed.text, "");
}

static void test_a_shutdown_at_once_destroys_what_is_there_and_counts_it_as_done(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 4);
    void *item = NULL;

    (void)state;
    put_letters(queue, "abcd");
    expect_letters(queue, "a");
    assert_int_equal(aiol_queue_shutdown(queue, AIOL_QUEUE_NOW), 0);
    assert_string_equal(destroyed.text, "bcd");
    assert_int_equal(aiol_queue_count(queue), 0);
    assert_int_equal(aiol_queue_unfinished(queue), 1); /* the one that was got */
    assert_int_equal(aiol_queue_get_nowait(queue, &item), AIOL_ECLOSED);
    assert_int_equal(aiol_queue_put_nowait(queue, letters), AIOL_ECLOSED);
    aiol_queue_free(queue);
    free_loop(loop);
    assert_string_equal(destroyed.text, "bcd");
}

static void test_a_shutdown_at_once_after_a_gentle_one_drops_what_is_left(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 4);

    (void)state;
    put_letters(queue, "abc");
    assert_int_equal(aiol_queue_shutdown(queue, AIOL_QUEUE_DRAIN), 0);
    expect_letters(queue, "a");
    assert_int_equal(aiol_queue_shutdown(queue, AIOL_QUEUE_NOW), 0);
    assert_string_equal(destroyed.text, "bc");
    assert_int_equal(aiol_queue_unfinished(queue), 1);
    aiol_queue_free(queue);
    free_loop(loop);
}

static void test_p3_an_unknown_kind_of_shutdown_changes_nothing(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 4);

    (void)state;
    put_letters(queue, "a");
    assert_int_equal(aiol_queue_shutdown(queue, AIOL_QUEUE_NOW + 1), -EINVAL);
    put_letters(queue, "b");
    expect_letters(queue, "ab");
    aiol_queue_free(queue);
    free_loop(loop);
}

static void test_free_hands_what_is_left_to_the_destructor_in_order(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 4);
    struct aiol_queue *without = NULL;

    (void)state;
    put_letters(queue, "xyab");
    expect_letters(queue, "xy");
    put_letters(queue, "cd");
    aiol_queue_free(queue);
    assert_string_equal(destroyed.text, "abcd");

    assert_int_equal(aiol_queue_new(loop, 4, NULL, &without), 0);
    put_letters(without, "ab");
    aiol_queue_free(without);
    aiol_queue_free(NULL);
    free_loop(loop);
}

static void put_again(void *item)
{
    destroy_letter(item);
    touch_status = aiol_queue_put_nowait(queue_to_touch, item);
}

static void test_a_destructor_cannot_put_its_item_back(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);

    (void)state;
    memset(&destroyed, 0, sizeof destroyed);
    assert_int_equal(aiol_queue_new(loop, 4, put_again, &queue_to_touch), 0);
    put_letters(queue_to_touch, "ab");
    assert_int_equal(aiol_queue_shutdown(queue_to_touch, AIOL_QUEUE_NOW), 0);
    assert_int_equal(touch_status, AIOL_ECLOSED);
    assert_string_equal(destroyed.text, "ab");
    aiol_queue_free(queue_to_touch);
    free_loop(loop);
}

static void free_queue_too(void *item)
{
    destroy_letter(item);
    aiol_queue_free(queue_to_touch);
}

/* An item may be what keeps the queue's owner alive. */
static void test_p1_a_destructor_may_free_the_queue(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);

    (void)state;
    memset(&destroyed, 0, sizeof destroyed);
    assert_int_equal(aiol_queue_new(loop, 4, free_queue_too, &queue_to_touch), 0);
    put_letters(queue_to_touch, "a");
    aiol_queue_shutdown(queue_to_touch, AIOL_QUEUE_NOW);
    assert_string_equal(destroyed.text, "a");
    free_loop(loop);
}

struct farewell {
    struct aiol_loop *loop;
    int status;
    int new_status;
};

static void on_last_post(int status, void *data)
{
    struct farewell *farewell = data;
    struct aiol_queue *queue = NULL;

    farewell->status = status;
    farewell->new_status = aiol_queue_new(farewell->loop, 1, NULL, &queue);
}

static void test_a_loop_that_is_being_freed_makes_no_queue(void **state)
{
    struct farewell farewell = {.loop = new_sim_loop(0)};
    struct aiol_poster *poster = NULL;

    (void)state;
    assert_int_equal(aiol_poster_new(farewell.loop, &poster), 0);
    assert_int_equal(aiol_poster_post(poster, on_last_post, &farewell), 0);
    free_loop(farewell.loop);
    aiol_poster_release(poster);
    assert_int_equal(farewell.status, AIOL_ECLOSED);
    assert_int_equal(farewell.new_status, AIOL_ECLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p6_items_come_out_in_the_order_in_which_they_were_put),
        TEST(test_p3_a_full_queue_refuses_and_an_empty_one_leaves_the_output_alone),
        TEST(test_a_rendezvous_holds_nothing),
        TEST(test_an_unbounded_queue_keeps_the_order_while_it_grows),
        TEST(test_p3_a_put_without_memory_changes_nothing),
        TEST(test_p3_a_queue_for_which_there_is_no_memory_leaves_nothing_behind),
        TEST(test_p5_a_bounded_queue_allocates_nothing_after_it_was_made),
        TEST(test_the_high_water_is_the_most_that_ever_was_in_it),
        TEST(test_done_is_refused_for_what_nobody_can_have_dealt_with),
        TEST(test_a_gentle_shutdown_lets_what_is_there_be_got),
        TEST(test_a_shutdown_at_once_destroys_what_is_there_and_counts_it_as_done),
        TEST(test_a_shutdown_at_once_after_a_gentle_one_drops_what_is_left),
        TEST(test_p3_an_unknown_kind_of_shutdown_changes_nothing),
        TEST(test_free_hands_what_is_left_to_the_destructor_in_order),
        TEST(test_a_destructor_cannot_put_its_item_back),
        TEST(test_p1_a_destructor_may_free_the_queue),
        TEST(test_a_loop_that_is_being_freed_makes_no_queue),
    };

    return cmocka_run_group_tests_name("queue/queue", tests, NULL, NULL);
}
