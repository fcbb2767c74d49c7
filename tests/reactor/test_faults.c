/* What the reactor does when memory or the system fails it: an error from the call that needed it,
 * nothing changed, and a loop that can be used on. */
#include "platform/sys.h"
#include "poller.h"
#include "support.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

static void test_p5_a_loop_that_gets_no_memory_is_an_error_and_leaves_nothing(void **state)
{
    int refused_count = 0;

    (void)state;
    for (uint32_t clock = AIOL_CLOCK_MONOTONIC; clock <= AIOL_CLOCK_VIRTUAL; clock++) {
        struct aiol_loop_options options = {
            .size = sizeof options, .allocator = &counting_allocator, .clock = clock};
        struct aiol_loop *loop = NULL;
        int fds_before = count_open_fds(), rc = -ENOMEM;

        for (long number = 1; rc != 0 && number < 20; number++) {
            fail_allocation(number);
            rc = aiol_loop_new(&options, &loop);
            if (rc == 0)
                break;
            assert_int_equal(rc, -ENOMEM);
            assert_null(loop);
            assert_int_equal(allocations_alive(), 0);
            assert_int_equal(count_open_fds(), fds_before);
            refused_count++;
        }
        assert_int_equal(rc, 0);
        fail_allocation(0);
        free_loop(loop);
    }
    assert_true(refused_count >= 6);
}

static void ignore_timer(struct aiol_timer *timer, void *data)
{
    (void)timer;
    (void)data;
}

static void count_post(int status, void *data)
{
    *(int *)data += status == 0;
}

static void test_p5_twins_and_posters_that_get_no_memory_are_errors(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct aiol_future future;
    struct aiol_timer *timer = NULL;
    struct aiol_io *io = NULL;
    struct aiol_hook *hook = NULL;
    struct aiol_deferred *deferred = NULL;
    struct aiol_future *new_future = NULL;
    struct aiol_future_observer *observer = NULL;
    struct aiol_poster *poster = NULL;
    int post_count = 0;

    (void)state;
    aiol_future_init(&future, loop, NULL, NULL);
    fail_allocation(1);
    assert_int_equal(aiol_timer_new(loop, ignore_timer, NULL, &timer), -ENOMEM);
    fail_allocation(1);
    assert_int_equal(aiol_io_new(loop, 0, NULL, NULL, &io), -ENOMEM);
    fail_allocation(1);
    assert_int_equal(aiol_hook_new(loop, 0, NULL, NULL, &hook), -ENOMEM);
    fail_allocation(1);
    assert_int_equal(aiol_deferred_new(loop, NULL, NULL, &deferred), -ENOMEM);
    fail_allocation(1);
    assert_int_equal(aiol_future_new(loop, NULL, NULL, &new_future), -ENOMEM);
    fail_allocation(1);
    assert_int_equal(aiol_future_observer_new(&future, NULL, NULL, &observer), -ENOMEM);
    fail_allocation(1);
    assert_int_equal(aiol_poster_new(loop, &poster), -ENOMEM);
    assert_true(!timer && !io && !hook && !deferred && !new_future && !observer && !poster);
    assert_int_equal(aiol_loop_is_alive(loop), 0);

    assert_int_equal(aiol_poster_new(loop, &poster), 0);
    fail_allocation(1);
    assert_int_equal(aiol_poster_post(poster, count_post, &post_count), -ENOMEM);
    assert_int_equal(aiol_poster_post(poster, count_post, &post_count), 0);
    aiol_poster_release(poster);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_int_equal(post_count, 1);
    free_loop(loop);
}

static void count_io(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)io;
    (void)ready;
    ++*(int *)data;
}

static void check_start_without_memory(int fd)
{
    struct aiol_loop *loop = new_loop();
    struct aiol_io io;
    int count = 0, refused_count = 0, rc = -ENOMEM;

    aiol_io_init(&io, loop, fd, count_io, &count);
    for (long number = 1; rc != 0 && number < 10; number++) {
        fail_allocation(number);
        rc = aiol_io_start(&io, AIOL_WRITABLE);
        if (rc == 0)
            break;
        assert_int_equal(rc, -ENOMEM);
        assert_int_equal(aiol_io_is_active(&io), 0);
        assert_int_equal(aiol_loop_is_alive(loop), 0);
        aiol_loop_run_once(loop, 0);
        refused_count++;
    }
    fail_allocation(0);
    assert_int_equal(rc, 0);
    assert_true(refused_count > 0);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(count, 1);
    aiol_io_close(&io);
    free_loop(loop);
}

static void test_p5_a_watcher_that_gets_no_memory_is_an_error_and_can_be_started_later(void **state)
{
    int fds[2], file_fd = memfd_create("aiol-test", MFD_CLOEXEC);

    (void)state;
    make_socket_pair(fds);
    check_start_without_memory(fds[0]);
    check_start_without_memory(file_fd);
    close(fds[0]);
    close(fds[1]);
    close(file_fd);
}

static void test_p3_a_registration_that_the_system_refuses_changes_nothing(void **state)
{
    const int errors[] = {ENOSPC, ENOMEM};
    struct aiol_loop *loop = new_loop();
    struct aiol_io io;
    int fds[2], count = 0;

    (void)state;
    make_socket_pair(fds);
    watch_poller();
    aiol_io_init(&io, loop, fds[0], count_io, &count);
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        poller_watch.add_errno = errors[i];
        assert_int_equal(aiol_io_start(&io, AIOL_WRITABLE), -errors[i]);
        assert_int_equal(aiol_io_is_active(&io), 0);
        assert_int_equal(aiol_loop_is_alive(loop), 0);
    }
    poller_watch.add_errno = 0;
    assert_int_equal(aiol_io_start(&io, AIOL_WRITABLE), 0);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(count, 1);
    aiol_io_close(&io);
    close(fds[0]);
    close(fds[1]);
    free_loop(loop);
}

static void test_p3_a_change_that_the_system_refuses_ends_the_run_and_is_tried_again(void **state)
{
    struct aiol_loop *loop;
    struct aiol_io io;
    int fds[2], count = 0;

    (void)state;
    only_with_epoll();
    loop = new_loop();
    make_socket_pair(fds);
    watch_poller();
    poller_watch.modify_errno = ENOMEM;
    aiol_io_init(&io, loop, fds[0], count_io, &count);
    assert_int_equal(aiol_io_start(&io, AIOL_READABLE), 0);
    assert_int_equal(aiol_io_start(&io, AIOL_WRITABLE), 0);
    assert_int_equal(aiol_loop_run(loop), -ENOMEM);
    assert_int_equal(aiol_loop_prepare(loop), -ENOMEM);
    assert_int_equal(aiol_loop_run_once(loop, 0), -ENOMEM);
    assert_int_equal(count, 0);
    poller_watch.modify_errno = 0;
    assert_int_equal(aiol_loop_run_once(loop, AIOL_NEVER), 1);
    assert_int_equal(count, 1);
    aiol_io_close(&io);
    close(fds[0]);
    close(fds[1]);
    free_loop(loop);
}

static void test_an_interrupted_wait_is_no_error_and_fires_no_timer_early(void **state)
{
    struct aiol_loop *loop;
    struct aiol_timer timer;

    (void)state;
    begin_fake_time(AIOL_HOUR);
    loop = new_loop();
    watch_poller();
    aiol_timer_init(&timer, loop, ignore_timer, NULL);
    aiol_timer_start(&timer, 2 * AIOL_MILLISECOND);
    poller_watch.failing_wait_count = 1;
    poller_watch.wait_errno = EINTR;
    assert_int_equal(aiol_loop_run_once(loop, AIOL_NEVER), 1);
    assert_int_equal(aiol_timer_is_active(&timer), 1);
    poller_watch.failing_wait_count = 1;
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_true(aiol_loop_now_ns(loop) == AIOL_HOUR + 2 * AIOL_MILLISECOND);
    free_loop(loop);
}

static void test_p3_a_wait_that_fails_ends_the_run_with_its_error(void **state)
{
    struct aiol_loop *loop;
    struct aiol_timer timer;

    (void)state;
    begin_fake_time(AIOL_HOUR);
    loop = new_loop();
    watch_poller();
    aiol_timer_init(&timer, loop, ignore_timer, NULL);
    aiol_timer_start(&timer, AIOL_MILLISECOND);
    poller_watch.failing_wait_count = 1;
    poller_watch.wait_errno = EFAULT;
    assert_int_equal(aiol_loop_run(loop), -EFAULT);
    assert_int_equal(aiol_timer_is_active(&timer), 1);
    assert_int_equal(aiol_loop_run(loop), 0);
    free_loop(loop);
}

static void ignore_io(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)io;
    (void)ready;
    (void)data;
}

/* The poller is asked before the table grows: what it then knows must be taken back. */
static void test_p3_a_watcher_that_gets_no_memory_leaves_nothing_in_the_poller(void **state)
{
    struct aiol_loop *loop;
    struct epoll_event event = {.events = EPOLLIN};
    struct aiol_io io;
    int fds[2];

    (void)state;
    only_with_epoll();
    loop = new_loop();
    make_socket_pair(fds);
    aiol_io_init(&io, loop, fds[0], ignore_io, NULL);
    fail_allocation(1);
    assert_int_equal(aiol_io_start(&io, AIOL_READABLE), -ENOMEM);
    fail_allocation(0);
    /* Were it still registered, this would be EEXIST. */
    assert_int_equal(epoll_ctl(aiol_loop_backend_fd(loop), EPOLL_CTL_ADD, fds[0], &event), 0);
    close(fds[0]);
    close(fds[1]);
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p5_a_loop_that_gets_no_memory_is_an_error_and_leaves_nothing),
        TEST(test_p5_twins_and_posters_that_get_no_memory_are_errors),
        TEST(test_p5_a_watcher_that_gets_no_memory_is_an_error_and_can_be_started_later),
        TEST(test_p3_a_watcher_that_gets_no_memory_leaves_nothing_in_the_poller),
        TEST(test_p3_a_registration_that_the_system_refuses_changes_nothing),
        TEST(test_p3_a_change_that_the_system_refuses_ends_the_run_and_is_tried_again),
        TEST(test_an_interrupted_wait_is_no_error_and_fires_no_timer_early),
        TEST(test_p3_a_wait_that_fails_ends_the_run_with_its_error),
    };

    return cmocka_run_group_tests_name("reactor/faults", tests, NULL, NULL);
}
