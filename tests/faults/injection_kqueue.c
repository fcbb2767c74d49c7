/* The failing calls of kqueue(2), on systems that have it and where the tests imitate it. */
#include "injection.h"
#include "platform/sys.h"

#if __has_include(<sys/event.h>)
#include <errno.h>
#include <sys/event.h>

static int (*real_kqueue)(void);
static int (*real_kevent)(int poller_fd, const struct kevent *changes, int change_count,
                          struct kevent *events, int event_count, const struct timespec *timeout);
static int new_poller_fd = -1; /* nothing was registered in it yet */

static int failing_kqueue(void)
{
    const struct fault *fault = meet(CALL_KQUEUE);

    if (fault)
        return fail_by(fault);
    new_poller_fd = real_kqueue();
    return new_poller_fd;
}

/* A call that only changes registrations. */
static int change(int poller_fd, const struct kevent *changes, int change_count)
{
    const struct fault *fault =
        meet(poller_fd == new_poller_fd ? CALL_KEVENT_FIRST_CHANGE : CALL_KEVENT_CHANGE);

    new_poller_fd = -1;
    if (!fault || (fault->flags & FAULT_DONE)) {
        int rc = real_kevent(poller_fd, changes, change_count, NULL, 0, NULL);

        return fault ? fail_by(fault) : rc;
    }
    return fail_by(fault);
}

/* Which of the changes adds something, and so may want memory; -1: none does. */
static int find_addition(const struct kevent *changes, int change_count)
{
    for (int i = 0; i < change_count; i++) {
        if (changes[i].flags & EV_ADD)
            return i;
    }
    return -1;
}

/* One of the changes that come along with a wait is refused, and that is told as an event; the
 * others are made. */
static int refuse_change(const struct fault *fault, int poller_fd, const struct kevent *changes,
                         int change_count, int refused, struct kevent *ret_event)
{
    real_kevent(poller_fd, changes, refused, NULL, 0, NULL);
    real_kevent(poller_fd, changes + refused + 1, change_count - refused - 1, NULL, 0, NULL);
    *ret_event = changes[refused];
    ret_event->flags = EV_ERROR;
    ret_event->data = fault->error;
    return 1;
}

static int failing_kevent(int poller_fd, const struct kevent *changes, int change_count,
                          struct kevent *events, int event_count, const struct timespec *timeout)
{
    static const struct timespec at_once;
    int addition = find_addition(changes, change_count);
    const struct fault *fault;
    int ready;

    if (event_count == 0)
        return change(poller_fd, changes, change_count);
    if (addition >= 0) {
        fault = meet(CALL_KEVENT_HELD_BACK);
        if (fault)
            return refuse_change(fault, poller_fd, changes, change_count, addition, events);
    }
    fault = meet(CALL_KEVENT_WAIT);
    if (fault) {
        real_kevent(poller_fd, changes, change_count, NULL, 0, NULL);
        return fail_by(fault);
    }
    ready = real_kevent(poller_fd, changes, change_count, events, event_count,
                        timeout ? &at_once : NULL);
    if (ready == 0 && timeout)
        pass_time((uint64_t)timeout->tv_sec * AIOL_SECOND + (uint64_t)timeout->tv_nsec);
    return ready;
}

void install_failing_kqueue(void)
{
    if (!aiol__sys.kevent)
        return;
    real_kqueue = aiol__sys.kqueue;
    real_kevent = aiol__sys.kevent;
    aiol__sys.kqueue = failing_kqueue;
    aiol__sys.kevent = failing_kevent;
}

#else
void install_failing_kqueue(void)
{
}
#endif
