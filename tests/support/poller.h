/*
 * Between the loop and the system's poller, whichever that is: counting what the loop asks of it,
 * and making that fail.
 */
#ifndef POLLER_H
#define POLLER_H

#include <stdbool.h>

struct poller_watch {
    int wait_count;
    int change_count;       /* calls that change registrations, also while waiting */
    int failing_wait_count; /* so many waits fail from now on, */
    int wait_errno;         /* with this */
    int add_errno;          /* each new registration does */
    int modify_errno;       /* each change of one does; with epoll only */
};

/* Zeroed by watch_poller(), which begins to watch, until the end of the test. */
extern struct poller_watch poller_watch;
void watch_poller(void);

/* kqueue holds changes back and forgets closed descriptors, so that some of what a loop has to cope
 * with can only happen with epoll: such a test skips itself. */
void only_with_epoll(void);

#endif
