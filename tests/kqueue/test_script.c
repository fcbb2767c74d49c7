/* The script of the kqueue double, and threads. */
#include "calls.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

static void test_a_scripted_change_fails_and_is_not_made(void **state)
{
    int fds[2], kq = open_with_pair(fds);
    struct kevent event;

    (void)state;
    assert_int_equal(double_fail_change(kq, 2, ENOMEM), 0);
    assert_int_equal(change(kq, fds[0], EVFILT_READ, EV_ADD, NULL), 0);
    EV_SET(&event, (uintptr_t)fds[0], EVFILT_WRITE, EV_ADD, 0, 0, NULL);
    assert_int_equal(kevent(kq, &event, 1, &event, 1, NULL), 1);
    assert_true(event.flags & EV_ERROR);
    assert_int_equal(event.data, ENOMEM);
    assert_int_equal(take_one(kq, &event), 0);
    assert_int_equal(change(kq, fds[0], EVFILT_WRITE, EV_ADD, NULL), 0);
    assert_int_equal(double_fail_change(fds[0], 1, ENOMEM), -1);
    close_all(kq, fds);
}

static void test_injected_events_come_first_and_once_and_make_the_kqueue_readable(void **state)
{
    int fds[2], kq = open_with_pair(fds);
    struct kevent events[3];

    (void)state;
    assert_int_equal(change(kq, fds[0], EVFILT_WRITE, EV_ADD, NULL), 0);
    assert_int_equal(take_one(kq, &events[0]), 1);
    assert_int_equal(change(kq, fds[0], EVFILT_WRITE, EV_DELETE, NULL), 0);
    assert_int_equal(take_one(kq, &events[0]), 0);
    assert_false(is_readable(kq));
    EV_SET(&events[0], 77, EVFILT_READ, EV_EOF, EPIPE, 5, NULL);
    EV_SET(&events[1], 78, EVFILT_READ, 0, 0, 1, NULL);
    assert_int_equal(double_inject(kq, &events[0]), 0);
    assert_int_equal(double_inject(kq, &events[1]), 0);
    assert_true(is_readable(kq));
    assert_int_equal(change(kq, fds[0], EVFILT_WRITE, EV_ADD, NULL), 0);
    assert_int_equal(take_one(kq, &events[0]), 1);
    assert_int_equal(events[0].ident, 77);
    assert_int_equal(events[0].flags, EV_EOF);
    assert_int_equal(events[0].fflags, EPIPE);
    assert_int_equal(take(kq, events, 3), 2);
    assert_int_equal(events[0].ident, 78);
    assert_int_equal(events[1].ident, fds[0]);
    assert_int_equal(take(kq, events, 3), 1);
    close_all(kq, fds);
}

static void test_what_is_reaped_late_is_reported_once_more(void **state)
{
    int fds[2], kq = open_with_pair(fds), mark;
    struct kevent event;

    (void)state;
    assert_int_equal(double_reap_late(kq, true), 0);
    assert_int_equal(change(kq, fds[0], EVFILT_READ, EV_ADD, NULL), 0);
    assert_int_equal(change(kq, fds[0], EVFILT_READ, EV_DELETE, NULL), 0);
    assert_int_equal(take_one(kq, &event), 0); /* was not ready */
    assert_int_equal(change(kq, fds[0], EVFILT_WRITE, EV_ADD, &mark), 0);
    assert_int_equal(change(kq, fds[0], EVFILT_WRITE, EV_DELETE, NULL), 0);
    assert_int_equal(take_one(kq, &event), 1);
    assert_int_equal(event.ident, fds[0]);
    assert_ptr_equal(event.udata, &mark);
    assert_int_equal(take_one(kq, &event), 0);
    assert_int_equal(change(kq, fds[1], EVFILT_READ, EV_ADD, &mark), 0);
    close(fds[1]);
    assert_int_equal(take_one(kq, &event), 1);
    assert_int_equal(event.ident, fds[1]);
    assert_int_equal(take_one(kq, &event), 0);
    close(fds[0]);
    close(kq);
}

static void test_a_limit_holds_events_back_without_losing_them(void **state)
{
    int fds[2], kq = open_with_pair(fds);
    struct kevent events[4];

    (void)state;
    assert_int_equal(change(kq, fds[0], EVFILT_WRITE, EV_ADD | EV_CLEAR, NULL), 0);
    assert_int_equal(change(kq, fds[1], EVFILT_WRITE, EV_ADD | EV_CLEAR, NULL), 0);
    assert_int_equal(double_limit_events(kq, 1), 0);
    assert_int_equal(take(kq, events, 4), 1);
    assert_true(is_readable(kq));
    assert_int_equal(take(kq, &events[1], 4 - 1), 1);
    assert_true(events[0].ident != events[1].ident);
    assert_int_equal(take(kq, events, 4), 0);
    close_all(kq, fds);
}

static void test_an_interrupted_call_has_made_its_changes(void **state)
{
    int fds[2], kq = open_with_pair(fds);
    struct kevent event;

    (void)state;
    assert_int_equal(double_interrupt(kq, 1), 0);
    EV_SET(&event, (uintptr_t)fds[0], EVFILT_WRITE, EV_ADD, 0, 0, NULL);
    assert_int_equal(kevent(kq, &event, 1, &event, 1, NULL), -1);
    assert_int_equal(errno, EINTR);
    assert_int_equal(kevent(kq, NULL, 0, &event, 1, NULL), 1);
    assert_int_equal(event.ident, fds[0]);
    close_all(kq, fds);
}

struct waiter {
    int kq;
    int count;
    struct kevent event;
};

static void *wait_for_one(void *data)
{
    struct waiter *waiter = data;

    waiter->count = kevent(waiter->kq, NULL, 0, &waiter->event, 1, NULL);
    return NULL;
}

enum cause { DATA, ROOM, CHANGE, INJECTION, CAUSE_COUNT };

static void bring_about(enum cause cause, int kq, const int fds[2])
{
    struct kevent injected = {.ident = (uintptr_t)fds[0], .filter = EVFILT_READ};

    switch (cause) {
    case DATA:
        assert_int_equal(write(fds[1], "a", 1), 1);
        break;
    case ROOM:
        drain(fds[1]);
        break;
    case CHANGE:
        assert_int_equal(change(kq, fds[0], EVFILT_WRITE, EV_DELETE, NULL), 0);
        drain(fds[1]);
        assert_int_equal(change(kq, fds[0], EVFILT_WRITE, EV_ADD, NULL), 0);
        break;
    default:
        assert_int_equal(double_inject(kq, &injected), 0);
    }
}

static void test_a_thread_that_waits_is_woken_by_all_that_makes_an_event(void **state)
{
    (void)state;
    for (enum cause cause = DATA; cause < CAUSE_COUNT; cause++) {
        int fds[2];
        struct waiter waiter = {.kq = open_with_pair(fds)};
        pthread_t thread;

        fill(fds[0]);
        assert_int_equal(change(waiter.kq, fds[0], EVFILT_READ, EV_ADD, NULL), 0);
        assert_int_equal(change(waiter.kq, fds[0], EVFILT_WRITE, EV_ADD, NULL), 0);
        assert_int_equal(pthread_create(&thread, NULL, wait_for_one, &waiter), 0);
        bring_about(cause, waiter.kq, fds);
        pthread_join(thread, NULL);
        assert_int_equal(waiter.count, 1);
        assert_int_equal(waiter.event.ident, fds[0]);
        close_all(waiter.kq, fds);
    }
}

static void test_a_thread_that_waits_notices_that_a_file_grows(void **state)
{
    char path[] = "/tmp/aiol-test-XXXXXX";
    int fd = mkstemp(path), writer_fd = open(path, O_WRONLY | O_CLOEXEC);
    struct waiter waiter = {.kq = kqueue()};
    pthread_t thread;

    (void)state;
    assert_true(fd >= 0 && writer_fd >= 0);
    unlink(path);
    assert_int_equal(change(waiter.kq, fd, EVFILT_READ, EV_ADD, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_one, &waiter), 0);
    assert_int_equal(write(writer_fd, "abc", 3), 3);
    pthread_join(thread, NULL);
    assert_int_equal(waiter.count, 1);
    assert_int_equal(waiter.event.data, 3);
    close(fd);
    close(writer_fd);
    close(waiter.kq);
}

#define ROUND_COUNT 200

/* Its kqueue and its pair are its own; what it is sent it sends back. */
static void *echo(void *data)
{
    int fd = *(int *)data, kq = kqueue();
    struct kevent event;
    char byte;

    if (change(kq, fd, EVFILT_READ, EV_ADD | EV_CLEAR, NULL) == 0)
        for (int i = 0; i < ROUND_COUNT; i++)
            if (kevent(kq, NULL, 0, &event, 1, NULL) != 1 || read(fd, &byte, 1) != 1 ||
                write(fd, &byte, 1) != 1)
                break;
    close(kq);
    return NULL;
}

static void test_threads_with_kqueues_of_their_own_do_not_meet(void **state)
{
    pthread_t threads[3];
    int fds[3][2], kq = kqueue(), count = 0;
    struct kevent events[3];
    char byte;

    (void)state;
    for (int i = 0; i < 3; i++) {
        make_socket_pair(fds[i]);
        assert_int_equal(change(kq, fds[i][0], EVFILT_READ, EV_ADD, NULL), 0);
        assert_int_equal(write(fds[i][0], "a", 1), 1);
        assert_int_equal(pthread_create(&threads[i], NULL, echo, &fds[i][1]), 0);
    }
    while (count < 3 * ROUND_COUNT) {
        int ready = kevent(kq, NULL, 0, events, 3, NULL);

        assert_true(ready > 0);
        for (int i = 0; i < ready; i++) {
            assert_int_equal(read((int)events[i].ident, &byte, 1), 1);
            assert_int_equal(write((int)events[i].ident, &byte, 1), 1);
            count++;
        }
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        close(fds[i][0]);
        close(fds[i][1]);
    }
    close(kq);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_scripted_change_fails_and_is_not_made),
        TEST(test_injected_events_come_first_and_once_and_make_the_kqueue_readable),
        TEST(test_what_is_reaped_late_is_reported_once_more),
        TEST(test_a_limit_holds_events_back_without_losing_them),
        TEST(test_an_interrupted_call_has_made_its_changes),
        TEST(test_a_thread_that_waits_is_woken_by_all_that_makes_an_event),
        TEST(test_a_thread_that_waits_notices_that_a_file_grows),
        TEST(test_threads_with_kqueues_of_their_own_do_not_meet),
    };

    return cmocka_run_group_tests_name("kqueue/script", tests, NULL, NULL);
}
