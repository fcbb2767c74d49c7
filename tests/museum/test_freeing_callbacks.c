/* The bug museum, 6 to 9 and 15: callbacks that end the life of what the loop still has in hand.
 * Memory that has been given back is filled with a pattern, so that following it crashes and
 * writing to it shows. */
#include "support.h"

#include <string.h>
#include <unistd.h>

#define PATTERN 0xa5

static void give_back(void *memory, size_t size_bytes)
{
    memset(memory, PATTERN, size_bytes);
}

static bool is_given_back(const void *memory, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++) {
        if (((const unsigned char *)memory)[i] != PATTERN)
            return false;
    }
    return true;
}

static void write_byte(int fd)
{
    assert_int_equal(write(fd, "x", 1), 1);
}

/* A reader and two writers of one descriptor. The first one called ends all. */
struct connection {
    struct aiol_io watchers[3];
    int fd;
    int count;
    uint32_t ready;
};

static void close_connection(struct aiol_io *io, uint32_t ready, void *data)
{
    struct connection *connection = data;

    (void)io;
    connection->count++;
    connection->ready = ready;
    for (size_t i = 0; i < COUNT_OF(connection->watchers); i++)
        aiol_io_close(&connection->watchers[i]);
    give_back(connection->watchers, sizeof connection->watchers);
    close(connection->fd);
}

/* libuv#5030: one event says readable and error; the reader closes before the error is told. */
static void test_museum_06_a_reader_closes_before_the_error_bit(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct connection connection = {.count = 0};
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    connection.fd = fds[0];
    for (size_t i = 0; i < COUNT_OF(connection.watchers); i++) {
        aiol_io_init(&connection.watchers[i], loop, fds[0], close_connection, &connection);
        assert_int_equal(
            aiol_io_start(&connection.watchers[i], i == 0 ? AIOL_READABLE : AIOL_WRITABLE), 0);
    }
    write_byte(fds[0]);
    close(fds[1]); /* with a byte unread: that is a reset */
    for (int i = 0; i < 3; i++)
        aiol_loop_run_once(loop, 0);
    assert_int_equal(connection.count, 1);
    assert_true(connection.ready & AIOL_ERROR);
    assert_true(is_given_back(connection.watchers, sizeof connection.watchers));
    free_loop(loop);
}

static void close_when_readable(struct aiol_io *io, uint32_t ready, void *data)
{
    ++*(int *)data;
    if (ready & AIOL_READABLE) {
        aiol_io_close(io);
        give_back(io, sizeof *io);
    }
}

/* libuv#4319: one event says readable and writable; the receiver closes, and then the sender makes
 * the freed handle ready. */
static void test_museum_07_a_receiver_closes_and_a_sender_feeds_what_was_freed(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct aiol_io io;
    int count = 0, fds[2];

    (void)state;
    make_socket_pair(fds);
    aiol_io_init(&io, loop, fds[0], close_when_readable, &count);
    assert_int_equal(aiol_io_start(&io, AIOL_READABLE | AIOL_WRITABLE), 0);
    write_byte(fds[1]);
    for (int i = 0; i < 3; i++)
        aiol_loop_run_once(loop, 0);
    assert_int_equal(count, 1);
    assert_true(is_given_back(&io, sizeof io));
    assert_int_equal(aiol_loop_is_alive(loop), 0);
    close(fds[0]);
    close(fds[1]);
    free_loop(loop);
}

static void end_timer(struct aiol_timer *timer, void *data)
{
    ++*(int *)data;
    aiol_timer_stop(timer);
    give_back(timer, sizeof *timer);
}

static void end_hook(struct aiol_hook *hook, void *data)
{
    ++*(int *)data;
    aiol_hook_stop(hook);
    give_back(hook, sizeof *hook);
}

static void end_deferred(struct aiol_deferred *deferred, void *data)
{
    ++*(int *)data;
    give_back(deferred, sizeof *deferred);
}

static void end_observer(struct aiol_future_observer *observer, int status, void *value, void *data)
{
    (void)status, (void)value;
    ++*(int *)data;
    give_back(observer, sizeof *observer);
}

struct counted_post {
    struct aiol_post post;
    int *count;
};

static void end_post(int status, void *data)
{
    struct counted_post *counted = data;

    (void)status;
    ++*counted->count;
    give_back(&counted->post, sizeof counted->post);
}

/* libevent#1287, whose event was a signal's: freed in its callback, and written to after it. */
static void test_museum_08_a_watcher_is_freed_in_its_own_callback(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct aiol_timer timer;
    struct aiol_hook hook;
    struct aiol_deferred deferred;
    struct aiol_future future;
    struct aiol_future_observer observer;
    struct aiol_poster *poster;
    int count = 0;
    struct counted_post counted = {.count = &count};

    (void)state;
    aiol_hook_init(&hook, loop, AIOL_HOOK_BEFORE_WAIT, end_hook, &count);
    aiol_hook_start(&hook);
    aiol_timer_init(&timer, loop, end_timer, &count);
    aiol_timer_start_every(&timer, AIOL_SECOND, AIOL_FIXED_RATE);
    aiol_loop_run_once(loop, AIOL_NEVER);
    aiol_deferred_init(&deferred, loop, end_deferred, &count);
    aiol_deferred_start(&deferred);
    aiol_future_init(&future, loop, NULL, NULL);
    aiol_future_observer_init(&observer, &future, end_observer, &count);
    aiol_future_observer_start(&observer);
    aiol_future_set(&future, 0, NULL);
    assert_int_equal(aiol_poster_new(loop, &poster), 0);
    aiol_post_init(&counted.post, end_post, &counted);
    aiol_poster_post_node(poster, &counted.post);
    aiol_poster_release(poster);
    assert_int_equal(aiol_loop_run(loop), 0);
    aiol_future_close(&future);
    assert_int_equal(count, 5);
    assert_true(is_given_back(&timer, sizeof timer));
    assert_true(is_given_back(&hook, sizeof hook));
    assert_true(is_given_back(&deferred, sizeof deferred));
    assert_true(is_given_back(&observer, sizeof observer));
    assert_true(is_given_back(&counted.post, sizeof counted.post));
    free_loop(loop);
}

/* Of each kind there are two in one batch, and the one that is called first frees the other. */
struct entry {
    struct aiol_io io;
    struct aiol_timer timer;
    struct aiol_deferred deferred;
    struct entry *other;
    int counts[3];
};

static void free_other_io(struct aiol_io *io, uint32_t ready, void *data)
{
    struct entry *entry = data;

    (void)ready;
    entry->counts[0]++;
    aiol_io_close(&entry->other->io);
    give_back(&entry->other->io, sizeof *io);
    aiol_io_close(io);
}

static void free_other_timer(struct aiol_timer *timer, void *data)
{
    struct entry *entry = data;

    entry->counts[1]++;
    aiol_timer_stop(&entry->other->timer);
    give_back(&entry->other->timer, sizeof *timer);
}

static void free_other_deferred(struct aiol_deferred *deferred, void *data)
{
    struct entry *entry = data;

    entry->counts[2]++;
    aiol_deferred_stop(&entry->other->deferred);
    give_back(&entry->other->deferred, sizeof *deferred);
}

/* amule#1136 (wxEpollDispatcher) */
static void test_museum_09_an_entry_later_in_the_batch_is_freed_by_an_earlier_one(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct entry entries[2];
    int fds[2][2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct entry *entry = &entries[i];

        *entry = (struct entry){.other = &entries[1 - i]};
        make_socket_pair(fds[i]);
        write_byte(fds[i][1]);
        aiol_io_init(&entry->io, loop, fds[i][0], free_other_io, entry);
        assert_int_equal(aiol_io_start(&entry->io, AIOL_READABLE), 0);
        aiol_timer_init(&entry->timer, loop, free_other_timer, entry);
        aiol_timer_start(&entry->timer, 0);
        aiol_deferred_init(&entry->deferred, loop, free_other_deferred, entry);
        aiol_deferred_start(&entry->deferred);
    }
    for (int i = 0; i < 3; i++)
        aiol_loop_run_once(loop, 0);
    for (int kind = 0; kind < 3; kind++)
        assert_int_equal(entries[0].counts[kind] + entries[1].counts[kind], 1);
    for (int i = 0; i < 2; i++) {
        close(fds[i][0]);
        close(fds[i][1]);
    }
    free_loop(loop);
}

static void expect_no_call(struct aiol_future_observer *observer, int status, void *value,
                           void *data)
{
    (void)observer, (void)status, (void)value;
    ++*(int *)data;
}

static void count_io(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)io, (void)ready;
    ++*(int *)data;
}

/* libuv#2415, of signals: what had an event pending when it was closed was never through with
 * closing, and the loop could not be freed. */
static void test_museum_15_closing_with_an_event_pending_never_ends(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct aiol_io io;
    struct aiol_future future;
    struct aiol_future_observer observer;
    struct aiol_poster *poster;
    int count = 0, fds[2];

    (void)state;
    make_socket_pair(fds);
    write_byte(fds[1]);
    aiol_io_init(&io, loop, fds[0], count_io, &count);
    assert_int_equal(aiol_io_start(&io, AIOL_READABLE), 0);
    aiol_future_init(&future, loop, NULL, NULL);
    aiol_future_observer_init(&observer, &future, expect_no_call, &count);
    assert_int_equal(aiol_future_observer_start(&observer), 0);
    assert_int_equal(aiol_future_set(&future, 0, NULL), 0);
    assert_int_equal(aiol_poster_new(loop, &poster), 0);
    assert_int_equal(aiol_poster_wake(poster), 0);

    aiol_poster_release(poster);
    aiol_future_observer_stop(&observer);
    aiol_future_close(&future);
    aiol_io_close(&io);
    for (int i = 0; i < 2; i++)
        aiol_loop_run_once(loop, 0);
    assert_int_equal(aiol_loop_is_alive(loop), 0);
    assert_int_equal(count, 0);
    free_loop(loop);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_museum_06_a_reader_closes_before_the_error_bit),
        TEST(test_museum_07_a_receiver_closes_and_a_sender_feeds_what_was_freed),
        TEST(test_museum_08_a_watcher_is_freed_in_its_own_callback),
        TEST(test_museum_09_an_entry_later_in_the_batch_is_freed_by_an_earlier_one),
        TEST(test_museum_15_closing_with_an_event_pending_never_ends),
    };

    return cmocka_run_group_tests_name("museum/freeing_callbacks", tests, NULL, NULL);
}
