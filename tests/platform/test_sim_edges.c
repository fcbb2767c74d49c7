/* Simulated descriptors watched by edge, where room to write comes back before the next poll; and
 * the edges of what the poller takes. */
#include "reactor/loop.h"
#include "support.h"

#include <errno.h>

enum { CAPACITY = 1000, ROUNDS = 5 };

/* A writer that fills its direction whenever it is told of room, and a reader that empties it later
 * in the same turn. */
struct pump {
    struct aiol_loop *loop;
    struct aiol_io io;
    struct aiol_deferred drain;
    size_t piece_bytes; /* how much is sent in a call */
    bool until_full;    /* send until there is no room, or only what there is room for */
    int fds[2];
    int64_t sent, received;
};

static void fill(struct aiol_io *io, uint32_t ready, void *data)
{
    static const char bytes[CAPACITY];
    struct pump *pump = data;
    int64_t size, filled = 0;

    (void)io, (void)ready;
    do {
        size = aiol_fd_send(pump->loop, pump->fds[0], bytes, pump->piece_bytes);
        filled += size > 0 ? size : 0;
    } while (size > 0 && (pump->until_full || filled < CAPACITY));
    pump->sent += filled;
    aiol_deferred_start(&pump->drain);
}

static void drain(struct aiol_deferred *deferred, void *data)
{
    char bytes[CAPACITY];
    struct pump *pump = data;
    int64_t size;

    (void)deferred;
    while ((size = aiol_fd_recv(pump->loop, pump->fds[1], bytes, sizeof bytes)) > 0)
        pump->received += size;
}

static void check_pump(size_t piece_bytes, bool until_full)
{
    struct aiol_sim_stream_options options = {.size = sizeof options, .capacity_bytes = CAPACITY};
    struct pump pump = {
        .loop = new_sim_loop(1), .piece_bytes = piece_bytes, .until_full = until_full};

    assert_int_equal(aiol_sim_stream_pair(pump.loop, &options, pump.fds), 0);
    aiol_deferred_init(&pump.drain, pump.loop, drain, &pump);
    aiol_io_init(&pump.io, pump.loop, pump.fds[0], fill, &pump);
    assert_int_equal(aiol_io_start(&pump.io, AIOL_WRITABLE | AIOL_EDGE), 0);
    for (int i = 0; i < ROUNDS; i++)
        aiol_loop_run_once(pump.loop, 0);
    assert_int_equal(pump.sent, ROUNDS * CAPACITY);
    assert_int_equal(pump.received, ROUNDS * CAPACITY);
    aiol_io_close(&pump.io);
    free_loop(pump.loop);
}

static void test_p2_room_found_missing_is_an_edge_when_it_comes_back_before_the_poll(void **state)
{
    (void)state;
    check_pump(100, true);
}

static void test_p2_room_used_up_to_the_last_byte_is_an_edge_when_it_comes_back(void **state)
{
    (void)state;
    check_pump(100, false);
    check_pump(CAPACITY, false);
}

static void count_call(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)io, (void)ready;
    ++*(int *)data;
}

/* Being told again and again of what is there would be no edge. */
static void test_room_that_was_there_all_the_time_is_reported_once(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct aiol_io io;
    int fds[2], count = 0;

    (void)state;
    assert_int_equal(aiol_sim_stream_pair(loop, NULL, fds), 0);
    aiol_io_init(&io, loop, fds[0], count_call, &count);
    assert_int_equal(aiol_io_start(&io, AIOL_WRITABLE | AIOL_EDGE), 0);
    for (int i = 0; i < ROUNDS; i++) {
        aiol_loop_run_once(loop, 0);
        assert_int_equal(aiol_fd_send(loop, fds[0], "x", 1), 1);
    }
    assert_int_equal(count, 1);
    aiol_io_close(&io);
    free_loop(loop);
}

/* What the reactor, which knows what it has registered, does not ask of it. */
static void test_the_poller_tells_what_is_registered_and_what_is_not(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct aiol__poller *poller = loop->poller;
    int fds[2];

    (void)state;
    assert_int_equal(aiol_sim_stream_pair(loop, NULL, fds), 0);
    assert_int_equal(poller->ops->modify(poller, fds[0], 1, 0, AIOL_READABLE, true), -ENOENT);
    assert_int_equal(poller->ops->add(poller, fds[0], 1, AIOL_READABLE), 0);
    assert_int_equal(poller->ops->add(poller, fds[0], 1, AIOL_READABLE), -EEXIST);
    assert_int_equal(aiol_fd_close(loop, fds[0]), 0);
    assert_int_equal(poller->ops->modify(poller, fds[0], 1, 0, AIOL_READABLE, true), -EBADF);
    free_loop(loop);
}

static void test_p3_a_pair_without_memory_for_its_second_end_takes_nothing(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    int fds[2], more_fds[2] = {-7, -7};

    (void)state;
    for (int i = 0; i < 4; i++) /* until the table is full */
        assert_int_equal(aiol_sim_stream_pair(loop, NULL, fds), 0);
    assert_int_equal(aiol_fd_close(loop, 0), 0);
    fail_allocation(1);
    assert_int_equal(aiol_sim_stream_pair(loop, NULL, more_fds), -ENOMEM);
    assert_int_equal(more_fds[0], -7);
    assert_int_equal(aiol_sim_stream_pair(loop, NULL, more_fds), 0);
    assert_int_equal(more_fds[0], 0);
    assert_int_equal(more_fds[1], 8);
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p2_room_found_missing_is_an_edge_when_it_comes_back_before_the_poll),
        TEST(test_p2_room_used_up_to_the_last_byte_is_an_edge_when_it_comes_back),
        TEST(test_the_poller_tells_what_is_registered_and_what_is_not),
        TEST(test_p3_a_pair_without_memory_for_its_second_end_takes_nothing),
        TEST(test_room_that_was_there_all_the_time_is_reported_once),
    };

    return cmocka_run_group_tests_name("platform/sim_edges", tests, NULL, NULL);
}
