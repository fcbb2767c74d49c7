/* Turns of libev: prepare watchers and ev_async. */
#include "calls.h"
#include "turns.h"

#include <ev.h>

struct side {
    struct ev_loop *loop;
    struct ev_async async;
    struct side *other;
    long received_count;
};

static struct side sides[2];
static long call_count;

static void open_loop(struct side *side)
{
    side->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    bench_check(side->loop != NULL, "loop");
}

static void count_call(struct ev_loop *loop, struct ev_prepare *prepare, int events)
{
    (void)loop;
    (void)prepare;
    (void)events;
    call_count++;
}

/* A prepare watcher is called in each turn until it is stopped. What a callback gives
 * to ev_feed_event() is called before all others, and the turn would never end. */
static void begin_ready(long size, long active)
{
    struct ev_prepare *calls = bench_allocate((size_t)size * sizeof *calls);

    (void)active;
    open_loop(&sides[0]);
    for (long i = 0; i < size; i++) {
        ev_prepare_init(&calls[i], count_call);
        ev_prepare_start(sides[0].loop, &calls[i]);
    }
}

static long run_ready(void)
{
    for (call_count = 0; call_count < READY_CALLS;)
        ev_run(sides[0].loop, EVRUN_NOWAIT);
    return call_count;
}

static void open_side(struct side *side, void (*callback)(struct ev_loop *, struct ev_async *, int))
{
    open_loop(side);
    ev_async_init(&side->async, callback);
    side->async.data = side;
    ev_async_start(side->loop, &side->async);
}

static struct bench_call *posts;
static long received_count;

static void count_post(struct bench_call *call)
{
    (void)call;
    received_count++;
}

static void make_posts(void)
{
    posts = bench_allocate(POSTS * sizeof *posts);
    for (long i = 0; i < POSTS; i++)
        posts[i].callback = count_post;
}

static void take_posts(struct ev_loop *loop, struct ev_async *async, int events)
{
    (void)loop;
    (void)async;
    (void)events;
    bench_calls_deliver();
}

static void begin_post(long size, long active)
{
    (void)size;
    (void)active;
    make_posts();
    open_side(&sides[0], take_posts);
}

static void *post_all(void *data)
{
    (void)data;
    for (long i = 0; i < POSTS; i++) {
        if (bench_calls_push(&posts[i]))
            ev_async_send(sides[0].loop, &sides[0].async);
    }
    return NULL;
}

static long run_post(void)
{
    pthread_t thread;

    received_count = 0;
    bench_check(pthread_create(&thread, NULL, post_all, NULL) == 0, "pthread_create");
    while (received_count < POSTS)
        ev_run(sides[0].loop, EVRUN_ONCE);
    pthread_join(thread, NULL);
    return POSTS;
}

static void hit(struct ev_loop *loop, struct ev_async *async, int events)
{
    struct side *side = async->data;

    (void)events;
    if (++side->received_count < ROUND_TRIPS || side == &sides[1])
        ev_async_send(side->other->loop, &side->other->async);
    if (side->received_count == ROUND_TRIPS)
        ev_break(loop, EVBREAK_ONE);
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

    ev_run(side->loop, 0);
    return NULL;
}

static long run_pingpong(void)
{
    pthread_t thread;

    sides[0].received_count = sides[1].received_count = 0;
    bench_check(pthread_create(&thread, NULL, play, &sides[1]) == 0, "pthread_create");
    ev_async_send(sides[1].loop, &sides[1].async);
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
