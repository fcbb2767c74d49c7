/* Turns, the floor: a list of callbacks; a lock-free list of posts and an eventfd. */
#include "turns.h"

#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct call {
    struct call *next;
    void (*callback)(struct call *call);
};

/* ready */
static struct call *first_pending, **last_pending = &first_pending;
static long call_count;

static void call_again(struct call *call)
{
    call->next = NULL;
    *last_pending = call;
    last_pending = &call->next;
    call_count++;
}

static void begin_ready(long size, long active)
{
    struct call *calls = bench_allocate((size_t)size * sizeof *calls);

    (void)active;
    for (long i = 0; i < size; i++) {
        calls[i].callback = call_again;
        call_again(&calls[i]);
    }
}

static long run_ready(void)
{
    for (call_count = 0; call_count < READY_CALLS;) {
        struct call *call = first_pending;

        first_pending = NULL;
        last_pending = &first_pending;
        while (call) {
            struct call *next = call->next;

            call->callback(call);
            call = next;
        }
    }
    return call_count;
}

/* post and pingpong */
struct loop {
    _Atomic(struct call *) posts;
    struct call sleeping; /* the list's end while the loop waits */
    int poller;
    int wakeup;
    long received_count;
    struct loop *other;
    struct call ball;
};

static struct loop loops[2];
static struct call *posted;

static void loop_open(struct loop *loop)
{
    struct epoll_event event = {.events = EPOLLIN};

    loop->wakeup = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    loop->poller = epoll_create1(EPOLL_CLOEXEC);
    bench_check(epoll_ctl(loop->poller, EPOLL_CTL_ADD, loop->wakeup, &event) == 0, "epoll_ctl");
}

static void post(struct loop *loop, struct call *call)
{
    struct call *head = atomic_load_explicit(&loop->posts, memory_order_relaxed);
    uint64_t one = 1;

    do
        call->next = head == &loop->sleeping ? NULL : head;
    while (!atomic_compare_exchange_weak_explicit(&loop->posts, &head, call, memory_order_release,
                                                  memory_order_relaxed));
    if (head == &loop->sleeping)
        bench_check(write(loop->wakeup, &one, sizeof one) == sizeof one, "write");
}

static void loop_turn(struct loop *loop)
{
    struct call *call = NULL, *reversed = NULL;
    struct epoll_event event;
    bool sleeps = atomic_compare_exchange_strong(&loop->posts, &call, &loop->sleeping);
    uint64_t value;

    if (epoll_wait(loop->poller, &event, 1, sleeps ? -1 : 0) > 0)
        bench_check(read(loop->wakeup, &value, sizeof value) == sizeof value, "read");
    call = atomic_exchange_explicit(&loop->posts, NULL, memory_order_acquire);
    while (call && call != &loop->sleeping) {
        struct call *next = call->next;

        call->next = reversed;
        reversed = call;
        call = next;
    }
    while (reversed) {
        struct call *next = reversed->next;

        reversed->callback(reversed);
        reversed = next;
    }
}

static void count_post(struct call *call)
{
    (void)call;
    loops[0].received_count++;
}

static void begin_post(long size, long active)
{
    (void)size;
    (void)active;
    loop_open(&loops[0]);
    posted = bench_allocate(POSTS * sizeof *posted);
    for (long i = 0; i < POSTS; i++)
        posted[i].callback = count_post;
}

static void *post_all(void *data)
{
    (void)data;
    for (long i = 0; i < POSTS; i++)
        post(&loops[0], &posted[i]);
    return NULL;
}

static long run_post(void)
{
    pthread_t thread;

    loops[0].received_count = 0;
    bench_check(pthread_create(&thread, NULL, post_all, NULL) == 0, "pthread_create");
    while (loops[0].received_count < POSTS)
        loop_turn(&loops[0]);
    pthread_join(thread, NULL);
    return POSTS;
}

static void hit(struct call *call)
{
    struct loop *loop = call == &loops[0].ball ? &loops[0] : &loops[1];

    /* The second loop's ball is what it is sent; it answers with the first one's. */
    if (++loop->received_count < ROUND_TRIPS || loop == &loops[1])
        post(loop->other, &loop->other->ball);
}

static void begin_pingpong(long size, long active)
{
    (void)size;
    (void)active;
    for (int i = 0; i < 2; i++) {
        loop_open(&loops[i]);
        loops[i].other = &loops[1 - i];
        loops[i].ball.callback = hit;
    }
}

static void *play(void *data)
{
    struct loop *loop = data;

    while (loop->received_count < ROUND_TRIPS)
        loop_turn(loop);
    return NULL;
}

static long run_pingpong(void)
{
    pthread_t thread;

    loops[0].received_count = loops[1].received_count = 0;
    bench_check(pthread_create(&thread, NULL, play, &loops[1]) == 0, "pthread_create");
    post(&loops[1], &loops[1].ball);
    play(&loops[0]);
    pthread_join(thread, NULL);
    return ROUND_TRIPS;
}

const struct bench_workload bench_workloads[] = {
    {"ready", begin_ready, run_ready},
    {"post", begin_post, run_post},
    {"pingpong", begin_pingpong, run_pingpong},
    {NULL, NULL, NULL},
};
