/* The end of queues on which callbacks wait, and that nothing gets lost on the way there. */
#include "support.h"

#include <errno.h>
#include <string.h>

static char letters[] = "abcdefghijklmnopqrstuvwxyz";
static struct notes calls; /* in their order: a letter for an item, '+' put, '!' or 'J' closed */
static struct aiol_queue *queue_to_free;
static int restart_status;

static void on_get(struct aiol_queue_getter *getter, int status, void *item, void *data)
{
    (void)getter, (void)status, (void)data;
    note(&calls, item ? *(char *)item : '!');
}

static void on_put(struct aiol_queue_putter *putter, int status, void *item, void *data)
{
    (void)putter, (void)data;
    note(&calls, status == 0 ? '+' : *(char *)item);
}

static void on_join(struct aiol_queue_joiner *joiner, int status, void *data)
{
    (void)joiner, (void)data;
    note(&calls, status == 0 ? 'j' : 'J');
}

static void note_destroyed(void *item)
{
    note(&calls, '~');
    note(&calls, *(char *)item);
}

static struct aiol_queue *new_queue(struct aiol_loop *loop, size_t capacity)
{
    struct aiol_queue *queue = NULL;

    memset(&calls, 0, sizeof calls);
    assert_int_equal(aiol_queue_new(loop, capacity, note_destroyed, &queue), 0);
    return queue;
}

static void test_p1_free_tells_every_waiting_callback_before_it_returns(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 1);
    struct aiol_queue_putter putters[2];
    struct aiol_queue_joiner joiner;

    (void)state;
    for (int i = 0; i < 2; i++) {
        aiol_queue_putter_init(&putters[i], queue, on_put, NULL);
        assert_int_equal(aiol_queue_putter_start(&putters[i], &letters[i]), 0);
    }
    aiol_queue_joiner_init(&joiner, queue, on_join, NULL);
    assert_int_equal(aiol_queue_joiner_start(&joiner), 0);
    aiol_queue_free(queue);
    /* The first put had succeeded; its item was in the queue, and is destroyed last. */
    assert_string_equal(calls.text, "+bJ~a");
    memset(putters, 0xee, sizeof putters);
    memset(&joiner, 0xee, sizeof joiner);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_string_equal(calls.text, "+bJ~a");
    free_loop(loop);
}

static void test_p2_free_gives_getters_what_they_had_been_given(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 2);
    struct aiol_queue_getter getters[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        aiol_queue_getter_init(&getters[i], queue, on_get, NULL);
        assert_int_equal(aiol_queue_getter_start(&getters[i]), 0);
    }
    assert_int_equal(aiol_queue_put_nowait(queue, letters), 0);
    aiol_queue_free(queue);
    assert_string_equal(calls.text, "a!");
    free_loop(loop);
}

static void free_on_get(struct aiol_queue_getter *getter, int status, void *item, void *data)
{
    on_get(getter, status, item, data);
    aiol_queue_free(queue_to_free);
}

static void test_p1_a_queue_may_be_freed_in_a_callback_of_its_own(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue_getter first, second, third;

    (void)state;
    queue_to_free = new_queue(loop, 4);
    aiol_queue_getter_init(&first, queue_to_free, free_on_get, NULL);
    aiol_queue_getter_init(&second, queue_to_free, on_get, NULL);
    aiol_queue_getter_init(&third, queue_to_free, on_get, NULL);
    assert_int_equal(aiol_queue_getter_start(&first), 0);
    assert_int_equal(aiol_queue_getter_start(&second), 0);
    assert_int_equal(aiol_queue_getter_start(&third), 0);
    assert_int_equal(aiol_queue_put_nowait(queue_to_free, &letters[0]), 0);
    assert_int_equal(aiol_queue_put_nowait(queue_to_free, &letters[1]), 0);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_string_equal(calls.text, "ab!");
    free_loop(loop);
}

static void start_again_on_get(struct aiol_queue_getter *getter, int status, void *item, void *data)
{
    on_get(getter, status, item, data);
    restart_status = aiol_queue_getter_start(getter);
}

static void test_a_getter_cannot_be_started_on_a_queue_that_is_being_freed(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 4);
    struct aiol_queue_getter getter;

    (void)state;
    aiol_queue_getter_init(&getter, queue, start_again_on_get, NULL);
    assert_int_equal(aiol_queue_getter_start(&getter), 0);
    aiol_queue_free(queue);
    assert_string_equal(calls.text, "!");
    assert_int_equal(restart_status, AIOL_ECLOSED);
    free_loop(loop);
}

static void join_again_on_join(struct aiol_queue_joiner *joiner, int status, void *data)
{
    on_join(joiner, status, data);
    restart_status = aiol_queue_joiner_start(joiner);
}

static void test_a_joiner_cannot_be_started_on_a_queue_that_is_being_freed(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 4);
    struct aiol_queue_joiner joiner;

    (void)state;
    assert_int_equal(aiol_queue_put_nowait(queue, letters), 0);
    aiol_queue_joiner_init(&joiner, queue, join_again_on_join, NULL);
    assert_int_equal(aiol_queue_joiner_start(&joiner), 0);
    aiol_queue_free(queue);
    assert_string_equal(calls.text, "J~a");
    assert_int_equal(restart_status, AIOL_ECLOSED);
    free_loop(loop);
}

static void free_getter_on_get(struct aiol_queue_getter *getter, int status, void *item, void *data)
{
    on_get(getter, status, item, data);
    restart_status = aiol_queue_getter_free(getter);
}

static void
test_what_was_allocated_is_freed_by_its_own_callback_but_not_while_it_waits(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 0);
    struct aiol_queue_getter *getter = NULL;
    struct aiol_queue_putter *putter = NULL;
    struct aiol_queue_joiner *joiner = NULL;

    (void)state;
    assert_int_equal(aiol_queue_getter_new(queue, free_getter_on_get, NULL, &getter), 0);
    assert_int_equal(aiol_queue_putter_new(queue, on_put, NULL, &putter), 0);
    assert_int_equal(aiol_queue_joiner_new(queue, on_join, NULL, &joiner), 0);
    assert_int_equal(aiol_queue_putter_start(putter, letters), 0);
    assert_int_equal(aiol_queue_putter_free(putter), -EBUSY);
    assert_int_equal(aiol_queue_getter_start(getter), 0);
    assert_int_equal(aiol_queue_joiner_start(joiner), 0);
    assert_int_equal(aiol_queue_getter_free(getter), -EBUSY);
    assert_int_equal(aiol_queue_putter_free(putter), -EBUSY); /* its callback is still to come */
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_string_equal(calls.text, "+a"); /* the put succeeds first, then the get */
    assert_int_equal(restart_status, 0);
    assert_int_equal(aiol_queue_putter_free(putter), 0);
    aiol_queue_joiner_free(joiner); /* waits: stopped and freed */
    assert_int_equal(aiol_queue_getter_free(NULL), 0);
    assert_int_equal(aiol_queue_putter_free(NULL), 0);
    aiol_queue_joiner_free(NULL);
    aiol_queue_free(queue);
    assert_string_equal(calls.text, "+a");
    free_loop(loop);
}

static void test_p3_without_memory_none_is_made(void **state)
{
    struct aiol_loop *loop = new_sim_loop(0);
    struct aiol_queue *queue = new_queue(loop, 1);
    struct aiol_queue_getter *getter = NULL;
    struct aiol_queue_putter *putter = NULL;
    struct aiol_queue_joiner *joiner = NULL;

    (void)state;
    fail_allocation(1);
    assert_int_equal(aiol_queue_getter_new(queue, on_get, NULL, &getter), -ENOMEM);
    fail_allocation(1);
    assert_int_equal(aiol_queue_putter_new(queue, on_put, NULL, &putter), -ENOMEM);
    fail_allocation(1);
    assert_int_equal(aiol_queue_joiner_new(queue, on_join, NULL, &joiner), -ENOMEM);
    assert_true(!getter && !putter && !joiner);
    assert_int_equal(aiol_queue_getter_size(), sizeof(struct aiol_queue_getter));
    assert_int_equal(aiol_queue_putter_size(), sizeof(struct aiol_queue_putter));
    assert_int_equal(aiol_queue_joiner_size(), sizeof(struct aiol_queue_joiner));
    assert_int_equal(aiol_queue_getter_align(), _Alignof(struct aiol_queue_getter));
    assert_int_equal(aiol_queue_putter_align(), _Alignof(struct aiol_queue_putter));
    assert_int_equal(aiol_queue_joiner_align(), _Alignof(struct aiol_queue_joiner));
    aiol_queue_free(queue);
    free_loop(loop);
}

/* For the test below: each item is a counter of how often it came out, and by which way. */
enum { ITEMS = 2000, ACTORS = 6 };

struct market {
    uint64_t random;
    unsigned char out_count[ITEMS];
    unsigned char is_with_caller[ITEMS]; /* refused, withdrawn or given back: not the queue's */
    size_t next_item;
};

static uint32_t choose(struct market *market, uint32_t count)
{
    market->random = market->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(market->random >> 33) % count;
}

static void on_market_get(struct aiol_queue_getter *getter, int status, void *item, void *data)
{
    (void)getter, (void)data;
    if (status == 0)
        ++*(unsigned char *)item;
}

static void on_market_put(struct aiol_queue_putter *putter, int status, void *item, void *data)
{
    struct market *market = data;

    (void)putter;
    if (status < 0)
        market->is_with_caller[(unsigned char *)item - market->out_count] = 1;
}

static void step(struct market *market, struct aiol_queue_getter *getter,
                 struct aiol_queue_putter *putter, size_t *item_of_putter)
{
    void *item;

    switch (choose(market, 6)) {
    case 0:
    case 1:
        aiol_queue_getter_start(getter);
        break;
    case 2:
        if (aiol_queue_getter_stop(getter, &item) == 1)
            ++*(unsigned char *)item;
        break;
    case 3:
        if (aiol_queue_putter_stop(putter) == 0)
            market->is_with_caller[*item_of_putter] = 1;
        break;
    default:
        if (market->next_item < ITEMS &&
            aiol_queue_putter_start(putter, &market->out_count[market->next_item]) == 0)
            *item_of_putter = market->next_item++;
    }
}

/* Random starts and stops of several getters and putters, a turn of the loop now and then. */
static void trade(uint64_t seed, size_t capacity)
{
    static struct market market;
    struct aiol_loop *loop = new_sim_loop(seed);
    struct aiol_queue_getter getters[ACTORS];
    struct aiol_queue_putter putters[ACTORS];
    size_t items_of_putters[ACTORS] = {0};
    struct aiol_queue *queue = NULL;
    void *item;

    market = (struct market){.random = seed};
    assert_int_equal(aiol_queue_new(loop, capacity, NULL, &queue), 0);
    for (int i = 0; i < ACTORS; i++) {
        aiol_queue_getter_init(&getters[i], queue, on_market_get, &market);
        aiol_queue_putter_init(&putters[i], queue, on_market_put, &market);
    }
    while (market.next_item < ITEMS) {
        uint32_t actor = choose(&market, ACTORS);

        step(&market, &getters[actor], &putters[actor], &items_of_putters[actor]);
        if (choose(&market, 4) == 0)
            assert_true(aiol_loop_run_once(loop, 0) >= 0);
    }
    assert_int_equal(aiol_queue_shutdown(queue, AIOL_QUEUE_DRAIN), 0);
    assert_int_equal(aiol_loop_run(loop), 0);
    while (aiol_queue_get_nowait(queue, &item) == 0)
        ++*(unsigned char *)item;
    aiol_queue_free(queue);
    free_loop(loop);
    for (size_t i = 0; i < ITEMS; i++)
        assert_int_equal(market.out_count[i] + market.is_with_caller[i], 1);
}

static void test_p2_no_item_is_lost_or_doubled_whatever_is_stopped_when(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++)
        trade(seed, seed % 3 == 2 ? AIOL_QUEUE_UNBOUNDED : seed % 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p1_free_tells_every_waiting_callback_before_it_returns),
        TEST(test_p2_free_gives_getters_what_they_had_been_given),
        TEST(test_p1_a_queue_may_be_freed_in_a_callback_of_its_own),
        TEST(test_a_getter_cannot_be_started_on_a_queue_that_is_being_freed),
        TEST(test_a_joiner_cannot_be_started_on_a_queue_that_is_being_freed),
        TEST(test_what_was_allocated_is_freed_by_its_own_callback_but_not_while_it_waits),
        TEST(test_p3_without_memory_none_is_made),
        TEST(test_p2_no_item_is_lost_or_doubled_whatever_is_stopped_when),
    };

    return cmocka_run_group_tests_name("queue/queue_end", tests, NULL, NULL);
}
