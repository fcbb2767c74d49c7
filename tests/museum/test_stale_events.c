/* The bug museum, 1 to 5: events that outlive the descriptor or the watcher that they were meant
 * for. */
#include "support.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct probe {
    struct aiol_io io;
    int count;
};

static void count_call(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)io;
    (void)ready;
    ((struct probe *)data)->count++;
}

static void start_probe(struct probe *probe, struct aiol_loop *loop, int fd)
{
    *probe = (struct probe){.count = 0};
    aiol_io_init(&probe->io, loop, fd, count_call, probe);
    assert_int_equal(aiol_io_start(&probe->io, AIOL_READABLE), 0);
}

static void write_byte(int fd)
{
    assert_int_equal(write(fd, "x", 1), 1);
}

/* How many turns pass before a second of fake time does. A loop that has nothing to do needs one; a
 * loop that is kept busy by what nobody can hear never gets there. */
static int turns_in_a_second(struct aiol_loop *loop)
{
    uint64_t end_ns = aiol_loop_now_ns(loop) + AIOL_SECOND;
    int turns = 0;

    while (aiol_loop_now_ns(loop) < end_ns && turns < 100) {
        aiol_loop_run_once(loop, end_ns - aiol_loop_now_ns(loop));
        turns++;
    }
    return turns;
}

/* Two sides that are ready in one batch. Whoever is called first replaces the other's descriptor by
 * a new one with the same number, which has nothing to read. */
struct side {
    struct aiol_io io;
    struct side *other;
    int fds[2];
    int old_fd;
    int count;
};

static void reopen_other(struct aiol_io *io, uint32_t ready, void *data)
{
    struct side *side = data, *other = side->other;

    (void)io;
    (void)ready;
    side->count++;
    if (side->old_fd >= 0 || other->old_fd >= 0)
        return;
    other->old_fd = other->fds[0];
    aiol_io_close(&other->io);
    close(other->fds[0]);
    close(other->fds[1]);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, other->fds) < 0)
        return;
    aiol_io_init(&other->io, aiol_loop_current(), other->fds[0], reopen_other, other);
    aiol_io_start(&other->io, AIOL_READABLE);
}

/* joyent/libuv#826 */
static void test_museum_01_a_reopened_number_fires_the_wrong_watcher(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct side sides[2], *reopened;

    (void)state;
    for (int i = 0; i < 2; i++) {
        sides[i] = (struct side){.other = &sides[1 - i], .old_fd = -1};
        make_socket_pair(sides[i].fds);
        write_byte(sides[i].fds[1]);
        aiol_io_init(&sides[i].io, loop, sides[i].fds[0], reopen_other, &sides[i]);
        assert_int_equal(aiol_io_start(&sides[i].io, AIOL_READABLE), 0);
    }
    for (int i = 0; i < 3; i++)
        aiol_loop_run_once(loop, 0);
    reopened = sides[0].old_fd >= 0 ? &sides[0] : &sides[1];
    assert_int_equal(reopened->fds[0], reopened->old_fd);
    assert_int_equal(reopened->count, 0);
    assert_int_equal(reopened->other->count, 3);
    write_byte(reopened->fds[1]);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(reopened->count, 1);
    for (int i = 0; i < 2; i++) {
        aiol_io_close(&sides[i].io);
        close(sides[i].fds[0]);
        close(sides[i].fds[1]);
    }
    free_loop(loop);
}

/* joyent/libuv#1099: it takes a whole processor, since no call can silence it. */
static void test_museum_02_a_socket_shared_with_a_child_is_closed(void **state)
{
    struct aiol_loop *loop;
    struct probe probe;
    int fds[2], status, turns, later_turns;
    pid_t child;

    (void)state;
    begin_fake_time(AIOL_HOUR);
    loop = new_loop();
    make_socket_pair(fds);
    start_probe(&probe, loop, fds[0]);
    child = fork();
    if (child == 0) {
        for (;;)
            pause();
    }
    assert_true(child > 0);
    close(fds[0]);
    aiol_io_close(&probe.io);
    write_byte(fds[1]);
    turns = turns_in_a_second(loop);
    later_turns = turns_in_a_second(loop);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_in_range(turns, 1, 20);
    assert_int_equal(later_turns, 1);
    assert_int_equal(probe.count, 0);
    close(fds[1]);
    free_loop(loop);
}

/* libuv#1468: the registration is the duplicate's, whose number can no longer name it. */
static void test_museum_03_a_watched_duplicate_is_closed(void **state)
{
    struct aiol_loop *loop;
    struct probe probe;
    int fds[2], watched_fd;

    (void)state;
    begin_fake_time(AIOL_HOUR);
    loop = new_loop();
    make_socket_pair(fds);
    watched_fd = dup(fds[0]);
    start_probe(&probe, loop, watched_fd);
    aiol_io_close(&probe.io);
    close(watched_fd);
    write_byte(fds[1]);
    assert_int_equal(turns_in_a_second(loop), 1);

    /* Only stopped, so that the registration was still there. */
    watched_fd = dup(fds[0]);
    start_probe(&probe, loop, watched_fd);
    aiol_io_stop(&probe.io);
    close(watched_fd);
    assert_in_range(turns_in_a_second(loop), 1, 20);
    assert_int_equal(turns_in_a_second(loop), 1);
    assert_int_equal(probe.count, 0);
    close(fds[0]);
    close(fds[1]);
    free_loop(loop);
}

/* moonbitlang/async#571: not in one batch, but for as long as the predecessor is open elsewhere. */
static void test_museum_04_a_stale_event_comes_after_the_reuse(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct probe closed, fresh;
    int old[2], new[2], duplicate_fd;

    (void)state;
    make_socket_pair(old);
    duplicate_fd = dup(old[0]);
    start_probe(&closed, loop, old[0]);
    aiol_loop_run_once(loop, 0);
    aiol_io_stop(&closed.io);
    close(old[0]);
    make_socket_pair(new);
    assert_int_equal(new[0], old[0]);
    start_probe(&fresh, loop, new[0]);
    write_byte(old[1]);
    for (int i = 0; i < 30; i++)
        aiol_loop_run_once(loop, 0);
    assert_int_equal(fresh.count, 0);
    write_byte(new[1]);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(fresh.count, 1);
    assert_int_equal(closed.count, 0);
    aiol_io_close(&fresh.io);
    close(duplicate_fd);
    close(old[1]);
    close(new[0]);
    close(new[1]);
    free_loop(loop);
}

/* CVE-2024-27308 (mio): where events carry addresses, this is a use after free. */
static void test_museum_05_an_event_comes_after_the_deregistration(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct probe probes[2];
    int fds[2][2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        make_socket_pair(fds[i]);
        start_probe(&probes[i], loop, fds[i][0]);
        aiol_loop_run_once(loop, 0);
        write_byte(fds[i][1]);
        close(fds[i][1]); /* whose hang-up is reported also to those who want nothing */
    }
    aiol_io_close(&probes[0].io);
    aiol_io_stop(&probes[1].io);
    memset(probes, 0xa5, sizeof probes);
    for (int i = 0; i < 3; i++)
        aiol_loop_run_once(loop, 0);
    for (size_t i = 0; i < sizeof probes; i++)
        assert_int_equal(((unsigned char *)probes)[i], 0xa5);
    close(fds[0][0]);
    close(fds[1][0]);
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_museum_01_a_reopened_number_fires_the_wrong_watcher),
        TEST(test_museum_02_a_socket_shared_with_a_child_is_closed),
        TEST(test_museum_03_a_watched_duplicate_is_closed),
        TEST(test_museum_04_a_stale_event_comes_after_the_reuse),
        TEST(test_museum_05_an_event_comes_after_the_deregistration),
    };

    return cmocka_run_group_tests_name("museum/stale_events", tests, NULL, NULL);
}
