#include "support.h"
#include "platform/sys.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static atomic_long alive;
static atomic_long made;
static atomic_long fails_at; /* the allocation of this number fails; 0: none does */
static int fds_before;
static struct aiol__sys sys_before;
static uint64_t fake_now_ns;

static bool is_to_fail(void)
{
    return atomic_fetch_add(&made, 1) + 1 == atomic_load(&fails_at);
}

static void *counting_allocate(void *context, size_t size_bytes)
{
    void *memory = is_to_fail() ? NULL : malloc(size_bytes);

    (void)context;
    if (memory)
        atomic_fetch_add(&alive, 1);
    return memory;
}

static void *counting_reallocate(void *context, void *memory, size_t size_bytes)
{
    (void)context;
    return is_to_fail() ? NULL : realloc(memory, size_bytes);
}

static void counting_release(void *context, void *memory)
{
    (void)context;
    atomic_fetch_sub(&alive, 1);
    free(memory);
}

const struct aiol_allocator counting_allocator = {
    .allocate = counting_allocate,
    .reallocate = counting_reallocate,
    .release = counting_release,
};

long allocations_alive(void)
{
    return atomic_load(&alive);
}

long allocations_made(void)
{
    return atomic_load(&made);
}

void fail_allocation(long number)
{
    atomic_store(&fails_at, number ? atomic_load(&made) + number : 0);
}

void note(struct notes *notes, char mark)
{
    if (notes->length < sizeof notes->text - 1)
        notes->text[notes->length++] = mark;
}

static int tell_fake_time(clockid_t clock, struct timespec *time)
{
    (void)clock;
    time->tv_sec = (time_t)(fake_now_ns / AIOL_SECOND);
    time->tv_nsec = (long)(fake_now_ns % AIOL_SECOND);
    return 0;
}

/* What is ready is there at once; else the time that would have been slept has passed. */
static int wait_in_fake_time(int poller_fd, struct epoll_event *events, int count,
                             const struct timespec *timeout)
{
    int ready = sys_before.epoll_wait(poller_fd, events, count, 0);

    if (ready == 0)
        pass_fake_time((uint64_t)timeout->tv_sec * AIOL_SECOND + (uint64_t)timeout->tv_nsec);
    return ready;
}

static int kevent_in_fake_time(int poller_fd, const struct kevent *changes, int change_count,
                               struct kevent *events, int event_count,
                               const struct timespec *timeout)
{
    const struct timespec at_once = {0};
    bool has_end = event_count > 0 && timeout;
    int ready = sys_before.kevent(poller_fd, changes, change_count, events, event_count,
                                  has_end ? &at_once : timeout);

    if (ready == 0 && has_end)
        pass_fake_time((uint64_t)timeout->tv_sec * AIOL_SECOND + (uint64_t)timeout->tv_nsec);
    return ready;
}

void begin_fake_time(uint64_t now_ns)
{
    fake_now_ns = now_ns;
    aiol__sys.clock_gettime = tell_fake_time;
    aiol__sys.epoll_pwait2 = wait_in_fake_time;
    if (sys_before.kevent)
        aiol__sys.kevent = kevent_in_fake_time;
}

void pass_fake_time(uint64_t ns)
{
    fake_now_ns += ns;
}

int count_open_fds(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    if (!directory)
        return -1;
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

#ifdef __linux__
void __gcov_dump(void) __attribute__((weak));
#endif

void end_child(int status)
{
#ifdef __linux__
    /* Measuring coverage, a child has to write down itself what it has reached. */
    if (__gcov_dump)
        __gcov_dump();
#endif
    _exit(status);
}

int begin_test(void **state)
{
    (void)state;
    atomic_store(&alive, 0);
    atomic_store(&made, 0);
    atomic_store(&fails_at, 0);
    sys_before = aiol__sys;
    fds_before = count_open_fds();
    return 0;
}

int end_test(void **state)
{
    int fds = count_open_fds();

    (void)state;
    aiol__sys = sys_before;
    if (allocations_alive() != 0)
        print_error("left behind: %ld allocations\n", allocations_alive());
    if (fds != fds_before)
        print_error("left behind: %d descriptors\n", fds - fds_before);
    return allocations_alive() != 0 || fds != fds_before;
}

static struct aiol_loop *new_loop_with(uint32_t clock, uint64_t seed)
{
    struct aiol_loop_options options = {
        .size = sizeof options, .allocator = &counting_allocator, .clock = clock, .seed = seed};
    struct aiol_loop *loop = NULL;

    assert_int_equal(aiol_loop_new(&options, &loop), 0);
    return loop;
}

struct aiol_loop *new_loop(void)
{
    return new_loop_with(AIOL_CLOCK_MONOTONIC, 0);
}

struct aiol_loop *new_sim_loop(uint64_t seed)
{
    return new_loop_with(AIOL_CLOCK_VIRTUAL, seed);
}

void free_loop(struct aiol_loop *loop)
{
    assert_int_equal(aiol_loop_free(loop), 0);
}

static int run_with(uint32_t clock, uint64_t seed, aiol_task_fn fn, void *arg)
{
    struct aiol_loop_options options = {
        .size = sizeof options, .allocator = &counting_allocator, .clock = clock, .seed = seed};

    return aiol_run_with(&options, fn, arg);
}

int run_sim(uint64_t seed, aiol_task_fn fn, void *arg)
{
    return run_with(AIOL_CLOCK_VIRTUAL, seed, fn, arg);
}

int run_real(aiol_task_fn fn, void *arg)
{
    return run_with(AIOL_CLOCK_MONOTONIC, 0, fn, arg);
}

void make_socket_pair(int fds[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}
