/* Loops while memory and the system fail: making, turning, stopping, embedding, forking, freeing.
 */
#include "faults.h"
#include "injection.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static void stop_loop(struct aiol_timer *timer, void *data)
{
    (void)timer;
    (void)data;
    aiol_loop_stop(aiol_loop_current());
}

static int turn_and_stop(struct aiol_loop *loop)
{
    struct aiol_timer timer;
    uint64_t begin_ns = aiol_loop_now_ns(loop);
    int rc;

    aiol_timer_init(&timer, loop, stop_loop, NULL);
    rc = aiol_timer_start_every(&timer, AIOL_SECOND, AIOL_FIXED_DELAY);
    if (rc == 0)
        rc = expect(aiol_loop_is_alive(loop) == 1 &&
                        aiol_loop_alive_count(loop, AIOL_ALIVE_TIMER) == 1 &&
                        aiol_loop_next_timeout_ns(loop) == AIOL_SECOND,
                    "the timer keeps the loop alive");
    for (int i = 0; i < 3 && rc == 0; i++) {
        rc = aiol_loop_run(loop);
        rc = rc < 0 ? rc : expect(rc == 1, "the timer stops the loop");
    }
    if (rc == 0)
        rc = expect(aiol_loop_run_once(loop, 0) == 1, "one turn leaves the timer armed");
    aiol_loop_update_now(loop);
    if (rc == 0)
        rc = expect(aiol_loop_now_ns(loop) - begin_ns == 3 * AIOL_SECOND, "three seconds passed");
    aiol_timer_stop(&timer);
    return rc;
}

static void count_timer(struct aiol_timer *timer, void *data)
{
    (void)timer;
    ++*(int *)data;
}

static void count_byte(struct aiol_io *io, uint32_t ready, void *data)
{
    char byte;
    int64_t size = aiol_fd_recv(aiol_loop_current(), aiol_io_fd(io), &byte, 1);

    (void)ready;
    if (size == -EAGAIN)
        return;
    *(int *)data = size == 1 ? 1 : (int)size;
    aiol_io_stop(io);
}

/* The turns of a loop that polls this one. With a time limit for the case that nothing can come. */
static int embed_until(struct aiol_loop *loop, const int *outcome)
{
    int rc = 0;

    for (int i = 0; i < 300 && rc >= 0 && *outcome == 0; i++) {
        struct pollfd poller = {.fd = aiol_loop_backend_fd(loop), .events = POLLIN};

        rc = aiol_loop_prepare(loop);
        if (rc == 0 && aiol_loop_next_timeout_ns(loop) > 0)
            poll(&poller, 1, 0);
        if (rc == 0)
            rc = aiol_loop_run_once(loop, 0);
    }
    if (rc < 0)
        return rc;
    return *outcome < 0 ? *outcome : expect(*outcome == 1, "the embedded loop serves");
}

/* There is always room, but the system may say no for a while. */
static int send_byte(struct aiol_loop *loop, int fd)
{
    int64_t size = -EAGAIN;

    for (int i = 0; i < 200 && size == -EAGAIN; i++)
        size = aiol_fd_send(loop, fd, "x", 1);
    return size < 0 ? (int)size : 0;
}

static void note_post(int status, void *data)
{
    *(int *)data = status == 0 ? 1 : status;
}

static int embed(struct aiol_loop *loop)
{
    static int post_outcome; /* a post cannot be withdrawn */
    struct aiol_poster *poster = NULL;
    struct aiol_timer timer;
    struct aiol_io io;
    int fds[2], timer_count = 0, io_outcome = 0;
    int rc = open_pair(loop, fds);

    post_outcome = 0;
    if (rc < 0)
        return rc;
    aiol_timer_init(&timer, loop, count_timer, &timer_count);
    aiol_io_init(&io, loop, fds[0], count_byte, &io_outcome);
    rc = aiol_timer_start(&timer, 0);
    if (rc == 0)
        rc = embed_until(loop, &timer_count);
    if (rc == 0)
        rc = aiol_io_start(&io, AIOL_READABLE);
    if (rc == 0)
        rc = send_byte(loop, fds[1]);
    if (rc == 0)
        rc = embed_until(loop, &io_outcome);
    if (rc == 0)
        rc = aiol_poster_new(loop, &poster);
    if (rc == 0)
        rc = aiol_loop_prepare(loop); /* from now on a post wakes whoever polls */
    if (rc == 0)
        rc = aiol_poster_post(poster, note_post, &post_outcome);
    if (rc == 0)
        rc = embed_until(loop, &post_outcome);
    aiol_timer_stop(&timer);
    aiol_io_close(&io);
    aiol_poster_release(poster);
    run_loop(loop); /* the poster's farewell is a post too */
    return aiol_first_error(rc, close_pair(loop, fds));
}

/* What a child of fork() does: it has a poller of its own then, and the parent's one is not
 * touched. Here there is no parent to go on using that. */
static int renew_poller(struct aiol_loop *loop)
{
    struct aiol_timer timer;
    struct aiol_io io;
    int fds[2], timer_count = 0, io_outcome = 0, old_poller_fd = aiol_loop_backend_fd(loop);
    int rc = open_pair(loop, fds);

    if (rc < 0)
        return rc;
    aiol_timer_init(&timer, loop, count_timer, &timer_count);
    aiol_io_init(&io, loop, fds[0], count_byte, &io_outcome);
    rc = aiol_timer_start(&timer, AIOL_MILLISECOND);
    if (rc == 0)
        rc = aiol_io_start(&io, AIOL_READABLE);
    if (rc == 0) {
        rc = aiol_loop_reinit_after_fork(loop);
        if (rc == 0)
            close(old_poller_fd);
        else if (aiol_loop_backend_fd(loop) != old_poller_fd)
            rc = expect(false, "a call that fails changes nothing");
    }
    if (rc == 0)
        rc = send_byte(loop, fds[1]);
    if (rc == 0)
        rc = run_loop(loop);
    if (rc == 0)
        rc = io_outcome < 0 ? io_outcome
                            : expect(io_outcome == 1 && timer_count == 1,
                                     "what was started goes on with the new poller");
    aiol_timer_stop(&timer);
    aiol_io_close(&io);
    return aiol_first_error(rc, close_pair(loop, fds));
}

/* Loops of which each has its own options, and one of them is run inside another. */
struct nested {
    struct aiol_loop *inner;
    int rc;
};

static void run_inner(struct aiol_deferred *deferred, void *data)
{
    struct nested *nested = data;
    struct aiol_timer timer;
    int count = 0;

    (void)deferred;
    aiol_timer_init(&timer, nested->inner, count_timer, &count);
    nested->rc = aiol_timer_start(&timer, AIOL_MILLISECOND);
    if (nested->rc == 0)
        nested->rc = run_loop(nested->inner);
    if (nested->rc == 0)
        nested->rc = expect(count == 1, "the inner loop's timer fires");
    aiol_timer_stop(&timer);
}

static int nest_loops(struct aiol_loop *outer)
{
    struct aiol_loop_options options = {.size = sizeof options,
                                        .allocator = &failing_allocator,
                                        .max_events_per_turn = 1,
                                        .max_task_steps_per_turn = 1,
                                        .clock = AIOL_CLOCK_VIRTUAL,
                                        .seed = 7};
    struct nested nested = {0};
    struct aiol_deferred deferred;
    int rc = aiol_loop_new(&options, &nested.inner);

    aiol_deferred_init(&deferred, outer, run_inner, &nested);
    if (rc == 0)
        rc = aiol_deferred_start(&deferred);
    if (rc == 0)
        rc = run_loop(outer);
    if (rc == 0)
        rc = nested.rc;
    aiol_deferred_stop(&deferred);
    return aiol_first_error(rc, aiol_loop_free(nested.inner));
}

/* A loop that is freed only once nothing is started on it. */
static int make_loops(const struct aiol_loop_options *options)
{
    struct aiol_loop *loop = NULL, *default_loop = NULL;
    struct aiol_timer timer;
    int rc = aiol_loop_new(options, &loop);

    if (rc == 0)
        rc = aiol_loop_new(NULL, &default_loop);
    if (loop) {
        aiol_timer_init(&timer, loop, stop_loop, NULL);
        aiol_timer_start(&timer, AIOL_HOUR);
        if (aiol_loop_free(loop) != -EBUSY)
            rc = expect(false, "a loop that is in use is not freed");
        aiol_timer_stop(&timer);
    }
    rc = aiol_first_error(rc, aiol_loop_free(loop));
    return aiol_first_error(rc, aiol_loop_free(default_loop));
}

static void test_turns(void **state)
{
    (void)state;
    inject_faults("turns", turn_and_stop, ON_BOTH);
}

static void test_embedding(void **state)
{
    (void)state;
    inject_faults("embedding", embed, ON_BOTH);
}

static void test_renewing_the_poller(void **state)
{
    (void)state;
    inject_faults("renewing the poller", renew_poller, ON_BOTH);
}

static void test_nested_loops(void **state)
{
    (void)state;
    inject_faults("nested loops", nest_loops, ON_BOTH);
}

static void test_making_loops(void **state)
{
    (void)state;
    inject_faults_alone("making loops", make_loops, ON_BOTH);
}

static void test_what_cannot_fail(void **state)
{
    (void)state;
    assert_int_equal(aiol_version(),
                     AIOL_VERSION_MAJOR * 1000000 + AIOL_VERSION_MINOR * 1000 + AIOL_VERSION_PATCH);
    assert_string_equal(aiol_error_name(-ENOMEM), "ENOMEM");
    assert_true(strlen(aiol_error_message(-ENOMEM)) > 0);
    assert_int_equal(aiol_first_error(-ECANCELED, -ENOMEM), -ENOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_turns),        TEST(test_embedding),    TEST(test_renewing_the_poller),
        TEST(test_nested_loops), TEST(test_making_loops), TEST(test_what_cannot_fail),
    };

    return cmocka_run_group_tests_name("faults/loop", tests, NULL, print_points);
}
