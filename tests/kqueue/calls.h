/* What the tests of the kqueue double share: kevent() in short. */
#ifndef KQUEUE_DOUBLE_CALLS_H
#define KQUEUE_DOUBLE_CALLS_H

#include "double.h"
#include "support.h"

#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

/* One change, with no place for an answer: 0, or the error number. */
static inline int change(int kq, int fd, int filter, int flags, void *udata)
{
    struct kevent event;

    EV_SET(&event, (uintptr_t)fd, (int16_t)filter, (uint16_t)flags, 0, 0, udata);
    return kevent(kq, &event, 1, NULL, 0, NULL) == 0 ? 0 : errno;
}

/* How many events there are now. */
static inline int take(int kq, struct kevent *events, int event_count)
{
    static const struct timespec no_time;

    return kevent(kq, NULL, 0, events, event_count, &no_time);
}

static inline int take_one(int kq, struct kevent *ret_event)
{
    *ret_event = (struct kevent){.ident = 12345};
    return take(kq, ret_event, 1);
}

static inline bool is_readable(int fd)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN};

    return poll(&pollfd, 1, 0) == 1;
}

static inline void fill(int fd)
{
    static const char bytes[65536];

    while (write(fd, bytes, sizeof bytes) > 0)
        ;
}

static inline void drain(int fd)
{
    static char bytes[65536];

    while (read(fd, bytes, sizeof bytes) > 0)
        ;
}

static inline void close_all(int kq, const int fds[2])
{
    close(kq);
    close(fds[0]);
    close(fds[1]);
}

static inline int open_with_pair(int fds[2])
{
    make_socket_pair(fds);
    return kqueue();
}

#endif
