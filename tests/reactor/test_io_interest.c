/* When the poller is told what is wanted of a descriptor. */
#include "poller.h"
#include "support.h"

#include <unistd.h>

struct probe {
    struct aiol_io io;
    int count;
};

static void count_call(struct aiol_io *io, uint32_t ready, void *data)
{
    struct probe *probe = data;

    (void)io;
    (void)ready;
    probe->count++;
}

static void init_probe(struct probe *probe, struct aiol_loop *loop, int fd)
{
    probe->count = 0;
    aiol_io_init(&probe->io, loop, fd, count_call, probe);
}

static void close_pair(const int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

static void test_changes_of_interest_go_to_the_kernel_once_a_turn(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct probe probe;
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    watch_poller();
    init_probe(&probe, loop, fds[0]);
    aiol_io_start(&probe.io, AIOL_READABLE);
    assert_int_equal(poller_watch.change_count, 1);
    for (int i = 0; i < 10; i++) {
        aiol_io_stop(&probe.io);
        aiol_io_start(&probe.io, AIOL_READABLE);
    }
    aiol_loop_run_once(loop, 0);
    assert_int_equal(poller_watch.change_count, 1);
    aiol_io_stop(&probe.io);
    aiol_io_start(&probe.io, AIOL_READABLE | AIOL_WRITABLE);
    assert_int_equal(poller_watch.change_count, 1);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(poller_watch.change_count, 2);
    aiol_io_start(&probe.io, AIOL_READABLE);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(poller_watch.change_count, 3);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(poller_watch.change_count, 3);
    aiol_io_close(&probe.io);
    assert_int_equal(poller_watch.change_count, 4);
    close_pair(fds);
    free_loop(loop);
}

static void test_reading_is_taken_back_only_when_there_is_something_to_be_read(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct probe probe;
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    watch_poller();
    init_probe(&probe, loop, fds[0]);
    for (int turn = 0; turn < 5; turn++) {
        aiol_io_start(&probe.io, AIOL_READABLE);
        aiol_loop_run_once(loop, 0);
        aiol_io_stop(&probe.io);
        aiol_loop_run_once(loop, 0);
    }
    assert_int_equal(poller_watch.change_count, 1);
    assert_int_equal(write(fds[1], "x", 1), 1);
    aiol_loop_run_once(loop, 0); /* what comes is for nobody */
    aiol_loop_run_once(loop, 0);
    assert_int_equal(poller_watch.change_count, 2);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(poller_watch.change_count, 2);
    assert_int_equal(probe.count, 0);
    aiol_io_start(&probe.io, AIOL_READABLE);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(poller_watch.change_count, 3);
    assert_int_equal(probe.count, 1);
    aiol_io_close(&probe.io);
    close_pair(fds);
    free_loop(loop);
}

static void test_an_edge_that_came_while_nobody_wanted_it_is_not_lost(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct probe probe;
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    init_probe(&probe, loop, fds[0]);
    aiol_io_start(&probe.io, AIOL_READABLE | AIOL_EDGE);
    aiol_io_stop(&probe.io);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    aiol_loop_run_once(loop, 0);
    aiol_io_start(&probe.io, AIOL_READABLE | AIOL_EDGE);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(probe.count, 1);
    aiol_io_close(&probe.io);
    close_pair(fds);
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_changes_of_interest_go_to_the_kernel_once_a_turn),
        TEST(test_reading_is_taken_back_only_when_there_is_something_to_be_read),
        TEST(test_an_edge_that_came_while_nobody_wanted_it_is_not_lost),
    };

    return cmocka_run_group_tests_name("reactor/io_interest", tests, NULL, NULL);
}
