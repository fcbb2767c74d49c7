/* The bug museum, 14 and 17: a loop in a child of fork(). The child ends with a status that says
 * what went wrong in it; 0 is nothing. */
#include "support.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

struct shared {
    struct aiol_loop *loop;
    struct aiol_io io;
    struct aiol_poster *poster;
    int fds[2];
    int count;
};

static void count_call(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)io;
    (void)ready;
    ((struct shared *)data)->count++;
}

static void begin(struct shared *shared)
{
    begin_fake_time(AIOL_HOUR);
    *shared = (struct shared){.loop = new_loop()};
    make_socket_pair(shared->fds);
    aiol_io_init(&shared->io, shared->loop, shared->fds[0], count_call, shared);
    assert_int_equal(aiol_io_start(&shared->io, AIOL_READABLE), 0);
    assert_int_equal(aiol_poster_new(shared->loop, &shared->poster), 0);
    aiol_loop_run_once(shared->loop, 0);
}

/* 0, or why not. */
static int end(struct shared *shared)
{
    aiol_io_close(&shared->io);
    aiol_poster_release(shared->poster);
    aiol_loop_run_once(shared->loop, 0);
    close(shared->fds[0]);
    close(shared->fds[1]);
    return aiol_loop_free(shared->loop);
}

static int status_of_child(int (*child)(struct shared *), struct shared *shared)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        end_child(child(shared));
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static int wait_for_a_second(struct shared *shared)
{
    uint64_t end_ns;
    int turns = 0;

    if (aiol_loop_reinit_after_fork(shared->loop) < 0)
        return 1;
    end_ns = aiol_loop_now_ns(shared->loop) + AIOL_SECOND;
    for (; aiol_loop_now_ns(shared->loop) < end_ns; turns++) {
        if (turns == 10)
            return 2;
        aiol_loop_run_once(shared->loop, end_ns - aiol_loop_now_ns(shared->loop));
    }
    return end(shared) < 0 ? 3 : 0;
}

/* libuv#3483: what had woken the loop just before the fork woke the child for ever. Of a wake-up;
 * that one was a signal's. */
static void test_museum_14_a_wake_up_before_the_fork_makes_the_child_spin(void **state)
{
    struct shared shared;

    (void)state;
    begin(&shared);
    assert_int_equal(aiol_loop_prepare(shared.loop), 0); /* as if asleep */
    assert_int_equal(aiol_poster_wake(shared.poster), 0);
    assert_int_equal(status_of_child(wait_for_a_second, &shared), 0);
    assert_int_equal(end(&shared), 0);
}

/* While it is asleep, for all that others know. */
static bool is_woken_by_a_poster(struct shared *shared)
{
    struct pollfd backend = {.events = POLLIN};
    bool was_quiet;

    if (aiol_loop_prepare(shared->loop) < 0)
        return false;
    backend.fd = aiol_loop_backend_fd(shared->loop);
    was_quiet = poll(&backend, 1, 0) == 0;
    return was_quiet && aiol_poster_wake(shared->poster) == 0 && poll(&backend, 1, 0) == 1;
}

static int close_everything(struct shared *shared)
{
    if (aiol_loop_reinit_after_fork(shared->loop) < 0)
        return 1;
    if (!is_woken_by_a_poster(shared))
        return 2;
    return end(shared) < 0 ? 3 : 0;
}

/* systemd#72: the child's and the parent's poller are one and the same object of the kernel. */
static void test_museum_17_a_child_edits_the_interest_of_its_parent(void **state)
{
    struct shared shared;
    char byte;

    (void)state;
    begin(&shared);
    assert_int_equal(status_of_child(close_everything, &shared), 0);
    assert_int_equal(write(shared.fds[1], "x", 1), 1);
    aiol_loop_run_once(shared.loop, 0);
    assert_int_equal(shared.count, 1);
    assert_int_equal(read(shared.fds[0], &byte, 1), 1);
    aiol_loop_run_once(shared.loop, 0);
    assert_true(is_woken_by_a_poster(&shared));
    assert_int_equal(end(&shared), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_museum_14_a_wake_up_before_the_fork_makes_the_child_spin),
        TEST(test_museum_17_a_child_edits_the_interest_of_its_parent),
    };

    return cmocka_run_group_tests_name("museum/fork", tests, NULL, NULL);
}
