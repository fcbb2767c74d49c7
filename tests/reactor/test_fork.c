/* A loop in a child of fork(): everything goes on there, and the parent notices nothing. The child
 * ends with a status that says what went wrong in it; 0 is nothing. */
#include "platform/sys.h"
#include "support.h"
#include "task/context.h"

#include <errno.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

static void count_io(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)io;
    (void)ready;
    ++*(int *)data;
}

static void count_timer(struct aiol_timer *timer, void *data)
{
    (void)timer;
    ++*(int *)data;
}

static void count_post(int status, void *data)
{
    *(int *)data += status == 0;
}

struct world {
    struct aiol_loop *loop;
    struct aiol_io io;
    struct aiol_io second_io;
    struct aiol_timer timer;
    struct aiol_poster *poster;
    struct aiol_post post;
    int fds[2];
    int fds_before; /* that a child had when there was no loop yet */
    int io_count;
    int timer_count;
    int post_count;
};

/* What the child ends with. */
static int status_of_child(int (*child)(struct world *), struct world *world)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        end_child(child(world));
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

static int count_fds_of_child(struct world *world)
{
    (void)world;
    return count_open_fds();
}

static void begin_world(struct world *world)
{
    *world = (struct world){.fds_before = status_of_child(count_fds_of_child, NULL)};
    world->loop = new_loop();
    make_socket_pair(world->fds);
    aiol_io_init(&world->io, world->loop, world->fds[0], count_io, &world->io_count);
    assert_int_equal(aiol_io_start(&world->io, AIOL_READABLE), 0);
    aiol_timer_init(&world->timer, world->loop, count_timer, &world->timer_count);
    aiol_timer_start(&world->timer, AIOL_HOUR);
    assert_int_equal(aiol_poster_new(world->loop, &world->poster), 0);
    aiol_post_init(&world->post, count_post, &world->post_count);
    aiol_loop_run_once(world->loop, 0);
}

/* 0, or -EBUSY. */
static int end_world(struct world *world)
{
    aiol_io_close(&world->io);
    aiol_timer_stop(&world->timer);
    aiol_poster_release(world->poster);
    aiol_loop_run_once(world->loop, 0);
    close(world->fds[0]);
    close(world->fds[1]);
    return aiol_loop_free(world->loop);
}

static int use_everything(struct world *world)
{
    char byte;

    if (aiol_loop_reinit_after_fork(world->loop) < 0)
        return 1;
    if (send(world->fds[1], "c", 1, 0) != 1 || aiol_loop_run_once(world->loop, AIOL_NEVER) != 1 ||
        world->io_count != 1 || recv(world->fds[0], &byte, 1, 0) != 1)
        return 2;
    /* Posted before the fork, and delivered here too; then one of the child's own. */
    if (world->post_count != 1)
        return 3;
    if (aiol_poster_post_node(world->poster, &world->post) < 0)
        return 4;
    aiol_loop_run_once(world->loop, AIOL_NEVER);
    if (world->post_count != 2)
        return 5;
    aiol_timer_start(&world->timer, 1);
    aiol_loop_run_once(world->loop, AIOL_NEVER);
    if (world->timer_count != 1)
        return 6;
    if (end_world(world) < 0)
        return 7;
    return count_open_fds() == world->fds_before ? 0 : 8;
}

static void test_everything_goes_on_in_a_child_and_the_parent_is_unharmed(void **state)
{
    struct world world;

    (void)state;
    begin_world(&world);
    assert_int_equal(aiol_poster_post_node(world.poster, &world.post), 0);
    assert_int_equal(status_of_child(use_everything, &world), 0);

    assert_int_equal(aiol_loop_run_once(world.loop, 0), 1);
    assert_int_equal(world.post_count, 1);
    assert_int_equal(world.io_count, 0);
    assert_int_equal(world.timer_count, 0);
    /* The registration is still there, and the wakeup descriptor still its own. */
    assert_int_equal(send(world.fds[1], "p", 1, 0), 1);
    assert_int_equal(aiol_loop_run_once(world.loop, AIOL_NEVER), 1);
    assert_int_equal(world.io_count, 1);
    assert_int_equal(end_world(&world), 0);
}

static int leave_without_using(struct world *world)
{
    return aiol_loop_backend_fd(world->loop) < 0;
}

static void test_a_child_that_does_not_use_the_loop_needs_nothing(void **state)
{
    struct world world;

    (void)state;
    begin_world(&world);
    assert_int_equal(status_of_child(leave_without_using, &world), 0);
    assert_int_equal(end_world(&world), 0);
}

static int refuse(void)
{
    errno = EMFILE;
    return -1;
}

static int refuse_eventfd(unsigned value, int flags)
{
    (void)value, (void)flags;
    return refuse();
}

static int refuse_epoll(int flags)
{
    (void)flags;
    return refuse();
}

static int refuse_pipe(int fds[2])
{
    (void)fds;
    return refuse();
}

static int survive_refusals(struct world *world)
{
    struct aiol__sys real = aiol__sys;

    aiol__sys.eventfd = refuse_eventfd;
    aiol__sys.pipe = refuse_pipe;
    if (aiol_loop_reinit_after_fork(world->loop) != -EMFILE)
        return 101;
    aiol__sys = real;
    aiol__sys.epoll_create1 = refuse_epoll;
    aiol__sys.kqueue = refuse;
    if (aiol_loop_reinit_after_fork(world->loop) != -EMFILE)
        return 102;
    aiol__sys = real;
    return use_everything(world);
}

static void test_p3_what_the_system_refuses_can_be_tried_again(void **state)
{
    struct world world;

    (void)state;
    begin_world(&world);
    assert_int_equal(aiol_poster_post_node(world.poster, &world.post), 0);
    assert_int_equal(status_of_child(survive_refusals, &world), 0);
    assert_int_equal(end_world(&world), 0);
}

struct forking_world {
    struct world world;
    pid_t pid;
    int reinit_rc;
};

static void fork_in_callback(struct aiol_io *io, uint32_t ready, void *data)
{
    struct forking_world *forking = data;
    char byte;

    (void)ready;
    recv(aiol_io_fd(io), &byte, 1, 0);
    aiol_io_stop(io);
    forking->pid = fork();
    if (forking->pid == 0)
        forking->reinit_rc = aiol_loop_reinit_after_fork(forking->world.loop);
}

static int go_on_after_callback(struct forking_world *forking)
{
    struct world *world = &forking->world;

    if (forking->reinit_rc < 0)
        return 10;
    aiol_io_init(&world->io, world->loop, world->fds[0], count_io, &world->io_count);
    if (aiol_io_start(&world->io, AIOL_READABLE) < 0)
        return 11;
    world->post_count = 1;
    return use_everything(world);
}

static void test_a_callback_may_fork(void **state)
{
    struct forking_world forking;
    struct world *world = &forking.world;
    int status = -1;

    (void)state;
    begin_world(world);
    aiol_io_close(&world->io);
    aiol_io_init(&world->io, world->loop, world->fds[0], fork_in_callback, &forking);
    assert_int_equal(aiol_io_start(&world->io, AIOL_READABLE), 0);
    assert_int_equal(send(world->fds[1], "p", 1, 0), 1);
    aiol_loop_run_once(world->loop, AIOL_NEVER);
    if (forking.pid == 0)
        end_child(go_on_after_callback(&forking));
    assert_int_equal(waitpid(forking.pid, &status, 0), forking.pid);
    assert_int_equal(status, 0);
    assert_int_equal(end_world(world), 0);
}

struct sleepers {
    struct aiol_loop *loop;
    int woken;
};

static int sleep_an_hour(void *arg)
{
    struct sleepers *sleepers = arg;
    int rc = aiol_await_sleep(AIOL_HOUR);

    sleepers->woken += rc == 0;
    return rc;
}

static int run_sleepers(struct sleepers *sleepers)
{
    if (aiol_loop_reinit_after_fork(sleepers->loop) < 0)
        return 1;
    if (aiol_loop_run(sleepers->loop) < 0 || sleepers->woken != 3)
        return 2;
    return aiol_loop_free(sleepers->loop) < 0 ? 3 : 0;
}

static void test_tasks_and_a_simulated_loop_go_on_too(void **state)
{
    struct sleepers sleepers = {.loop = new_sim_loop(1)};
    int status;
    pid_t pid;

    (void)state;
#ifdef AIOL__TSAN
    /* In a child it ignores how the contexts of a process synchronize, and sees races. */
    free_loop(sleepers.loop);
    skip();
#endif
    for (int i = 0; i < 3; i++)
        assert_int_equal(aiol_task_spawn(sleepers.loop, sleep_an_hour, &sleepers, NULL), 0);
    aiol_loop_run_once(sleepers.loop, 0);
    pid = fork();
    if (pid == 0)
        end_child(run_sleepers(&sleepers));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(sleepers.woken, 0);
    assert_int_equal(aiol_loop_run(sleepers.loop), 0);
    assert_int_equal(sleepers.woken, 3);
    free_loop(sleepers.loop);
}

/* The loop's new descriptors get the numbers of these two. */
static int reinit_after_closing_what_is_watched(struct world *world)
{
    struct pollfd backend = {.events = POLLIN};

    close(world->fds[0]);
    close(world->fds[1]);
    if (aiol_loop_reinit_after_fork(world->loop) < 0)
        return 1;
    if (aiol_loop_run_once(world->loop, 0) != 1 || aiol_loop_run_once(world->loop, 0) != 1)
        return 2;
    aiol_io_close(&world->io);
    aiol_io_close(&world->second_io);
    backend.fd = aiol_loop_backend_fd(world->loop);
    if (aiol_loop_prepare(world->loop) < 0 || poll(&backend, 1, 0) != 0)
        return 3;
    if (aiol_poster_post_node(world->poster, &world->post) < 0 || poll(&backend, 1, 0) != 1)
        return 4;
    aiol_loop_run_once(world->loop, 0);
    return world->post_count == 1 ? 0 : 5;
}

static void test_numbers_of_closed_descriptors_may_become_the_librarys(void **state)
{
    struct world world;

    (void)state;
    begin_world(&world);
    aiol_io_init(&world.second_io, world.loop, world.fds[1], count_io, &world.io_count);
    assert_int_equal(aiol_io_start(&world.second_io, AIOL_READABLE), 0);
    assert_int_equal(aiol_loop_run_once(world.loop, 0), 1);
    assert_int_equal(status_of_child(reinit_after_closing_what_is_watched, &world), 0);
    aiol_io_close(&world.second_io);
    assert_int_equal(end_world(&world), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_everything_goes_on_in_a_child_and_the_parent_is_unharmed),
        TEST(test_a_child_that_does_not_use_the_loop_needs_nothing),
        TEST(test_p3_what_the_system_refuses_can_be_tried_again),
        TEST(test_a_callback_may_fork),
        TEST(test_tasks_and_a_simulated_loop_go_on_too),
        TEST(test_numbers_of_closed_descriptors_may_become_the_librarys),
    };

    return cmocka_run_group_tests_name("reactor/fork", tests, NULL, NULL);
}
