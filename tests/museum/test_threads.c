/* The bug museum, 18 and 35: what other threads do when a loop comes to its end, and what only the
 * loop's own thread may do. */
#include "support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define POSTS 2000

struct producer {
    struct aiol_poster *poster;
    int loop_is_gone[2]; /* a pipe */
    int delivered;
    int told_closed;
    int refused;
};

static void count_delivery(int status, void *data)
{
    struct producer *producer = data;

    if (status == 0)
        producer->delivered++;
    else if (status == AIOL_ECLOSED)
        producer->told_closed++;
}

static void *post_beyond_the_end(void *arg)
{
    struct producer *producer = arg;
    char byte;

    for (int i = 0; i < POSTS; i++) {
        if (i == POSTS / 2 && read(producer->loop_is_gone[0], &byte, 1) != 1)
            break;
        producer->refused += aiol_poster_post(producer->poster, count_delivery, producer) ==
                             AIOL_ECLOSED;
    }
    aiol_poster_wake(producer->poster);
    aiol_poster_release(producer->poster);
    return NULL;
}

/* node#35021, of the pool: a thread that worked on while the process was taken down. */
static void test_museum_18_a_thread_works_on_while_the_loop_ends(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct producer producer = {.delivered = 0};
    pthread_t thread;

    (void)state;
    assert_int_equal(pipe(producer.loop_is_gone), 0);
    assert_int_equal(aiol_poster_new(loop, &producer.poster), 0);
    assert_int_equal(pthread_create(&thread, NULL, post_beyond_the_end, &producer), 0);
    for (int i = 0; i < 3; i++)
        aiol_loop_run_once(loop, 0);
    free_loop(loop);
    assert_int_equal(write(producer.loop_is_gone[1], "x", 1), 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    close(producer.loop_is_gone[0]);
    close(producer.loop_is_gone[1]);
    assert_true(producer.refused >= POSTS / 2);
    assert_int_equal(producer.delivered + producer.told_closed + producer.refused, POSTS);
}

static atomic_int releases_elsewhere;
static pthread_t loop_thread;

static void *allocate_anywhere(void *context, size_t size_bytes)
{
    (void)context;
    return malloc(size_bytes);
}

static void *reallocate_anywhere(void *context, void *memory, size_t size_bytes)
{
    (void)context;
    return realloc(memory, size_bytes);
}

static void note_where_released(void *context, void *memory)
{
    (void)context;
    if (!pthread_equal(pthread_self(), loop_thread))
        atomic_fetch_add(&releases_elsewhere, 1);
    free(memory);
}

static void *release_poster(void *arg)
{
    aiol_poster_release(arg);
    return NULL;
}

/* tokio#3929: what belonged to one thread was dropped by the one that let go of it last. */
static void test_museum_35_a_handle_is_dropped_on_the_wrong_thread(void **state)
{
    const struct aiol_allocator allocator = {.allocate = allocate_anywhere,
                                             .reallocate = reallocate_anywhere,
                                             .release = note_where_released};
    const struct aiol_loop_options options = {.size = sizeof options, .allocator = &allocator};
    struct aiol_loop *loop;
    struct aiol_poster *poster;
    pthread_t thread;

    (void)state;
    loop_thread = pthread_self();
    atomic_store(&releases_elsewhere, 0);
    assert_int_equal(aiol_loop_new(&options, &loop), 0);
    assert_int_equal(aiol_poster_new(loop, &poster), 0);
    aiol_poster_retain(poster);
    assert_int_equal(pthread_create(&thread, NULL, release_poster, poster), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(aiol_loop_alive_count(loop, AIOL_ALIVE_POSTER), 1);
    assert_int_equal(pthread_create(&thread, NULL, release_poster, poster), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    /* The loop counts it until it hears of it, and buries it itself. */
    assert_int_equal(aiol_loop_alive_count(loop, AIOL_ALIVE_POSTER), 1);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_int_equal(aiol_loop_alive_count(loop, AIOL_ALIVE_POSTER), 0);
    assert_int_equal(atomic_load(&releases_elsewhere), 0);
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_museum_18_a_thread_works_on_while_the_loop_ends),
        TEST(test_museum_35_a_handle_is_dropped_on_the_wrong_thread),
    };

    return cmocka_run_group_tests_name("museum/threads", tests, NULL, NULL);
}
