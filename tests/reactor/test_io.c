/* One watcher on one descriptor: starting, stopping, what is reported, and what each costs. */
#include "platform/sys.h"
#include "poller.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <unistd.h>

struct probe {
    struct aiol_io io;
    int count;
    uint32_t ready; /* the last one */
};

static void note_ready(struct aiol_io *io, uint32_t ready, void *data)
{
    struct probe *probe = data;

    (void)io;
    probe->count++;
    probe->ready = ready;
}

static void init_probe(struct probe *probe, struct aiol_loop *loop, int fd)
{
    *probe = (struct probe){.count = 0};
    aiol_io_init(&probe->io, loop, fd, note_ready, probe);
}

static void write_byte(int fd)
{
    assert_int_equal(write(fd, "x", 1), 1);
}

static void read_byte(int fd)
{
    char byte;

    assert_int_equal(read(fd, &byte, 1), 1);
}

static void close_pair(const int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

static void test_a_watcher_is_called_in_every_turn_as_long_as_its_descriptor_is_ready(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct probe probe;
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    init_probe(&probe, loop, fds[0]);
    assert_int_equal(aiol_io_fd(&probe.io), fds[0]);
    assert_int_equal(aiol_io_is_active(&probe.io), 0);
    assert_int_equal(aiol_io_start(&probe.io, AIOL_READABLE), 0);
    assert_int_equal(aiol_io_is_active(&probe.io), 1);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(probe.count, 0);
    write_byte(fds[1]);
    aiol_loop_run_once(loop, AIOL_NEVER);
    aiol_loop_run_once(loop, AIOL_NEVER);
    assert_int_equal(probe.count, 2);
    assert_int_equal(probe.ready, AIOL_READABLE);
    read_byte(fds[0]);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(probe.count, 2);
    aiol_io_close(&probe.io);
    assert_int_equal(aiol_io_is_active(&probe.io), 0);
    close_pair(fds);
    free_loop(loop);
}

static void test_starting_a_started_watcher_replaces_what_it_wants(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct probe probe;
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    write_byte(fds[1]);
    init_probe(&probe, loop, fds[0]);
    assert_int_equal(aiol_io_start(&probe.io, AIOL_READABLE | AIOL_WRITABLE), 0);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(probe.ready, AIOL_READABLE | AIOL_WRITABLE);
    assert_int_equal(aiol_io_start(&probe.io, AIOL_WRITABLE), 0);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(probe.ready, AIOL_WRITABLE);
    assert_int_equal(aiol_io_start(&probe.io, AIOL_READABLE), 0);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(probe.ready, AIOL_READABLE);
    assert_int_equal(aiol_loop_alive_count(loop, AIOL_ALIVE_IO), 1);
    aiol_io_close(&probe.io);
    close_pair(fds);
    free_loop(loop);
}

static void test_p3_numbers_that_are_no_descriptors_are_refused_and_cost_no_memory(void **state)
{
    struct aiol_loop *loop = new_loop();
    const int bad[] = {-1, INT_MIN, INT_MAX, 1000000};
    struct probe probe;
    long made = allocations_made();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        init_probe(&probe, loop, bad[i]);
        assert_int_equal(aiol_io_start(&probe.io, AIOL_READABLE), -EBADF);
        assert_int_equal(aiol_io_is_active(&probe.io), 0);
        aiol_io_stop(&probe.io);
        aiol_io_close(&probe.io);
    }
    assert_int_equal(allocations_made(), made);
    assert_int_equal(aiol_loop_is_alive(loop), 0);
    free_loop(loop);
}

static void test_p3_unknown_events_are_refused_and_change_nothing(void **state)
{
    const uint32_t bad[] = {0, AIOL_EDGE, AIOL_HANGUP, AIOL_READABLE | AIOL_ERROR, 32, 256 | 1};
    struct aiol_loop *loop = new_loop();
    struct probe probe;
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    init_probe(&probe, loop, fds[0]);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(aiol_io_start(&probe.io, bad[i]), -EINVAL);
    assert_int_equal(aiol_io_is_active(&probe.io), 0);
    assert_int_equal(aiol_io_start(&probe.io, AIOL_WRITABLE), 0);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(aiol_io_start(&probe.io, bad[i]), -EINVAL);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(probe.ready, AIOL_WRITABLE);
    aiol_io_close(&probe.io);
    close_pair(fds);
    free_loop(loop);
}

/* A duplicate whose number is 5000, or as high as the system lets it be. */
static int duplicate_high(int fd)
{
    struct rlimit before, limit;
    int high_fd;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = (struct rlimit){before.rlim_max, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    high_fd = fcntl(fd, F_DUPFD_CLOEXEC, limit.rlim_cur > 5000 ? 5000 : (int)limit.rlim_cur - 1);
    setrlimit(RLIMIT_NOFILE, &before);
    return high_fd;
}

static void test_a_descriptor_with_a_high_number_is_watched_like_any_other(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct probe low, high;
    int fds[2], high_fd;

    (void)state;
    make_socket_pair(fds);
    high_fd = duplicate_high(fds[0]);
    assert_true(high_fd > fds[1] + 100); /* far beyond those that are in use */
    init_probe(&low, loop, fds[0]);
    init_probe(&high, loop, high_fd);
    assert_int_equal(aiol_io_start(&low.io, AIOL_READABLE), 0);
    assert_int_equal(aiol_io_start(&high.io, AIOL_READABLE), 0);
    write_byte(fds[1]);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(low.count, 1);
    assert_int_equal(high.count, 1);
    aiol_io_close(&high.io);
    aiol_io_close(&low.io);
    close(high_fd);
    close_pair(fds);
    free_loop(loop);
}

static void test_a_hang_up_comes_with_what_was_wanted(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct probe reader, writer;
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    init_probe(&reader, loop, fds[0]);
    init_probe(&writer, loop, fds[0]);
    aiol_io_start(&reader.io, AIOL_READABLE);
    aiol_io_start(&writer.io, AIOL_WRITABLE);
    close(fds[1]);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(reader.ready, AIOL_READABLE | AIOL_HANGUP);
    assert_int_equal(writer.ready, AIOL_WRITABLE | AIOL_HANGUP);
    aiol_io_close(&reader.io);
    aiol_io_close(&writer.io);
    close(fds[0]);
    free_loop(loop);
}

static void test_an_error_wakes_who_wants_to_write(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct probe probe;
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    close(fds[0]);
    init_probe(&probe, loop, fds[1]);
    assert_int_equal(aiol_io_start(&probe.io, AIOL_WRITABLE), 0);
    aiol_loop_run_once(loop, 0);
    /* Some kqueues do not take such a pipe, which is then always ready. */
    assert_int_equal(probe.ready & ~(uint32_t)AIOL_ERROR, AIOL_WRITABLE);
    aiol_io_close(&probe.io);
    close(fds[1]);
    free_loop(loop);
}

static void do_nothing(struct aiol_timer *timer, void *data)
{
    (void)timer;
    (void)data;
}

/* How many times the loop waits in three seconds of fake time in which nothing is to be done. While
 * anything is ready no time passes, so that a busy loop would wait for ever. */
static int count_waits_while_idle(struct aiol_loop *loop)
{
    struct aiol_timer timer;

    watch_poller();
    aiol_timer_init(&timer, loop, do_nothing, NULL);
    for (int i = 0; i < 3; i++) {
        aiol_timer_start(&timer, AIOL_SECOND);
        while (aiol_timer_is_active(&timer) && poller_watch.wait_count < 100)
            aiol_loop_run_once(loop, AIOL_NEVER);
    }
    aiol_timer_stop(&timer);
    return poller_watch.wait_count;
}

static void test_a_stopped_watcher_with_unread_data_does_not_keep_the_loop_busy(void **state)
{
    struct aiol_loop *loop;
    struct probe probe;
    int fds[2];

    (void)state;
    begin_fake_time(AIOL_HOUR);
    loop = new_loop();
    make_socket_pair(fds);
    init_probe(&probe, loop, fds[0]);
    aiol_io_start(&probe.io, AIOL_READABLE);
    write_byte(fds[1]);
    aiol_loop_run_once(loop, 0);
    aiol_io_stop(&probe.io);
    assert_in_range(count_waits_while_idle(loop), 3, 8);
    assert_int_equal(probe.count, 1);
    aiol_io_start(&probe.io, AIOL_READABLE);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(probe.count, 2);
    aiol_io_close(&probe.io);
    close_pair(fds);
    free_loop(loop);
}

/* The kernel reports a hang-up whether or not anybody wants it. */
static void test_a_stopped_watcher_whose_peer_hangs_up_does_not_keep_the_loop_busy(void **state)
{
    struct aiol_loop *loop;
    struct probe probe;
    int fds[2];

    (void)state;
    begin_fake_time(AIOL_HOUR);
    loop = new_loop();
    make_socket_pair(fds);
    init_probe(&probe, loop, fds[0]);
    aiol_io_start(&probe.io, AIOL_READABLE);
    aiol_loop_run_once(loop, 0);
    aiol_io_stop(&probe.io);
    close(fds[1]);
    assert_in_range(count_waits_while_idle(loop), 3, 8);
    assert_int_equal(probe.count, 0);
    assert_int_equal(aiol_io_start(&probe.io, AIOL_READABLE), 0);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(probe.ready, AIOL_READABLE | AIOL_HANGUP);
    aiol_io_close(&probe.io);
    close(fds[0]);
    free_loop(loop);
}

static void test_a_pipe_whose_reader_goes_is_ready_in_every_turn(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct probe probe;
    char bytes[4096] = {0};
    int fds[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    while (write(fds[1], bytes, sizeof bytes) > 0)
        ;
    init_probe(&probe, loop, fds[1]);
    assert_int_equal(aiol_io_start(&probe.io, AIOL_WRITABLE), 0);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(probe.count, 0);
    close(fds[0]);
    for (int turn = 1; turn <= 3; turn++) {
        aiol_loop_run_once(loop, 0);
        assert_int_equal(probe.count, turn);
        assert_true(probe.ready & AIOL_WRITABLE);
    }
    aiol_io_close(&probe.io);
    close(fds[1]);
    free_loop(loop);
}

static void test_an_unrefd_watcher_does_not_keep_the_loop_running(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct probe probe;
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    init_probe(&probe, loop, fds[0]);
    aiol_io_start(&probe.io, AIOL_READABLE);
    assert_int_equal(aiol_loop_alive_count(loop, AIOL_ALIVE_IO), 1);
    aiol_io_unref(&probe.io);
    aiol_io_unref(&probe.io);
    assert_int_equal(aiol_loop_alive_count(loop, AIOL_ALIVE_IO), 0);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_int_equal(aiol_loop_free(loop), -EBUSY);
    aiol_io_stop(&probe.io);
    aiol_io_start(&probe.io, AIOL_READABLE);
    assert_int_equal(aiol_loop_is_alive(loop), 0);
    aiol_io_ref(&probe.io);
    aiol_io_ref(&probe.io);
    assert_int_equal(aiol_loop_alive_count(loop, AIOL_ALIVE_IO), 1);
    aiol_io_close(&probe.io);
    assert_int_equal(aiol_loop_alive_count(loop, AIOL_ALIVE_IO), 0);
    close_pair(fds);
    free_loop(loop);
}

static void test_p5_watching_a_known_descriptor_allocates_nothing(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct probe probe, other;
    int fds[2];
    long made;

    (void)state;
    make_socket_pair(fds);
    init_probe(&probe, loop, fds[1]);
    assert_int_equal(aiol_io_start(&probe.io, AIOL_READABLE), 0);
    aiol_io_close(&probe.io);
    made = allocations_made();
    for (int i = 0; i < 20; i++) {
        init_probe(&probe, loop, fds[0]);
        init_probe(&other, loop, fds[0]);
        aiol_io_start(&probe.io, AIOL_READABLE);
        aiol_io_start(&other.io, AIOL_WRITABLE);
        aiol_loop_run_once(loop, 0);
        aiol_io_stop(&probe.io);
        aiol_loop_run_once(loop, 0);
        aiol_io_close(&probe.io);
        aiol_io_close(&other.io);
    }
    assert_int_equal(allocations_made(), made);
    close_pair(fds);
    free_loop(loop);
}

static void test_a_descriptor_closed_before_its_watcher_does_no_harm(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct probe probe;
    int fds[2], again[2];

    (void)state;
    make_socket_pair(fds);
    init_probe(&probe, loop, fds[0]);
    aiol_io_start(&probe.io, AIOL_READABLE);
    aiol_loop_run_once(loop, 0);
    close_pair(fds);
    aiol_loop_run_once(loop, 0);
    aiol_io_close(&probe.io);
    aiol_loop_run_once(loop, 0);

    make_socket_pair(again);
    assert_int_equal(again[0], fds[0]);
    init_probe(&probe, loop, again[0]);
    assert_int_equal(aiol_io_start(&probe.io, AIOL_READABLE), 0);
    write_byte(again[1]);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(probe.count, 1);
    aiol_io_close(&probe.io);
    close_pair(again);
    free_loop(loop);
}

/* Who still watches a closed descriptor is called, reads, and so learns of it. */
static void test_changing_interest_in_a_closed_descriptor_reports_it_ready(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct probe probe;
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    init_probe(&probe, loop, fds[0]);
    aiol_io_start(&probe.io, AIOL_READABLE);
    aiol_loop_run_once(loop, 0);
    close_pair(fds);
    assert_int_equal(aiol_io_start(&probe.io, AIOL_READABLE | AIOL_WRITABLE), 0);
    aiol_loop_run_once(loop, AIOL_NEVER);
    assert_int_equal(probe.count, 1);
    assert_true(aiol_fd_recv(loop, fds[0], &fds[1], 1) == -EBADF);
    aiol_io_close(&probe.io);
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_watcher_is_called_in_every_turn_as_long_as_its_descriptor_is_ready),
        TEST(test_starting_a_started_watcher_replaces_what_it_wants),
        TEST(test_p3_numbers_that_are_no_descriptors_are_refused_and_cost_no_memory),
        TEST(test_p3_unknown_events_are_refused_and_change_nothing),
        TEST(test_a_descriptor_with_a_high_number_is_watched_like_any_other),
        TEST(test_a_hang_up_comes_with_what_was_wanted),
        TEST(test_an_error_wakes_who_wants_to_write),
        TEST(test_a_pipe_whose_reader_goes_is_ready_in_every_turn),
        TEST(test_a_stopped_watcher_with_unread_data_does_not_keep_the_loop_busy),
        TEST(test_a_stopped_watcher_whose_peer_hangs_up_does_not_keep_the_loop_busy),
        TEST(test_an_unrefd_watcher_does_not_keep_the_loop_running),
        TEST(test_p5_watching_a_known_descriptor_allocates_nothing),
        TEST(test_a_descriptor_closed_before_its_watcher_does_no_harm),
        TEST(test_changing_interest_in_a_closed_descriptor_reports_it_ready),
    };

    return cmocka_run_group_tests_name("reactor/io", tests, NULL, NULL);
}
