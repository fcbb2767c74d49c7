/* Hooks around the wait: when they are called, in which order, and what they may do. */
#include "platform/sys.h"
#include "support.h"

#include <errno.h>
#include <string.h>

struct point {
    struct aiol_hook hook;
    struct notes *notes;
    char name;
    struct point *stops[2]; /* are stopped and poisoned by the callback */
    struct point *starts;
    struct aiol_deferred *defers;
};

static void pass(struct aiol_hook *hook, void *data)
{
    struct point *point = data;

    (void)hook;
    note(point->notes, point->name);
    for (size_t i = 0; i < COUNT_OF(point->stops) && point->stops[i]; i++) {
        aiol_hook_stop(&point->stops[i]->hook);
        memset(&point->stops[i]->hook, 0xa5, sizeof point->stops[i]->hook);
    }
    if (point->starts)
        aiol_hook_start(&point->starts->hook);
    if (point->defers)
        aiol_deferred_start(point->defers);
}

static void start_points(struct point *points, int count, uint32_t place, struct aiol_loop *loop,
                         struct notes *notes)
{
    for (int i = 0; i < count; i++) {
        points[i] = (struct point){.notes = notes, .name = (char)('a' + i)};
        aiol_hook_init(&points[i].hook, loop, place, pass, &points[i]);
        assert_int_equal(aiol_hook_start(&points[i].hook), 0);
        assert_int_equal(aiol_hook_is_active(&points[i].hook), 1);
    }
}

static void stop_points(struct point *points, int count)
{
    for (int i = 0; i < count; i++)
        aiol_hook_stop(&points[i].hook);
}

static void test_p6_hooks_are_called_around_a_wait_in_the_order_of_their_starts(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    struct point before[2], after[2];

    (void)state;
    start_points(after, 2, AIOL_HOOK_AFTER_WAIT, loop, &notes);
    start_points(before, 2, AIOL_HOOK_BEFORE_WAIT, loop, &notes);
    before[0].name = '1';
    before[1].name = '2';
    aiol_hook_start(&before[0].hook); /* started already: keeps its place */
    aiol_loop_run_once(loop, AIOL_SECOND);
    assert_string_equal(notes.text, "12ab");
    assert_int_equal(aiol_loop_is_alive(loop), 0);
    stop_points(before, 2);
    stop_points(after, 2);
    free_loop(loop);
}

static void do_nothing(struct aiol_deferred *deferred, void *data)
{
    (void)deferred;
    (void)data;
}

static void test_hooks_are_not_called_around_a_poll_that_does_not_block(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    struct point before, after;
    struct aiol_deferred deferred;

    (void)state;
    start_points(&before, 1, AIOL_HOOK_BEFORE_WAIT, loop, &notes);
    start_points(&after, 1, AIOL_HOOK_AFTER_WAIT, loop, &notes);
    aiol_loop_run_once(loop, 0);
    aiol_deferred_init(&deferred, loop, do_nothing, NULL);
    aiol_deferred_start(&deferred);
    aiol_loop_run_once(loop, AIOL_NEVER);
    aiol_loop_stop(loop);
    aiol_loop_run_once(loop, AIOL_NEVER);
    assert_int_equal(notes.length, 0);
    stop_points(&before, 1);
    stop_points(&after, 1);
    free_loop(loop);
}

static void test_what_a_hook_starts_makes_the_wait_not_block(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    struct point before;
    struct aiol_deferred deferred;

    (void)state;
    start_points(&before, 1, AIOL_HOOK_BEFORE_WAIT, loop, &notes);
    aiol_deferred_init(&deferred, loop, do_nothing, NULL);
    before.defers = &deferred;
    aiol_loop_run_once(loop, AIOL_HOUR);
    assert_string_equal(notes.text, "a");
    assert_int_equal(aiol_deferred_is_active(&deferred), 0);
    assert_true(aiol_loop_now_ns(loop) == 0);
    stop_points(&before, 1);
    free_loop(loop);
}

static void check_cross_stop(uint32_t place)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    struct point points[6];

    start_points(points, 6, place, loop, &notes);
    aiol_hook_stop(&points[5].hook);
    points[0].stops[0] = &points[0]; /* itself, and the next */
    points[0].stops[1] = &points[1];
    points[2].stops[0] = &points[4]; /* the last */
    points[3].starts = &points[5];   /* waits for the next turn */
    aiol_loop_run_once(loop, AIOL_SECOND);
    assert_string_equal(notes.text, "acd");
    points[2].stops[0] = NULL;
    aiol_loop_run_once(loop, AIOL_SECOND);
    assert_string_equal(notes.text, "acdcdf");
    aiol_hook_stop(&points[2].hook);
    aiol_hook_stop(&points[3].hook);
    aiol_hook_stop(&points[5].hook);
    free_loop(loop);
}

static void test_p1_hooks_may_stop_one_another_before_the_wait(void **state)
{
    (void)state;
    check_cross_stop(AIOL_HOOK_BEFORE_WAIT);
}

static void test_p1_hooks_may_stop_one_another_after_the_wait(void **state)
{
    (void)state;
    check_cross_stop(AIOL_HOOK_AFTER_WAIT);
}

static void free_both(struct aiol_hook *hook, void *data)
{
    struct aiol_hook **both = data;

    (void)hook;
    aiol_hook_free(both[0]);
    aiol_hook_free(both[1]);
    both[0] = both[1] = NULL;
}

static void test_p1_a_hook_may_free_itself_and_its_neighbour(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct aiol_hook *both[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(aiol_hook_new(loop, AIOL_HOOK_AFTER_WAIT, free_both, both, &both[i]), 0);
        aiol_hook_start(both[i]);
    }
    aiol_loop_run_once(loop, AIOL_SECOND);
    assert_null(both[0]);
    free_loop(loop);
}

static void test_p3_an_unknown_place_is_refused_when_the_hook_is_started(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct aiol_hook hook;

    (void)state;
    aiol_hook_init(&hook, loop, 2, pass, NULL);
    assert_int_equal(aiol_hook_start(&hook), -EINVAL);
    assert_int_equal(aiol_hook_is_active(&hook), 0);
    aiol_hook_stop(&hook);
    free_loop(loop);
}

static void take_a_second(struct aiol_hook *hook, void *data)
{
    (void)hook;
    (void)data;
    pass_fake_time(AIOL_SECOND);
}

/* A binding may wait long for its lock there. */
static void test_what_hooks_after_the_wait_take_is_on_the_clock_of_the_turn(void **state)
{
    struct aiol_loop *loop;
    struct aiol_hook hook;

    (void)state;
    begin_fake_time(AIOL_HOUR);
    loop = new_loop();
    aiol_hook_init(&hook, loop, AIOL_HOOK_AFTER_WAIT, take_a_second, NULL);
    aiol_hook_start(&hook);
    aiol_loop_run_once(loop, AIOL_MINUTE);
    assert_true(aiol_loop_now_ns(loop) == AIOL_HOUR + AIOL_MINUTE + AIOL_SECOND);
    aiol_hook_stop(&hook);
    free_loop(loop);
}

struct ending {
    struct aiol_timer timer;
    int kind;
};

static void fire_never(struct aiol_timer *timer, void *data)
{
    (void)timer;
    (void)data;
}

static void end_all(struct aiol_hook *hook, void *data)
{
    struct ending *ending = data;

    (void)hook;
    if (ending->kind == 0)
        aiol_timer_stop(&ending->timer);
    else
        aiol_timer_unref(&ending->timer);
}

/* Else it would wait for ever, or for what is to keep nobody waiting. */
static void test_what_a_hook_has_ended_is_not_waited_for(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        struct aiol_loop *loop = new_sim_loop(1);
        struct ending ending = {.kind = kind};
        struct aiol_hook hook;

        aiol_timer_init(&ending.timer, loop, fire_never, NULL);
        aiol_timer_start(&ending.timer, AIOL_HOUR);
        aiol_hook_init(&hook, loop, AIOL_HOOK_BEFORE_WAIT, end_all, &ending);
        aiol_hook_start(&hook);
        assert_int_equal(aiol_loop_run(loop), 0);
        assert_true(aiol_loop_now_ns(loop) == 0);
        aiol_timer_stop(&ending.timer);
        aiol_hook_stop(&hook);
        free_loop(loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p6_hooks_are_called_around_a_wait_in_the_order_of_their_starts),
        TEST(test_hooks_are_not_called_around_a_poll_that_does_not_block),
        TEST(test_what_a_hook_starts_makes_the_wait_not_block),
        TEST(test_what_a_hook_has_ended_is_not_waited_for),
        TEST(test_p1_hooks_may_stop_one_another_before_the_wait),
        TEST(test_p1_hooks_may_stop_one_another_after_the_wait),
        TEST(test_p1_a_hook_may_free_itself_and_its_neighbour),
        TEST(test_p3_an_unknown_place_is_refused_when_the_hook_is_started),
        TEST(test_what_hooks_after_the_wait_take_is_on_the_clock_of_the_turn),
    };

    return cmocka_run_group_tests_name("reactor/hook", tests, NULL, NULL);
}
