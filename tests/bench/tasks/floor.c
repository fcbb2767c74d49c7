/* Tasks, the floor: a switch in assembly, a list of tasks that are ready, and stacks without
 * guards. Nothing is checked, and nobody can be cancelled. */
#include "tasks.h"

#include <sys/mman.h>

#define STACK_BYTES 16384

#if defined(__x86_64__)
/* Leaves by a jump, since a ret would be predicted wrongly each time. */
__asm__(".text\n"
        ".globl switch_stack\n"
        "switch_stack:\n"
        "    pushq %rbp\n    pushq %rbx\n    pushq %r12\n"
        "    pushq %r13\n    pushq %r14\n    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n    popq %r14\n    popq %r13\n"
        "    popq %r12\n    popq %rbx\n    popq %rbp\n"
        "    popq %rcx\n"
        "    jmpq *%rcx\n");
#define FRAME_WORDS 8 /* with one that keeps the stack aligned as at a call */
#define RETURN_WORD 6
#elif defined(__aarch64__)
__asm__(".text\n"
        ".globl switch_stack\n"
        "switch_stack:\n"
        "    stp x19, x20, [sp, #-160]!\n    stp x21, x22, [sp, #16]\n"
        "    stp x23, x24, [sp, #32]\n    stp x25, x26, [sp, #48]\n"
        "    stp x27, x28, [sp, #64]\n    stp x29, x30, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n    stp d10, d11, [sp, #112]\n"
        "    stp d12, d13, [sp, #128]\n    stp d14, d15, [sp, #144]\n"
        "    mov x9, sp\n    str x9, [x0]\n    mov sp, x1\n"
        "    ldp x21, x22, [sp, #16]\n    ldp x23, x24, [sp, #32]\n"
        "    ldp x25, x26, [sp, #48]\n    ldp x27, x28, [sp, #64]\n"
        "    ldp x29, x10, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n    ldp d10, d11, [sp, #112]\n"
        "    ldp d12, d13, [sp, #128]\n    ldp d14, d15, [sp, #144]\n"
        "    ldp x19, x20, [sp], #160\n"
        "    br x10\n");
#define FRAME_WORDS 20
#define RETURN_WORD 11
#else
#error "the floor of tasks is written for x86-64 and AArch64"
#endif
void switch_stack(void **ret_from, void *to);

struct task {
    struct task *next; /* in the list of those that are ready, or spare */
    void *stack_pointer;
    char *stack;
    int (*fn)(void *arg);
    void *arg;
    int result;
    struct task *awaiting;
};

static struct task *current, *first_ready, **last_ready = &first_ready, *first_spare;
static struct task loop_task;

static void make_ready(struct task *task)
{
    task->next = NULL;
    *last_ready = task;
    last_ready = &task->next;
}

static void switch_to(struct task *task)
{
    struct task *from = current;

    current = task;
    switch_stack(&from->stack_pointer, task->stack_pointer);
}

/* To the next task that is ready, of which there must be one. */
static void switch_away(void)
{
    struct task *next = first_ready;

    first_ready = next->next;
    if (!first_ready)
        last_ready = &first_ready;
    switch_to(next);
}

static void yield(void)
{
    make_ready(current);
    switch_away();
}

static void free_task(struct task *task)
{
    task->next = first_spare;
    first_spare = task;
}

static void task_main(void)
{
    current->result = current->fn(current->arg);
    if (current->awaiting)
        make_ready(current->awaiting); /* who frees it */
    else
        free_task(current);
    switch_away();
}

static struct task *spawn(int (*fn)(void *arg), void *arg, struct task *awaiting)
{
    struct task *task = first_spare;
    void **frame;

    if (task) {
        first_spare = task->next;
    } else {
        task = bench_allocate(sizeof *task);
        task->stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        bench_check(task->stack != MAP_FAILED, "mmap");
    }
    frame = (void **)(task->stack + STACK_BYTES) - FRAME_WORDS;
    frame[RETURN_WORD] = (void *)(uintptr_t)task_main;
    task->stack_pointer = frame;
    task->fn = fn;
    task->arg = arg;
    task->awaiting = awaiting;
    make_ready(task);
    return task;
}

static void begin(long size, long active);

/* switch */
static long switch_count;

static int switch_back(void *arg)
{
    (void)arg;
    for (;;)
        switch_to(&loop_task);
    return 0;
}

static void begin_switch(long size, long active)
{
    begin(size, active);
    spawn(switch_back, NULL, NULL);
}

static long run_switch(void)
{
    struct task *other = first_ready;

    for (switch_count = 0; switch_count < SWITCHES; switch_count += 2)
        switch_to(other);
    return SWITCHES;
}

/* yield */
static long task_count, yields_left, tasks_left;

static void begin(long size, long active)
{
    (void)active;
    task_count = size;
    current = &loop_task;
}

static int end_last(void)
{
    if (--tasks_left == 0)
        make_ready(&loop_task);
    return 0;
}

static int keep_yielding(void *arg)
{
    (void)arg;
    while (yields_left-- > 0)
        yield();
    return end_last();
}

static long run_yield(void)
{
    yields_left = YIELDS;
    tasks_left = task_count;
    for (long i = 0; i < task_count; i++)
        spawn(keep_yielding, NULL, NULL);
    switch_away();
    return YIELDS;
}

/* spawn, spawn_many and parked_memory */
static struct task *waiting, **last_waiting;

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static long run_spawn(void)
{
    for (long i = 0; i < SPAWNS; i++) {
        struct task *task = spawn(do_nothing, NULL, &loop_task);

        switch_away();
        bench_check(task->result == 0, "result");
        free_task(task);
    }
    return SPAWNS;
}

static int wait_in_list(void *arg)
{
    (void)arg;
    current->next = NULL;
    *last_waiting = current;
    last_waiting = &current->next;
    switch_away();
    return end_last();
}

static void park_all(void)
{
    waiting = NULL;
    last_waiting = &waiting;
    tasks_left = task_count;
    for (long i = 0; i < task_count; i++)
        spawn(wait_in_list, NULL, NULL);
    yield();
}

static void end_all(void)
{
    while (waiting) {
        struct task *task = waiting;

        waiting = task->next;
        make_ready(task);
    }
    switch_away();
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
    char *stacks = mmap(NULL, (size_t)task_count * STACK_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    struct task *tasks = bench_allocate((size_t)task_count * sizeof *tasks);

    bench_check(stacks != MAP_FAILED, "mmap");
    madvise(stacks, (size_t)task_count * STACK_BYTES, MADV_NOHUGEPAGE);
    for (long i = 0; i < task_count; i++) {
        tasks[i].stack = stacks + i * STACK_BYTES;
        tasks[i].next = first_spare;
        first_spare = &tasks[i];
    }
    park_all();
    bench_report_memory(bench_resident_bytes() - resident_before,
                        bench_page_table_bytes() - tables_before);
    end_all();
    return task_count;
}

/* queue: a ring; who finds it full or empty lets the other one run. */
static long ring_size, put_count, got_count;
static void **ring;

static int produce(void *arg)
{
    (void)arg;
    while (put_count < ITEMS) {
        while (put_count - got_count == ring_size)
            yield();
        ring[put_count++ % ring_size] = &put_count;
    }
    return end_last();
}

static int consume(void *arg)
{
    (void)arg;
    while (got_count < ITEMS) {
        while (got_count == put_count)
            yield();
        bench_check(ring[got_count++ % ring_size] == &put_count, "item");
    }
    return end_last();
}

static void begin_queue(long size, long active)
{
    begin(size, active);
    ring_size = size;
    ring = bench_allocate((size_t)ring_size * sizeof *ring);
}

static long run_queue(void)
{
    put_count = got_count = 0;
    tasks_left = 2;
    spawn(consume, NULL, NULL);
    spawn(produce, NULL, NULL);
    switch_away();
    return ITEMS;
}

/* queue_unbuffered: who comes second hands over, or takes, and makes the first one ready. */
static struct task *waiting_putter, *waiting_getter;
static void *handed_over;

static int put_directly(void *arg)
{
    (void)arg;
    for (long i = 0; i < ITEMS; i++) {
        handed_over = &put_count;
        if (waiting_getter) {
            make_ready(waiting_getter);
            waiting_getter = NULL;
        } else {
            waiting_putter = current;
            switch_away();
        }
    }
    return end_last();
}

static int get_directly(void *arg)
{
    (void)arg;
    for (long i = 0; i < ITEMS; i++) {
        if (waiting_putter) {
            make_ready(waiting_putter);
            waiting_putter = NULL;
        } else {
            waiting_getter = current;
            switch_away();
        }
        bench_check(handed_over == &put_count, "item");
    }
    return end_last();
}

static long run_unbuffered(void)
{
    tasks_left = 2;
    spawn(get_directly, NULL, NULL);
    spawn(put_directly, NULL, NULL);
    switch_away();
    return ITEMS;
}

/* future */
static bool is_set;
static bool is_over;

static int await_futures(void *arg)
{
    (void)arg;
    for (long i = 0; i < FUTURES; i++) {
        is_set = false;
        yield();
        bench_check(is_set, "future");
    }
    is_over = true;
    return end_last();
}

static int set_futures(void *arg)
{
    (void)arg;
    while (!is_over) {
        is_set = true;
        yield();
    }
    return end_last();
}

static long run_future(void)
{
    is_over = false;
    tasks_left = 2;
    spawn(await_futures, NULL, NULL);
    spawn(set_futures, NULL, NULL);
    switch_away();
    return FUTURES;
}

const struct bench_workload bench_workloads[] = {
    {"switch", begin_switch, run_switch},
    {"yield", begin, run_yield},
    {"spawn", begin, run_spawn},
    {"spawn_many", begin, run_spawn_many},
    {"queue", begin_queue, run_queue},
    {"queue_unbuffered", begin, run_unbuffered},
    {"future", begin, run_future},
    {"parked_memory", begin, hold_parked},
    {NULL, NULL, NULL},
};
