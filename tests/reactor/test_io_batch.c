/* Several watchers that are ready in one turn: order, and what they may do to one another. */
#include "support.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAIR_COUNT 8

/* Watchers of which each does the same to all the others when it is called. */
struct crowd {
    struct aiol_loop *loop;
    struct notes notes;
    struct aiol_io watchers[PAIR_COUNT];
    struct aiol_io *made[PAIR_COUNT]; /* by aiol_io_new() */
    int fds[PAIR_COUNT][2];
};

static void open_pairs(struct crowd *crowd)
{
    *crowd = (struct crowd){.loop = new_loop()};
    for (int i = 0; i < PAIR_COUNT; i++) {
        make_socket_pair(crowd->fds[i]);
        assert_int_equal(write(crowd->fds[i][1], "x", 1), 1);
    }
}

static void close_pairs(struct crowd *crowd)
{
    for (int i = 0; i < PAIR_COUNT; i++) {
        close(crowd->fds[i][0]);
        close(crowd->fds[i][1]);
    }
    free_loop(crowd->loop);
}

static void watch_all(struct crowd *crowd, aiol_io_fn callback)
{
    for (int i = 0; i < PAIR_COUNT; i++) {
        aiol_io_init(&crowd->watchers[i], crowd->loop, crowd->fds[i][0], callback, crowd);
        assert_int_equal(aiol_io_start(&crowd->watchers[i], AIOL_READABLE), 0);
    }
}

static void stop_and_poison_all(struct aiol_io *io, uint32_t ready, void *data)
{
    struct crowd *crowd = data;

    (void)io;
    (void)ready;
    note(&crowd->notes, 's');
    for (int i = 0; i < PAIR_COUNT; i++) {
        aiol_io_stop(&crowd->watchers[i]);
        memset(&crowd->watchers[i], 0xa5, sizeof crowd->watchers[i]);
    }
}

static void test_p1_one_callback_may_stop_all_watchers_of_its_batch(void **state)
{
    struct crowd crowd;

    (void)state;
    open_pairs(&crowd);
    watch_all(&crowd, stop_and_poison_all);
    assert_int_equal(aiol_loop_run(crowd.loop), 0);
    assert_string_equal(crowd.notes.text, "s");
    close_pairs(&crowd);
}

static void free_all(struct aiol_io *io, uint32_t ready, void *data)
{
    struct crowd *crowd = data;

    (void)io;
    (void)ready;
    note(&crowd->notes, 'f');
    for (int i = 0; i < PAIR_COUNT; i++)
        aiol_io_free(crowd->made[i]);
}

/* The bug museum, 9: an entry later in the batch freed by an earlier one. */
static void test_p1_one_callback_may_free_all_watchers_of_its_batch(void **state)
{
    struct crowd crowd;

    (void)state;
    open_pairs(&crowd);
    for (int i = 0; i < PAIR_COUNT; i++) {
        assert_int_equal(aiol_io_new(crowd.loop, crowd.fds[i][0], free_all, &crowd, &crowd.made[i]),
                         0);
        assert_int_equal(aiol_io_start(crowd.made[i], AIOL_READABLE), 0);
    }
    assert_int_equal(aiol_loop_run(crowd.loop), 0);
    assert_string_equal(crowd.notes.text, "f");
    close_pairs(&crowd);
}

static void test_p1_watchers_of_one_descriptor_may_free_one_another(void **state)
{
    struct crowd crowd;

    (void)state;
    open_pairs(&crowd);
    for (int i = 0; i < PAIR_COUNT; i++) {
        assert_int_equal(aiol_io_new(crowd.loop, crowd.fds[0][0], free_all, &crowd, &crowd.made[i]),
                         0);
        assert_int_equal(aiol_io_start(crowd.made[i], AIOL_READABLE), 0);
    }
    assert_int_equal(aiol_loop_run(crowd.loop), 0);
    assert_string_equal(crowd.notes.text, "f");
    close_pairs(&crowd);
}

struct member {
    struct aiol_io io;
    struct notes *notes;
    char name;
    struct member *stops[3];
    struct member *starts;
};

static void act(struct aiol_io *io, uint32_t ready, void *data)
{
    struct member *member = data;

    (void)io;
    (void)ready;
    note(member->notes, member->name);
    for (size_t i = 0; i < COUNT_OF(member->stops) && member->stops[i]; i++)
        aiol_io_stop(&member->stops[i]->io);
    if (member->starts)
        aiol_io_start(&member->starts->io, AIOL_READABLE);
}

static void start_members(struct member *members, int count, struct crowd *crowd)
{
    for (int i = 0; i < count; i++) {
        members[i] = (struct member){.notes = &crowd->notes, .name = (char)('a' + i)};
        aiol_io_init(&members[i].io, crowd->loop, crowd->fds[0][0], act, &members[i]);
        assert_int_equal(aiol_io_start(&members[i].io, AIOL_READABLE), 0);
    }
}

static void stop_members(struct member *members, int count)
{
    for (int i = 0; i < count; i++)
        aiol_io_close(&members[i].io);
}

static void test_p6_watchers_of_one_descriptor_are_called_in_the_order_of_their_starts(void **state)
{
    struct crowd crowd;
    struct member members[4];

    (void)state;
    open_pairs(&crowd);
    start_members(members, 4, &crowd);
    aiol_loop_run_once(crowd.loop, 0);
    aiol_io_start(&members[1].io, AIOL_READABLE); /* is no new start */
    aiol_io_stop(&members[0].io);
    aiol_io_start(&members[0].io, AIOL_READABLE);
    aiol_loop_run_once(crowd.loop, 0);
    assert_string_equal(crowd.notes.text, "abcdbcda");
    stop_members(members, 4);
    close_pairs(&crowd);
}

static void test_p1_watchers_of_one_descriptor_may_stop_one_another(void **state)
{
    struct crowd crowd;
    struct member members[6];

    (void)state;
    open_pairs(&crowd);
    start_members(members, 6, &crowd);
    /* The first stops itself, its neighbour and the last; the third its own last and the first. */
    members[0].stops[0] = &members[0];
    members[0].stops[1] = &members[1];
    members[0].stops[2] = &members[5];
    members[2].stops[0] = &members[4];
    aiol_loop_run_once(crowd.loop, 0);
    assert_string_equal(crowd.notes.text, "acd");
    aiol_loop_run_once(crowd.loop, 0);
    assert_string_equal(crowd.notes.text, "acdcd");
    stop_members(members, 6);
    close_pairs(&crowd);
}

static void
test_a_watcher_started_in_a_callback_of_its_descriptor_waits_for_the_next_turn(void **state)
{
    struct crowd crowd;
    struct member members[3];

    (void)state;
    open_pairs(&crowd);
    start_members(members, 3, &crowd);
    aiol_io_stop(&members[2].io);
    members[0].stops[0] = &members[0]; /* stops and starts itself: it goes to the end */
    members[0].starts = &members[0];
    members[1].starts = &members[2];
    aiol_loop_run_once(crowd.loop, 0);
    assert_string_equal(crowd.notes.text, "ab");
    aiol_loop_run_once(crowd.loop, 0);
    assert_string_equal(crowd.notes.text, "abbac");
    stop_members(members, 3);
    close_pairs(&crowd);
}

static void note_started(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)io;
    (void)ready;
    note(&((struct crowd *)data)->notes, '!');
}

/* Whoever is called first starts one more watcher on the other descriptor, which is ready too. */
static void start_on_other(struct aiol_io *io, uint32_t ready, void *data)
{
    struct crowd *crowd = data;
    int other = io == &crowd->watchers[0] ? 1 : 0;

    (void)ready;
    note(&crowd->notes, 's');
    if (crowd->notes.length > 1)
        return;
    aiol_io_init(&crowd->watchers[2], crowd->loop, crowd->fds[other][0], note_started, crowd);
    aiol_io_start(&crowd->watchers[2], AIOL_READABLE);
}

static void test_p6_a_watcher_started_on_another_descriptor_of_the_batch_waits_too(void **state)
{
    struct crowd crowd;

    (void)state;
    open_pairs(&crowd);
    for (int i = 0; i < 2; i++) {
        aiol_io_init(&crowd.watchers[i], crowd.loop, crowd.fds[i][0], start_on_other, &crowd);
        aiol_io_start(&crowd.watchers[i], AIOL_READABLE);
    }
    aiol_loop_run_once(crowd.loop, 0);
    for (int i = 0; i < 3; i++)
        aiol_io_close(&crowd.watchers[i]);
    assert_string_equal(crowd.notes.text, "ss");
    close_pairs(&crowd);
}

static void note_and_drain(struct aiol_io *io, uint32_t ready, void *data)
{
    char byte;

    (void)ready;
    note(data, 'd');
    if (read(aiol_io_fd(io), &byte, 1) != 1)
        note(data, '?');
}

static void
test_p2_of_two_watchers_that_both_wait_each_is_told_even_if_the_first_reads_all(void **state)
{
    struct crowd crowd;
    struct aiol_io drainer;
    struct member member;

    (void)state;
    open_pairs(&crowd);
    aiol_io_init(&drainer, crowd.loop, crowd.fds[0][0], note_and_drain, &crowd.notes);
    aiol_io_start(&drainer, AIOL_READABLE);
    start_members(&member, 1, &crowd);
    aiol_loop_run_once(crowd.loop, 0);
    aiol_loop_run_once(crowd.loop, 0);
    assert_string_equal(crowd.notes.text, "da");
    aiol_io_close(&drainer);
    stop_members(&member, 1);
    close_pairs(&crowd);
}

static void count_call(struct aiol_io *io, uint32_t ready, void *data)
{
    struct crowd *crowd = data;

    (void)ready;
    note(&crowd->notes, (char)('a' + (io - crowd->watchers)));
}

static void test_p8_a_small_batch_serves_every_ready_descriptor_in_a_round(void **state)
{
    struct aiol_loop_options options = {
        .size = sizeof options, .allocator = &counting_allocator, .max_events_per_turn = 1};
    struct crowd crowd;
    int counts[PAIR_COUNT] = {0};

    (void)state;
    open_pairs(&crowd);
    free_loop(crowd.loop);
    assert_int_equal(aiol_loop_new(&options, &crowd.loop), 0);
    watch_all(&crowd, count_call);
    for (int i = 0; i < 4 * PAIR_COUNT; i++)
        aiol_loop_run_once(crowd.loop, 0);
    assert_int_equal(crowd.notes.length, 4 * PAIR_COUNT);
    for (size_t i = 0; i < crowd.notes.length; i++)
        counts[crowd.notes.text[i] - 'a']++;
    for (int i = 0; i < PAIR_COUNT; i++) {
        assert_int_equal(counts[i], 4);
        aiol_io_close(&crowd.watchers[i]);
    }
    close_pairs(&crowd);
}

static void test_edge_triggered_watchers_hear_of_each_change_once(void **state)
{
    struct crowd crowd;
    struct aiol_io *first = &crowd.watchers[0], *second = &crowd.watchers[1];

    (void)state;
    open_pairs(&crowd);
    aiol_io_init(first, crowd.loop, crowd.fds[0][0], count_call, &crowd);
    aiol_io_init(second, crowd.loop, crowd.fds[0][0], count_call, &crowd);
    assert_int_equal(aiol_io_start(first, AIOL_READABLE | AIOL_EDGE), 0);
    assert_int_equal(aiol_io_start(second, AIOL_READABLE), -EINVAL);
    assert_int_equal(aiol_io_is_active(second), 0);
    assert_int_equal(aiol_io_start(second, AIOL_READABLE | AIOL_EDGE), 0);
    for (int i = 0; i < 3; i++)
        aiol_loop_run_once(crowd.loop, 0);
    assert_string_equal(crowd.notes.text, "ab");
    assert_int_equal(write(crowd.fds[0][1], "y", 1), 1);
    for (int i = 0; i < 3; i++)
        aiol_loop_run_once(crowd.loop, 0);
    assert_string_equal(crowd.notes.text, "abab");

    /* The last one left may change its mind. */
    aiol_io_close(second);
    assert_int_equal(aiol_io_start(first, AIOL_READABLE), 0);
    for (int i = 0; i < 2; i++)
        aiol_loop_run_once(crowd.loop, 0);
    assert_string_equal(crowd.notes.text, "ababaa");
    aiol_io_close(first);
    close_pairs(&crowd);
}

static void stop_and_start_others(struct aiol_io *io, uint32_t ready, void *data)
{
    struct crowd *crowd = data;

    (void)ready;
    note(&crowd->notes, (char)('a' + (io - crowd->watchers)));
    for (int i = 0; i < 2; i++) {
        if (&crowd->watchers[i] != io && crowd->notes.length == 1) {
            aiol_io_stop(&crowd->watchers[i]);
            aiol_io_start(&crowd->watchers[i], AIOL_READABLE | AIOL_EDGE);
        }
    }
}

/* Two edge-triggered watchers of which the first to be called stops and starts the other, whose
 * event lies in the batch: one of the two starts must report it. */
static void check_edge_survives_restart(int other_pair)
{
    struct crowd crowd;

    open_pairs(&crowd);
    for (int i = 0; i < 2; i++) {
        aiol_io_init(&crowd.watchers[i], crowd.loop, crowd.fds[i ? other_pair : 0][0],
                     stop_and_start_others, &crowd);
        aiol_io_start(&crowd.watchers[i], AIOL_READABLE | AIOL_EDGE);
    }
    for (int i = 0; i < 3; i++)
        aiol_loop_run_once(crowd.loop, 0);
    /* Being told twice is no harm. */
    assert_non_null(strchr(crowd.notes.text, 'a'));
    assert_non_null(strchr(crowd.notes.text, 'b'));
    aiol_io_close(&crowd.watchers[0]);
    aiol_io_close(&crowd.watchers[1]);
    close_pairs(&crowd);
}

static void test_p2_an_edge_is_not_lost_by_stop_and_start_in_its_batch(void **state)
{
    (void)state;
    check_edge_survives_restart(1);
}

static void test_p2_an_edge_is_not_lost_by_stop_and_start_among_its_watchers(void **state)
{
    (void)state;
    check_edge_survives_restart(0);
}

static void test_an_edge_triggered_watcher_started_anew_hears_of_what_is_still_there(void **state)
{
    struct crowd crowd;
    struct aiol_io *io = &crowd.watchers[0];

    (void)state;
    open_pairs(&crowd);
    aiol_io_init(io, crowd.loop, crowd.fds[0][0], count_call, &crowd);
    aiol_io_start(io, AIOL_READABLE | AIOL_EDGE);
    aiol_loop_run_once(crowd.loop, 0);
    aiol_io_stop(io);
    aiol_loop_run_once(crowd.loop, 0);
    aiol_io_start(io, AIOL_READABLE | AIOL_EDGE);
    aiol_loop_run_once(crowd.loop, 0);
    assert_string_equal(crowd.notes.text, "aa");
    aiol_io_close(io);
    close_pairs(&crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p1_one_callback_may_stop_all_watchers_of_its_batch),
        TEST(test_p1_one_callback_may_free_all_watchers_of_its_batch),
        TEST(test_p1_watchers_of_one_descriptor_may_free_one_another),
        TEST(test_p6_watchers_of_one_descriptor_are_called_in_the_order_of_their_starts),
        TEST(test_p1_watchers_of_one_descriptor_may_stop_one_another),
        TEST(test_a_watcher_started_in_a_callback_of_its_descriptor_waits_for_the_next_turn),
        TEST(test_p6_a_watcher_started_on_another_descriptor_of_the_batch_waits_too),
        TEST(test_p2_of_two_watchers_that_both_wait_each_is_told_even_if_the_first_reads_all),
        TEST(test_p8_a_small_batch_serves_every_ready_descriptor_in_a_round),
        TEST(test_edge_triggered_watchers_hear_of_each_change_once),
        TEST(test_p2_an_edge_is_not_lost_by_stop_and_start_in_its_batch),
        TEST(test_p2_an_edge_is_not_lost_by_stop_and_start_among_its_watchers),
        TEST(test_an_edge_triggered_watcher_started_anew_hears_of_what_is_still_there),
    };

    return cmocka_run_group_tests_name("reactor/io_batch", tests, NULL, NULL);
}
