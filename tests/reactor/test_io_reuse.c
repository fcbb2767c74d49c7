/* Numbers of descriptors that are closed and handed out again, and descriptors that live on under
 * another number or in another process. The bug museum, 1 to 5. */
#include "platform/sys.h"
#include "poller.h"
#include "reactor/loop.h"
#include "support.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
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

static void start_probe(struct probe *probe, struct aiol_loop *loop, int fd, uint32_t events)
{
    *probe = (struct probe){.count = 0};
    aiol_io_init(&probe->io, loop, fd, count_call, probe);
    assert_int_equal(aiol_io_start(&probe->io, events), 0);
}

static void write_byte(int fd)
{
    assert_int_equal(write(fd, "x", 1), 1);
}

/* Two sides that are ready in one batch. Whoever is called first closes the other's descriptor, and
 * puts a new one with the same number in its place, which has nothing to read. */
struct side {
    struct aiol_io io;
    struct side *other;
    struct aiol_loop *loop;
    int fds[2];
    int count;
    bool closes_watcher;
    bool is_replaced;
    int rc;
};

static void count_or_replace_other(struct aiol_io *io, uint32_t ready, void *data);

static void replace_descriptor(struct side *side)
{
    int closed_fd = side->fds[0];

    side->is_replaced = true;
    if (side->closes_watcher)
        aiol_io_close(&side->io);
    else
        aiol_io_stop(&side->io);
    close(side->fds[0]);
    close(side->fds[1]);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, side->fds) < 0 ||
        side->fds[0] != closed_fd)
        side->rc = -1;
    aiol_io_init(&side->io, side->loop, side->fds[0], count_or_replace_other, side);
    if (aiol_io_start(&side->io, AIOL_READABLE) < 0)
        side->rc = -1;
}

static void count_or_replace_other(struct aiol_io *io, uint32_t ready, void *data)
{
    struct side *side = data;

    (void)io;
    (void)ready;
    side->count++;
    if (!side->is_replaced && !side->other->is_replaced)
        replace_descriptor(side->other);
}

static void check_reuse_in_a_batch(bool closes_watcher)
{
    struct aiol_loop *loop = new_loop();
    struct side sides[2];
    struct side *replaced;

    for (int i = 0; i < 2; i++) {
        sides[i] =
            (struct side){.loop = loop, .other = &sides[1 - i], .closes_watcher = closes_watcher};
        make_socket_pair(sides[i].fds);
        write_byte(sides[i].fds[1]);
        aiol_io_init(&sides[i].io, loop, sides[i].fds[0], count_or_replace_other, &sides[i]);
        assert_int_equal(aiol_io_start(&sides[i].io, AIOL_READABLE), 0);
    }
    aiol_loop_run_once(loop, 0);
    replaced = sides[0].is_replaced ? &sides[0] : &sides[1];
    assert_true(replaced->is_replaced);
    assert_int_equal(replaced->rc, 0);
    assert_int_equal(replaced->count, 0);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(replaced->count, 0);
    assert_int_equal(replaced->other->count, 2);
    write_byte(replaced->fds[1]);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(replaced->count, 1);

    for (int i = 0; i < 2; i++) {
        aiol_io_close(&sides[i].io);
        close(sides[i].fds[0]);
        close(sides[i].fds[1]);
    }
    free_loop(loop);
}

static void test_p1_a_number_reused_in_a_batch_does_not_get_its_predecessors_event(void **state)
{
    (void)state;
    check_reuse_in_a_batch(true);
}

static void test_a_number_reused_in_a_batch_without_closing_its_watcher_is_recognized(void **state)
{
    (void)state;
    check_reuse_in_a_batch(false);
}

/* Turn until the poller has been made anew; how many turns that took. */
static int turn_until_rebuilt(struct aiol_loop *loop, int max_turns)
{
    int backend_fd = aiol_loop_backend_fd(loop);
    int turns = 0;

    /* The old and the new one are open together, so that their numbers differ. */
    while (aiol_loop_backend_fd(loop) == backend_fd && turns < max_turns) {
        aiol_loop_run_once(loop, 0);
        turns++;
    }
    return turns;
}

static void test_a_duplicate_that_outlives_close_is_found_and_the_poller_rebuilt(void **state)
{
    struct aiol_loop *loop;
    struct probe closed, other;
    int fds[2], other_fds[2], duplicate_fd;

    (void)state;
    only_with_epoll();
    loop = new_loop();
    make_socket_pair(fds);
    make_socket_pair(other_fds);
    duplicate_fd = dup(fds[0]);
    start_probe(&closed, loop, fds[0], AIOL_READABLE);
    start_probe(&other, loop, other_fds[0], AIOL_READABLE);
    aiol_loop_run_once(loop, 0);
    close(fds[0]);
    aiol_io_close(&closed.io);
    write_byte(fds[1]);

    assert_in_range(turn_until_rebuilt(loop, 100), 2, 20);
    assert_int_equal(closed.count, 0);
    assert_int_equal(aiol_loop_run_once(loop, AIOL_MILLISECOND), 1);
    assert_int_equal(turn_until_rebuilt(loop, 30), 30);
    write_byte(other_fds[1]);
    aiol_loop_run_once(loop, AIOL_NEVER);
    assert_int_equal(other.count, 1);
    assert_int_equal(closed.count, 0);

    aiol_io_close(&other.io);
    close(duplicate_fd);
    close(fds[1]);
    close(other_fds[0]);
    close(other_fds[1]);
    free_loop(loop);
}

static int refuse_epoll(int flags)
{
    (void)flags;
    errno = EMFILE;
    return -1;
}

static void do_nothing(int status, void *data)
{
    (void)status;
    (void)data;
}

/* Wake-ups beside what is stale, where a turn has room for one of the two. */
static void test_wake_ups_do_not_hide_what_is_stale(void **state)
{
    struct aiol_loop_options options = {
        .size = sizeof options, .allocator = &counting_allocator, .max_events_per_turn = 1};
    struct aiol_poster *poster;
    struct aiol_loop *loop;
    struct probe closed;
    int fds[2], duplicate_fd, turns = 0, backend_fd;

    (void)state;
    only_with_epoll();
    assert_int_equal(aiol_loop_new(&options, &loop), 0);
    assert_int_equal(aiol_poster_new(loop, &poster), 0);
    make_socket_pair(fds);
    duplicate_fd = dup(fds[0]);
    start_probe(&closed, loop, fds[0], AIOL_READABLE);
    aiol_loop_run_once(loop, 0);
    close(fds[0]);
    aiol_io_close(&closed.io);
    write_byte(fds[1]);
    backend_fd = aiol_loop_backend_fd(loop);
    for (; aiol_loop_backend_fd(loop) == backend_fd && turns < 100; turns++) {
        aiol_loop_prepare(loop);
        assert_int_equal(aiol_poster_post(poster, do_nothing, NULL), 0);
        aiol_loop_run_once(loop, 0);
    }
    assert_in_range(turns, 2, 40);
    aiol_poster_release(poster);
    aiol_loop_run_once(loop, 0);
    close(duplicate_fd);
    close(fds[1]);
    free_loop(loop);
}

static void test_a_poller_that_cannot_be_rebuilt_yet_is_rebuilt_later(void **state)
{
    struct aiol_loop *loop;
    struct aiol__sys real_sys = aiol__sys;
    struct probe closed, other;
    int fds[2], duplicate_fd;

    (void)state;
    only_with_epoll();
    loop = new_loop();
    make_socket_pair(fds);
    duplicate_fd = dup(fds[0]);
    start_probe(&closed, loop, fds[0], AIOL_READABLE);
    close(fds[0]);
    aiol_io_close(&closed.io);
    start_probe(&other, loop, fds[1], AIOL_READABLE);
    write_byte(fds[1]);
    aiol__sys.epoll_create1 = refuse_epoll;
    assert_int_equal(turn_until_rebuilt(loop, 40), 40);
    aiol__sys.epoll_create1 = real_sys.epoll_create1;
    assert_in_range(turn_until_rebuilt(loop, 100), 1, 20);
    write_byte(duplicate_fd);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(other.count, 1);
    assert_int_equal(closed.count, 0);
    aiol_io_close(&other.io);
    close(duplicate_fd);
    close(fds[1]);
    free_loop(loop);
}

static void test_a_number_reused_while_a_duplicate_lives_gets_its_own_events_only(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct probe closed, fresh;
    int old[2], new[2], duplicate_fd;

    (void)state;
    make_socket_pair(old);
    duplicate_fd = dup(old[0]);
    start_probe(&closed, loop, old[0], AIOL_READABLE | AIOL_WRITABLE);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(closed.count, 1);
    aiol_io_stop(&closed.io);
    close(old[0]);
    make_socket_pair(new);
    assert_int_equal(new[0], old[0]);
    start_probe(&fresh, loop, new[0], AIOL_READABLE);
    write_byte(old[1]);
    for (int i = 0; i < 30; i++)
        aiol_loop_run_once(loop, 0);
    assert_int_equal(fresh.count, 0);
    write_byte(new[1]);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(fresh.count, 1);
    assert_int_equal(closed.count, 1);
    aiol_io_close(&closed.io);
    aiol_io_close(&fresh.io);
    close(duplicate_fd);
    close(old[1]);
    close(new[0]);
    close(new[1]);
    free_loop(loop);
}

static void test_a_rebuilt_poller_may_get_the_number_of_a_closed_descriptor(void **state)
{
    struct aiol_loop *loop;
    struct probe lost, stale, other;
    int lost_fds[2], fds[2], duplicate_fd;

    (void)state;
    only_with_epoll();
    loop = new_loop();
    make_socket_pair(lost_fds);
    make_socket_pair(fds);
    duplicate_fd = dup(fds[0]);
    start_probe(&lost, loop, lost_fds[0], AIOL_READABLE);
    start_probe(&stale, loop, fds[0], AIOL_READABLE);
    aiol_loop_run_once(loop, 0);
    close(fds[0]);
    aiol_io_close(&stale.io);
    write_byte(fds[1]);
    close(lost_fds[0]); /* now the lowest number that is free */
    start_probe(&other, loop, fds[1], AIOL_READABLE);
    assert_in_range(turn_until_rebuilt(loop, 100), 2, 20);
    assert_int_equal(aiol_loop_backend_fd(loop), lost_fds[0]);
    /* What is watched under this number finds out by reading. */
    assert_int_equal(aiol_loop_run_once(loop, 0), 1);
    assert_int_equal(aiol_loop_run_once(loop, 0), 1);
    assert_true(lost.count > 0);
    aiol_io_close(&lost.io);
    write_byte(duplicate_fd);
    assert_int_equal(aiol_loop_run_once(loop, 0), 1);
    assert_int_equal(other.count, 1);
    aiol_io_close(&other.io);
    close(duplicate_fd);
    close(fds[1]);
    close(lost_fds[1]);
    free_loop(loop);
}

static void test_the_librarys_own_descriptors_cannot_be_watched(void **state)
{
    struct aiol_loop *loop = new_loop();
    const int own[] = {aiol_loop_backend_fd(loop), loop->poller->wakeup_fd};
    struct pollfd backend = {.fd = own[0], .events = POLLIN};
    struct aiol_poster *poster;
    struct probe probe;

    (void)state;
    for (int i = 0; i < 2; i++) {
        aiol_io_init(&probe.io, loop, own[i], count_call, &probe);
        assert_int_equal(aiol_io_start(&probe.io, AIOL_READABLE), -EBADF);
        aiol_io_close(&probe.io);
        assert_int_equal(aiol_io_is_active(&probe.io), 0);
    }
    assert_int_equal(aiol_poster_new(loop, &poster), 0);
    aiol_loop_prepare(loop);
    assert_int_equal(aiol_poster_wake(poster), 0);
    assert_int_equal(poll(&backend, 1, 0), 1);
    aiol_poster_release(poster);
    aiol_loop_run_once(loop, 0);
    free_loop(loop);
}

/* Closing the watcher first takes the registration out, so that nothing stale is ever sent. */
static void test_a_watcher_closed_before_its_descriptor_leaves_nothing_stale(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct probe closed;
    int fds[2], duplicate_fd;

    (void)state;
    make_socket_pair(fds);
    duplicate_fd = dup(fds[0]);
    start_probe(&closed, loop, fds[0], AIOL_READABLE);
    aiol_loop_run_once(loop, 0);
    aiol_io_close(&closed.io);
    close(fds[0]);
    write_byte(fds[1]);
    assert_int_equal(turn_until_rebuilt(loop, 30), 30);
    assert_int_equal(closed.count, 0);
    close(duplicate_fd);
    close(fds[1]);
    free_loop(loop);
}

/* The bug museum, 2: a socket shared with a child, closed here, 100 % of a processor. */
static void test_a_descriptor_that_a_child_keeps_open_does_not_keep_the_loop_busy(void **state)
{
    struct aiol_loop *loop;
    struct probe closed;
    int fds[2], status, turns_until_rebuilt, turns_after_that;
    pid_t child;

    (void)state;
    only_with_epoll();
    loop = new_loop();
    make_socket_pair(fds);
    start_probe(&closed, loop, fds[0], AIOL_READABLE);
    aiol_loop_run_once(loop, 0);
    child = fork();
    if (child == 0) {
        for (;;)
            pause();
    }
    assert_true(child > 0);
    close(fds[0]);
    aiol_io_close(&closed.io);
    write_byte(fds[1]);
    turns_until_rebuilt = turn_until_rebuilt(loop, 100);
    turns_after_that = turn_until_rebuilt(loop, 30);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_in_range(turns_until_rebuilt, 2, 20);
    assert_int_equal(turns_after_that, 30);
    assert_int_equal(closed.count, 0);
    close(fds[1]);
    free_loop(loop);
}

/* A start and a change both find it out. */
static void test_a_number_that_is_a_file_now_is_always_ready(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct probe stopped, started, file;
    int fds[2], file_fd;

    (void)state;
    make_socket_pair(fds);
    start_probe(&stopped, loop, fds[0], AIOL_READABLE);
    start_probe(&started, loop, fds[1], AIOL_READABLE);
    aiol_io_stop(&stopped.io);
    file_fd = memfd_create("aiol-test", MFD_CLOEXEC);
    assert_int_equal(dup2(file_fd, fds[0]), fds[0]);
    assert_int_equal(dup2(file_fd, fds[1]), fds[1]);
    start_probe(&file, loop, fds[0], AIOL_READABLE);
    assert_int_equal(aiol_io_start(&started.io, AIOL_READABLE | AIOL_WRITABLE), 0);
    for (int turn = 1; turn <= 3; turn++) {
        assert_int_equal(aiol_loop_run_once(loop, 0), 1);
        assert_int_equal(file.count, turn);
    }
    assert_true(started.count > 0);
    aiol_io_close(&file.io);
    aiol_io_close(&started.io);
    close(file_fd);
    close(fds[0]);
    close(fds[1]);
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_number_that_is_a_file_now_is_always_ready),
        TEST(test_p1_a_number_reused_in_a_batch_does_not_get_its_predecessors_event),
        TEST(test_a_number_reused_in_a_batch_without_closing_its_watcher_is_recognized),
        TEST(test_a_duplicate_that_outlives_close_is_found_and_the_poller_rebuilt),
        TEST(test_wake_ups_do_not_hide_what_is_stale),
        TEST(test_a_poller_that_cannot_be_rebuilt_yet_is_rebuilt_later),
        TEST(test_a_number_reused_while_a_duplicate_lives_gets_its_own_events_only),
        TEST(test_a_rebuilt_poller_may_get_the_number_of_a_closed_descriptor),
        TEST(test_the_librarys_own_descriptors_cannot_be_watched),
        TEST(test_a_watcher_closed_before_its_descriptor_leaves_nothing_stale),
        TEST(test_a_descriptor_that_a_child_keeps_open_does_not_keep_the_loop_busy),
    };

    return cmocka_run_group_tests_name("reactor/io_reuse", tests, NULL, NULL);
}
