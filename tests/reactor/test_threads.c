/* Several loops in several threads, which post to one another and know nothing else of each other.
 */
#include "support.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#define LOOP_COUNT 4
#define ROUND_COUNT 2000

struct worker {
    pthread_t thread;
    struct aiol_poster *own;
    struct worker *next; /* to whom it posts, in a ring */
    pthread_barrier_t *barrier;
    struct aiol_timer timer;
    int fds[2];
    struct aiol_io io;
    int sent_count;
    int received_count;
    int timer_count;
    int rc;
};

static void receive(int status, void *data)
{
    struct worker *worker = data;

    if (status != 0)
        worker->rc = status;
    worker->received_count++;
}

static void tick(struct aiol_timer *timer, void *data)
{
    struct worker *worker = data;

    (void)timer;
    worker->timer_count++;
}

/* Called in every turn, since a socket that nobody writes to is always writable. */
static void send_one(struct aiol_io *io, uint32_t ready, void *data)
{
    struct worker *worker = data;

    (void)ready;
    if (aiol_poster_post(worker->next->own, receive, worker->next) < 0)
        worker->rc = -1;
    if (++worker->sent_count < ROUND_COUNT)
        return;
    aiol_io_close(io);
    aiol_poster_release(worker->next->own);
}

/* The loop runs until whoever posts to it has released its poster. */
static void *work(void *data)
{
    struct worker *worker = data;
    struct aiol_loop_options options = {.size = sizeof options, .allocator = &counting_allocator};
    struct aiol_loop *loop;
    int rc;

    worker->rc = aiol_loop_new(&options, &loop);
    aiol_poster_new(loop, &worker->own);
    pthread_barrier_wait(worker->barrier);
    aiol_timer_init(&worker->timer, loop, tick, worker);
    aiol_timer_unref(&worker->timer);
    aiol_timer_start_every(&worker->timer, 1, AIOL_FIXED_RATE);
    aiol_io_init(&worker->io, loop, worker->fds[0], send_one, worker);
    aiol_io_start(&worker->io, AIOL_WRITABLE);
    rc = aiol_loop_run(loop);
    if (rc != 0)
        worker->rc = rc;
    aiol_timer_stop(&worker->timer);
    rc = aiol_loop_free(loop);
    if (rc != 0)
        worker->rc = rc;
    return NULL;
}

static void test_p7_loops_in_several_threads_do_not_disturb_one_another(void **state)
{
    static struct worker workers[LOOP_COUNT];
    pthread_barrier_t barrier;

    (void)state;
    pthread_barrier_init(&barrier, NULL, LOOP_COUNT);
    for (int i = 0; i < LOOP_COUNT; i++) {
        workers[i] = (struct worker){.next = &workers[(i + 1) % LOOP_COUNT], .barrier = &barrier};
        make_socket_pair(workers[i].fds);
    }
    for (int i = 0; i < LOOP_COUNT; i++)
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    for (int i = 0; i < LOOP_COUNT; i++)
        pthread_join(workers[i].thread, NULL);
    for (int i = 0; i < LOOP_COUNT; i++) {
        assert_int_equal(workers[i].rc, 0);
        assert_int_equal(workers[i].received_count, ROUND_COUNT);
        assert_true(workers[i].timer_count > 0);
        close(workers[i].fds[0]);
        close(workers[i].fds[1]);
    }
    pthread_barrier_destroy(&barrier);
}

static void note_thread(struct aiol_timer *timer, void *data)
{
    (void)timer;
    *(pthread_t *)data = pthread_self();
}

static void *run_loop(void *data)
{
    static pthread_t seen;
    struct aiol_timer timer;

    aiol_timer_init(&timer, data, note_thread, &seen);
    /* The first turn makes the loop this thread's. */
    aiol_loop_run_once(data, 0);
    aiol_timer_start(&timer, 1);
    if (aiol_loop_run(data) != 0 || !pthread_equal(seen, pthread_self()))
        return NULL;
    return aiol_loop_free(data) == 0 ? data : NULL;
}

static void test_p7_a_loop_may_be_made_in_one_thread_and_run_in_another(void **state)
{
    struct aiol_loop *loop = new_loop();
    pthread_t thread;
    void *result = NULL;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, run_loop, loop), 0);
    pthread_join(thread, &result);
    assert_ptr_equal(result, loop);
}

struct post_of_thread {
    struct aiol_poster *poster;
    struct aiol_post post;
    int count;
    int rc;
};

static void count_post(int status, void *data)
{
    struct post_of_thread *own = data;

    own->count += status == 0;
}

static void *post_while_cancelled(void *data)
{
    struct post_of_thread *own = data;

    pthread_cancel(pthread_self());
    own->rc = aiol_poster_post_node(own->poster, &own->post);
    pthread_testcancel();
    return NULL;
}

static void test_p2_a_cancelled_thread_wakes_the_loop_before_it_ends(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct pollfd backend = {.fd = aiol_loop_backend_fd(loop), .events = POLLIN};
    struct post_of_thread own = {.rc = 1};
    pthread_t thread;
    void *result = NULL;

    (void)state;
    assert_int_equal(aiol_poster_new(loop, &own.poster), 0);
    aiol_post_init(&own.post, count_post, &own);
    aiol_loop_prepare(loop); /* as if it slept */
    assert_int_equal(pthread_create(&thread, NULL, post_while_cancelled, &own), 0);
    pthread_join(thread, &result);
    assert_ptr_equal(result, PTHREAD_CANCELED);
    assert_int_equal(own.rc, 0);
    assert_int_equal(poll(&backend, 1, 0), 1);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(own.count, 1);
    aiol_poster_release(own.poster);
    aiol_loop_run_once(loop, 0);
    free_loop(loop);
}

static void *release_while_cancelled(void *data)
{
    pthread_cancel(pthread_self());
    aiol_poster_release(data);
    pthread_testcancel();
    return NULL;
}

static void test_p5_a_cancelled_thread_frees_what_outlived_the_loop(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct aiol_poster *poster;
    pthread_t thread;

    (void)state;
    assert_int_equal(aiol_poster_new(loop, &poster), 0);
    free_loop(loop);
    assert_int_equal(pthread_create(&thread, NULL, release_while_cancelled, poster), 0);
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p7_loops_in_several_threads_do_not_disturb_one_another),
        TEST(test_p2_a_cancelled_thread_wakes_the_loop_before_it_ends),
        TEST(test_p5_a_cancelled_thread_frees_what_outlived_the_loop),
        TEST(test_p7_a_loop_may_be_made_in_one_thread_and_run_in_another),
    };

    return cmocka_run_group_tests_name("reactor/threads", tests, NULL, NULL);
}
