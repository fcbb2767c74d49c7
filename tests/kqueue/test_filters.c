/* The filters of the kqueue double: what they say of sockets, pipes and files. */
#include "calls.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

static void test_a_level_is_reported_as_long_as_it_lasts_with_what_was_registered(void **state)
{
    int fds[2], kq = open_with_pair(fds), mark;
    struct kevent event;
    char byte;

    (void)state;
    assert_int_equal(change(kq, fds[0], EVFILT_READ, EV_ADD, &mark), 0);
    assert_int_equal(take_one(kq, &event), 0);
    assert_int_equal(write(fds[1], "abc", 3), 3);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(take_one(kq, &event), 1);
        assert_int_equal(event.ident, fds[0]);
        assert_int_equal(event.filter, EVFILT_READ);
        assert_int_equal(event.flags & (EV_EOF | EV_ERROR), 0);
        assert_int_equal(event.fflags, 0);
        assert_int_equal(event.data, 3 - i);
        assert_ptr_equal(event.udata, &mark);
        assert_int_equal(read(fds[0], &byte, 1), 1);
    }
    assert_int_equal(read(fds[0], &byte, 1), 1);
    assert_int_equal(take_one(kq, &event), 0);
    close_all(kq, fds);
}

static void test_both_filters_of_a_descriptor_have_flags_and_udata_of_their_own(void **state)
{
    int fds[2], kq = open_with_pair(fds), reader, writer;
    struct kevent events[4];

    (void)state;
    double_be(DOUBLE_FREEBSD);
    assert_int_equal(write(fds[1], "a", 1), 1);
    assert_int_equal(change(kq, fds[0], EVFILT_WRITE, EV_ADD, &writer), 0);
    assert_int_equal(change(kq, fds[0], EVFILT_READ, EV_ADD | EV_CLEAR, &reader), 0);
    assert_int_equal(take(kq, events, 4), 2);
    assert_int_equal(events[0].filter, EVFILT_WRITE);
    assert_ptr_equal(events[0].udata, &writer);
    assert_true(events[0].data > 0);
    assert_int_equal(events[1].filter, EVFILT_READ);
    assert_ptr_equal(events[1].udata, &reader);
    assert_true(events[1].flags & EV_CLEAR);
    assert_int_equal(events[1].flags & EV_ADD, 0);
    assert_int_equal(take(kq, events, 4), 1);
    assert_int_equal(events[0].filter, EVFILT_WRITE);
    assert_int_equal(change(kq, fds[0], EVFILT_WRITE, EV_DELETE, NULL), 0);
    assert_int_equal(write(fds[1], "b", 1), 1);
    assert_int_equal(take(kq, events, 4), 1);
    assert_int_equal(events[0].filter, EVFILT_READ);
    close_all(kq, fds);
}

static void test_an_edge_is_reported_once_and_again_after_more_has_come(void **state)
{
    int fds[2], kq = open_with_pair(fds);
    struct kevent event;

    (void)state;
    assert_int_equal(write(fds[1], "a", 1), 1);
    assert_int_equal(change(kq, fds[0], EVFILT_READ, EV_ADD | EV_CLEAR, NULL), 0);
    assert_int_equal(take_one(kq, &event), 1);
    assert_int_equal(take_one(kq, &event), 0);
    assert_int_equal(write(fds[1], "b", 1), 1);
    assert_int_equal(take_one(kq, &event), 1);
    assert_int_equal(event.data, 2);
    assert_int_equal(take_one(kq, &event), 0);
    assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
    assert_int_equal(take_one(kq, &event), 1);
    assert_true(event.flags & EV_EOF);
    assert_int_equal(take_one(kq, &event), 0);
    close_all(kq, fds);
}

/* The bug museum, 26: EV_EOF drops buffered data. */
static void test_the_end_comes_with_the_data_before_it(void **state)
{
    int fds[2], kq = open_with_pair(fds);
    struct kevent events[2];
    char bytes[4];

    (void)state;
    assert_int_equal(change(kq, fds[0], EVFILT_READ, EV_ADD, NULL), 0);
    assert_int_equal(write(fds[1], "last", 4), 4);
    assert_int_equal(shutdown(fds[1], SHUT_WR), 0);
    assert_int_equal(take_one(kq, &events[0]), 1);
    assert_true(events[0].flags & EV_EOF);
    assert_int_equal(events[0].data, 4);
    assert_int_equal(events[0].fflags, 0);
    assert_int_equal(read(fds[0], bytes, 4), 4);
    assert_int_equal(take_one(kq, &events[0]), 1);
    assert_true(events[0].flags & EV_EOF);
    assert_int_equal(events[0].data, 0);

    /* The writer's end comes when the peer has closed, or this side has shut down. */
    assert_int_equal(change(kq, fds[0], EVFILT_WRITE, EV_ADD, NULL), 0);
    assert_int_equal(take(kq, events, 2), 2);
    assert_int_equal(events[1].filter, EVFILT_WRITE);
    assert_int_equal(events[1].flags & EV_EOF, 0);
    assert_int_equal(shutdown(fds[0], SHUT_WR), 0);
    assert_int_equal(take(kq, events, 2), 2);
    assert_true(events[0].flags & events[1].flags & EV_EOF);
    close_all(kq, fds);

    kq = open_with_pair(fds);
    assert_int_equal(change(kq, fds[0], EVFILT_READ, EV_ADD, NULL), 0);
    assert_int_equal(change(kq, fds[0], EVFILT_WRITE, EV_ADD, NULL), 0);
    assert_int_equal(shutdown(fds[0], SHUT_WR), 0);
    assert_int_equal(take(kq, events, 2), 1);
    assert_int_equal(events[0].filter, EVFILT_WRITE);
    assert_true(events[0].flags & EV_EOF);
    close_all(kq, fds);
}

static int connect_on_loopback(int fds[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof address;

    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fds[0], (struct sockaddr *)&address, size), 0);
    return listener;
}

static void test_tcp_sockets_listen_connect_shut_down_and_break(void **state)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    int kq = kqueue(), fds[2], listener = connect_on_loopback(fds);
    int fresh = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct kevent events[4];

    (void)state;
    /* Who was never connected can neither read nor write, and has not ended. */
    assert_int_equal(change(kq, fresh, EVFILT_READ, EV_ADD, NULL), 0);
    assert_int_equal(change(kq, fresh, EVFILT_WRITE, EV_ADD, NULL), 0);
    assert_int_equal(take(kq, events, 4), 0);
    close(fresh);

    assert_int_equal(change(kq, listener, EVFILT_READ, EV_ADD, NULL), 0);
    assert_int_equal(kevent(kq, NULL, 0, events, 4, NULL), 1);
    assert_int_equal(events[0].ident, listener);
    assert_int_equal(events[0].data, 1);
    assert_int_equal(events[0].flags & EV_EOF, 0);
    fds[1] = accept(listener, NULL, NULL);
    close(listener);

    assert_int_equal(change(kq, fds[0], EVFILT_WRITE, EV_ADD, NULL), 0);
    assert_int_equal(take(kq, events, 4), 1);
    assert_int_equal(events[0].flags & EV_EOF, 0);
    assert_int_equal(shutdown(fds[0], SHUT_WR), 0);
    assert_int_equal(take(kq, events, 4), 1);
    assert_true(events[0].flags & EV_EOF);
    assert_int_equal(events[0].fflags, 0);

    assert_int_equal(change(kq, fds[0], EVFILT_WRITE, EV_DELETE, NULL), 0);
    assert_int_equal(change(kq, fds[0], EVFILT_READ, EV_ADD, NULL), 0);
    assert_int_equal(take(kq, events, 4), 0);
    setsockopt(fds[1], SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fds[1]);
    assert_int_equal(kevent(kq, NULL, 0, events, 4, NULL), 1);
    assert_true(events[0].flags & EV_EOF);
    assert_int_equal(events[0].fflags, ECONNRESET);
    assert_int_equal(read(fds[0], &fds[1], 1), -1);
    assert_int_equal(errno, ECONNRESET); /* the double has not taken it away */
    close(fds[0]);
    close(kq);
}

static void test_pipes_tell_of_their_other_end(void **state)
{
    int kq = kqueue(), fds[2], other_fds[2];
    struct kevent event;
    char bytes[2];

    (void)state;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(pipe2(other_fds, O_CLOEXEC), 0);
    assert_int_equal(change(kq, fds[1], EVFILT_READ, EV_ADD, NULL), 0); /* never an event */
    assert_int_equal(change(kq, fds[0], EVFILT_READ, EV_ADD, NULL), 0);
    assert_int_equal(take_one(kq, &event), 0);
    assert_int_equal(write(fds[1], "ab", 2), 2);
    close(fds[1]);
    assert_int_equal(take_one(kq, &event), 1);
    assert_int_equal(event.data, 2);
    assert_true(event.flags & EV_EOF);
    assert_int_equal(read(fds[0], bytes, 2), 2);
    assert_int_equal(take_one(kq, &event), 1);
    assert_int_equal(event.data, 0);
    assert_true(event.flags & EV_EOF);
    close(fds[0]);

    double_be(DOUBLE_MACOS);
    assert_int_equal(change(kq, other_fds[1], EVFILT_WRITE, EV_ADD, NULL), 0);
    assert_int_equal(take_one(kq, &event), 1);
    assert_true(event.data >= 512);
    assert_int_equal(event.flags & EV_EOF, 0);
    close(other_fds[0]);
    assert_int_equal(take_one(kq, &event), 1);
    assert_true(event.flags & EV_EOF);
    assert_int_equal(event.data, 0);
    double_be(DOUBLE_FREEBSD);
    assert_int_equal(take_one(kq, &event), 1);
    assert_true(event.flags & EV_ONESHOT);
    assert_int_equal(take_one(kq, &event), 0);
    assert_int_equal(change(kq, other_fds[1], EVFILT_WRITE, EV_ADD, NULL), EPIPE);
    assert_int_equal(change(kq, other_fds[1], EVFILT_WRITE, EV_DELETE, NULL), ENOENT);
    close(other_fds[1]);
    close(kq);
}

static void test_a_file_is_readable_up_to_its_end_and_always_writable(void **state)
{
    const struct timespec long_time = {.tv_sec = 60};
    char path[] = "/tmp/aiol-test-XXXXXX";
    int kq = kqueue(), fd = mkstemp(path);
    struct kevent event;

    (void)state;
    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(write(fd, "abc", 3), 3);
    assert_int_equal(change(kq, fd, EVFILT_READ, EV_ADD, NULL), 0);
    assert_int_equal(take_one(kq, &event), 0);
    assert_int_equal(lseek(fd, 1, SEEK_SET), 1);
    assert_int_equal(take_one(kq, &event), 1);
    assert_int_equal(event.data, 2);
    assert_int_equal(lseek(fd, 5, SEEK_SET), 5);
    assert_int_equal(kevent(kq, NULL, 0, &event, 1, &long_time), 1);
    assert_int_equal(event.data, -2);
    assert_int_equal(change(kq, fd, EVFILT_READ, EV_DELETE, NULL), 0);
    assert_int_equal(take_one(kq, &event), 0);
    assert_false(is_readable(kq));
    for (int i = 0; i < 2; i++) {
        assert_int_equal(change(kq, fd, EVFILT_WRITE, EV_ADD | EV_CLEAR, NULL), 0);
        assert_int_equal(is_readable(kq), i == 0);
        assert_int_equal(take_one(kq, &event), 1);
        assert_int_equal(take_one(kq, &event), 0);
    }
    close(fd);
    close(kq);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_level_is_reported_as_long_as_it_lasts_with_what_was_registered),
        TEST(test_both_filters_of_a_descriptor_have_flags_and_udata_of_their_own),
        TEST(test_an_edge_is_reported_once_and_again_after_more_has_come),
        TEST(test_the_end_comes_with_the_data_before_it),
        TEST(test_tcp_sockets_listen_connect_shut_down_and_break),
        TEST(test_pipes_tell_of_their_other_end),
        TEST(test_a_file_is_readable_up_to_its_end_and_always_writable),
    };

    return cmocka_run_group_tests_name("kqueue/filters", tests, NULL, NULL);
}
