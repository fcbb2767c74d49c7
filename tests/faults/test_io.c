/* Watchers while memory and the system fail. */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static const char message[] = "sixteen letters.";

/* A writer at one end of a pair, a reader at the other one. */
struct exchange {
    struct aiol_loop *loop;
    struct aiol_io writer;
    struct aiol_io *reader;
    char received[sizeof message];
    size_t sent_bytes;
    size_t received_bytes;
    int rc;
};

static void end_exchange(struct exchange *exchange, int rc)
{
    exchange->rc = rc;
    aiol_io_stop(&exchange->writer);
    aiol_io_stop(exchange->reader);
}

static void write_some(struct aiol_io *io, uint32_t ready, void *data)
{
    struct exchange *exchange = data;
    int64_t size = aiol_fd_send(exchange->loop, aiol_io_fd(io), message + exchange->sent_bytes,
                                sizeof message - exchange->sent_bytes);
    int rc = 0;

    (void)ready;
    if (size > 0)
        exchange->sent_bytes += (size_t)size;
    else if (size != -EAGAIN)
        rc = (int)size;
    if (rc == 0 && exchange->sent_bytes == sizeof message) {
        aiol_io_stop(io);
        rc = aiol_fd_shutdown(exchange->loop, aiol_io_fd(io));
    }
    if (rc < 0)
        end_exchange(exchange, rc);
}

static void read_some(struct aiol_io *io, uint32_t ready, void *data)
{
    struct exchange *exchange = data;
    int64_t size = aiol_fd_recv(exchange->loop, aiol_io_fd(io),
                                exchange->received + exchange->received_bytes,
                                sizeof message - exchange->received_bytes + (ready == 0));

    if (size > 0 && exchange->received_bytes + (size_t)size < sizeof message)
        exchange->received_bytes += (size_t)size;
    else if (size >= 0)
        end_exchange(exchange, expect(exchange->received_bytes + (size_t)size == sizeof message &&
                                          memcmp(exchange->received, message, sizeof message) == 0,
                                      "what was written is read"));
    else if (size != -EAGAIN)
        end_exchange(exchange, (int)size);
}

static int exchange_bytes(struct aiol_loop *loop)
{
    struct exchange exchange = {.loop = loop};
    int fds[2];
    int rc = open_pair(loop, fds);

    if (rc < 0)
        return rc;
    aiol_io_init(&exchange.writer, loop, fds[0], write_some, &exchange);
    rc = aiol_io_new(loop, fds[1], read_some, &exchange, &exchange.reader);
    if (rc == 0)
        rc = aiol_io_start(exchange.reader, AIOL_READABLE);
    if (rc == 0)
        rc = aiol_io_start(&exchange.writer, AIOL_WRITABLE);
    if (rc == 0)
        rc = expect(aiol_io_is_active(&exchange.writer) == 1, "a started watcher is active");
    if (rc == 0)
        rc = run_loop(loop);
    if (rc == 0)
        rc = exchange.rc;
    aiol_io_close(&exchange.writer);
    aiol_io_free(exchange.reader);
    return aiol_first_error(rc, close_pair(loop, fds));
}

static void count_and_stop(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)ready;
    ++*(int *)data;
    aiol_io_stop(io);
}

static int run_all(struct aiol_loop *loop, struct aiol_io *ios, size_t count, uint32_t events,
                   int *ready_count)
{
    int rc = 0;

    *ready_count = 0;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = aiol_io_start(&ios[i], events);
    if (rc == 0)
        rc = run_loop(loop);
    if (rc == 0)
        rc = expect(*ready_count == (int)count, "each watcher is called once");
    for (size_t i = 0; i < count; i++)
        aiol_io_stop(&ios[i]);
    return rc;
}

/* Several watchers of one descriptor, by levels and by edges, started again and again. */
static int watch_one_descriptor(struct aiol_loop *loop)
{
    struct aiol_io ios[3], background;
    int fds[2], count = 0, unref_count = 0;
    int rc = open_pair(loop, fds);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < COUNT_OF(ios); i++)
        aiol_io_init(&ios[i], loop, fds[0], count_and_stop, &count);
    aiol_io_init(&background, loop, fds[0], count_and_stop, &unref_count);
    aiol_io_unref(&background);
    rc = aiol_io_start(&background, AIOL_READABLE);
    aiol_io_ref(&background);
    aiol_io_unref(&background);
    if (rc == 0)
        rc = run_all(loop, ios, COUNT_OF(ios), AIOL_WRITABLE, &count);
    if (rc == 0)
        rc = run_all(loop, ios, COUNT_OF(ios), AIOL_WRITABLE, &count);
    aiol_io_stop(&background);
    if (rc == 0)
        rc = run_all(loop, ios, COUNT_OF(ios), AIOL_WRITABLE | AIOL_EDGE, &count);
    if (rc == 0)
        rc = expect(unref_count == 0, "nothing was there to be read");
    for (size_t i = 0; i < COUNT_OF(ios); i++)
        aiol_io_close(&ios[i]);
    aiol_io_close(&background);
    return aiol_first_error(rc, close_pair(loop, fds));
}

/* The poller hears of it in the turn that follows. What it refuses is to be tried again. */
static int change_interest(struct aiol_loop *loop)
{
    struct aiol_io io;
    int fds[2], count = 0;
    int rc = open_pair(loop, fds);

    if (rc < 0)
        return rc;
    aiol_io_init(&io, loop, fds[0], count_and_stop, &count);
    rc = aiol_io_start(&io, AIOL_READABLE);
    if (rc == 0)
        rc = aiol_io_start(&io, AIOL_WRITABLE);
    if (rc == 0) {
        rc = run_loop(loop);
        if (rc < 0)
            rc = run_loop(loop);
    }
    if (rc == 0)
        rc = expect(count == 1, "the watcher is called for what it wants now");
    aiol_io_close(&io);
    return aiol_first_error(rc, close_pair(loop, fds));
}

/* One byte goes to and fro: each player wants to write now and to read then. */
struct player {
    struct aiol_loop *loop;
    struct aiol_io io;
    struct player *other;
    bool is_to_write;
    int moves_left;
    int rc;
};

static void move(struct aiol_io *io, uint32_t ready, void *data)
{
    struct player *player = data;
    char byte = 'x';
    int64_t size = player->is_to_write ? aiol_fd_send(player->loop, aiol_io_fd(io), &byte, 1)
                                       : aiol_fd_recv(player->loop, aiol_io_fd(io), &byte, 1);

    (void)ready;
    if (size == -EAGAIN)
        return;
    player->rc = size < 0 ? (int)size : expect(size == 1, "the byte is there");
    player->is_to_write = !player->is_to_write;
    if (player->rc == 0 && --player->moves_left > 0)
        player->rc = aiol_io_start(io, player->is_to_write ? AIOL_WRITABLE : AIOL_READABLE);
    if (player->rc < 0)
        aiol_io_stop(&player->other->io);
    if (player->rc < 0 || player->moves_left == 0)
        aiol_io_stop(io);
}

static int take_turns(struct aiol_loop *loop)
{
    struct player players[2];
    int fds[2];
    int rc = open_pair(loop, fds);

    if (rc < 0)
        return rc;
    for (int i = 0; i < 2; i++) {
        players[i] = (struct player){
            .loop = loop, .other = &players[1 - i], .is_to_write = i == 0, .moves_left = 6};
        aiol_io_init(&players[i].io, loop, fds[i], move, &players[i]);
    }
    rc = aiol_io_start(&players[1].io, AIOL_READABLE);
    if (rc == 0)
        rc = aiol_io_start(&players[0].io, AIOL_WRITABLE);
    if (rc == 0)
        rc = run_loop(loop);
    if (rc == 0)
        rc = aiol_first_error(players[0].rc, players[1].rc);
    if (rc == 0)
        rc = expect(players[0].moves_left + players[1].moves_left == 0, "each moves in turn");
    aiol_io_close(&players[0].io);
    aiol_io_close(&players[1].io);
    return aiol_first_error(rc, close_pair(loop, fds));
}

/* Numbers so large that the table of descriptors has to grow. */
static int watch_large_numbers(struct aiol_loop *loop)
{
    static const int numbers[] = {70, 300};
    struct aiol_io ios[COUNT_OF(numbers)];
    int fds[2], count = 0;
    int rc = open_pair(loop, fds);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        aiol_io_init(&ios[i], loop, fcntl(fds[0], F_DUPFD_CLOEXEC, numbers[i]), count_and_stop,
                     &count);
    rc = run_all(loop, ios, COUNT_OF(ios), AIOL_WRITABLE, &count);
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        aiol_io_close(&ios[i]);
        rc = aiol_first_error(rc, aiol_fd_close(loop, aiol_io_fd(&ios[i])));
    }
    return aiol_first_error(rc, close_pair(loop, fds));
}

/* More of what cannot be polled than the loop has room for at first. */
static int watch_files(struct aiol_loop *loop)
{
    struct aiol_io ios[10];
    int count = 0, rc;

    for (size_t i = 0; i < COUNT_OF(ios); i++)
        aiol_io_init(&ios[i], loop, memfd_create("aiol-test", MFD_CLOEXEC), count_and_stop, &count);
    rc = run_all(loop, ios, COUNT_OF(ios), AIOL_READABLE, &count);
    for (size_t i = 0; i < COUNT_OF(ios); i++) {
        aiol_io_close(&ios[i]);
        rc = aiol_first_error(rc, aiol_fd_close(loop, aiol_io_fd(&ios[i])));
    }
    return rc;
}

static void count_ready(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)io;
    (void)ready;
    ++*(int *)data;
}

/* A turn may end without anything having been done. */
static int turn_until(struct aiol_loop *loop, const int *count)
{
    int rc = 0;

    for (int i = 0; i < 200 && rc >= 0 && *count == 0; i++)
        rc = aiol_loop_run_once(loop, 0);
    return rc < 0 ? rc : expect(*count > 0, "what is ready is served");
}

/* Under the number of what is watched comes something else, while others still have the old one
 * open: events of the old one keep coming until the loop makes its poller anew. */
static int outlive_a_registration(struct aiol_loop *loop)
{
    struct aiol_io before, after;
    int old_fds[2], fds[2], copy = -1, count = 0, poller_fd;
    int rc = open_pair(loop, old_fds);

    if (rc < 0)
        return rc;
    rc = open_pair(loop, fds);
    copy = fcntl(old_fds[0], F_DUPFD_CLOEXEC, 0);
    aiol_io_init(&before, loop, old_fds[0], count_ready, &count);
    aiol_io_init(&after, loop, old_fds[0], count_ready, &count);
    if (rc == 0)
        rc = aiol_io_start(&before, AIOL_READABLE);
    aiol_io_stop(&before);
    if (rc == 0)
        rc = dup2(fds[0], old_fds[0]) < 0 || send(old_fds[1], "x", 1, MSG_NOSIGNAL) < 0 ? -errno
                                                                                        : 0;
    if (rc == 0)
        rc = aiol_io_start(&after, AIOL_READABLE);
    poller_fd = aiol_loop_backend_fd(loop);
    for (int i = 0; i < 20 && rc >= 0 && aiol_loop_backend_fd(loop) == poller_fd; i++)
        rc = aiol_loop_run_once(loop, 0);
    if (rc >= 0)
        rc = expect(count == 0, "stale events reach nobody");
    if (rc == 0)
        rc = send(fds[1], "x", 1, MSG_NOSIGNAL) < 0 ? -errno : turn_until(loop, &count);
    aiol_io_close(&after);
    close(copy);
    rc = aiol_first_error(rc, close_pair(loop, fds));
    return aiol_first_error(rc, close_pair(loop, old_fds));
}

static void test_exchange_of_bytes(void **state)
{
    (void)state;
    inject_faults("exchange of bytes", exchange_bytes, ON_BOTH);
}

static void test_watchers_of_one_descriptor(void **state)
{
    (void)state;
    inject_faults("watchers of one descriptor", watch_one_descriptor, ON_BOTH);
}

static void test_a_change_of_interest(void **state)
{
    (void)state;
    inject_faults("a change of interest", change_interest, ON_BOTH);
}

static void test_taking_turns(void **state)
{
    (void)state;
    inject_faults("taking turns", take_turns, ON_BOTH);
}

static void test_large_numbers(void **state)
{
    (void)state;
    inject_faults("large numbers", watch_large_numbers, ON_REAL);
}

static void test_files(void **state)
{
    (void)state;
    inject_faults("files", watch_files, ON_REAL);
}

static void test_a_registration_that_outlives_its_descriptor(void **state)
{
    (void)state;
    inject_faults("a registration that outlives its descriptor", outlive_a_registration, ON_REAL);
}

static void test_sizes_cannot_fail(void **state)
{
    (void)state;
    assert_int_equal(aiol_io_size(), sizeof(struct aiol_io));
    assert_int_equal(aiol_io_align(), _Alignof(struct aiol_io));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_exchange_of_bytes),
        TEST(test_watchers_of_one_descriptor),
        TEST(test_a_change_of_interest),
        TEST(test_taking_turns),
        TEST(test_large_numbers),
        TEST(test_files),
        TEST(test_a_registration_that_outlives_its_descriptor),
        TEST(test_sizes_cannot_fail),
    };

    return cmocka_run_group_tests_name("faults/io", tests, NULL, print_points);
}
