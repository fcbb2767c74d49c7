/* The failing allocator and the failing table of system calls; injection.h says what they do. */
#include "injection.h"
#include "platform/sys.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#define GUARD_INSTALL 102 /* MADV_GUARD_INSTALL; old headers have no name for it */

static struct plan plan;
static atomic_bool is_injecting;
static atomic_long injected_count;
static atomic_bool spun;
static atomic_long allocation_count;
static atomic_long call_counts[CALL_COUNT];
static atomic_long all_calls_count;
static atomic_long allocations_held;
static atomic_long mapped_bytes_held;
static _Atomic uint64_t fake_now_ns;

static bool is_within_plan(long number, long first)
{
    return first > 0 && number >= first && number - first < plan.repeat_count;
}

static bool is_allocation_to_fail(void)
{
    if (!atomic_load(&is_injecting) ||
        !is_within_plan(atomic_fetch_add(&allocation_count, 1) + 1, plan.allocation))
        return false;
    atomic_fetch_add(&injected_count, 1);
    return true;
}

static void *failing_allocate(void *context, size_t size_bytes)
{
    void *memory = is_allocation_to_fail() ? NULL : malloc(size_bytes);

    (void)context;
    if (memory)
        atomic_fetch_add(&allocations_held, 1);
    return memory;
}

static void *failing_reallocate(void *context, void *memory, size_t size_bytes)
{
    (void)context;
    return is_allocation_to_fail() ? NULL : realloc(memory, size_bytes);
}

static void failing_release(void *context, void *memory)
{
    (void)context;
    atomic_fetch_sub(&allocations_held, 1);
    free(memory);
}

const struct aiol_allocator failing_allocator = {
    .allocate = failing_allocate,
    .reallocate = failing_reallocate,
    .release = failing_release,
};

static struct aiol__sys real;
static int new_poller_fd = -1; /* nothing was registered in it yet */

static void count_any_call(void)
{
    if (!atomic_load(&is_injecting))
        return;
    if (atomic_fetch_add(&all_calls_count, 1) + 1 > plan.max_calls && plan.max_calls > 0) {
        atomic_store(&spun, true);
        atomic_store(&is_injecting, false);
    }
}

const struct fault *meet(enum call call)
{
    long number;

    count_any_call();
    if (!atomic_load(&is_injecting))
        return NULL;
    number = atomic_fetch_add(&call_counts[call], 1) + 1;
    if (!plan.fault || plan.fault->call != call || !is_within_plan(number, plan.call))
        return NULL;
    atomic_fetch_add(&injected_count, 1);
    return plan.fault;
}

int fail_by(const struct fault *fault)
{
    errno = fault->error;
    return -1;
}

static int failing_clock_gettime(clockid_t clock, struct timespec *time)
{
    uint64_t now_ns = atomic_load(&fake_now_ns);

    (void)clock;
    count_any_call();
    time->tv_sec = (time_t)(now_ns / AIOL_SECOND);
    time->tv_nsec = (long)(now_ns % AIOL_SECOND);
    return 0;
}

void take_back_fault(void)
{
    atomic_fetch_sub(&injected_count, 1);
}

/* How much of a transfer there is to be. */
static size_t cut(size_t size)
{
    if (size <= 1)
        take_back_fault();
    return size < 1 ? size : 1;
}

/* A wakeup descriptor gives and takes its eight bytes or none, EINVAL: that cannot be cut. */
static bool is_not_to_be_cut(ssize_t size)
{
    if (size >= 0 || errno != EINVAL)
        return false;
    take_back_fault();
    return true;
}

static ssize_t failing_read(int fd, void *buffer, size_t size)
{
    const struct fault *fault = meet(CALL_READ);
    ssize_t cut_size;

    if (!fault)
        return real.read(fd, buffer, size);
    if (fault->error) {
        if (fault->flags & FAULT_DONE)
            (void)!real.read(fd, buffer, size);
        return fail_by(fault);
    }
    cut_size = real.read(fd, buffer, cut(size));
    return is_not_to_be_cut(cut_size) ? real.read(fd, buffer, size) : cut_size;
}

static ssize_t failing_write(int fd, const void *buffer, size_t size)
{
    const struct fault *fault = meet(CALL_WRITE);
    ssize_t cut_size;

    if (!fault)
        return real.write(fd, buffer, size);
    if (fault->error) {
        if (fault->flags & FAULT_DONE)
            (void)!real.write(fd, buffer, size);
        return fail_by(fault);
    }
    cut_size = real.write(fd, buffer, cut(size));
    return is_not_to_be_cut(cut_size) ? real.write(fd, buffer, size) : cut_size;
}

static int failing_close(int fd)
{
    const struct fault *fault = meet(CALL_CLOSE);
    int rc = real.close(fd);

    return fault ? fail_by(fault) : rc;
}

static int failing_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    const struct fault *fault = meet(CALL_POLL);

    return fault ? fail_by(fault) : real.poll(fds, count, timeout_ms);
}

static int failing_fstat(int fd, struct stat *status)
{
    const struct fault *fault = meet(CALL_FSTAT);

    return fault ? fail_by(fault) : real.fstat(fd, status);
}

static int failing_pipe(int fds[2])
{
    const struct fault *fault = meet(CALL_PIPE);

    return fault ? fail_by(fault) : real.pipe(fds);
}

static ssize_t failing_recv(int fd, void *buffer, size_t size, int flags)
{
    const struct fault *fault = meet(CALL_RECV);

    if (fault && fault->error)
        return fail_by(fault);
    return real.recv(fd, buffer, fault ? cut(size) : size, flags);
}

static ssize_t failing_send(int fd, const void *buffer, size_t size, int flags)
{
    const struct fault *fault = meet(CALL_SEND);

    if (fault && fault->error)
        return fail_by(fault);
    return real.send(fd, buffer, fault ? cut(size) : size, flags);
}

static int failing_shutdown(int fd, int how)
{
    const struct fault *fault = meet(CALL_SHUTDOWN);

    return fault ? fail_by(fault) : real.shutdown(fd, how);
}

static int failing_accept(int fd)
{
    const struct fault *fault = meet(CALL_ACCEPT);

    return fault ? fail_by(fault) : real.accept(fd);
}

static int failing_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    const struct fault *fault = meet(CALL_CONNECT);
    int rc = fault && !(fault->flags & FAULT_DONE) ? -1 : real.connect(fd, address, size);

    return fault ? fail_by(fault) : rc;
}

static int failing_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
    const struct fault *fault = meet(CALL_GETSOCKOPT);
    int rc;

    if (fault && !(fault->flags & FAULT_DONE))
        return fail_by(fault);
    rc = real.getsockopt(fd, level, name, value, size);
    if (rc == 0 && fault)
        *(int *)value = fault->error;
    return rc;
}

static void *failing_mmap(void *address, size_t size, int protection, int flags, int fd,
                          off_t offset)
{
    const struct fault *fault = meet(CALL_MMAP);
    void *memory = MAP_FAILED;

    if (fault)
        fail_by(fault);
    else
        memory = real.mmap(address, size, protection, flags, fd, offset);
    if (memory != MAP_FAILED)
        atomic_fetch_add(&mapped_bytes_held, (long)size);
    return memory;
}

static int failing_munmap(void *address, size_t size)
{
    const struct fault *fault = meet(CALL_MUNMAP);
    int rc = real.munmap(address, size);

    if (rc == 0)
        atomic_fetch_sub(&mapped_bytes_held, (long)size);
    return fault ? fail_by(fault) : rc;
}

static int failing_mprotect(void *address, size_t size, int protection)
{
    const struct fault *fault = meet(CALL_MPROTECT);

    return fault ? fail_by(fault) : real.mprotect(address, size, protection);
}

static int failing_madvise(void *address, size_t size, int advice)
{
    const struct fault *fault = meet(CALL_MADVISE);

    if (fault)
        return fail_by(fault);
    if (plan.is_old_system && advice == GUARD_INSTALL) {
        errno = EINVAL;
        return -1;
    }
    return real.madvise(address, size, advice);
}

static ssize_t failing_getrandom(void *buffer, size_t size, unsigned flags)
{
    const struct fault *fault = meet(CALL_GETRANDOM);

    return fault ? fail_by(fault) : real.getrandom(buffer, size, flags);
}

static int failing_epoll_create1(int flags)
{
    const struct fault *fault = meet(CALL_EPOLL_CREATE1);

    if (fault)
        return fail_by(fault);
    new_poller_fd = real.epoll_create1(flags);
    return new_poller_fd;
}

static enum call call_of_operation(int poller_fd, int operation)
{
    bool is_new = poller_fd == new_poller_fd;

    new_poller_fd = -1;
    if (operation == EPOLL_CTL_ADD)
        return is_new ? CALL_EPOLL_FIRST_ADD : CALL_EPOLL_ADD;
    return operation == EPOLL_CTL_MOD ? CALL_EPOLL_MODIFY : CALL_EPOLL_DELETE;
}

static int failing_epoll_ctl(int poller_fd, int operation, int fd, struct epoll_event *event)
{
    const struct fault *fault = meet(call_of_operation(poller_fd, operation));

    if (!fault)
        return real.epoll_ctl(poller_fd, operation, fd, event);
    /* What is said to be registered is so, if it can be, and what is said not to be is not. */
    if (fault->error == EEXIST && real.epoll_ctl(poller_fd, operation, fd, event) < 0) {
        take_back_fault();
        return -1;
    }
    if (fault->error == ENOENT)
        real.epoll_ctl(poller_fd, EPOLL_CTL_DEL, fd, event);
    return fail_by(fault);
}

void pass_time(uint64_t ns)
{
    atomic_fetch_add(&fake_now_ns, ns);
}

/* What is ready is there at once; else the time that would have been slept has passed. */
static int wait_in_fake_time(int poller_fd, struct epoll_event *events, int count,
                             uint64_t timeout_ns)
{
    int ready = real.epoll_wait(poller_fd, events, count, timeout_ns == AIOL_NEVER ? -1 : 0);

    if (ready == 0)
        pass_time(timeout_ns);
    return ready;
}

static int failing_epoll_wait(int poller_fd, struct epoll_event *events, int count, int timeout_ms)
{
    const struct fault *fault = meet(CALL_EPOLL_WAIT);

    return fault ? fail_by(fault)
                 : wait_in_fake_time(poller_fd, events, count,
                                     timeout_ms < 0 ? AIOL_NEVER
                                                    : (uint64_t)timeout_ms * AIOL_MILLISECOND);
}

static int failing_epoll_pwait2(int poller_fd, struct epoll_event *events, int count,
                                const struct timespec *timeout)
{
    const struct fault *fault = meet(CALL_EPOLL_PWAIT2);

    if (fault)
        return fail_by(fault);
    if (plan.is_old_system) {
        errno = ENOSYS;
        return -1;
    }
    return wait_in_fake_time(poller_fd, events, count,
                             (uint64_t)timeout->tv_sec * AIOL_SECOND + (uint64_t)timeout->tv_nsec);
}

static int failing_eventfd(unsigned value, int flags)
{
    const struct fault *fault = meet(CALL_EVENTFD);

    return fault ? fail_by(fault) : real.eventfd(value, flags);
}

void install_failing_calls(void)
{
    real = aiol__sys;
    aiol__sys.clock_gettime = failing_clock_gettime;
    aiol__sys.read = failing_read;
    aiol__sys.write = failing_write;
    aiol__sys.close = failing_close;
    aiol__sys.poll = failing_poll;
    aiol__sys.fstat = failing_fstat;
    aiol__sys.pipe = failing_pipe;
    aiol__sys.recv = failing_recv;
    aiol__sys.send = failing_send;
    aiol__sys.shutdown = failing_shutdown;
    aiol__sys.accept = failing_accept;
    aiol__sys.connect = failing_connect;
    aiol__sys.getsockopt = failing_getsockopt;
    aiol__sys.mmap = failing_mmap;
    aiol__sys.munmap = failing_munmap;
    aiol__sys.mprotect = failing_mprotect;
    aiol__sys.madvise = failing_madvise;
    aiol__sys.getrandom = failing_getrandom;
    aiol__sys.epoll_create1 = failing_epoll_create1;
    aiol__sys.epoll_ctl = failing_epoll_ctl;
    aiol__sys.epoll_wait = failing_epoll_wait;
    aiol__sys.epoll_pwait2 = failing_epoll_pwait2;
    aiol__sys.eventfd = failing_eventfd;
    install_failing_kqueue();
}

void remove_failing_calls(void)
{
    aiol__sys = real;
}

void begin_injection(const struct plan *new_plan)
{
    plan = *new_plan;
    atomic_store(&injected_count, 0);
    atomic_store(&spun, false);
    atomic_store(&allocation_count, 0);
    atomic_store(&all_calls_count, 0);
    for (int i = 0; i < CALL_COUNT; i++)
        atomic_store(&call_counts[i], 0);
    atomic_store(&fake_now_ns, AIOL_HOUR);
    atomic_store(&is_injecting, true);
}

void pause_injection(void)
{
    atomic_store(&is_injecting, false);
}

void resume_injection(void)
{
    atomic_store(&is_injecting, !atomic_load(&spun));
}

bool end_injection(void)
{
    atomic_store(&is_injecting, false);
    return atomic_load(&injected_count) > 0;
}

long calls_made(enum call call)
{
    return atomic_load(&call_counts[call]);
}

long all_calls_made(void)
{
    return atomic_load(&all_calls_count);
}

bool has_spun(void)
{
    return atomic_load(&spun);
}

long held_allocations(void)
{
    return atomic_load(&allocations_held);
}

long held_mapped_bytes(void)
{
    return atomic_load(&mapped_bytes_held);
}
