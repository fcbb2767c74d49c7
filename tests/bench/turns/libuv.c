/* Turns of libuv: idle handles, uv_async, and an eventfd. */
#include "calls.h"
#include "turns.h"

#include <sys/eventfd.h>
#include <unistd.h>
#include <uv.h>

/* ready */
static uv_loop_t loop;
static long call_count;

static void count_call(uv_idle_t *idle)
{
    (void)idle;
    call_count++;
}

/* An idle handle is called in each turn until it is stopped: that is libuv's way to be called again
 * soon. */
static void begin_ready(long size, long active)
{
    uv_idle_t *calls = bench_allocate((size_t)size * sizeof *calls);

    (void)active;
    bench_check(uv_loop_init(&loop) == 0, "loop");
    for (long i = 0; i < size; i++) {
        bench_check(uv_idle_init(&loop, &calls[i]) == 0, "init");
        bench_check(uv_idle_start(&calls[i], count_call) == 0, "start");
    }
}

static long run_ready(void)
{
    for (call_count = 0; call_count < READY_CALLS;)
        uv_run(&loop, UV_RUN_NOWAIT);
    return call_count;
}

/* post */
static uv_async_t async;
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

static void take_posts(uv_async_t *same_async)
{
    (void)same_async;
    bench_calls_deliver();
}

static void begin_post(long size, long active)
{
    (void)size;
    (void)active;
    make_posts();
    bench_check(uv_loop_init(&loop) == 0, "loop");
    bench_check(uv_async_init(&loop, &async, take_posts) == 0, "async");
}

static void *post_all(void *data)
{
    (void)data;
    for (long i = 0; i < POSTS; i++) {
        if (bench_calls_push(&posts[i]))
            bench_check(uv_async_send(&async) == 0, "send");
    }
    return NULL;
}

static long run_post(void)
{
    pthread_t thread;

    received_count = 0;
    bench_check(pthread_create(&thread, NULL, post_all, NULL) == 0, "pthread_create");
    while (received_count < POSTS)
        uv_run(&loop, UV_RUN_ONCE);
    pthread_join(thread, NULL);
    return POSTS;
}

/* pingpong: an eventfd. A loop that uv_async_send() wakes spins until that has returned (libuv 1.29
 * to 1.44): for long, where the two share a processor. */
struct side {
    uv_loop_t loop;
    uv_poll_t poll;
    int wakeup;
    struct side *other;
    long received_count;
};

static struct side sides[2];

static void wake(struct side *side)
{
    uint64_t one = 1;

    bench_check(write(side->wakeup, &one, sizeof one) == sizeof one, "write");
}

static void hit(uv_poll_t *poll, int status, int events)
{
    struct side *side = poll->data;
    uint64_t value;

    (void)events;
    bench_check(status == 0, "poll");
    bench_check(read(side->wakeup, &value, sizeof value) == sizeof value, "read");
    if (++side->received_count < ROUND_TRIPS || side == &sides[1])
        wake(side->other);
    if (side->received_count == ROUND_TRIPS)
        uv_stop(&side->loop);
}

static void open_side(struct side *side)
{
    side->wakeup = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    bench_check(side->wakeup >= 0, "eventfd");
    bench_check(uv_loop_init(&side->loop) == 0, "loop");
    bench_check(uv_poll_init(&side->loop, &side->poll, side->wakeup) == 0, "init");
    bench_check(uv_poll_start(&side->poll, UV_READABLE, hit) == 0, "start");
    side->poll.data = side;
}

static void begin_pingpong(long size, long active)
{
    (void)size;
    (void)active;
    for (int i = 0; i < 2; i++) {
        open_side(&sides[i]);
        sides[i].other = &sides[1 - i];
    }
}

static void *play(void *data)
{
    struct side *side = data;

    uv_run(&side->loop, UV_RUN_DEFAULT);
    return NULL;
}

static long run_pingpong(void)
{
    pthread_t thread;

    sides[0].received_count = sides[1].received_count = 0;
    bench_check(pthread_create(&thread, NULL, play, &sides[1]) == 0, "pthread_create");
    wake(&sides[1]);
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
