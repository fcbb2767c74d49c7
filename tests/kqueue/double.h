/*
 * A kqueue for Linux, to test on: kqueue() and kevent() after the manual pages kqueue(2) of FreeBSD
 * and macOS, made of epoll(7), poll(2) and ioctl(2), and a script by which a test has it do what a
 * BSD does only now and then. It is for tests alone: each call looks at every registration.
 *
 * As on a BSD:
 * - A registration is a descriptor's number and a filter, EVFILT_READ or EVFILT_WRITE; each has its
 *   own flags and udata. EV_ADD of what is registered replaces udata and runs the filter again, and
 *   that is all: EV_CLEAR, EV_ONESHOT and EV_DISPATCH stay as they were, and what is disabled stays
 *   so until EV_ENABLE.
 * - Changes are made in their order. Those that fail, and those with EV_RECEIPT, are answered by
 *   EV_ERROR in the event list; then the call returns these answers and neither waits nor reports
 *   anything else. Where the list has no room the call fails, and later changes are not made.
 * - Events are level-triggered but for EV_CLEAR; what has been reported goes to the end of the
 *   queue, so that a short list serves all in turn. EV_EOF comes as soon as the peer has shut down,
 *   also with data left.
 * - Closing a descriptor removes its registrations, whether or not a duplicate of it lives. Linux
 *   tells nobody, so that the double finds out in the next call of kevent().
 * - A kqueue can be polled, watched by another one, and closed by close(). After it has reported a
 *   level-triggered event it stays readable until the next kevent(), even if the data have been
 *   read meanwhile: only retrieving runs the filters again.
 * - A kqueue is not inherited by fork(): in a child kevent() fails with EBADF.
 * - Adding EVFILT_WRITE to a pipe that nobody reads fails with EPIPE.
 * - A regular file is readable unless its offset is at its end, and always writable.
 *
 * Otherwise than on a BSD:
 * - The error of a socket in fflags is always ECONNRESET, since reading the true one takes it away
 *   on Linux. The length of a listen backlog is always 1, and so are the events of a kqueue.
 * - EV_CLEAR may report more: an edge of one filter may bring the other one's, as epoll's do.
 * - A registration survives if its descriptor is closed and the same open file is put back under
 *   the same number before the next kevent().
 * - A file that grows is found by looking 100 times a second, and does not make the kqueue
 *   readable.
 * - A duplicate of a kqueue's descriptor is no kqueue. Other filters are EINVAL, fflags and data of
 *   a change (NOTE_LOWAT) are ignored.
 */
#ifndef KQUEUE_DOUBLE_H
#define KQUEUE_DOUBLE_H

#include "include/sys/event.h"

#include <stdbool.h>

enum double_system {
    /* Answers have no flag but EV_ERROR. A change of a closed descriptor is EBADF. A kqueue is kept
     * by exec. Who writes to a pipe gets one last event when its reader goes, with EV_EOF and
     * EV_ONESHOT, and is not registered any more. */
    DOUBLE_FREEBSD,
    /* Answers and events have the flags of the change. A change other than EV_ADD of a closed
     * descriptor is ENOENT. A kqueue is closed by exec. */
    DOUBLE_MACOS
};

/* Which system to be from now on. At the start it is the one that the environment's KQUEUE_DOUBLE
 * names, "freebsd" or "macos", and FreeBSD without it. */
void double_be(enum double_system system);

/* The script of one kqueue. These return 0, or -1 if `kq` is no kqueue. Any thread. */

/* The change of this number from now on, 1 being the next, is not made but fails with `error`. */
int double_fail_change(int kq, int number, int error);

/* Report this event in the next call that takes any, before all others, whatever is registered:
 * an event that is stale, spurious, or has flags that are hard to come by. */
int double_inject(int kq, const struct kevent *event);

/* From now on what is ready when it is deleted, and all that is closed, is reported once more. */
int double_reap_late(int kq, bool reaps_late);

/* From now on report at most so many events in a call, though more may be ready. 0: no limit. */
int double_limit_events(int kq, int limit);

/* So many of the next calls that would wait for events or take them are interrupted by a signal:
 * they make their changes, and fail with EINTR. */
int double_interrupt(int kq, int count);

#endif
