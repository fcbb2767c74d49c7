/* Several timers that are due in one turn: their order, and what they may do to one another. */
#include "support.h"

#include <string.h>
#include <unistd.h>

struct alarm {
    struct aiol_timer timer;
    struct notes *notes;
    char name;
};

static void ring(struct aiol_timer *timer, void *data)
{
    struct alarm *alarm = data;

    (void)timer;
    note(alarm->notes, alarm->name);
}

static void init_alarm(struct alarm *alarm, struct aiol_loop *loop, struct notes *notes, char name)
{
    *alarm = (struct alarm){.notes = notes, .name = name};
    aiol_timer_init(&alarm->timer, loop, ring, alarm);
}

static void init_alarms(struct alarm *alarms, int count, struct aiol_loop *loop,
                        struct notes *notes)
{
    for (int i = 0; i < count; i++)
        init_alarm(&alarms[i], loop, notes, (char)('a' + i));
}

static void test_p4_equal_deadlines_fire_in_the_order_of_their_starts(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    struct alarm alarms[6];

    (void)state;
    init_alarms(alarms, 6, loop, &notes);
    for (int i = 0; i < 6; i++)
        aiol_timer_start(&alarms[i].timer, AIOL_SECOND);
    /* Starting anew, be it at the same deadline, is a new start. */
    aiol_timer_start(&alarms[1].timer, AIOL_SECOND);
    aiol_timer_stop(&alarms[3].timer);
    aiol_timer_start_at(&alarms[3].timer, AIOL_SECOND);
    aiol_timer_start(&alarms[0].timer, AIOL_MILLISECOND);
    aiol_timer_start(&alarms[0].timer, AIOL_SECOND);
    aiol_loop_run(loop);
    assert_string_equal(notes.text, "cefbda");
    free_loop(loop);
}

static void test_p4_due_timers_fire_in_the_order_of_their_deadlines(void **state)
{
    struct aiol_loop *loop;
    struct notes notes = {.length = 0};
    struct alarm alarms[5];

    (void)state;
    begin_fake_time(AIOL_HOUR);
    loop = new_loop();
    init_alarms(alarms, 5, loop, &notes);
    aiol_timer_start(&alarms[4].timer, 100 * AIOL_SECOND);
    aiol_timer_start(&alarms[3].timer, AIOL_SECOND);
    aiol_timer_start(&alarms[2].timer, 300);
    aiol_timer_start(&alarms[0].timer, 100);
    aiol_timer_start(&alarms[1].timer, 200);
    pass_fake_time(AIOL_HOUR);
    aiol_loop_run_once(loop, 0);
    assert_string_equal(notes.text, "abcde");
    free_loop(loop);
}

static void test_p4_a_timer_pushed_back_fires_in_its_turn_even_when_the_loop_is_late(void **state)
{
    struct aiol_loop *loop;
    struct notes notes = {.length = 0};
    struct alarm alarms[3];

    (void)state;
    begin_fake_time(AIOL_HOUR);
    loop = new_loop();
    init_alarms(alarms, 3, loop, &notes);
    aiol_timer_start(&alarms[0].timer, 5 * AIOL_MICROSECOND);
    aiol_timer_start(&alarms[2].timer, 10 * AIOL_MICROSECOND);
    aiol_timer_start(&alarms[1].timer, 15 * AIOL_MICROSECOND);
    aiol_timer_start(&alarms[2].timer, 20 * AIOL_MICROSECOND);
    pass_fake_time(AIOL_SECOND);
    aiol_loop_run_once(loop, 0);
    assert_string_equal(notes.text, "abc");
    free_loop(loop);
}

/* "Due timers fire in the order of their deadlines" has no exception for those started late. */
static void test_p4_a_deadline_in_the_past_comes_before_what_is_due_later(void **state)
{
    struct aiol_loop *loop;
    struct notes notes = {.length = 0};
    struct alarm alarms[2];

    (void)state;
    begin_fake_time(AIOL_HOUR);
    loop = new_loop();
    init_alarms(alarms, 2, loop, &notes);
    aiol_timer_start(&alarms[1].timer, 5 * AIOL_MILLISECOND);
    pass_fake_time(10 * AIOL_MILLISECOND);
    aiol_loop_update_now(loop);
    aiol_timer_start_at(&alarms[0].timer, AIOL_HOUR + AIOL_MILLISECOND);
    aiol_loop_run_once(loop, 0);
    assert_string_equal(notes.text, "ab");
    free_loop(loop);
}

/* A timer whose callback does something to others of its batch. */
struct meddler {
    struct aiol_timer timer;
    struct notes *notes;
    struct aiol_timer *victims[4];
    int victim_count;
};

static void init_meddler(struct meddler *meddler, struct aiol_loop *loop, struct notes *notes,
                         aiol_timer_fn callback)
{
    *meddler = (struct meddler){.notes = notes};
    aiol_timer_init(&meddler->timer, loop, callback, meddler);
}

static void stop_and_poison(struct aiol_timer *timer, void *data)
{
    struct meddler *meddler = data;

    note(meddler->notes, 'S');
    for (int i = 0; i < meddler->victim_count; i++) {
        aiol_timer_stop(meddler->victims[i]);
        memset(meddler->victims[i], 0xa5, sizeof *meddler->victims[i]);
    }
    memset(timer, 0xa5, sizeof *timer); /* it has fired, and so is forgotten already */
}

static void test_p1_a_timer_stopped_by_another_of_its_batch_is_forgotten(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    struct meddler meddler;
    struct alarm alarms[4];

    (void)state;
    init_meddler(&meddler, loop, &notes, stop_and_poison);
    init_alarms(alarms, 4, loop, &notes);
    meddler.victims[0] = &alarms[3].timer; /* the last, the next, and one that is due later */
    meddler.victims[1] = &alarms[0].timer;
    meddler.victims[2] = &alarms[2].timer;
    meddler.victim_count = 3;
    aiol_timer_start(&meddler.timer, 100);
    aiol_timer_start(&alarms[0].timer, 100);
    aiol_timer_start(&alarms[1].timer, 100);
    aiol_timer_start(&alarms[2].timer, AIOL_MINUTE);
    aiol_timer_start(&alarms[3].timer, 100);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_string_equal(notes.text, "Sb");
    assert_int_equal(aiol_loop_alive_count(loop, AIOL_ALIVE_TIMER), 0);
    free_loop(loop);
}

static void free_all(struct aiol_timer *timer, void *data)
{
    struct meddler *meddler = data;

    (void)timer;
    note(meddler->notes, 'F');
    for (int i = 0; i < meddler->victim_count; i++)
        aiol_timer_free(meddler->victims[i]);
}

static void test_p1_a_timer_may_free_itself_and_its_neighbours_in_its_callback(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    struct meddler meddler = {.notes = &notes, .victim_count = 4};

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(aiol_timer_new(loop, free_all, &meddler, &meddler.victims[i]), 0);
        if (i % 2)
            aiol_timer_start(meddler.victims[i], AIOL_SECOND);
        else
            aiol_timer_start_every(meddler.victims[i], AIOL_SECOND, i ? AIOL_FIXED_DELAY : 0);
    }
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_string_equal(notes.text, "F");
    free_loop(loop);
}

static void poison_self(struct aiol_timer *timer, void *data)
{
    note(data, 'P');
    aiol_timer_stop(timer);
    memset(timer, 0xa5, sizeof *timer);
}

static void test_p1_a_repeating_timer_may_end_its_life_in_its_callback(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    struct aiol_timer timers[2];

    (void)state;
    for (uint32_t repeat = AIOL_FIXED_RATE; repeat <= AIOL_FIXED_DELAY; repeat++) {
        aiol_timer_init(&timers[repeat], loop, poison_self, &notes);
        aiol_timer_start_every(&timers[repeat], AIOL_SECOND, repeat);
    }
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_string_equal(notes.text, "PP");
    free_loop(loop);
}

static void restart_all(struct aiol_timer *timer, void *data)
{
    struct meddler *meddler = data;

    (void)timer;
    note(meddler->notes, 'R');
    for (int i = 0; i < meddler->victim_count; i++)
        aiol_timer_start(meddler->victims[i], 0);
}

static void test_a_timer_restarted_in_the_batch_that_has_it_waits_for_the_next_turn(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    struct meddler meddler;
    struct alarm alarms[3];

    (void)state;
    init_meddler(&meddler, loop, &notes, restart_all);
    init_alarms(alarms, 3, loop, &notes);
    aiol_timer_start(&alarms[0].timer, 100);
    aiol_timer_start(&meddler.timer, 100);
    aiol_timer_start(&alarms[1].timer, 100);
    aiol_timer_start(&alarms[2].timer, 100);
    meddler.victims[0] = &alarms[0].timer; /* has fired already */
    meddler.victims[1] = &alarms[1].timer; /* was about to */
    meddler.victim_count = 2;
    aiol_loop_run_once(loop, AIOL_NEVER);
    assert_string_equal(notes.text, "aRc");
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_string_equal(notes.text, "aRcab");
    assert_true(aiol_loop_now_ns(loop) == 100);
    free_loop(loop);
}

static void start_again_at_zero(struct aiol_timer *timer, void *data)
{
    (void)data;
    aiol_timer_start(timer, 0);
}

static void note_readable(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)ready;
    note(data, 'i');
    aiol_io_close(io);
}

/* The bug museum, 10: libuv#4245. */
static void test_p8_timers_that_are_always_due_do_not_starve_descriptors(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct notes notes = {.length = 0};
    struct aiol_timer timers[100];
    struct aiol_io io;
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    for (int i = 0; i < 100; i++) {
        aiol_timer_init(&timers[i], loop, start_again_at_zero, NULL);
        aiol_timer_start(&timers[i], 0);
    }
    aiol_io_init(&io, loop, fds[0], note_readable, &notes);
    aiol_io_start(&io, AIOL_READABLE);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    aiol_loop_run_once(loop, 0);
    assert_string_equal(notes.text, "i");
    for (int i = 0; i < 100; i++)
        aiol_timer_stop(&timers[i]);
    close(fds[0]);
    close(fds[1]);
    free_loop(loop);
}

/* More timers in one slot of the wheel than it looks through, and not at the slot's beginning. */
static void test_p10_a_crowd_with_one_deadline_does_not_stop_virtual_time(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    static struct alarm alarms[100];
    int turns = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(alarms); i++) {
        init_alarm(&alarms[i], loop, &notes, 'x');
        aiol_timer_start(&alarms[i].timer, AIOL_MILLISECOND);
    }
    /* Not a full run, which would never end if time stood still. */
    while (aiol_loop_run_once(loop, AIOL_NEVER) == 1 && turns < 1000)
        turns++;
    assert_int_equal(notes.length, COUNT_OF(alarms));
    assert_true(aiol_loop_now_ns(loop) == AIOL_MILLISECOND);
    assert_in_range(turns, 0, 3);
    free_loop(loop);
}

static void test_p5_timers_allocate_nothing(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    static struct alarm alarms[2000];
    long made;

    (void)state;
    made = allocations_made();
    for (size_t i = 0; i < COUNT_OF(alarms); i++) {
        init_alarm(&alarms[i], loop, &notes, 'x');
        aiol_timer_start(&alarms[i].timer, UINT64_C(1) << (10 + i % 50));
        if (i % 3 == 0)
            aiol_timer_start(&alarms[i].timer, AIOL_HOUR);
        if (i % 5 == 0)
            aiol_timer_stop(&alarms[i].timer);
    }
    aiol_loop_run(loop);
    assert_int_equal(allocations_made(), made);
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p4_equal_deadlines_fire_in_the_order_of_their_starts),
        TEST(test_p4_due_timers_fire_in_the_order_of_their_deadlines),
        TEST(test_p4_a_timer_pushed_back_fires_in_its_turn_even_when_the_loop_is_late),
        TEST(test_p4_a_deadline_in_the_past_comes_before_what_is_due_later),
        TEST(test_p1_a_timer_stopped_by_another_of_its_batch_is_forgotten),
        TEST(test_p1_a_timer_may_free_itself_and_its_neighbours_in_its_callback),
        TEST(test_p1_a_repeating_timer_may_end_its_life_in_its_callback),
        TEST(test_a_timer_restarted_in_the_batch_that_has_it_waits_for_the_next_turn),
        TEST(test_p8_timers_that_are_always_due_do_not_starve_descriptors),
        TEST(test_p10_a_crowd_with_one_deadline_does_not_stop_virtual_time),
        TEST(test_p5_timers_allocate_nothing),
    };

    return cmocka_run_group_tests_name("reactor/timer_batch", tests, NULL, NULL);
}
