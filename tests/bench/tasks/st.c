/* Tasks of State Threads, on stacks of the default size. Queues and futures, which it has not, are
 * made of its condition variables; since a thread runs until it waits, no mutex is needed. */
#include "tasks.h"

#include <st.h>

static long task_count;

static st_cond_t new_cond(void)
{
    st_cond_t cond = st_cond_new();

    bench_check(cond != NULL, "st_cond_new");
    return cond;
}

/* Who started tasks awaits their ends so: faster than to join each. */
static st_cond_t ended;
static long tasks_left;

static void spawn(void *(*fn)(void *arg))
{
    tasks_left++;
    bench_check(st_thread_create(fn, NULL, 0, 0) != NULL, "st_thread_create");
}

static void *end_one(void)
{
    if (--tasks_left == 0)
        st_cond_signal(ended);
    return NULL;
}

static void await_all(void)
{
    while (tasks_left > 0)
        st_cond_wait(ended);
}

static void begin(long size, long active)
{
    (void)active;
    task_count = size;
    bench_check(st_set_eventsys(ST_EVENTSYS_POLL) == 0, "st_set_eventsys");
    bench_check(st_init() == 0, "st_init");
    ended = new_cond();
}

/* yield: a sleep of no time is how */
static long yields_left;

static void *keep_yielding(void *arg)
{
    (void)arg;
    while (yields_left-- > 0)
        st_usleep(0);
    return end_one();
}

static long run_yield(void)
{
    yields_left = YIELDS;
    for (long i = 0; i < task_count; i++)
        spawn(keep_yielding);
    await_all();
    return YIELDS;
}

/* spawn, spawn_many and parked_memory */
static void *do_nothing(void *arg)
{
    (void)arg;
    return end_one();
}

static long run_spawn(void)
{
    for (long i = 0; i < SPAWNS; i++) {
        spawn(do_nothing);
        await_all();
    }
    return SPAWNS;
}

static st_cond_t gate, parked;
static long parked_count;
static bool is_open;

static void begin_many(long size, long active)
{
    begin(size, active);
    gate = new_cond();
    parked = new_cond();
}

static void *wait_at_gate(void *arg)
{
    (void)arg;
    if (++parked_count == task_count)
        st_cond_signal(parked);
    while (!is_open)
        st_cond_wait(gate);
    return end_one();
}

static void park_all(void)
{
    is_open = false;
    parked_count = 0;
    for (long i = 0; i < task_count; i++)
        spawn(wait_at_gate);
    while (parked_count < task_count)
        st_cond_wait(parked);
}

static void end_all(void)
{
    is_open = true;
    st_cond_broadcast(gate);
    await_all();
}

static long run_spawn_many(void)
{
    park_all();
    end_all();
    return task_count;
}

static long hold_parked(void)
{
    uint64_t resident_before = bench_resident_bytes();
    uint64_t tables_before = bench_page_table_bytes();

    park_all();
    bench_report_memory(bench_resident_bytes() - resident_before,
                        bench_page_table_bytes() - tables_before);
    end_all();
    return task_count;
}

/* queue: a ring. For one task that puts and one that gets, who are told when it matters. */
static st_cond_t may_put, may_get;
static void **ring;
static long ring_size, put_count, got_count;

static void put(void *item)
{
    while (put_count - got_count == ring_size)
        st_cond_wait(may_put);
    ring[put_count++ % ring_size] = item;
    if (put_count - got_count == 1)
        st_cond_signal(may_get);
}

static void *get(void)
{
    void *item;

    while (put_count == got_count)
        st_cond_wait(may_get);
    item = ring[got_count++ % ring_size];
    if (put_count - got_count == ring_size - 1)
        st_cond_signal(may_put);
    return item;
}

static void begin_queue(long size, long active)
{
    begin(size, active);
    may_put = new_cond();
    may_get = new_cond();
}

static void begin_ring(long size, long active)
{
    begin_queue(size, active);
    ring_size = size;
    ring = bench_allocate((size_t)size * sizeof *ring);
}

static void *produce(void *arg)
{
    (void)arg;
    for (long i = 0; i < ITEMS; i++)
        put(&put_count);
    return end_one();
}

static void *consume(void *arg)
{
    (void)arg;
    for (long i = 0; i < ITEMS; i++)
        bench_check(get() == &put_count, "item");
    return end_one();
}

static long run_queue(void)
{
    spawn(consume);
    spawn(produce);
    await_all();
    return ITEMS;
}

/* queue_unbuffered: who comes first waits for the other one, who need not wait. */
static bool is_putting, is_getting;
static void *offered, *given;

static void put_unbuffered(void *item)
{
    if (is_getting) {
        given = item;
        is_getting = false;
        st_cond_signal(may_get);
        return;
    }
    offered = item;
    is_putting = true;
    while (is_putting)
        st_cond_wait(may_put);
}

static void *get_unbuffered(void)
{
    if (is_putting) {
        is_putting = false;
        st_cond_signal(may_put);
        return offered;
    }
    is_getting = true;
    while (is_getting)
        st_cond_wait(may_get);
    return given;
}

static void *produce_unbuffered(void *arg)
{
    (void)arg;
    for (long i = 0; i < ITEMS; i++)
        put_unbuffered(&offered);
    return end_one();
}

static void *consume_unbuffered(void *arg)
{
    (void)arg;
    for (long i = 0; i < ITEMS; i++)
        bench_check(get_unbuffered() == &offered, "item");
    return end_one();
}

static long run_queue_unbuffered(void)
{
    spawn(consume_unbuffered);
    spawn(produce_unbuffered);
    await_all();
    return ITEMS;
}

/* future */
struct future {
    st_cond_t changed;
    bool is_set;
};

static st_cond_t may_set;
static struct future *asked;
static bool is_over;

static void begin_future(long size, long active)
{
    begin(size, active);
    may_set = new_cond();
}

static void *await_futures(void *arg)
{
    (void)arg;
    for (long i = 0; i < FUTURES; i++) {
        struct future future = {new_cond(), false};

        asked = &future;
        st_cond_signal(may_set);
        while (!future.is_set)
            st_cond_wait(future.changed);
        st_cond_destroy(future.changed);
    }
    is_over = true;
    st_cond_signal(may_set);
    return end_one();
}

static void *set_futures(void *arg)
{
    (void)arg;
    while (!is_over) {
        if (asked) {
            asked->is_set = true;
            st_cond_signal(asked->changed);
            asked = NULL;
        }
        st_cond_wait(may_set);
    }
    return end_one();
}

static long run_future(void)
{
    is_over = false;
    spawn(await_futures);
    spawn(set_futures);
    await_all();
    return FUTURES;
}

const struct bench_workload bench_workloads[] = {
    {"yield", begin, run_yield},
    {"spawn", begin, run_spawn},
    {"spawn_many", begin_many, run_spawn_many},
    {"queue", begin_ring, run_queue},
    {"queue_unbuffered", begin_queue, run_queue_unbuffered},
    {"future", begin_future, run_future},
    {"parked_memory", begin_many, hold_parked},
    {NULL, NULL, NULL},
};
