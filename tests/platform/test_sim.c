/* The simulated loop: time that jumps, streams in memory, and one run for each seed. */
#include "support.h"

#include <errno.h>
#include <string.h>

static struct aiol_sim_stream_options stream_options(void)
{
    return (struct aiol_sim_stream_options){.size = sizeof(struct aiol_sim_stream_options)};
}

static void close_pair(struct aiol_loop *loop, const int fds[2])
{
    assert_int_equal(aiol_fd_close(loop, fds[0]), 0);
    assert_int_equal(aiol_fd_close(loop, fds[1]), 0);
}

static void test_p10_bytes_arrive_complete_and_in_order_in_pieces_and_after_delays(void **state)
{
    unsigned char sent[3000], received[3000];

    (void)state;
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (unsigned char)(i * 7);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct aiol_loop *loop = new_sim_loop(seed);
        struct aiol_sim_stream_options options = stream_options();
        size_t received_bytes = 0, recv_count = 0;
        int64_t rc = 0;
        int fds[2];

        options.max_chunk_bytes = 100;
        options.min_delay_ns = AIOL_MILLISECOND;
        options.max_delay_ns = AIOL_SECOND;
        assert_int_equal(aiol_sim_stream_pair(loop, &options, fds), 0);
        assert_true(aiol_fd_send(loop, fds[0], sent, sizeof sent) == sizeof sent);
        assert_true(aiol_fd_recv(loop, fds[1], received, sizeof received) == -EAGAIN);
        assert_int_equal(aiol_fd_shutdown(loop, fds[0]), 0);
        for (int i = 0; i < 3000; i++) {
            rc = aiol_fd_recv(loop, fds[1], received + received_bytes,
                              sizeof received - received_bytes + 1);
            if (rc == 0)
                break;
            if (rc == -EAGAIN) {
                aiol_loop_run_once(loop, AIOL_MILLISECOND);
                continue;
            }
            assert_in_range(rc, 1, 100);
            received_bytes += (size_t)rc;
            recv_count++;
        }
        assert_int_equal(rc, 0);
        assert_int_equal(received_bytes, sizeof sent);
        assert_memory_equal(sent, received, sizeof sent);
        assert_true(recv_count >= 30);
        assert_true(aiol_loop_now_ns(loop) <= AIOL_SECOND + AIOL_MILLISECOND);
        close_pair(loop, fds);
        free_loop(loop);
    }
}

static void test_p8_a_full_direction_takes_no_more_until_it_is_read(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct aiol_sim_stream_options options = stream_options();
    char buffer[20] = {0};
    int fds[2];

    (void)state;
    options.capacity_bytes = 10;
    assert_int_equal(aiol_sim_stream_pair(loop, &options, fds), 0);
    assert_true(aiol_fd_send(loop, fds[0], buffer, 20) == 10);
    assert_true(aiol_fd_send(loop, fds[0], buffer, 1) == -EAGAIN);
    assert_true(aiol_fd_send(loop, fds[1], buffer, 1) == 1);
    assert_true(aiol_fd_recv(loop, fds[1], buffer, 4) == 4);
    assert_true(aiol_fd_send(loop, fds[0], buffer, 20) == 4);
    assert_true(aiol_fd_recv(loop, fds[0], buffer, 0) == 0);
    close_pair(loop, fds);
    free_loop(loop);
}

static void test_a_closed_end_is_the_end_of_the_stream_after_what_was_sent(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    char buffer[8];
    int fds[2];

    (void)state;
    assert_int_equal(aiol_sim_stream_pair(loop, NULL, fds), 0);
    assert_true(aiol_fd_send(loop, fds[0], "ab", 2) == 2);
    assert_int_equal(aiol_fd_close(loop, fds[0]), 0);
    assert_true(aiol_fd_recv(loop, fds[1], buffer, sizeof buffer) == 2);
    assert_memory_equal(buffer, "ab", 2);
    assert_true(aiol_fd_recv(loop, fds[1], buffer, sizeof buffer) == 0);
    assert_true(aiol_fd_recv(loop, fds[1], buffer, sizeof buffer) == 0);
    assert_true(aiol_fd_send(loop, fds[1], "c", 1) == -EPIPE);
    assert_int_equal(aiol_fd_shutdown(loop, fds[1]), -ENOTCONN);
    assert_true(aiol_fd_recv(loop, fds[0], buffer, 1) == -EBADF);
    assert_true(aiol_fd_send(loop, fds[0], buffer, 1) == -EBADF);
    assert_int_equal(aiol_fd_close(loop, fds[0]), -EBADF);
    assert_int_equal(aiol_fd_close(loop, fds[1]), 0);
    free_loop(loop);
}

static void test_a_shut_down_end_still_receives(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    char byte;
    int fds[2];

    (void)state;
    assert_int_equal(aiol_sim_stream_pair(loop, NULL, fds), 0);
    assert_int_equal(aiol_fd_shutdown(loop, fds[0]), 0);
    assert_int_equal(aiol_fd_shutdown(loop, fds[0]), 0);
    assert_true(aiol_fd_send(loop, fds[0], "x", 1) == -EPIPE);
    assert_true(aiol_fd_recv(loop, fds[1], &byte, 1) == 0);
    assert_true(aiol_fd_send(loop, fds[1], "y", 1) == 1);
    assert_true(aiol_fd_recv(loop, fds[0], &byte, 1) == 1);
    close_pair(loop, fds);
    free_loop(loop);
}

static void test_the_smallest_free_numbers_are_handed_out(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    int first[2], second[2], third[2];

    (void)state;
    assert_int_equal(aiol_sim_stream_pair(loop, NULL, first), 0);
    assert_int_equal(first[0], 0);
    assert_int_equal(first[1], 1);
    assert_int_equal(aiol_sim_stream_pair(loop, NULL, second), 0);
    assert_int_equal(second[1], 3);
    assert_int_equal(aiol_fd_close(loop, first[1]), 0);
    assert_int_equal(aiol_sim_stream_pair(loop, NULL, third), 0);
    assert_int_equal(third[0], 1);
    assert_int_equal(third[1], 4);
    free_loop(loop); /* what is left open goes with it */
}

static void test_p3_bad_stream_options_are_refused_and_real_loops_have_none(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1), *real = new_loop();
    struct aiol_sim_stream_options options = stream_options();
    int fds[2] = {-7, -7};

    (void)state;
    options.min_delay_ns = 2;
    options.max_delay_ns = 1;
    assert_int_equal(aiol_sim_stream_pair(loop, &options, fds), -EINVAL);
    options.size = 0;
    assert_int_equal(aiol_sim_stream_pair(loop, &options, fds), -EINVAL);
    assert_int_equal(aiol_sim_stream_pair(real, NULL, fds), -ENOTSUP);
    assert_true(aiol_sim_random(real) == 0);
    fail_allocation(1);
    assert_int_equal(aiol_sim_stream_pair(loop, NULL, fds), -ENOMEM);
    assert_int_equal(fds[0], -7);
    assert_int_equal(aiol_sim_stream_pair(loop, NULL, fds), 0);
    assert_int_equal(fds[0], 0);
    free_loop(loop);
    free_loop(real);
}

/* A small busy program whose whole course is written down: each end answers what it reads, a few
 * times over. */
#define STREAM_COUNT 6

struct end {
    struct aiol_io io;
    struct course *course;
};

struct course {
    struct aiol_loop *loop;
    struct end ends[2 * STREAM_COUNT];
    int rounds_left;
    size_t entry_count;
    uint64_t entries[4096]; /* when, who, how much */
};

static void answer(struct aiol_io *io, uint32_t ready, void *data)
{
    struct course *course = ((struct end *)data)->course;
    char buffer[64] = {0};
    int64_t size = aiol_fd_recv(course->loop, aiol_io_fd(io), buffer, sizeof buffer);

    (void)ready;
    if (course->entry_count < COUNT_OF(course->entries))
        course->entries[course->entry_count++] = (aiol_loop_now_ns(course->loop) << 16) ^
                                                 ((uint64_t)aiol_io_fd(io) << 8) ^ (uint64_t)size;
    if (course->rounds_left-- > 0)
        aiol_fd_send(course->loop, aiol_io_fd(io), buffer, (size_t)size);
    else
        aiol_loop_stop(course->loop);
}

static void run_course(struct course *course, uint64_t seed)
{
    struct aiol_sim_stream_options options = stream_options();

    memset(course, 0, sizeof *course);
    course->loop = new_sim_loop(seed);
    course->rounds_left = 300;
    options.max_chunk_bytes = 8;
    options.max_delay_ns = AIOL_MILLISECOND;
    for (int i = 0; i < STREAM_COUNT; i++) {
        int fds[2];

        assert_int_equal(aiol_sim_stream_pair(course->loop, &options, fds), 0);
        for (int side = 0; side < 2; side++) {
            struct end *end = &course->ends[2 * i + side];

            end->course = course;
            aiol_io_init(&end->io, course->loop, fds[side], answer, end);
            assert_int_equal(aiol_io_start(&end->io, AIOL_READABLE), 0);
        }
        assert_true(aiol_fd_send(course->loop, fds[0], "0123456789abcdef", 16) == 16);
    }
    assert_int_equal(aiol_loop_run(course->loop), 1);
    for (int i = 0; i < 2 * STREAM_COUNT; i++)
        aiol_io_close(&course->ends[i].io);
    free_loop(course->loop);
}

static void test_p10_one_seed_is_always_the_same_run_and_another_one_is_another(void **state)
{
    static struct course first, second;
    int different_count = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        run_course(&first, seed);
        run_course(&second, seed);
        assert_true(first.entry_count > 300);
        assert_int_equal(first.entry_count, second.entry_count);
        assert_memory_equal(first.entries, second.entries,
                            first.entry_count * sizeof first.entries[0]);
        run_course(&second, seed + 1);
        different_count += memcmp(first.entries, second.entries, sizeof first.entries) != 0;
    }
    assert_int_equal(different_count, 10);
}

struct reporter {
    struct aiol_io io;
    struct notes *notes;
    char name;
};

static void report(struct aiol_io *io, uint32_t ready, void *data)
{
    struct reporter *reporter = data;

    (void)io;
    (void)ready;
    note(reporter->notes, reporter->name);
}

/* All are ready at the same moment; who comes first is the one thing that is left open. */
static void order_of_ready_ends(uint64_t seed, struct notes *ret_notes)
{
    struct aiol_loop *loop = new_sim_loop(seed);
    struct reporter reporters[5];
    int fds[2];

    *ret_notes = (struct notes){.length = 0};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(aiol_sim_stream_pair(loop, NULL, fds), 0);
        reporters[i] = (struct reporter){.notes = ret_notes, .name = (char)('a' + i)};
        aiol_io_init(&reporters[i].io, loop, fds[0], report, &reporters[i]);
        aiol_io_start(&reporters[i].io, AIOL_WRITABLE);
    }
    aiol_loop_run_once(loop, 0);
    for (int i = 0; i < 5; i++)
        aiol_io_close(&reporters[i].io);
    free_loop(loop);
}

static void test_p10_the_seed_shuffles_descriptors_that_are_ready_together(void **state)
{
    static struct notes orders[100];
    int different_count = 0;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(orders); i++) {
        bool is_new = true;

        order_of_ready_ends(i, &orders[i]);
        assert_int_equal(orders[i].length, 5);
        for (size_t earlier = 0; earlier < i; earlier++)
            is_new = is_new && strcmp(orders[earlier].text, orders[i].text) != 0;
        different_count += is_new;
    }
    /* Of 120 that there are; more than the 10 that are round trips one way or the other. */
    assert_true(different_count > 30);
}

static void test_readiness_is_reported_by_level_or_by_edge(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    struct reporter level = {.notes = &notes, .name = 'l'}, edge = {.notes = &notes, .name = 'e'};
    int fds[2];

    (void)state;
    assert_int_equal(aiol_sim_stream_pair(loop, NULL, fds), 0);
    aiol_io_init(&edge.io, loop, fds[0], report, &edge);
    assert_int_equal(aiol_io_start(&edge.io, AIOL_READABLE | AIOL_EDGE), 0);
    aiol_fd_send(loop, fds[1], "x", 1);
    for (int i = 0; i < 3; i++)
        aiol_loop_run_once(loop, 0);
    assert_string_equal(notes.text, "e");
    aiol_fd_send(loop, fds[1], "y", 1);
    for (int i = 0; i < 3; i++)
        aiol_loop_run_once(loop, 0);
    assert_string_equal(notes.text, "ee");
    aiol_io_close(&edge.io);
    aiol_io_init(&level.io, loop, fds[0], report, &level);
    aiol_io_start(&level.io, AIOL_READABLE);
    for (int i = 0; i < 3; i++)
        aiol_loop_run_once(loop, 0);
    assert_string_equal(notes.text, "eelll");
    aiol_io_close(&level.io);
    close_pair(loop, fds);
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p10_bytes_arrive_complete_and_in_order_in_pieces_and_after_delays),
        TEST(test_p8_a_full_direction_takes_no_more_until_it_is_read),
        TEST(test_a_closed_end_is_the_end_of_the_stream_after_what_was_sent),
        TEST(test_a_shut_down_end_still_receives),
        TEST(test_the_smallest_free_numbers_are_handed_out),
        TEST(test_p3_bad_stream_options_are_refused_and_real_loops_have_none),
        TEST(test_p10_one_seed_is_always_the_same_run_and_another_one_is_another),
        TEST(test_p10_the_seed_shuffles_descriptors_that_are_ready_together),
        TEST(test_readiness_is_reported_by_level_or_by_edge),
    };

    return cmocka_run_group_tests_name("platform/sim", tests, NULL, NULL);
}
