#include "poller.h"
#include "platform/sys.h"
#include "support.h"

#include <errno.h>
#ifdef __linux__
#include <sys/epoll.h>
#else
enum { EPOLL_CTL_ADD = 1, EPOLL_CTL_MOD = 3 };
#endif

struct poller_watch poller_watch;
static struct aiol__sys below;

static int fail_with(int error)
{
    errno = error;
    return -1;
}

/* Whether this wait is to fail, and how; 0 is not. */
static int note_wait(void)
{
    poller_watch.wait_count++;
    if (poller_watch.failing_wait_count == 0)
        return 0;
    poller_watch.failing_wait_count--;
    return poller_watch.wait_errno;
}

static int watch_ctl(int poller_fd, int operation, int fd, struct epoll_event *event)
{
    int error = operation == EPOLL_CTL_ADD   ? poller_watch.add_errno
                : operation == EPOLL_CTL_MOD ? poller_watch.modify_errno
                                             : 0;

    poller_watch.change_count++;
    return error ? fail_with(error) : below.epoll_ctl(poller_fd, operation, fd, event);
}

static int watch_wait(int poller_fd, struct epoll_event *events, int count, int timeout_ms)
{
    int error = note_wait();

    return error ? fail_with(error) : below.epoll_wait(poller_fd, events, count, timeout_ms);
}

static int watch_pwait2(int poller_fd, struct epoll_event *events, int count,
                        const struct timespec *timeout)
{
    int error = note_wait();

    return error ? fail_with(error) : below.epoll_pwait2(poller_fd, events, count, timeout);
}

static int watch_kevent(int poller_fd, const struct kevent *changes, int change_count,
                        struct kevent *events, int event_count, const struct timespec *timeout)
{
    int error = event_count > 0 ? note_wait() : poller_watch.add_errno;

    poller_watch.change_count += change_count > 0;
    if (error)
        return fail_with(error);
    return below.kevent(poller_fd, changes, change_count, events, event_count, timeout);
}

void watch_poller(void)
{
    poller_watch = (struct poller_watch){0};
    below = aiol__sys;
    aiol__sys.epoll_ctl = watch_ctl;
    aiol__sys.epoll_wait = watch_wait;
    aiol__sys.epoll_pwait2 = watch_pwait2;
    if (below.kevent)
        aiol__sys.kevent = watch_kevent;
}

void only_with_epoll(void)
{
    if (aiol__sys.kevent)
        skip();
}
