/* The poller by kqueue, against a kevent() of the test's own: what it says to the kernel and when,
 * and what it makes of the answers. */
#include "platform/poller.h"
#include "platform/sys.h"
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/event.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_RECORDED 256

/* What the poller has said since the last forget(), and what it is to be answered. */
static struct {
    int call_count;
    int wait_count;
    int change_count;
    struct kevent changes[MAX_RECORDED];
    bool had_timeout;
    struct timespec timeout;

    int answer_count;
    struct kevent answers[MAX_RECORDED];
    int wait_errno;
    int change_errno;
} kernel;

static int pretend_kevent(int poller_fd, const struct kevent *changes, int change_count,
                          struct kevent *events, int event_count, const struct timespec *timeout)
{
    int count = kernel.answer_count < event_count ? kernel.answer_count : event_count;

    (void)poller_fd;
    kernel.call_count++;
    for (int i = 0; i < change_count && kernel.change_count < MAX_RECORDED; i++)
        kernel.changes[kernel.change_count++] = changes[i];
    errno = event_count > 0 ? kernel.wait_errno : kernel.change_errno;
    if (errno)
        return -1;
    if (event_count == 0)
        return 0;
    kernel.wait_count++;
    kernel.had_timeout = timeout != NULL;
    if (timeout)
        kernel.timeout = *timeout;
    memcpy(events, kernel.answers, (size_t)count * sizeof events[0]);
    kernel.answer_count = 0;
    return count;
}

static void forget(void)
{
    memset(&kernel, 0, sizeof kernel);
}

static struct aiol__poller *open_poller(int max_events)
{
    struct aiol__poller *poller = NULL;
    int fds[2];

    make_socket_pair(fds);
    assert_int_equal(aiol__poller_open_system(&counting_allocator, max_events, fds[0], &poller), 0);
    close(fds[1]);
    aiol__sys.kevent = pretend_kevent;
    forget();
    return poller;
}

static void close_poller(struct aiol__poller *poller)
{
    close(poller->wakeup_fd);
    poller->ops->close(poller);
}

static void count_io(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)io;
    (void)ready;
    ++*(int *)data;
}

static void answer(int fd, uint32_t generation, short filter, unsigned flags, unsigned fflags,
                   intptr_t data)
{
    EV_SET(&kernel.answers[kernel.answer_count++], fd, filter, flags, fflags, data,
           (void *)(uintptr_t)generation);
}

static int wait_now(struct aiol__poller *poller)
{
    return poller->ops->wait(poller, 0);
}

static void check_event(const struct aiol__event *event, int fd, uint32_t generation,
                        uint32_t ready)
{
    assert_int_equal(event->fd, fd);
    assert_int_equal(event->generation, generation);
    assert_int_equal(event->ready, ready);
}

static void check_change(int index, int fd, short filter, unsigned flags)
{
    assert_true(index < kernel.change_count);
    assert_int_equal(kernel.changes[index].ident, fd);
    assert_int_equal(kernel.changes[index].filter, filter);
    assert_int_equal(kernel.changes[index].flags, flags);
}

static void test_both_directions_of_a_descriptor_are_one_event(void **state)
{
    struct aiol__poller *poller = open_poller(128);

    (void)state;
    /* Numbers that are far apart in steps of a table's size. */
    for (int i = 0; i < 20; i++)
        answer(i * 256, 1, EVFILT_READ, 0, 0, 5);
    for (int i = 19; i >= 0; i--)
        answer(i * 256, 1, EVFILT_WRITE, 0, 0, 5);
    answer(256, 2, EVFILT_READ, 0, 0, 5); /* another registration of the same number */
    assert_int_equal(wait_now(poller), 21);
    for (int i = 0; i < 20; i++)
        check_event(&poller->events[i], i * 256, 1, AIOL_READABLE | AIOL_WRITABLE);
    check_event(&poller->events[20], 256, 2, AIOL_READABLE);

    answer(256, 1, EVFILT_READ, 0, 0, 5);
    assert_int_equal(wait_now(poller), 1);
    check_event(&poller->events[0], 256, 1, AIOL_READABLE);
    close_poller(poller);
}

static void test_museum_26_an_end_with_data_left_is_readable(void **state)
{
    struct aiol__poller *poller = open_poller(8);

    (void)state;
    answer(7, 1, EVFILT_READ, EV_EOF, 0, 100);
    answer(8, 1, EVFILT_READ, EV_EOF, ECONNRESET, 0);
    answer(9, 1, EVFILT_WRITE, EV_EOF, 0, 0);
    answer(10, 1, EVFILT_WRITE, EV_EOF, ECONNREFUSED, 0);
    assert_int_equal(wait_now(poller), 4);
    check_event(&poller->events[0], 7, 1, AIOL_READABLE | AIOL_HANGUP);
    check_event(&poller->events[1], 8, 1, AIOL_READABLE | AIOL_WRITABLE | AIOL_HANGUP | AIOL_ERROR);
    check_event(&poller->events[2], 9, 1, AIOL_WRITABLE); /* perhaps by our own shutdown */
    check_event(&poller->events[3], 10, 1, AIOL_READABLE | AIOL_WRITABLE | AIOL_ERROR);
    close_poller(poller);
}

static void test_a_change_waits_for_the_wait_unless_it_is_wanted_at_once(void **state)
{
    struct aiol__poller *poller = open_poller(8);
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    assert_int_equal(poller->ops->add(poller, fds[0], 1, AIOL_READABLE), 0);
    assert_int_equal(kernel.call_count, 1);
    check_change(0, fds[0], EVFILT_READ, EV_ADD);
    forget();
    assert_int_equal(poller->ops->modify(poller, fds[0], 1, AIOL_READABLE, AIOL_WRITABLE, false),
                     0);
    assert_int_equal(kernel.call_count, 0);
    assert_int_equal(wait_now(poller), 0);
    assert_int_equal(kernel.call_count, 1);
    check_change(0, fds[0], EVFILT_READ, EV_DELETE);
    check_change(1, fds[0], EVFILT_WRITE, EV_ADD);
    forget();
    assert_int_equal(wait_now(poller), 0);
    assert_int_equal(kernel.change_count, 0);

    forget();
    assert_int_equal(
        poller->ops->modify(poller, fds[0], 1, AIOL_WRITABLE, AIOL_READABLE | AIOL_WRITABLE, true),
        0);
    assert_int_equal(kernel.wait_count, 0);
    check_change(0, fds[0], EVFILT_READ, EV_ADD);
    check_change(1, fds[0], EVFILT_WRITE, EV_ADD);
    close(fds[0]);
    close(fds[1]);
    close_poller(poller);
}

static void test_a_change_between_level_and_edge_adds_anew(void **state)
{
    struct aiol__poller *poller = open_poller(8);

    (void)state;
    poller->ops->modify(poller, 7, 1, AIOL_READABLE, AIOL_READABLE | AIOL_EDGE, false);
    wait_now(poller);
    check_change(0, 7, EVFILT_READ, EV_DELETE);
    check_change(1, 7, EVFILT_READ, EV_ADD | EV_CLEAR);
    assert_int_equal(kernel.change_count, 2);
    close_poller(poller);
}

static void
test_changes_are_applied_when_the_wait_is_interrupted_and_kept_when_it_fails(void **state)
{
    struct aiol__poller *poller = open_poller(8);

    (void)state;
    poller->ops->modify(poller, 7, 1, 0, AIOL_READABLE, false);
    kernel.wait_errno = ENOMEM;
    assert_int_equal(wait_now(poller), -ENOMEM);
    kernel.wait_errno = EINTR;
    assert_int_equal(wait_now(poller), 0);
    assert_int_equal(kernel.change_count, 2); /* the same one, again */
    forget();
    assert_int_equal(wait_now(poller), 0);
    assert_int_equal(kernel.change_count, 0);
    close_poller(poller);
}

static void test_a_change_that_fails_in_the_wait_is_an_error_of_its_descriptor(void **state)
{
    struct aiol__poller *poller = open_poller(8);

    (void)state;
    answer(7, 3, EVFILT_READ, EV_ERROR, 0, EINVAL);
    answer(8, 4, EVFILT_WRITE, EV_ERROR, 0, ENOENT); /* a deletion of what is gone */
    answer(9, 5, EVFILT_READ, 0, 0, 1);
    assert_int_equal(wait_now(poller), 2);
    check_event(&poller->events[0], 7, 3, AIOL_READABLE | AIOL_WRITABLE | AIOL_ERROR);
    check_event(&poller->events[1], 9, 5, AIOL_READABLE);
    close_poller(poller);
}

static void test_a_change_that_can_never_succeed_is_told_as_such(void **state)
{
    const int errors[] = {EBADF, EPIPE};
    struct aiol__poller *poller = open_poller(8);

    (void)state;
    for (int i = 0; i < 2; i++) {
        answer(7, 3, EVFILT_WRITE, EV_ERROR, 0, errors[i]);
        assert_int_equal(wait_now(poller), 1);
        check_event(&poller->events[0], 7, 3,
                    AIOL_READABLE | AIOL_WRITABLE | AIOL_ERROR | AIOL__READY_FOR_EVER);
    }
    close_poller(poller);
}

static void test_what_is_held_back_of_a_descriptor_comes_before_what_is_said_at_once(void **state)
{
    struct aiol__poller *poller = open_poller(8);

    (void)state;
    poller->ops->modify(poller, 1007, 1, AIOL_READABLE, AIOL_WRITABLE, false);
    poller->ops->modify(poller, 1008, 1, 0, AIOL_READABLE, false);
    poller->ops->remove(poller, 1007, AIOL_WRITABLE);
    assert_int_equal(kernel.change_count, 3);
    check_change(0, 1007, EVFILT_READ, EV_DELETE);
    check_change(1, 1007, EVFILT_WRITE, EV_ADD);
    check_change(2, 1007, EVFILT_WRITE, EV_DELETE);
    forget();
    wait_now(poller);
    assert_int_equal(kernel.change_count, 1);
    check_change(0, 1008, EVFILT_READ, EV_ADD);
    close_poller(poller);
}

/* As macOS and FreeBSD say it in the wait, once, and when it is to be registered again. */
static void test_a_pipe_without_a_reader_stays_ready_without_memory(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct aiol_io io;
    int fds[2], count = 0;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    aiol_io_init(&io, loop, fds[1], count_io, &count);
    assert_int_equal(aiol_io_start(&io, AIOL_WRITABLE), 0);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(count, 1);
    close(fds[0]);
    fail_allocation(1);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(count, 2);
    for (int i = 0; i < 3; i++)
        assert_int_equal(aiol_loop_run_once(loop, 0), 1);
    assert_in_range(count, 4, 5);
    aiol_io_close(&io);
    close(fds[1]);
    free_loop(loop);
}

static void test_a_change_that_fails_half_way_leaves_nothing_new(void **state)
{
    struct aiol__poller *poller = open_poller(8);

    (void)state;
    kernel.change_errno = ENOMEM;
    assert_int_equal(poller->ops->modify(poller, poller->wakeup_fd + 1000, 1, AIOL_READABLE,
                                         AIOL_READABLE | AIOL_WRITABLE, true),
                     -EBADF); /* not open */
    forget();
    kernel.change_errno = ENOMEM;
    assert_int_equal(
        poller->ops->modify(poller, 0, 1, AIOL_READABLE, AIOL_READABLE | AIOL_WRITABLE, true),
        -ENOMEM);
    assert_int_equal(kernel.change_count, 2);
    check_change(0, 0, EVFILT_READ, EV_ADD);
    check_change(1, 0, EVFILT_WRITE, EV_DELETE);
    close_poller(poller);
}

static void test_more_changes_than_there_is_room_to_answer_are_not_held_back(void **state)
{
    const int sizes[] = {1, 2, 3, 1024};
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct aiol__poller *poller = open_poller(sizes[i]);

        for (int n = 0; n < 100; n++)
            assert_int_equal(poller->ops->modify(poller, fds[0], 1, 0, AIOL_READABLE, false), 0);
        assert_int_equal(wait_now(poller), 0);
        assert_true(kernel.change_count >= 100);
        forget();
        wait_now(poller);
        assert_int_equal(kernel.change_count, 0);
        close_poller(poller);
    }
    close(fds[0]);
    close(fds[1]);
}

static void test_a_file_cannot_be_polled_nor_confirmed(void **state)
{
    struct aiol__poller *poller = open_poller(8);
    int fd = memfd_create("aiol-test", MFD_CLOEXEC);

    (void)state;
    assert_int_equal(poller->ops->add(poller, fd, 1, AIOL_READABLE), -EPERM);
    assert_int_equal(poller->ops->modify(poller, fd, 1, 0, AIOL_READABLE, true), -ENOENT);
    close(fd);
    assert_int_equal(poller->ops->add(poller, fd, 1, AIOL_READABLE), -EBADF);
    assert_int_equal(poller->ops->modify(poller, fd, 1, 0, AIOL_READABLE, true), -EBADF);
    assert_int_equal(kernel.call_count, 0);
    close_poller(poller);
}

static void test_p3_an_addition_that_fails_leaves_nothing(void **state)
{
    struct aiol__poller *poller = open_poller(8);
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    kernel.change_errno = ENOMEM;
    assert_int_equal(poller->ops->add(poller, fds[0], 1, AIOL_READABLE | AIOL_WRITABLE), -ENOMEM);
    assert_int_equal(kernel.changes[kernel.change_count - 1].flags, EV_DELETE);
    kernel.change_errno = EINTR; /* has been applied all the same */
    assert_int_equal(poller->ops->add(poller, fds[0], 1, AIOL_READABLE | AIOL_WRITABLE), 0);
    close(fds[0]);
    close(fds[1]);
    close_poller(poller);
}

static void test_p4_waits_are_exact_and_bounded(void **state)
{
    struct aiol__poller *poller = open_poller(8);

    (void)state;
    poller->ops->wait(poller, AIOL_NEVER);
    assert_false(kernel.had_timeout);
    poller->ops->wait(poller, 3 * AIOL_SECOND + 7);
    assert_true(kernel.had_timeout);
    assert_int_equal(kernel.timeout.tv_sec, 3);
    assert_int_equal(kernel.timeout.tv_nsec, 7);
    poller->ops->wait(poller, AIOL_NEVER - 1);
    assert_true(kernel.had_timeout);
    assert_in_range(kernel.timeout.tv_sec, 3600, 1000000);
    close_poller(poller);
}

static void test_p5_without_memory_there_is_no_poller_and_nothing_is_left(void **state)
{
    struct aiol__poller *poller = NULL;
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    for (long number = 1; number <= 3; number++) {
        fail_allocation(number);
        assert_int_equal(aiol__poller_open_system(&counting_allocator, 8, fds[0], &poller),
                         -ENOMEM);
        assert_null(poller);
        assert_int_equal(allocations_alive(), 0);
    }
    fail_allocation(0);
    aiol__sys.kevent = pretend_kevent;
    forget();
    kernel.change_errno = ENOMEM;
    assert_int_equal(aiol__poller_open_system(&counting_allocator, 8, fds[0], &poller), -ENOMEM);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_both_directions_of_a_descriptor_are_one_event),
        TEST(test_museum_26_an_end_with_data_left_is_readable),
        TEST(test_a_change_waits_for_the_wait_unless_it_is_wanted_at_once),
        TEST(test_a_change_between_level_and_edge_adds_anew),
        TEST(test_changes_are_applied_when_the_wait_is_interrupted_and_kept_when_it_fails),
        TEST(test_a_change_that_fails_in_the_wait_is_an_error_of_its_descriptor),
        TEST(test_a_change_that_can_never_succeed_is_told_as_such),
        TEST(test_what_is_held_back_of_a_descriptor_comes_before_what_is_said_at_once),
        TEST(test_a_pipe_without_a_reader_stays_ready_without_memory),
        TEST(test_a_change_that_fails_half_way_leaves_nothing_new),
        TEST(test_more_changes_than_there_is_room_to_answer_are_not_held_back),
        TEST(test_a_file_cannot_be_polled_nor_confirmed),
        TEST(test_p3_an_addition_that_fails_leaves_nothing),
        TEST(test_p4_waits_are_exact_and_bounded),
        TEST(test_p5_without_memory_there_is_no_poller_and_nothing_is_left),
    };

    return cmocka_run_group_tests_name("platform/kqueue", tests, NULL, NULL);
}
