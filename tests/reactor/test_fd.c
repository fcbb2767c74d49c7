/* Descriptor calls without waiting, and the sizes and twins that bindings use. */
#include "support.h"

#include <errno.h>
#include <stdalign.h>
#include <unistd.h>

static void count_io(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)io;
    (void)ready;
    ++*(int *)data;
}

static void check_close(struct aiol_loop *loop, const int fds[2])
{
    struct aiol_io io;
    char byte;
    int count = 0;

    aiol_io_init(&io, loop, fds[0], count_io, &count);
    assert_int_equal(aiol_io_start(&io, AIOL_READABLE), 0);
    assert_int_equal(aiol_fd_close(loop, fds[0]), -EBUSY);
    assert_true(aiol_fd_send(loop, fds[1], "x", 1) == 1);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(count, 1);
    assert_true(aiol_fd_recv(loop, fds[0], &byte, 1) == 1);
    assert_true(aiol_fd_recv(loop, fds[0], &byte, 1) == -EAGAIN);
    aiol_io_stop(&io);
    assert_int_equal(aiol_fd_close(loop, fds[0]), 0);
    assert_true(aiol_fd_recv(loop, fds[1], &byte, 1) == 0);
    assert_true(aiol_fd_send(loop, fds[1], "x", 1) == -EPIPE);
    assert_int_equal(aiol_fd_close(loop, fds[0]), -EBADF);
    assert_int_equal(aiol_fd_close(loop, -1), -EBADF);
    assert_int_equal(aiol_fd_close(loop, fds[1]), 0);
    assert_true(aiol_fd_recv(loop, fds[1], &byte, 1) == -EBADF);
    assert_true(aiol_fd_send(loop, fds[1], &byte, 1) == -EBADF);
    assert_int_equal(aiol_fd_shutdown(loop, fds[1]), -EBADF);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(count, 1);
}

static void test_p3_a_watched_descriptor_is_not_closed_real_or_simulated(void **state)
{
    struct aiol_loop *real = new_loop(), *sim = new_sim_loop(1);
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    check_close(real, fds);
    assert_int_equal(aiol_sim_stream_pair(sim, NULL, fds), 0);
    check_close(sim, fds);
    free_loop(real);
    free_loop(sim);
}

static void test_what_is_no_socket_is_refused(void **state)
{
    struct aiol_loop *loop = new_loop();
    char byte = 0;
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_true(aiol_fd_recv(loop, fds[0], &byte, 1) == -ENOTSOCK);
    assert_true(aiol_fd_send(loop, fds[1], &byte, 1) == -ENOTSOCK);
    assert_int_equal(aiol_fd_shutdown(loop, fds[1]), -ENOTSOCK);
    assert_int_equal(aiol_fd_close(loop, fds[0]), 0);
    assert_int_equal(aiol_fd_close(loop, fds[1]), 0);
    free_loop(loop);
}

static void test_p9_sizes_and_alignments_are_those_of_the_structs(void **state)
{
    (void)state;
    assert_int_equal(aiol_timer_size(), sizeof(struct aiol_timer));
    assert_int_equal(aiol_timer_align(), alignof(struct aiol_timer));
    assert_int_equal(aiol_io_size(), sizeof(struct aiol_io));
    assert_int_equal(aiol_io_align(), alignof(struct aiol_io));
    assert_int_equal(aiol_hook_size(), sizeof(struct aiol_hook));
    assert_int_equal(aiol_hook_align(), alignof(struct aiol_hook));
    assert_int_equal(aiol_deferred_size(), sizeof(struct aiol_deferred));
    assert_int_equal(aiol_deferred_align(), alignof(struct aiol_deferred));
    assert_int_equal(aiol_post_size(), sizeof(struct aiol_post));
    assert_int_equal(aiol_post_align(), alignof(struct aiol_post));
    assert_int_equal(aiol_future_size(), sizeof(struct aiol_future));
    assert_int_equal(aiol_future_align(), alignof(struct aiol_future));
    assert_int_equal(aiol_future_observer_size(), sizeof(struct aiol_future_observer));
    assert_int_equal(aiol_future_observer_align(), alignof(struct aiol_future_observer));
}

static void test_p9_every_free_takes_null(void **state)
{
    (void)state;
    aiol_timer_free(NULL);
    aiol_io_free(NULL);
    aiol_hook_free(NULL);
    aiol_deferred_free(NULL);
    aiol_future_free(NULL);
    aiol_future_observer_free(NULL);
    aiol_poster_release(NULL);
}

static void test_p9_the_version_is_the_headers(void **state)
{
    (void)state;
    assert_int_equal(aiol_version(),
                     AIOL_VERSION_MAJOR * 1000000 + AIOL_VERSION_MINOR * 1000 + AIOL_VERSION_PATCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p3_a_watched_descriptor_is_not_closed_real_or_simulated),
        TEST(test_what_is_no_socket_is_refused),
        TEST(test_p9_sizes_and_alignments_are_those_of_the_structs),
        TEST(test_p9_every_free_takes_null),
        TEST(test_p9_the_version_is_the_headers),
    };

    return cmocka_run_group_tests_name("reactor/fd", tests, NULL, NULL);
}
