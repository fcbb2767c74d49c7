/* Turns of libevent: event_active(), from another thread too, and an eventfd. */
#include "calls.h"
#include "turns.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <event2/thread.h>
#include <sys/eventfd.h>
#include <unistd.h>

static struct event_base *base;

/* A turn looks for other events after so many callbacks; -1: it calls all that are active. */
static struct event_base *open_base(int flags, int callbacks)
{
    struct event_config *config = event_config_new();
    struct event_base *opened;

    bench_check(config != NULL, "config");
    event_config_set_flag(config, flags | EVENT_BASE_FLAG_IGNORE_ENV);
    event_config_set_max_dispatch_interval(config, NULL, callbacks, 0);
    opened = event_base_new_with_config(config);
    bench_check(opened != NULL, "base");
    event_config_free(config);
    return opened;
}

/* ready: what is made active in a callback joins the queue that is being called; it is the number
 * above that ends a turn. */
static long call_count;

static void call_again(evutil_socket_t fd, short events, void *data)
{
    struct event *call = data;

    (void)fd;
    call_count++;
    event_active(call, events, 0);
    if (call_count >= READY_CALLS)
        event_base_loopbreak(base);
}

static void begin_ready(long size, long active)
{
    struct event *calls = bench_allocate((size_t)size * sizeof *calls);

    (void)active;
    base = open_base(EVENT_BASE_FLAG_NOLOCK, (int)size);
    for (long i = 0; i < size; i++) {
        bench_check(event_assign(&calls[i], base, -1, EV_PERSIST, call_again, &calls[i]) == 0,
                    "assign");
        event_active(&calls[i], EV_READ, 0);
    }
}

static long run_ready(void)
{
    call_count = 0;
    event_base_loop(base, 0);
    return call_count;
}

/* post */
static struct event event;
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

static void take_posts(evutil_socket_t fd, short events, void *data)
{
    (void)fd;
    (void)events;
    (void)data;
    bench_calls_deliver();
}

static void begin_post(long size, long active)
{
    (void)size;
    (void)active;
    make_posts();
    bench_check(evthread_use_pthreads() == 0, "threads");
    base = open_base(0, -1);
    bench_check(event_assign(&event, base, -1, EV_PERSIST, take_posts, NULL) == 0, "assign");
}

static void *post_all(void *data)
{
    (void)data;
    for (long i = 0; i < POSTS; i++) {
        if (bench_calls_push(&posts[i]))
            event_active(&event, EV_READ, 0);
    }
    return NULL;
}

static long run_post(void)
{
    pthread_t thread;

    received_count = 0;
    bench_check(pthread_create(&thread, NULL, post_all, NULL) == 0, "pthread_create");
    while (received_count < POSTS)
        event_base_loop(base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY);
    pthread_join(thread, NULL);
    return POSTS;
}

/* pingpong: an eventfd, edge-triggered and so never read; that takes less than event_active(). */
struct side {
    struct event_base *base;
    struct event event;
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

static void hit(evutil_socket_t fd, short events, void *data)
{
    struct side *side = data;

    (void)fd;
    (void)events;
    if (++side->received_count < ROUND_TRIPS || side == &sides[1])
        wake(side->other);
    if (side->received_count == ROUND_TRIPS)
        event_base_loopbreak(side->base);
}

static void open_side(struct side *side)
{
    side->wakeup = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    bench_check(side->wakeup >= 0, "eventfd");
    side->base = open_base(EVENT_BASE_FLAG_NOLOCK, -1);
    bench_check(event_assign(&side->event, side->base, side->wakeup, EV_READ | EV_PERSIST | EV_ET,
                             hit, side) == 0,
                "assign");
    bench_check(event_add(&side->event, NULL) == 0, "add");
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

    event_base_loop(side->base, 0);
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
