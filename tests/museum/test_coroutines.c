/* The bug museum, 19 and 32 to 36: tasks that wait, many of them, and what a cancel may lose. */
#include "platform/sys.h"
#include "support.h"
#include "task/context.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(AIOL__ASAN) || defined(AIOL__TSAN)
#define MANY 1000 /* the sanitizers keep a stack of their own beside each */
#define STACK_KIB 512
#else
#define MANY 40000
#define STACK_KIB 128
#endif

#define CONSUMERS 4

struct consumers {
    struct aiol_queue *queue;
    int served;
};

static int get_one(void *arg)
{
    struct consumers *consumers = arg;
    void *item;

    if (aiol_await_queue_get(consumers->queue, &item) == 0)
        consumers->served++;
    return 0;
}

/* libuv da4278022, of the pool: only the work that came into an empty queue woke a worker. */
static void test_museum_19_only_the_first_item_wakes_a_consumer(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct consumers consumers = {.served = 0};

    (void)state;
    assert_int_equal(aiol_queue_new(loop, CONSUMERS, NULL, &consumers.queue), 0);
    for (int i = 0; i < CONSUMERS; i++)
        assert_int_equal(aiol_task_spawn(loop, get_one, &consumers, NULL), 0);
    aiol_loop_run_once(loop, 0);
    for (int i = 0; i < CONSUMERS; i++)
        assert_int_equal(aiol_queue_put_nowait(consumers.queue, &consumers), 0);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(consumers.served, CONSUMERS);
    aiol_queue_free(consumers.queue);
    free_loop(loop);
}

/* What tasks wait for, and what they were told. */
struct awaited {
    struct aiol_queue *queue;
    struct aiol_future *future;
    struct aiol_task *task;
    int fds[2];
    int rcs[4];
};

static int get_from_queue(void *arg)
{
    struct awaited *awaited = arg;
    void *item;

    awaited->rcs[0] = aiol_await_queue_get(awaited->queue, &item);
    return 0;
}

static int wait_for_future(void *arg)
{
    struct awaited *awaited = arg;

    awaited->rcs[1] = aiol_await_future(awaited->future, NULL);
    return 0;
}

static int wait_for_descriptor(void *arg)
{
    struct awaited *awaited = arg;

    awaited->rcs[2] = aiol_await_readable(awaited->fds[0]);
    return 0;
}

static int wait_for_task(void *arg)
{
    struct awaited *awaited = arg;

    awaited->rcs[3] = aiol_await_task(awaited->task, NULL);
    return 0;
}

static int sleep_a_second(void *arg)
{
    (void)arg;
    return aiol_await_sleep(AIOL_SECOND);
}

/* libdill#215: a handle was closed while somebody waited on it, and its memory used after that. */
static void test_museum_32_it_is_closed_while_waited_on(void **state)
{
    static const aiol_task_fn waiters[] = {get_from_queue, wait_for_future, wait_for_descriptor,
                                           wait_for_task};
    struct aiol_loop *loop = new_sim_loop(1);
    struct awaited awaited = {.queue = NULL};

    (void)state;
    assert_int_equal(aiol_queue_new(loop, 1, NULL, &awaited.queue), 0);
    assert_int_equal(aiol_future_new(loop, NULL, NULL, &awaited.future), 0);
    assert_int_equal(aiol_sim_stream_pair(loop, NULL, awaited.fds), 0);
    assert_int_equal(aiol_task_spawn(loop, sleep_a_second, NULL, &awaited.task), 0);
    for (size_t i = 0; i < COUNT_OF(waiters); i++) {
        awaited.rcs[i] = 1;
        assert_int_equal(aiol_task_spawn(loop, waiters[i], &awaited, NULL), 0);
    }
    aiol_loop_run_once(loop, 0);

    /* What can be closed tells those who wait; the rest refuses. */
    aiol_queue_free(awaited.queue);
    aiol_future_free(awaited.future);
    assert_int_equal(aiol_fd_close(loop, awaited.fds[0]), -EBUSY);
    assert_int_equal(aiol_task_detach(awaited.task), -EBUSY);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(awaited.rcs[0], AIOL_ECLOSED);
    assert_int_equal(awaited.rcs[1], AIOL_ECLOSED);
    assert_int_equal(awaited.rcs[2], 1);
    assert_int_equal(awaited.rcs[3], 1);
    aiol_fd_close(loop, awaited.fds[1]);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_int_equal(awaited.rcs[2], 0);
    assert_int_equal(awaited.rcs[3], 0);
    free_loop(loop);
}

static int slept_count;

static int sleep_and_count(void *arg)
{
    (void)arg;
    if (aiol_await_sleep(AIOL_SECOND) == 0)
        slept_count++;
    return 0;
}

/* Spawns up to so many tasks that sleep, and sees them to their end; how many there were. With
 * guards that need no mapping that must be all, where addresses are not scarce. */
static int spawn_many(int most)
{
    struct aiol_loop *loop = new_sim_loop(1);
    int count = 0, rc = 0;

    slept_count = 0;
    while (count < most && (rc = aiol_task_spawn(loop, sleep_and_count, NULL, NULL)) == 0)
        count++;
    assert_true(rc == 0 || rc == -ENOMEM);
    if (strcmp(aiol_task_guard_kind(loop), "guard") == 0 && sizeof(void *) == 8)
        assert_int_equal(count, most);
    assert_int_equal(aiol_loop_alive_count(loop, AIOL_ALIVE_TASK), count);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_int_equal(slept_count, count);
    free_loop(loop);
    return count;
}

static int guards_left;

static int refuse_light_guards(void *address, size_t size, int advice)
{
    (void)address, (void)size, (void)advice;
    errno = EINVAL;
    return -1;
}

static int run_out_of_mappings(void *address, size_t size, int protection)
{
    if (guards_left-- > 0)
        return mprotect(address, size, protection);
    errno = ENOMEM;
    return -1;
}

static int accept_light_guards(void *address, size_t size, int advice)
{
    (void)address, (void)size, (void)advice;
    return 0;
}

static ssize_t hit_a_light_guard(void *buffer, size_t size, unsigned flags)
{
    (void)buffer, (void)size, (void)flags;
    errno = EFAULT;
    return -1;
}

/* libdill#130: a guard that splits a mapping of each stack, and 65,530 of those a process. */
static void test_museum_33_the_ceiling_of_32_7_thousand_coroutines(void **state)
{
    (void)state;
    assert_true(spawn_many(MANY) > 500);

    aiol__sys.mprotect = run_out_of_mappings;
    if (aiol__sys.getrandom) { /* a system that may have such guards: as if it had */
        aiol__sys.madvise = accept_light_guards;
        aiol__sys.getrandom = hit_a_light_guard;
        guards_left = 0;
        assert_int_equal(spawn_many(200), 200);
    }

    /* And where there is such a ceiling, one hits it without harm. */
    aiol__sys.madvise = refuse_light_guards;
    guards_left = 100;
    assert_int_equal(spawn_many(200), 100);
}

/* Frames smaller than a page, so that none jumps over the guard. Each call looks at its caller's,
 * lest an optimizing compiler makes this a loop with a single one. */
static __attribute__((noinline)) int use_stack(uintptr_t lowest, volatile char *above)
{
    volatile char frame[512];

    frame[0] = 1;
    frame[511] = *above;
    if ((uintptr_t)__builtin_frame_address(0) < lowest)
        return 0;
    return use_stack(lowest, frame) + frame[0];
}

/* Comes back from the overflow, and ends before any call that could look for it. */
static int overflow_and_exit(void *arg)
{
    volatile char above = 1;

    (void)arg;
    use_stack((uintptr_t)__builtin_frame_address(0) - STACK_KIB * 1536, &above);
    _exit(0);
}

/* minicoro#19: the neighbour was overwritten long before that was noticed. */
static void test_museum_34_an_overflow_is_noticed_only_at_a_yield(void **state)
{
    static const struct rlimit no_core = {0, 0};
    int status = 0;
    pid_t child = fork();

    (void)state;
    if (child == 0) {
        struct aiol_loop *loop = new_loop();

        signal(SIGSEGV, SIG_DFL); /* which a sanitizer would catch */
        signal(SIGBUS, SIG_DFL);
        setrlimit(RLIMIT_CORE, &no_core);
        aiol_task_spawn(loop, sleep_a_second, NULL, NULL); /* its stack lies below */
        aiol_task_spawn(loop, overflow_and_exit, NULL, NULL);
        aiol_loop_run_once(loop, 0);
        end_child(1);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
}

struct acquirer {
    struct aiol_queue *pool;
    int listener_fd;
    void *connection;
    int fd;
    int rc;
};

static int acquire_connection(void *arg)
{
    struct acquirer *acquirer = arg;

    acquirer->rc = aiol_await_queue_get(acquirer->pool, &acquirer->connection);
    return 0;
}

static int accept_connection(void *arg)
{
    struct acquirer *acquirer = arg;

    acquirer->rc = aiol_await_accept(acquirer->listener_fd, &acquirer->fd);
    return 0;
}

static void cancel_task(struct aiol_deferred *deferred, void *data)
{
    (void)deferred;
    aiol_task_cancel(data);
}

/* asyncpg#468: the pool had handed the connection over, the waiter was cancelled, and nobody had
 * it. */
static void test_museum_36_a_cancel_races_the_completion_and_a_connection_leaks(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct acquirer acquirer = {.rc = 1};
    struct aiol_task *task;

    (void)state;
    assert_int_equal(aiol_queue_new(loop, 1, NULL, &acquirer.pool), 0);
    assert_int_equal(aiol_task_spawn(loop, acquire_connection, &acquirer, &task), 0);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(aiol_queue_put_nowait(acquirer.pool, &loop), 0);
    aiol_task_cancel(task);
    assert_int_equal(aiol_task_detach(task), 0);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_int_equal(acquirer.rc, 0);
    assert_ptr_equal(acquirer.connection, &loop);
    aiol_queue_free(acquirer.pool);
    free_loop(loop);
}

/* The same of a connection that arrives in the turn in which its acceptor is cancelled. */
static void test_museum_36_a_cancel_races_an_accept(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr *any_address = (struct sockaddr *)&address;
    socklen_t size = sizeof address;
    struct acquirer acquirer = {.rc = 1, .fd = -1};
    int client_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct aiol_deferred deferred;
    struct aiol_task *task;

    (void)state;
    acquirer.listener_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(acquirer.listener_fd, any_address, sizeof address), 0);
    assert_int_equal(listen(acquirer.listener_fd, 1), 0);
    assert_int_equal(getsockname(acquirer.listener_fd, any_address, &size), 0);
    assert_int_equal(aiol_task_spawn(loop, accept_connection, &acquirer, &task), 0);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(connect(client_fd, any_address, sizeof address), 0);
    aiol_deferred_init(&deferred, loop, cancel_task, task);
    aiol_deferred_start(&deferred);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(aiol_task_detach(task), 0);
    assert_int_equal(aiol_loop_run(loop), 0);

    /* Either it was accepted, or it still waits. */
    if (acquirer.rc == -ECANCELED)
        acquirer.fd = aiol__sys_accept(acquirer.listener_fd);
    assert_true(acquirer.fd >= 0);
    close(acquirer.fd);
    close(client_fd);
    close(acquirer.listener_fd);
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_museum_19_only_the_first_item_wakes_a_consumer),
        TEST(test_museum_32_it_is_closed_while_waited_on),
        TEST(test_museum_33_the_ceiling_of_32_7_thousand_coroutines),
        TEST(test_museum_34_an_overflow_is_noticed_only_at_a_yield),
        TEST(test_museum_36_a_cancel_races_the_completion_and_a_connection_leaks),
        TEST(test_museum_36_a_cancel_races_an_accept),
    };

    return cmocka_run_group_tests_name("museum/coroutines", tests, NULL, NULL);
}
