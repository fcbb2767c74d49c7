/*
 * Posters in the hands of many threads: used, retained and given back while their loop is freed;
 * wakes without a post; and two loops that post to each other.
 */
#include "support.h"
#include "thread_tools.h"

#include <aiol/error.h>

#include <pthread.h>
#include <stdatomic.h>

/*
 * Threads that do anything with two posters, while their loop is freed at any time. Each holds a
 * reference to both; who gives the last one back, and whether the loop is there then, is open.
 */
#define RACER_POSTS 300
#define RACER_POSTERS 2

struct racer {
    pthread_t thread;
    struct aiol_poster *posters[RACER_POSTERS];
    pthread_barrier_t *start;
    unsigned seed;
    bool has_failed;
    bool is_refused; /* from then on everything is */
    long accepted_count;
    struct aiol_post nodes[RACER_POSTS];
};

static struct racer racers[THREAD_COUNT];
static long delivered_count, closed_count; /* what the posts were told, in the loop's thread */

static void count_status(int status, void *data)
{
    struct racer *racer = data;

    if (status == 0)
        delivered_count++;
    else if (status == AIOL_ECLOSED)
        closed_count++;
    else
        racer->has_failed = true;
}

static void count_result(struct racer *racer, int rc)
{
    if (rc != 0 && rc != AIOL_ECLOSED)
        racer->has_failed = true;
    if (rc == 0 && racer->is_refused)
        racer->has_failed = true;
    racer->is_refused = rc != 0;
    racer->accepted_count += rc == 0;
}

static void *race(void *data)
{
    struct racer *racer = data;
    unsigned count = next_random(&racer->seed) % (RACER_POSTS + 1);
    unsigned first_released = next_random(&racer->seed) % RACER_POSTERS;

    pthread_barrier_wait(racer->start);
    for (unsigned i = 0; i < count; i++) {
        struct aiol_poster *poster = racer->posters[next_random(&racer->seed) % RACER_POSTERS];

        switch (next_random(&racer->seed) % 4) {
        case 0:
            count_result(racer, aiol_poster_post(poster, count_status, racer));
            break;
        case 1:
            aiol_post_init(&racer->nodes[i], count_status, racer);
            count_result(racer, aiol_poster_post_node(poster, &racer->nodes[i]));
            break;
        case 2:
            aiol_poster_wake(poster);
            break;
        default:
            aiol_poster_retain(poster);
            count_result(racer, aiol_poster_post(poster, count_status, racer));
            aiol_poster_release(poster);
        }
    }
    for (unsigned i = 0; i < RACER_POSTERS; i++)
        aiol_poster_release(racer->posters[(first_released + i) % RACER_POSTERS]);
    return NULL;
}

/* What the loop's thread does meanwhile. */
static void race_loop(struct aiol_loop *loop, struct aiol_poster *posters[], unsigned choice)
{
    bool releases_late = choice % 2;
    unsigned turn_count = choice / 2 % 4;

    for (int i = 0; i < RACER_POSTERS && !releases_late; i++)
        aiol_poster_release(posters[i]);
    if (turn_count == 3 && !releases_late) {
        assert_int_equal(aiol_loop_run(loop), 0); /* the last release ends it */
    } else {
        for (unsigned i = 0; i < turn_count; i++)
            assert_true(aiol_loop_run_once(loop, 0) >= 0);
    }
    free_loop(loop);
    for (int i = 0; i < RACER_POSTERS && releases_late; i++)
        aiol_poster_release(posters[i]);
}

static void race_once(unsigned number)
{
    struct aiol_loop *loop = new_loop();
    struct aiol_poster *posters[RACER_POSTERS];
    pthread_barrier_t start;
    long accepted_count = 0;

    delivered_count = closed_count = 0;
    pthread_barrier_init(&start, NULL, THREAD_COUNT + 1);
    for (int i = 0; i < RACER_POSTERS; i++)
        assert_int_equal(aiol_poster_new(loop, &posters[i]), 0);
    for (unsigned i = 0; i < THREAD_COUNT; i++) {
        struct racer *racer = &racers[i];

        *racer = (struct racer){.start = &start, .seed = number * THREAD_COUNT + i + 1};
        for (int p = 0; p < RACER_POSTERS; p++) {
            racer->posters[p] = posters[p];
            aiol_poster_retain(posters[p]);
        }
        assert_int_equal(pthread_create(&racer->thread, NULL, race, racer), 0);
    }
    pthread_barrier_wait(&start);
    race_loop(loop, posters, number);
    for (int i = 0; i < THREAD_COUNT; i++) {
        pthread_join(racers[i].thread, NULL);
        assert_false(racers[i].has_failed);
        accepted_count += racers[i].accepted_count;
    }
    pthread_barrier_destroy(&start);
    assert_int_equal(delivered_count + closed_count, accepted_count);
    assert_int_equal(allocations_alive(), 0);
}

static void test_p7_posters_are_used_and_released_while_the_loop_is_freed(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 100 * SCALE; i++)
        race_once(i);
}

/* Threads that wake the loop, several times in a row, and then wait until it has seen why. Were a
 * wake lost, both would wait for ever. */
#define REQUEST_COUNT (2000 * SCALE)

struct waker {
    pthread_t thread;
    struct aiol_poster *poster;
    unsigned seed;
    bool has_failed;
    atomic_long requested, answered;
    sem_t answer;
};

static struct waker wakers[THREAD_COUNT];

static void *wake_all(void *data)
{
    struct waker *waker = data;
    long number = 0;

    while (number < REQUEST_COUNT) {
        for (unsigned i = next_random(&waker->seed) % 8; i > 0 && number < REQUEST_COUNT; i--) {
            atomic_store(&waker->requested, ++number);
            if (aiol_poster_wake(waker->poster) != 0)
                waker->has_failed = true;
        }
        while (atomic_load(&waker->answered) < number)
            wait_for(&waker->answer);
    }
    aiol_poster_release(waker->poster);
    return NULL;
}

static bool answer_wakers(void)
{
    bool is_done = true;

    for (int i = 0; i < THREAD_COUNT; i++) {
        long requested = atomic_load(&wakers[i].requested);

        if (requested != atomic_load(&wakers[i].answered)) {
            atomic_store(&wakers[i].answered, requested);
            sem_post(&wakers[i].answer);
        }
        is_done = is_done && requested == REQUEST_COUNT;
    }
    return is_done;
}

static void test_p2_no_wake_of_four_threads_is_lost(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct aiol_poster *poster;

    (void)state;
    assert_int_equal(aiol_poster_new(loop, &poster), 0);
    for (unsigned i = 0; i < THREAD_COUNT; i++) {
        wakers[i].poster = poster;
        wakers[i].seed = i + 1;
        sem_init(&wakers[i].answer, 0, 0);
        aiol_poster_retain(poster);
        assert_int_equal(pthread_create(&wakers[i].thread, NULL, wake_all, &wakers[i]), 0);
    }
    do
        assert_int_equal(aiol_loop_run_once(loop, AIOL_NEVER), 1);
    while (!answer_wakers());
    aiol_poster_release(poster);
    assert_int_equal(aiol_loop_run(loop), 0);
    for (int i = 0; i < THREAD_COUNT; i++) {
        pthread_join(wakers[i].thread, NULL);
        sem_destroy(&wakers[i].answer);
        assert_false(wakers[i].has_failed);
    }
    free_loop(loop);
}

/* Two loops in two threads, between which balls fly. */
#define BALL_COUNT 3
#define FLIGHT_COUNT (5000 * SCALE)

struct court {
    pthread_t thread;
    struct aiol_loop *loop;
    struct aiol_poster *poster; /* the other court's reference */
    struct court *other;
    int rc;
};

static struct ball {
    struct aiol_post post;
    struct court *court;
    int flight_count;
    bool is_lost;
} balls[BALL_COUNT];
static atomic_int landed_count;

static void end_game(int status, void *data)
{
    struct court *court = data;

    (void)status;
    aiol_poster_release(court->other->poster);
}

static void return_ball(int status, void *data)
{
    struct ball *ball = data;
    struct court *court = ball->court;

    if (status != 0)
        ball->is_lost = true;
    ball->court = court->other;
    if (++ball->flight_count < FLIGHT_COUNT) {
        aiol_poster_post_node(court->other->poster, &ball->post);
    } else if (atomic_fetch_add(&landed_count, 1) + 1 == BALL_COUNT) {
        aiol_poster_post(court->other->poster, end_game, court->other);
        end_game(0, court);
    }
}

static void *play(void *data)
{
    struct court *court = data;

    court->rc = aiol_loop_run(court->loop);
    if (court->rc == 0)
        court->rc = aiol_loop_free(court->loop);
    return NULL;
}

static void test_p7_two_loops_post_to_each_other(void **state)
{
    static struct court courts[2];

    (void)state;
    for (int i = 0; i < 2; i++) {
        courts[i] = (struct court){.loop = new_loop(), .other = &courts[1 - i], .rc = -1};
        assert_int_equal(aiol_poster_new(courts[i].loop, &courts[i].poster), 0);
    }
    for (int i = 0; i < BALL_COUNT; i++) {
        balls[i] = (struct ball){.court = &courts[i % 2]};
        aiol_post_init(&balls[i].post, return_ball, &balls[i]);
        assert_int_equal(aiol_poster_post_node(balls[i].court->poster, &balls[i].post), 0);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&courts[i].thread, NULL, play, &courts[i]), 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(courts[i].thread, NULL);
        assert_int_equal(courts[i].rc, 0);
    }
    for (int i = 0; i < BALL_COUNT; i++) {
        assert_int_equal(balls[i].flight_count, FLIGHT_COUNT);
        assert_false(balls[i].is_lost);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p7_posters_are_used_and_released_while_the_loop_is_freed),
        TEST(test_p2_no_wake_of_four_threads_is_lost),
        TEST(test_p7_two_loops_post_to_each_other),
    };

    return cmocka_run_group_tests_name("threads/posters", tests, NULL, NULL);
}
