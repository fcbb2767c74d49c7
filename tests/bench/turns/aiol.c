/* Turns of libaio-loop: deferred calls and posts. */
#include "turns.h"

#include <aiol.h>

struct side {
    struct aiol_loop *loop;
    struct aiol_poster *poster;
    struct aiol_post ball;
    struct side *other;
    long received_count;
};

static struct side sides[2];
static struct aiol_post *posts;
static long call_count, ready_count;

static void call_again(struct aiol_deferred *deferred, void *data)
{
    (void)data;
    call_count++;
    aiol_deferred_start(deferred);
}

static void begin_ready(long size, long active)
{
    struct aiol_deferred *calls = bench_allocate((size_t)size * sizeof *calls);

    (void)active;
    bench_check(aiol_loop_new(NULL, &sides[0].loop) == 0, "loop");
    ready_count = size;
    for (long i = 0; i < size; i++) {
        aiol_deferred_init(&calls[i], sides[0].loop, call_again, NULL);
        aiol_deferred_start(&calls[i]);
    }
}

static long run_ready(void)
{
    for (call_count = 0; call_count < READY_CALLS;)
        aiol_loop_run_once(sides[0].loop, 0);
    return call_count;
}

static void open_side(struct side *side, aiol_post_fn callback)
{
    bench_check(aiol_loop_new(NULL, &side->loop) == 0, "loop");
    bench_check(aiol_poster_new(side->loop, &side->poster) == 0, "poster");
    aiol_post_init(&side->ball, callback, side);
}

static void count_post(int status, void *data)
{
    struct side *side = data;

    (void)status;
    side->received_count++;
}

static void begin_post(long size, long active)
{
    (void)size;
    (void)active;
    open_side(&sides[0], count_post);
    posts = bench_allocate(POSTS * sizeof *posts);
}

static void *post_all(void *data)
{
    (void)data;
    for (long i = 0; i < POSTS; i++)
        aiol_poster_post_node(sides[0].poster, &posts[i]);
    return NULL;
}

static long run_post(void)
{
    pthread_t thread;

    bench_pause();
    for (long i = 0; i < POSTS; i++)
        aiol_post_init(&posts[i], count_post, &sides[0]);
    bench_resume();
    sides[0].received_count = 0;
    bench_check(pthread_create(&thread, NULL, post_all, NULL) == 0, "pthread_create");
    while (sides[0].received_count < POSTS)
        aiol_loop_run_once(sides[0].loop, AIOL_NEVER);
    pthread_join(thread, NULL);
    return POSTS;
}

static void hit(int status, void *data)
{
    struct side *side = data;

    (void)status;
    if (++side->received_count < ROUND_TRIPS || side == &sides[1])
        aiol_poster_post_node(side->other->poster, &side->other->ball);
    if (side->received_count == ROUND_TRIPS)
        aiol_loop_stop(side->loop);
}

static void begin_pingpong(long size, long active)
{
    (void)size;
    (void)active;
    for (int i = 0; i < 2; i++) {
        open_side(&sides[i], hit);
        sides[i].other = &sides[1 - i];
    }
}

static void *play(void *data)
{
    struct side *side = data;

    aiol_loop_run(side->loop);
    return NULL;
}

static long run_pingpong(void)
{
    pthread_t thread;

    sides[0].received_count = sides[1].received_count = 0;
    bench_check(pthread_create(&thread, NULL, play, &sides[1]) == 0, "pthread_create");
    aiol_poster_post_node(sides[1].poster, &sides[1].ball);
    play(&sides[0]);
    pthread_join(thread, NULL);
    return ROUND_TRIPS;
}

const struct bench_workload bench_workloads[] = {
    {"ready", begin_ready, run_ready},
    {"post", begin_post, run_post},
    {"pingpong", begin_pingpong, run_pingpong},
    {NULL, NULL, NULL},
};
