/* Tasks of libaio-loop. */
#include "task/context.h"
#include "tasks.h"

#include <aiol.h>

static struct aiol_loop *loop;
static long task_count;

static void begin(long size, long active)
{
    (void)active;
    bench_check(aiol_loop_new(NULL, &loop) == 0, "loop");
    task_count = size;
}

static void spawn(aiol_task_fn fn, void *arg)
{
    bench_check(aiol_task_spawn(loop, fn, arg, NULL) == 0, "spawn");
}

/* switch, below the interface of tasks */
static struct aiol__context main_context, other_context;

static void switch_back(void *arg)
{
    (void)arg;
    aiol__context_entered(&other_context);
    for (;;)
        aiol__context_switch(&other_context, &main_context);
}

static void begin_switch(long size, long active)
{
    const size_t stack_bytes = 65536;
    struct aiol__stack_area area = {bench_allocate(stack_bytes), stack_bytes};

    (void)size;
    (void)active;
    aiol__context_init_current(&main_context);
    aiol__context_prepare(&other_context, area, NULL, switch_back, NULL);
}

static long run_switch(void)
{
    for (long i = 0; i < SWITCHES; i += 2)
        aiol__context_switch(&main_context, &other_context);
    return SWITCHES;
}

/* yield */
static long yields_left;

static int keep_yielding(void *arg)
{
    (void)arg;
    while (yields_left-- > 0)
        aiol_await_yield();
    return 0;
}

static long run_yield(void)
{
    yields_left = YIELDS;
    for (long i = 0; i < task_count; i++)
        spawn(keep_yielding, NULL);
    aiol_loop_run(loop);
    return YIELDS;
}

/* spawn, spawn_many and parked_memory */
static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int spawn_and_await(void *arg)
{
    (void)arg;
    for (long i = 0; i < SPAWNS; i++) {
        struct aiol_task *task;
        int result;

        bench_check(aiol_task_spawn(loop, do_nothing, NULL, &task) == 0, "spawn");
        bench_check(aiol_await_task(task, &result) == 0 && result == 0, "result");
    }
    return 0;
}

static long run_spawn(void)
{
    spawn(spawn_and_await, NULL);
    aiol_loop_run(loop);
    return SPAWNS;
}

static struct aiol_future gate;

static int wait_at_gate(void *arg)
{
    (void)arg;
    return aiol_await_future(&gate, NULL);
}

static struct aiol_task **many;

static void begin_many(long size, long active)
{
    begin(size, active);
    many = bench_allocate((size_t)size * sizeof *many);
}

static int await_many(void *arg)
{
    (void)arg;
    for (long i = 0; i < task_count; i++)
        bench_check(aiol_task_spawn(loop, wait_at_gate, NULL, &many[i]) == 0, "spawn");
    aiol_await_yield();
    aiol_future_set(&gate, 0, NULL);
    for (long i = 0; i < task_count; i++)
        aiol_await_task(many[i], NULL);
    return 0;
}

static long run_spawn_many(void)
{
    aiol_future_init(&gate, loop, NULL, NULL);
    spawn(await_many, NULL);
    aiol_loop_run(loop);
    aiol_future_close(&gate);
    return task_count;
}

static long hold_parked(void)
{
    uint64_t resident_before = bench_resident_bytes();
    uint64_t tables_before = bench_page_table_bytes();

    aiol_future_init(&gate, loop, NULL, NULL);
    for (long i = 0; i < task_count; i++)
        spawn(wait_at_gate, NULL);
    while (aiol_loop_next_timeout_ns(loop) == 0)
        aiol_loop_run_once(loop, 0);
    bench_report_memory(bench_resident_bytes() - resident_before,
                        bench_page_table_bytes() - tables_before);
    aiol_future_set(&gate, 0, NULL);
    aiol_loop_run(loop);
    aiol_future_close(&gate);
    return task_count;
}

/* queue */
static struct aiol_queue *queue;

static void begin_queue(long size, long active)
{
    begin(size, active);
    bench_check(aiol_queue_new(loop, (size_t)size, NULL, &queue) == 0, "queue");
}

static int produce(void *arg)
{
    (void)arg;
    for (long i = 0; i < ITEMS; i++)
        bench_check(aiol_await_queue_put(queue, &queue) == 0, "put");
    return 0;
}

static int consume(void *arg)
{
    void *item;

    (void)arg;
    for (long i = 0; i < ITEMS; i++) {
        bench_check(aiol_await_queue_get(queue, &item) == 0 && item == &queue, "get");
    }
    return 0;
}

static long run_queue(void)
{
    spawn(consume, NULL);
    spawn(produce, NULL);
    aiol_loop_run(loop);
    return ITEMS;
}

/* future */
static struct aiol_future *asked;
static bool is_over;

static int await_futures(void *arg)
{
    struct aiol_future future;

    (void)arg;
    for (long i = 0; i < FUTURES; i++) {
        aiol_future_init(&future, loop, NULL, NULL);
        asked = &future;
        bench_check(aiol_await_future(&future, NULL) == 0, "future");
        aiol_future_close(&future);
    }
    is_over = true;
    return 0;
}

static int set_futures(void *arg)
{
    (void)arg;
    while (!is_over) {
        aiol_future_set(asked, 0, NULL);
        aiol_await_yield();
    }
    return 0;
}

static long run_future(void)
{
    is_over = false;
    spawn(await_futures, NULL);
    spawn(set_futures, NULL);
    aiol_loop_run(loop);
    return FUTURES;
}

const struct bench_workload bench_workloads[] = {
    {"switch", begin_switch, run_switch},
    {"yield", begin, run_yield},
    {"spawn", begin, run_spawn},
    {"spawn_many", begin_many, run_spawn_many},
    {"queue", begin_queue, run_queue},
    {"queue_unbuffered", begin_queue, run_queue},
    {"future", begin, run_future},
    {"parked_memory", begin, hold_parked},
    {NULL, NULL, NULL},
};
