/* Deferred calls: order, batches, and stopping inside a batch. */
#include "support.h"

#include <string.h>

struct call {
    struct aiol_deferred deferred;
    struct notes *notes;
    char name;
    struct call *stops[3]; /* are stopped and poisoned by the callback */
    struct call *starts;
};

static void make_call(struct aiol_deferred *deferred, void *data)
{
    struct call *call = data;

    (void)deferred;
    note(call->notes, call->name);
    for (size_t i = 0; i < COUNT_OF(call->stops) && call->stops[i]; i++) {
        struct aiol_deferred *victim = &call->stops[i]->deferred;

        aiol_deferred_stop(victim);
        memset(victim, 0xa5, sizeof *victim);
    }
    if (call->starts)
        aiol_deferred_start(&call->starts->deferred);
}

static void init_calls(struct call *calls, int count, struct aiol_loop *loop, struct notes *notes)
{
    for (int i = 0; i < count; i++) {
        calls[i] = (struct call){.notes = notes, .name = (char)('a' + i)};
        aiol_deferred_init(&calls[i].deferred, loop, make_call, &calls[i]);
    }
}

static void test_p6_deferred_calls_are_made_in_the_order_of_their_starts(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    struct call calls[4];

    (void)state;
    init_calls(calls, 4, loop, &notes);
    for (int i = 0; i < 4; i++)
        assert_int_equal(aiol_deferred_start(&calls[i].deferred), 0);
    aiol_deferred_start(&calls[0].deferred); /* keeps its place */
    aiol_deferred_stop(&calls[1].deferred);
    aiol_deferred_start(&calls[1].deferred); /* lost it */
    assert_int_equal(notes.length, 0);
    assert_int_equal(aiol_deferred_is_active(&calls[1].deferred), 1);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_string_equal(notes.text, "acdb");
    assert_int_equal(aiol_deferred_is_active(&calls[1].deferred), 0);
    free_loop(loop);
}

static void test_what_is_deferred_in_a_batch_waits_for_a_next_turn_that_does_not_block(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    struct call calls[2];

    (void)state;
    init_calls(calls, 2, loop, &notes);
    calls[0].starts = &calls[0];
    calls[1].starts = &calls[1];
    aiol_deferred_start(&calls[0].deferred);
    aiol_deferred_start(&calls[1].deferred);
    for (int i = 0; i < 3; i++)
        assert_int_equal(aiol_loop_run_once(loop, AIOL_NEVER), 1);
    assert_string_equal(notes.text, "ababab");
    aiol_deferred_stop(&calls[0].deferred);
    aiol_deferred_stop(&calls[1].deferred);
    aiol_deferred_stop(&calls[1].deferred);
    free_loop(loop);
}

static void test_p1_deferred_calls_may_stop_one_another_in_their_batch(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    struct call calls[6];

    (void)state;
    init_calls(calls, 6, loop, &notes);
    /* Itself, the next, and the last; then the first, and one of the next turn. */
    calls[1].stops[0] = &calls[1];
    calls[1].stops[1] = &calls[2];
    calls[1].stops[2] = &calls[4];
    calls[0].starts = &calls[5];
    calls[3].stops[0] = &calls[0];
    calls[3].stops[1] = &calls[5];
    for (int i = 0; i < 5; i++)
        aiol_deferred_start(&calls[i].deferred);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_string_equal(notes.text, "abd");
    assert_int_equal(aiol_loop_is_alive(loop), 0);
    free_loop(loop);
}

static void free_both(struct aiol_deferred *deferred, void *data)
{
    struct aiol_deferred **both = data;

    (void)deferred;
    aiol_deferred_free(both[0]);
    aiol_deferred_free(both[1]);
    both[0] = both[1] = NULL;
}

static void test_p1_a_deferred_call_may_free_itself_and_its_neighbour(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct aiol_deferred *both[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(aiol_deferred_new(loop, free_both, both, &both[i]), 0);
        aiol_deferred_start(both[i]);
    }
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_null(both[0]);
    free_loop(loop);
}

static void ask_if_alive(struct aiol_deferred *deferred, void *data)
{
    int *answers = data;

    answers[0] = aiol_loop_is_alive(deferred->loop);
    answers[1] = (int)aiol_loop_alive_count(deferred->loop, AIOL_ALIVE_DEFERRED);
}

/* In a batch too, there is one answer to the question whether anything keeps the loop alive. */
static void test_p11_is_alive_and_the_counts_agree_inside_a_batch(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    struct aiol_deferred asker;
    struct call last;
    int answers[2] = {-1, -1};

    (void)state;
    aiol_deferred_init(&asker, loop, ask_if_alive, answers);
    init_calls(&last, 1, loop, &notes);
    aiol_deferred_start(&asker);
    aiol_deferred_start(&last.deferred);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_int_equal(answers[1], 1);
    assert_int_equal(answers[0], 1);
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p6_deferred_calls_are_made_in_the_order_of_their_starts),
        TEST(test_what_is_deferred_in_a_batch_waits_for_a_next_turn_that_does_not_block),
        TEST(test_p1_deferred_calls_may_stop_one_another_in_their_batch),
        TEST(test_p1_a_deferred_call_may_free_itself_and_its_neighbour),
        TEST(test_p11_is_alive_and_the_counts_agree_inside_a_batch),
    };

    return cmocka_run_group_tests_name("reactor/deferred", tests, NULL, NULL);
}
