/* Edges that come up while nobody wants them, and a number whose descriptor is another one. */
#include "support.h"

#include <sys/mman.h>
#include <unistd.h>

struct listener {
    struct aiol_io io;
    struct aiol_deferred restart;
    struct notes *notes;
    char name;
    uint32_t ready;
    struct listener *stops;  /* is stopped by the callback, and started in the same turn */
    struct listener *starts; /* is started by the callback, which stops itself */
};

static void start_again(struct aiol_deferred *deferred, void *data)
{
    struct listener *listener = data;

    (void)deferred;
    if (aiol_io_start(&listener->io, AIOL_READABLE | AIOL_EDGE) < 0)
        note(listener->notes, '?');
}

static void hear(struct aiol_io *io, uint32_t ready, void *data)
{
    struct listener *listener = data;

    note(listener->notes, listener->name);
    listener->ready = ready;
    if (listener->stops) {
        aiol_io_stop(&listener->stops->io);
        aiol_deferred_start(&listener->stops->restart);
        listener->stops->stops = NULL;
        listener->stops = NULL;
    }
    if (listener->starts) {
        aiol_io_stop(io);
        if (aiol_io_start(&listener->starts->io, AIOL_READABLE | AIOL_EDGE) < 0)
            note(listener->notes, '?');
    }
}

static void init_listener(struct listener *listener, struct aiol_loop *loop, int fd,
                          struct notes *notes, char name)
{
    *listener = (struct listener){.notes = notes, .name = name};
    aiol_io_init(&listener->io, loop, fd, hear, listener);
    aiol_deferred_init(&listener->restart, loop, start_again, listener);
}

static void close_fds(int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

static void
test_p2_an_edge_dropped_by_a_stop_is_reported_after_a_start_in_the_same_turn(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct notes notes = {.length = 0};
    struct listener listeners[2];
    int fds[2][2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        make_socket_pair(fds[i]);
        init_listener(&listeners[i], loop, fds[i][0], &notes, (char)('a' + i));
        listeners[i].stops = &listeners[1 - i]; /* whoever is first stops the other */
        assert_int_equal(aiol_io_start(&listeners[i].io, AIOL_READABLE | AIOL_EDGE), 0);
        assert_int_equal(write(fds[i][1], "x", 1), 1);
    }
    aiol_loop_run_once(loop, 0);
    assert_int_equal(notes.length, 1);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(notes.length, 2);
    assert_true(notes.text[0] != notes.text[1]);
    for (int i = 0; i < 2; i++) {
        aiol_io_close(&listeners[i].io);
        close_fds(fds[i]);
    }
    free_loop(loop);
}

static void want_to_read_instead(struct aiol_hook *hook, void *data)
{
    struct listener *listener = data;

    aiol_hook_stop(hook);
    if (aiol_io_start(&listener->io, AIOL_READABLE | AIOL_EDGE) < 0)
        note(listener->notes, '?');
}

/* The room to write is in the batch when the watcher ceases to want it. */
static void test_p2_an_edge_is_not_lost_when_interest_is_narrowed_and_widened_again(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct notes notes = {.length = 0};
    struct listener listener;
    struct aiol_hook hook;
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    init_listener(&listener, loop, fds[0], &notes, 'a');
    assert_int_equal(aiol_io_start(&listener.io, AIOL_WRITABLE | AIOL_EDGE), 0);
    aiol_hook_init(&hook, loop, AIOL_HOOK_AFTER_WAIT, want_to_read_instead, &listener);
    assert_int_equal(aiol_hook_start(&hook), 0);
    aiol_loop_run_once(loop, AIOL_SECOND);
    assert_int_equal(aiol_hook_is_active(&hook), 0);
    assert_int_equal(notes.length, 0);
    assert_int_equal(aiol_io_start(&listener.io, AIOL_WRITABLE | AIOL_EDGE), 0);
    aiol_loop_run_once(loop, 0);
    assert_string_equal(notes.text, "a");
    assert_int_equal(listener.ready, AIOL_WRITABLE);
    aiol_io_close(&listener.io);
    close_fds(fds);
    free_loop(loop);
}

static void test_p2_an_edge_is_handed_over_to_a_watcher_that_was_used_before(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct notes notes = {.length = 0};
    struct listener first, heir;
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    init_listener(&first, loop, fds[0], &notes, 'a');
    init_listener(&heir, loop, fds[0], &notes, 'b');
    first.starts = &heir;
    assert_int_equal(aiol_io_start(&heir.io, AIOL_READABLE | AIOL_EDGE), 0);
    aiol_io_stop(&heir.io);
    assert_int_equal(aiol_io_start(&first.io, AIOL_READABLE | AIOL_EDGE), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    aiol_loop_run_once(loop, 0);
    assert_string_equal(notes.text, "a");
    aiol_loop_run_once(loop, 0);
    assert_string_equal(notes.text, "ab");
    aiol_io_close(&heir.io);
    aiol_io_close(&first.io);
    close_fds(fds);
    free_loop(loop);
}

/* A regular file is always ready; the socket that got its number is not. */
static void test_being_always_ready_ends_with_the_descriptor_that_was(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct notes notes = {.length = 0};
    struct listener closed, kept;
    int file_fd = memfd_create("aiol-test", MFD_CLOEXEC), fds[2];

    (void)state;
    assert_true(file_fd >= 0);
    init_listener(&closed, loop, file_fd, &notes, 'a');
    init_listener(&kept, loop, file_fd, &notes, 'b');
    assert_int_equal(aiol_io_start(&closed.io, AIOL_READABLE), 0);
    assert_int_equal(aiol_io_start(&kept.io, AIOL_READABLE), 0);
    aiol_io_stop(&kept.io);
    aiol_io_close(&closed.io);
    close(file_fd);
    make_socket_pair(fds);
    assert_int_equal(fds[0], file_fd);
    assert_int_equal(aiol_io_start(&kept.io, AIOL_READABLE), 0);
    for (int i = 0; i < 3; i++)
        aiol_loop_run_once(loop, 0);
    assert_string_equal(notes.text, "");
    assert_true(aiol_loop_next_timeout_ns(loop) == AIOL_NEVER);
    assert_int_equal(write(fds[1], "x", 1), 1);
    aiol_loop_run_once(loop, 0);
    assert_string_equal(notes.text, "b");
    aiol_io_close(&kept.io);
    close_fds(fds);
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p2_an_edge_dropped_by_a_stop_is_reported_after_a_start_in_the_same_turn),
        TEST(test_p2_an_edge_is_not_lost_when_interest_is_narrowed_and_widened_again),
        TEST(test_p2_an_edge_is_handed_over_to_a_watcher_that_was_used_before),
        TEST(test_being_always_ready_ends_with_the_descriptor_that_was),
    };

    return cmocka_run_group_tests_name("reactor/io_edges", tests, NULL, NULL);
}
