/*
 * The poller on Linux. Each registration carries its number and generation in the event's data, so
 * that nothing the kernel hands back is an address.
 */
#include "base/allocator.h"
#include "base/list.h"
#include "platform/poller_system.h"
#include "platform/sys.h"

#include <aiol/time.h>

#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>

struct epoll_poller {
    struct aiol__poller base;
    bool without_pwait2; /* the kernel lacks epoll_pwait2(): round up to milliseconds */
    int fd;
    struct epoll_event raw[]; /* which may be packed: at least they begin on a word's boundary */
};

static struct epoll_poller *epoll_of(const struct aiol__poller *poller)
{
    return container_of(poller, struct epoll_poller, base);
}

static struct epoll_event to_epoll(int fd, uint32_t generation, uint32_t events)
{
    struct epoll_event event = {.data.u64 = (uint64_t)generation << 32 | (uint32_t)fd};

    /* EPOLLRDHUP only beside EPOLLIN: who does not read would be woken by it for ever. */
    if (events & AIOL_READABLE)
        event.events |= EPOLLIN | EPOLLRDHUP;
    if (events & AIOL_WRITABLE)
        event.events |= EPOLLOUT;
    if (events & AIOL_EDGE)
        event.events |= EPOLLET;
    return event;
}

static uint32_t from_epoll(uint32_t events)
{
    uint32_t ready = 0;

    if (events & EPOLLIN)
        ready |= AIOL_READABLE;
    if (events & EPOLLOUT)
        ready |= AIOL_WRITABLE;
    if (!(events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))) /* most have nothing else */
        return ready;
    if (events & EPOLLRDHUP)
        ready |= AIOL_READABLE | AIOL_HANGUP;
    if (events & EPOLLHUP)
        ready |= AIOL_READABLE | AIOL_WRITABLE | AIOL_HANGUP;
    if (events & EPOLLERR)
        ready |= AIOL_READABLE | AIOL_WRITABLE | AIOL_ERROR;
    return ready;
}

/* A number of the library's own: whoever watches it has had the descriptor closed that it was. */
static bool is_own(const struct epoll_poller *poller, int fd)
{
    return fd == poller->fd || fd == poller->base.wakeup_fd;
}

static int add(struct aiol__poller *poller, int fd, uint32_t generation, uint32_t events)
{
    struct epoll_event event = to_epoll(fd, generation, events);

    if (is_own(epoll_of(poller), fd))
        return -EBADF;
    return aiol__sys.epoll_ctl(epoll_of(poller)->fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int modify(struct aiol__poller *poller, int fd, uint32_t generation, uint32_t old_events,
                  uint32_t events, bool at_once)
{
    struct epoll_event event = to_epoll(fd, generation, events);

    (void)old_events, (void)at_once; /* each change is one call that answers at once */
    if (is_own(epoll_of(poller), fd))
        return -EBADF;
    if (aiol__sys.epoll_ctl(epoll_of(poller)->fd, EPOLL_CTL_MOD, fd, &event) == 0)
        return 0;
    /* The number is a file's now: that it cannot be polled is said before that it is not there. */
    return errno == EPERM ? -ENOENT : -errno;
}

static void remove_registration(struct aiol__poller *poller, int fd, uint32_t old_events)
{
    struct epoll_event event = {0}; /* Linux before 2.6.9 wants one */

    (void)old_events;
    if (is_own(epoll_of(poller), fd))
        return;
    aiol__sys.epoll_ctl(epoll_of(poller)->fd, EPOLL_CTL_DEL, fd, &event);
}

static int timeout_ms_rounded_up(uint64_t timeout_ns)
{
    uint64_t timeout_ms;

    if (timeout_ns == AIOL_NEVER)
        return -1;
    timeout_ms = timeout_ns / AIOL_MILLISECOND + (timeout_ns % AIOL_MILLISECOND != 0);
    return timeout_ms > INT_MAX ? INT_MAX : (int)timeout_ms;
}

static int wait_for_kernel(struct epoll_poller *poller, uint64_t timeout_ns)
{
    if (timeout_ns != 0 && timeout_ns != AIOL_NEVER && !poller->without_pwait2) {
        /* Ten years are enough, and fit any time_t. */
        uint64_t bounded_ns = timeout_ns < 87600 * AIOL_HOUR ? timeout_ns : 87600 * AIOL_HOUR;
        struct timespec timeout = {.tv_sec = (time_t)(bounded_ns / AIOL_SECOND),
                                   .tv_nsec = (long)(bounded_ns % AIOL_SECOND)};
        int count =
            aiol__sys.epoll_pwait2(poller->fd, poller->raw, poller->base.max_events, &timeout);

        /* Missing in kernels before 5.11 and in emulators; seccomp filters say EPERM. */
        if (count >= 0 || (errno != ENOSYS && errno != EPERM))
            return count;
        poller->without_pwait2 = true;
    }
    return aiol__sys.epoll_wait(poller->fd, poller->raw, poller->base.max_events,
                                timeout_ms_rounded_up(timeout_ns));
}

static int wait_for_events(struct aiol__poller *base, uint64_t timeout_ns)
{
    struct epoll_poller *poller = epoll_of(base);
    int count = wait_for_kernel(poller, timeout_ns);

    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        base->events[i].fd = (int32_t)(uint32_t)poller->raw[i].data.u64;
        base->events[i].generation = (uint32_t)(poller->raw[i].data.u64 >> 32);
        base->events[i].ready = from_epoll(poller->raw[i].events);
    }
    return count;
}

/* A new epoll descriptor that already watches the wakeup descriptor; or -errno. Each write to an
 * eventfd is an edge, whether or not it was readable before: so it never has to be read. */
static int open_epoll(int wakeup_fd)
{
    struct epoll_event event = to_epoll(wakeup_fd, 0, AIOL_READABLE | AIOL_EDGE);
    int fd = aiol__sys.epoll_create1(EPOLL_CLOEXEC);
    int rc;

    if (fd < 0)
        return -errno;
    if (aiol__sys.epoll_ctl(fd, EPOLL_CTL_ADD, wakeup_fd, &event) < 0) {
        rc = -errno;
        aiol__sys_close(fd);
        return rc;
    }
    return fd;
}

static int reopen(struct aiol__poller *base, int wakeup_fd)
{
    struct epoll_poller *poller = epoll_of(base);
    int fd = open_epoll(wakeup_fd);

    if (fd < 0)
        return fd;
    aiol__sys_close(poller->fd); /* which changes nothing for a parent that has it too */
    poller->fd = fd;
    base->wakeup_fd = wakeup_fd;
    return 0;
}

static void close_poller(struct aiol__poller *base)
{
    struct epoll_poller *poller = epoll_of(base);

    aiol__sys_close(poller->fd);
    aiol__release(base->allocator, base->events);
    aiol__release(base->allocator, poller);
}

static int backend_fd(const struct aiol__poller *poller)
{
    return epoll_of(poller)->fd;
}

static const struct aiol__poller_ops epoll_ops = {
    .add = add,
    .modify = modify,
    .remove = remove_registration,
    .wait = wait_for_events,
    .may_wake = aiol__system_may_wake,
    .reopen = reopen,
    .close = close_poller,
    .now_ns = aiol__system_now_ns,
    .backend_fd = backend_fd,
    .fd_recv = aiol__system_fd_recv,
    .fd_send = aiol__system_fd_send,
    .fd_shutdown = aiol__system_fd_shutdown,
    .fd_close = aiol__system_fd_close,
};

int aiol__poller_open_system(const struct aiol_allocator *allocator, int max_events, int wakeup_fd,
                             struct aiol__poller **ret_poller)
{
    struct epoll_poller *poller;
    int rc = -ENOMEM;

    poller = aiol__allocate(allocator, sizeof *poller + (size_t)max_events * sizeof poller->raw[0]);
    if (!poller)
        return -ENOMEM;
    *poller = (struct epoll_poller){.base = {.ops = &epoll_ops,
                                             .allocator = allocator,
                                             .max_events = max_events,
                                             .wakeup_fd = wakeup_fd,
                                             .wakes_by_edges = true}};
    poller->base.events =
        aiol__allocate(allocator, (size_t)max_events * sizeof poller->base.events[0]);
    if (!poller->base.events)
        goto free_poller;

    poller->fd = rc = open_epoll(wakeup_fd);
    if (rc < 0)
        goto free_events;
    *ret_poller = &poller->base;
    return 0;

free_events:
    aiol__release(allocator, poller->base.events);
free_poller:
    aiol__release(allocator, poller);
    return rc;
}
