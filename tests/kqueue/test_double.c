/* The kqueue double itself: does it do what kqueue(2) says of changes, kqueues and waiting? */
#include "calls.h"

#include <fcntl.h>
#include <sys/wait.h>

static void test_changes_that_cannot_be_are_refused(void **state)
{
    int fds[2], kq = open_with_pair(fds), closed = dup(fds[0]);

    (void)state;
    close(closed);
    assert_int_equal(change(kq, fds[0], EVFILT_READ, EV_DELETE, NULL), ENOENT);
    assert_int_equal(change(kq, fds[0], EVFILT_READ, EV_ENABLE, NULL), ENOENT);
    assert_int_equal(change(kq, fds[0], 0, EV_ADD, NULL), EINVAL);
    assert_int_equal(change(kq, fds[0], -7, EV_ADD, NULL), EINVAL);
    assert_int_equal(change(kq, fds[0], EVFILT_READ, EV_ADD | EV_ENABLE | EV_DISABLE, NULL),
                     EINVAL);
    assert_int_equal(change(kq, kq, EVFILT_READ, EV_ADD, NULL), EINVAL);
    assert_int_equal(change(kq, closed, EVFILT_READ, EV_ADD, NULL), EBADF);
    assert_int_equal(change(kq, -1, EVFILT_READ, EV_ADD, NULL), EBADF);
    double_be(DOUBLE_FREEBSD);
    assert_int_equal(change(kq, closed, EVFILT_READ, EV_DELETE, NULL), EBADF);
    double_be(DOUBLE_MACOS);
    assert_int_equal(change(kq, closed, EVFILT_READ, EV_DELETE, NULL), ENOENT);
    assert_int_equal(change(closed, fds[0], EVFILT_READ, EV_ADD, NULL), EBADF);
    assert_int_equal(change(fds[1], fds[0], EVFILT_READ, EV_ADD, NULL), EBADF);
    close_all(kq, fds);
}

static void test_errors_and_receipts_are_answers_and_come_alone(void **state)
{
    int fds[2], kq = open_with_pair(fds), mark;
    struct kevent list[3];

    (void)state;
    for (int system = DOUBLE_FREEBSD; system <= DOUBLE_MACOS; system++) {
        double_be((enum double_system)system);
        EV_SET(&list[0], (uintptr_t)fds[0], EVFILT_WRITE, EV_ADD, 0, 0, NULL);
        EV_SET(&list[1], (uintptr_t)fds[0], EVFILT_READ, EV_DELETE, 0, 0, &mark);
        EV_SET(&list[2], (uintptr_t)fds[1], EVFILT_WRITE, EV_ADD | EV_RECEIPT, 0, 0, NULL);
        /* One list for both, and no time limit: it does not wait. */
        assert_int_equal(kevent(kq, list, 3, list, 3, NULL), 2);
        assert_int_equal(list[0].ident, fds[0]);
        assert_int_equal(list[0].filter, EVFILT_READ);
        assert_int_equal(list[0].data, ENOENT);
        assert_ptr_equal(list[0].udata, &mark);
        assert_int_equal(list[1].ident, fds[1]);
        assert_int_equal(list[1].data, 0);
        if (system == DOUBLE_FREEBSD)
            assert_true(list[0].flags == EV_ERROR && list[1].flags == EV_ERROR);
        else
            assert_int_equal(list[1].flags, EV_ADD | EV_RECEIPT | EV_ERROR);
        assert_int_equal(take(kq, list, 3), 2);
        assert_int_equal(change(kq, fds[1], EVFILT_WRITE, EV_DELETE, NULL), 0);
    }
    close_all(kq, fds);
}

static void test_an_error_without_room_for_it_fails_the_call_and_leaves_out_the_rest(void **state)
{
    int fds[2], kq = open_with_pair(fds);
    struct kevent changes[3], event;

    (void)state;
    EV_SET(&changes[0], (uintptr_t)fds[0], EVFILT_WRITE, EV_ADD, 0, 0, NULL);
    EV_SET(&changes[1], (uintptr_t)fds[0], EVFILT_READ, EV_DELETE, 0, 0, NULL);
    EV_SET(&changes[2], (uintptr_t)fds[1], EVFILT_WRITE, EV_ADD, 0, 0, NULL);
    assert_int_equal(kevent(kq, changes, 3, NULL, 0, NULL), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(change(kq, fds[0], EVFILT_WRITE, EV_DELETE, NULL), 0);
    assert_int_equal(take_one(kq, &event), 0);
    close_all(kq, fds);
}

static void test_adding_again_runs_the_filter_and_changes_udata_but_no_flags(void **state)
{
    int fds[2], kq = open_with_pair(fds), mark;
    struct kevent event;

    (void)state;
    assert_int_equal(write(fds[1], "a", 1), 1);
    assert_int_equal(change(kq, fds[0], EVFILT_READ, EV_ADD | EV_CLEAR, NULL), 0);
    assert_int_equal(take_one(kq, &event), 1);
    assert_int_equal(take_one(kq, &event), 0);
    assert_int_equal(change(kq, fds[0], EVFILT_READ, EV_ADD, &mark), 0);
    assert_int_equal(take_one(kq, &event), 1);
    assert_ptr_equal(event.udata, &mark);
    assert_int_equal(take_one(kq, &event), 0);

    assert_int_equal(change(kq, fds[0], EVFILT_READ, EV_DISABLE, NULL), 0);
    assert_int_equal(change(kq, fds[0], EVFILT_READ, EV_ADD, NULL), 0);
    assert_int_equal(take_one(kq, &event), 0);
    assert_int_equal(change(kq, fds[0], EVFILT_READ, EV_ENABLE, NULL), 0);
    assert_int_equal(take_one(kq, &event), 1);
    close_all(kq, fds);
}

static void test_oneshot_and_dispatch_report_once(void **state)
{
    int fds[2], kq = open_with_pair(fds);
    struct kevent event;

    (void)state;
    assert_int_equal(change(kq, fds[0], EVFILT_WRITE, EV_ADD | EV_ONESHOT, NULL), 0);
    assert_int_equal(take_one(kq, &event), 1);
    assert_int_equal(take_one(kq, &event), 0);
    assert_int_equal(change(kq, fds[0], EVFILT_WRITE, EV_ENABLE, NULL), ENOENT);
    assert_int_equal(change(kq, fds[0], EVFILT_WRITE, EV_ADD | EV_DISPATCH, NULL), 0);
    assert_int_equal(take_one(kq, &event), 1);
    assert_int_equal(take_one(kq, &event), 0);
    assert_int_equal(change(kq, fds[0], EVFILT_WRITE, EV_ENABLE, NULL), 0);
    assert_int_equal(take_one(kq, &event), 1);
    assert_int_equal(change(kq, fds[0], EVFILT_WRITE, EV_DELETE, NULL), 0);
    assert_int_equal(change(kq, fds[0], EVFILT_WRITE, EV_ADD | EV_DISABLE, NULL), 0);
    assert_int_equal(take_one(kq, &event), 0);
    close_all(kq, fds);
}

static void test_a_short_list_serves_all_in_turn(void **state)
{
    int fds[2], kq = open_with_pair(fds), seen[3] = {0}, thirds[2];
    struct kevent event;

    (void)state;
    make_socket_pair(thirds);
    change(kq, fds[0], EVFILT_WRITE, EV_ADD, &seen[0]);
    change(kq, fds[1], EVFILT_WRITE, EV_ADD | EV_CLEAR, &seen[1]);
    change(kq, thirds[0], EVFILT_WRITE, EV_ADD, &seen[2]);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(take_one(kq, &event), 1);
        ++*(int *)event.udata;
    }
    assert_int_equal(seen[0], 2);
    assert_int_equal(seen[1], 1);
    assert_int_equal(seen[2], 2);
    close(thirds[0]);
    close(thirds[1]);
    close_all(kq, fds);
}

static void test_closing_removes_registrations_whatever_duplicates_there_are(void **state)
{
    int fds[2], kq = open_with_pair(fds), duplicate = dup(fds[0]), old_fd = fds[0];
    struct kevent event;

    (void)state;
    assert_int_equal(change(kq, fds[0], EVFILT_READ, EV_ADD, NULL), 0);
    assert_int_equal(change(kq, fds[0], EVFILT_WRITE, EV_ADD, NULL), 0);
    assert_int_equal(take_one(kq, &event), 1);
    close(fds[0]);
    assert_int_equal(write(fds[1], "a", 1), 1);
    assert_int_equal(take_one(kq, &event), 0);
    /* Its number is another's now, which nobody has registered. */
    assert_int_equal(dup2(fds[1], old_fd), old_fd);
    assert_int_equal(take_one(kq, &event), 0);
    assert_int_equal(change(kq, old_fd, EVFILT_WRITE, EV_DELETE, NULL), ENOENT);
    assert_int_equal(change(kq, old_fd, EVFILT_WRITE, EV_ADD, NULL), 0);
    assert_int_equal(take_one(kq, &event), 1);
    assert_int_equal(dup2(duplicate, old_fd), old_fd);
    assert_int_equal(take_one(kq, &event), 0);
    close(duplicate);
    close_all(kq, fds);
}

/* What happens to the open file that had the number must not look like the new one's edge. */
static void test_a_reused_number_has_its_own_edges_only(void **state)
{
    int fds[2], kq = open_with_pair(fds), duplicate = dup(fds[0]), new_fds[2];
    struct kevent event;

    (void)state;
    assert_int_equal(change(kq, fds[0], EVFILT_READ, EV_ADD | EV_CLEAR, NULL), 0);
    close(fds[0]);
    make_socket_pair(new_fds);
    assert_int_equal(new_fds[0], fds[0]);
    assert_int_equal(change(kq, new_fds[0], EVFILT_READ, EV_ADD | EV_CLEAR, NULL), 0);
    assert_int_equal(write(new_fds[1], "a", 1), 1);
    assert_int_equal(take_one(kq, &event), 1);
    assert_int_equal(write(fds[1], "b", 1), 1);
    assert_int_equal(take_one(kq, &event), 0);
    close(duplicate);
    close(fds[1]);
    close_all(kq, new_fds);
}

static void test_a_kqueue_can_be_polled_and_stays_readable_until_it_is_asked(void **state)
{
    int fds[2], kq = open_with_pair(fds);
    struct kevent event;
    char byte;

    (void)state;
    assert_int_equal(change(kq, fds[0], EVFILT_READ, EV_ADD, NULL), 0);
    assert_false(is_readable(kq));
    assert_int_equal(write(fds[1], "a", 1), 1);
    assert_true(is_readable(kq));
    assert_int_equal(take_one(kq, &event), 1);
    assert_true(is_readable(kq));
    assert_int_equal(read(fds[0], &byte, 1), 1);
    assert_int_equal(change(kq, fds[1], EVFILT_READ, EV_ADD, NULL), 0);
    assert_true(is_readable(kq));
    assert_int_equal(take_one(kq, &event), 0);
    assert_false(is_readable(kq));
    assert_int_equal(change(kq, fds[1], EVFILT_READ, EV_DELETE, NULL), 0);
    fill(fds[0]);
    assert_int_equal(change(kq, fds[0], EVFILT_WRITE, EV_ADD, NULL), 0);
    assert_false(is_readable(kq));
    drain(fds[1]);
    assert_true(is_readable(kq));
    close_all(kq, fds);
}

static void test_a_kqueue_watches_another_but_none_watches_itself(void **state)
{
    int fds[2], inner = open_with_pair(fds), outer = kqueue();
    struct kevent event;

    (void)state;
    assert_int_equal(change(inner, fds[0], EVFILT_READ, EV_ADD, NULL), 0);
    assert_int_equal(change(outer, inner, EVFILT_WRITE, EV_ADD, NULL), EINVAL);
    assert_int_equal(change(outer, inner, EVFILT_READ, EV_ADD, NULL), 0);
    assert_int_equal(change(inner, outer, EVFILT_READ, EV_ADD, NULL), EINVAL);
    assert_int_equal(take_one(outer, &event), 0);
    assert_int_equal(write(fds[1], "a", 1), 1);
    assert_int_equal(take_one(outer, &event), 1);
    assert_int_equal(event.ident, inner);
    close(inner);
    assert_int_equal(kqueue(), inner); /* another one with its number is not watched */
    assert_int_equal(change(inner, fds[0], EVFILT_READ, EV_ADD, NULL), 0);
    assert_true(is_readable(inner));
    assert_int_equal(take_one(outer, &event), 0);
    close(outer);
    close_all(inner, fds);
}

static void test_the_number_of_a_closed_kqueue_is_no_kqueue(void **state)
{
    int fds[2], kq = open_with_pair(fds), again;
    struct kevent event;

    (void)state;
    assert_int_equal(change(kq, fds[0], EVFILT_WRITE, EV_ADD, NULL), 0);
    close(kq);
    assert_int_equal(dup2(fds[0], kq), kq);
    assert_int_equal(take_one(kq, &event), -1);
    assert_int_equal(errno, EBADF);
    close(kq);
    again = kqueue();
    assert_int_equal(again, kq);
    assert_int_equal(change(kq, fds[0], EVFILT_WRITE, EV_ADD, NULL), 0);
    close(kq);
    again = kqueue();
    assert_int_equal(again, kq);
    assert_int_equal(take_one(kq, &event), 0);
    close_all(kq, fds);
}

static void test_a_child_has_no_kqueue_but_may_make_one(void **state)
{
    int fds[2], kq = open_with_pair(fds), status = -1;
    struct kevent event;
    pid_t child;

    (void)state;
    assert_int_equal(change(kq, fds[0], EVFILT_WRITE, EV_ADD, NULL), 0);
    child = fork();
    if (child == 0) {
        if (take_one(kq, &event) != -1 || errno != EBADF || fcntl(kq, F_GETFD) >= 0)
            _exit(1);
        if (kqueue() != kq || change(kq, fds[1], EVFILT_WRITE, EV_ADD, NULL) != 0)
            _exit(2);
        _exit(take_one(kq, &event) == 1 && event.ident == (uintptr_t)fds[1] ? 0 : 3);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(take_one(kq, &event), 1);
    assert_int_equal(event.ident, fds[0]);
    close_all(kq, fds);
}

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void test_a_wait_ends_in_time_or_with_an_event(void **state)
{
    const struct timespec bad[] = {{-1, 0}, {0, -1}, {0, 1000000000}};
    const struct timespec short_time = {.tv_nsec = 1500000}, for_ever = {.tv_sec = INT64_MAX};
    int fds[2], kq = open_with_pair(fds);
    struct kevent event;
    int64_t begin_ns;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(kevent(kq, NULL, 0, &event, 1, &bad[i]), -1);
        assert_int_equal(errno, EINVAL);
    }
    begin_ns = now_ns();
    assert_int_equal(kevent(kq, NULL, 0, &event, 1, &short_time), 0);
    assert_true(now_ns() - begin_ns >= 1500000);
    assert_int_equal(kevent(kq, NULL, 0, NULL, 0, NULL), 0); /* no list: no wait */
    EV_SET(&event, (uintptr_t)fds[0], EVFILT_WRITE, EV_ADD, 0, 0, NULL);
    assert_int_equal(kevent(kq, &event, 1, &event, 1, NULL), 1);
    assert_int_equal(kevent(kq, NULL, 0, &event, 1, &for_ever), 1);
    close_all(kq, fds);
}

static void test_exec_keeps_a_kqueue_on_one_system_only(void **state)
{
    (void)state;
    for (int system = DOUBLE_FREEBSD; system <= DOUBLE_MACOS; system++) {
        int kq;

        double_be((enum double_system)system);
        kq = kqueue();
        assert_int_equal(fcntl(kq, F_GETFD), system == DOUBLE_MACOS ? FD_CLOEXEC : 0);
        close(kq);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_changes_that_cannot_be_are_refused),
        TEST(test_errors_and_receipts_are_answers_and_come_alone),
        TEST(test_an_error_without_room_for_it_fails_the_call_and_leaves_out_the_rest),
        TEST(test_adding_again_runs_the_filter_and_changes_udata_but_no_flags),
        TEST(test_oneshot_and_dispatch_report_once),
        TEST(test_a_short_list_serves_all_in_turn),
        TEST(test_closing_removes_registrations_whatever_duplicates_there_are),
        TEST(test_a_reused_number_has_its_own_edges_only),
        TEST(test_a_kqueue_can_be_polled_and_stays_readable_until_it_is_asked),
        TEST(test_a_kqueue_watches_another_but_none_watches_itself),
        TEST(test_the_number_of_a_closed_kqueue_is_no_kqueue),
        TEST(test_a_child_has_no_kqueue_but_may_make_one),
        TEST(test_a_wait_ends_in_time_or_with_an_event),
        TEST(test_exec_keeps_a_kqueue_on_one_system_only),
    };

    return cmocka_run_group_tests_name("kqueue/double", tests, NULL, NULL);
}
