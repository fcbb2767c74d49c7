/* A loop inside another one, or inside any program that polls: by its descriptor, prepare, and the
 * time of its next timer. */
#include "poller.h"
#include "support.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

static bool is_readable(int fd, int timeout_ms)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};

    return poll(&pollfd, 1, timeout_ms) == 1;
}

/* As a program that embeds a loop would: prepare, poll, and turn if there is something. After an
 * event kqueue may say so once more, until it has been asked. */
static bool is_quiet(struct aiol_loop *loop)
{
    if (aiol_loop_prepare(loop) == 0 && !is_readable(aiol_loop_backend_fd(loop), 0))
        return true;
    aiol_loop_run_once(loop, 0);
    return aiol_loop_prepare(loop) == 0 && !is_readable(aiol_loop_backend_fd(loop), 0);
}

static void note_io(struct aiol_io *io, uint32_t ready, void *data)
{
    char byte;

    (void)ready;
    note(data, 'i');
    if (read(aiol_io_fd(io), &byte, 1) != 1)
        note(data, '?');
}

static void
test_the_descriptor_of_an_embedded_loop_is_readable_when_a_watcher_has_work(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct notes notes = {.length = 0};
    struct aiol_io io;
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    aiol_io_init(&io, loop, fds[0], note_io, &notes);
    aiol_io_start(&io, AIOL_WRITABLE);
    aiol_io_start(&io, AIOL_READABLE); /* a change that prepare has to hand over */
    assert_true(is_quiet(loop));
    assert_true(aiol_loop_next_timeout_ns(loop) == AIOL_NEVER);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_true(is_readable(aiol_loop_backend_fd(loop), 0));
    aiol_loop_run_once(loop, 0);
    assert_string_equal(notes.text, "i");
    assert_true(is_quiet(loop));
    aiol_io_close(&io);
    close(fds[0]);
    close(fds[1]);
    free_loop(loop);
}

static void note_post(int status, void *data)
{
    note(data, status == 0 ? 'p' : '?');
}

struct thread_post {
    struct aiol_poster *poster;
    struct notes *notes;
};

static void *post(void *data)
{
    struct thread_post *thread_post = data;

    aiol_poster_post(thread_post->poster, note_post, thread_post->notes);
    return NULL;
}

static void
test_a_post_from_a_thread_makes_the_descriptor_of_an_embedded_loop_readable(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct notes notes = {.length = 0};
    struct thread_post thread_post = {.notes = &notes};
    pthread_t thread;

    (void)state;
    assert_int_equal(aiol_poster_new(loop, &thread_post.poster), 0);
    for (int i = 0; i < 3; i++) {
        assert_true(is_quiet(loop));
        assert_true(aiol_loop_next_timeout_ns(loop) == AIOL_NEVER);
        assert_int_equal(pthread_create(&thread, NULL, post, &thread_post), 0);
        assert_true(is_readable(aiol_loop_backend_fd(loop), 10000));
        pthread_join(thread, NULL);
        assert_true(aiol_loop_next_timeout_ns(loop) == 0);
        aiol_loop_run_once(loop, 0);
        assert_int_equal(notes.length, i + 1);
    }
    aiol_poster_release(thread_post.poster);
    aiol_loop_run_once(loop, 0);
    free_loop(loop);
}

static void test_p2_a_poster_made_while_the_embedding_loop_is_about_to_wait_wakes_it(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct notes notes = {.length = 0};
    struct thread_post thread_post = {.notes = &notes};
    pthread_t thread;

    (void)state;
    assert_true(is_quiet(loop));
    assert_int_equal(aiol_poster_new(loop, &thread_post.poster), 0);
    aiol_poster_unref(thread_post.poster);
    assert_int_equal(pthread_create(&thread, NULL, post, &thread_post), 0);
    assert_true(is_readable(aiol_loop_backend_fd(loop), 10000));
    pthread_join(thread, NULL);
    assert_true(aiol_loop_next_timeout_ns(loop) == 0);
    aiol_loop_run_once(loop, 0);
    assert_string_equal(notes.text, "p");
    aiol_poster_release(thread_post.poster);
    aiol_loop_run_once(loop, 0);
    free_loop(loop);
}

static void run_inner(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)io;
    (void)ready;
    aiol_loop_run_once(data, 0);
}

static void note_timer(struct aiol_timer *timer, void *data)
{
    (void)timer;
    note(data, 't');
}

static void count_ready(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)io;
    (void)ready;
    ++*(int *)data;
}

/* What was to go to the system with a wait that failed. */
static void test_p2_preparing_hands_over_what_a_failed_wait_has_not(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct pollfd backend = {.events = POLLIN};
    struct aiol_io io;
    int count = 0, fds[2];

    (void)state;
    make_socket_pair(fds);
    aiol_io_init(&io, loop, fds[0], count_ready, &count);
    assert_int_equal(aiol_io_start(&io, AIOL_READABLE), 0);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(aiol_io_start(&io, AIOL_WRITABLE), 0);
    watch_poller();
    poller_watch.wait_errno = ENOMEM;
    poller_watch.failing_wait_count = 1;
    assert_int_equal(aiol_loop_run_once(loop, 0), -ENOMEM);
    assert_int_equal(aiol_loop_prepare(loop), 0);
    backend.fd = aiol_loop_backend_fd(loop);
    assert_int_equal(poll(&backend, 1, 1000), 1);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(count, 1);
    aiol_io_close(&io);
    close(fds[0]);
    close(fds[1]);
    free_loop(loop);
}

static void test_a_loop_runs_inside_another_loop(void **state)
{
    struct aiol_loop *outer, *inner;
    struct notes notes = {.length = 0};
    struct aiol_io inner_io, io;
    struct aiol_timer timer;
    int fds[2];

    (void)state;
    begin_fake_time(AIOL_HOUR);
    outer = new_loop();
    inner = new_loop();
    make_socket_pair(fds);
    aiol_io_init(&io, inner, fds[0], note_io, &notes);
    aiol_io_start(&io, AIOL_READABLE);
    aiol_timer_init(&timer, inner, note_timer, &notes);
    aiol_timer_start(&timer, AIOL_MILLISECOND);
    assert_int_equal(aiol_loop_prepare(inner), 0);
    assert_true(aiol_loop_next_timeout_ns(inner) == AIOL_MILLISECOND);
    aiol_io_init(&inner_io, outer, aiol_loop_backend_fd(inner), run_inner, inner);
    assert_int_equal(aiol_io_start(&inner_io, AIOL_READABLE), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    aiol_loop_run_once(outer, AIOL_NEVER);
    assert_string_equal(notes.text, "i");

    /* A timer does not make the descriptor readable: that is what the timeout is for. */
    while (aiol_timer_is_active(&timer)) {
        assert_int_equal(aiol_loop_prepare(inner), 0);
        aiol_loop_run_once(outer, aiol_loop_next_timeout_ns(inner));
        aiol_loop_run_once(inner, 0);
    }
    assert_string_equal(notes.text, "it");
    aiol_io_close(&inner_io);
    aiol_io_close(&io);
    close(fds[0]);
    close(fds[1]);
    free_loop(inner);
    free_loop(outer);
}

static void test_a_simulated_loop_has_no_descriptor(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);

    (void)state;
    assert_int_equal(aiol_loop_backend_fd(loop), -ENOTSUP);
    assert_int_equal(aiol_loop_prepare(loop), 0);
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_descriptor_of_an_embedded_loop_is_readable_when_a_watcher_has_work),
        TEST(test_a_post_from_a_thread_makes_the_descriptor_of_an_embedded_loop_readable),
        TEST(test_p2_a_poster_made_while_the_embedding_loop_is_about_to_wait_wakes_it),
        TEST(test_p2_preparing_hands_over_what_a_failed_wait_has_not),
        TEST(test_a_loop_runs_inside_another_loop),
        TEST(test_a_simulated_loop_has_no_descriptor),
    };

    return cmocka_run_group_tests_name("reactor/embed", tests, NULL, NULL);
}
