/*
 * The contract between the reactor and what polls: epoll, kqueue or the simulation. A poller holds
 * system calls (or their imitation) and nothing else; interest, lazy changes, generations and
 * watchers live once, in src/reactor/io_table.c and io.c.
 *
 * A registration is known by its descriptor's number and a generation that the reactor chooses;
 * both come back in each event. A generation of 0 is the wakeup descriptor's.
 */
#ifndef AIOL__PLATFORM_POLLER_H
#define AIOL__PLATFORM_POLLER_H

#include <aiol/allocator.h>
#include <aiol/io.h>

#include <stdbool.h>

struct aiol__poller;

/* Beside AIOL_READABLE and so on: the system has taken the registration out, since the descriptor
 * will be ready for ever. */
#define AIOL__READY_FOR_EVER (UINT32_C(1) << 31)

struct aiol__event {
    int32_t fd;
    uint32_t generation;
    uint32_t ready; /* AIOL_READABLE ... ; ERROR and a full hang-up come with both of those set */
};

struct aiol__poller_ops {
    /*
     * Register a descriptor for `events` (AIOL_READABLE, AIOL_WRITABLE, AIOL_EDGE, or none of
     * them). Goes to the system at once. -EPERM: the system cannot poll this kind of descriptor.
     * -EEXIST: it is registered (with which generation is not known). -EBADF, also for the
     * poller's own descriptor and the wakeup's. -ENOMEM, -ENOSPC, -ENOTSUP.
     */
    int (*add)(struct aiol__poller *poller, int fd, uint32_t generation, uint32_t events);

    /*
     * Change a registration from `old_events` to `events`. May be held back until the next wait; an
     * error that shows only there is reported as an event with AIOL_ERROR. Unless `at_once`: then
     * it is answered in this call. -ENOENT: there is no registration of this descriptor (it was
     * closed, and its number is another's now). -EBADF: the descriptor is closed, and perhaps its
     * number is one of the poller's own now. After another error some of `old_events` may be
     * missing, and nothing else is registered.
     */
    int (*modify)(struct aiol__poller *poller, int fd, uint32_t generation, uint32_t old_events,
                  uint32_t events, bool at_once);

    /* Tell the system what was held back and has not gone with a wait, since that failed or never
     * came. 0 or -ENOMEM; NULL where nothing is held back. */
    int (*hand_over)(struct aiol__poller *poller);

    /* Take a registration out, at once. Cannot fail: what is gone is gone, also when its number is
     * one of the poller's own now. */
    void (*remove)(struct aiol__poller *poller, int fd, uint32_t old_events);

    /*
     * Wait up to `timeout_ns` (0: not at all, AIOL_NEVER: for ever), fill poller->events, and
     * return how many there are; 0 also after a signal. May return early.
     */
    int (*wait)(struct aiol__poller *poller, uint64_t timeout_ns);

    /* Could a registered descriptor still become ready while nothing in this process touches it? */
    bool (*may_wake)(const struct aiol__poller *poller);

    /* Drop the system's poller with all registrations and make a new one, which watches this wakeup
     * descriptor. In a child of fork() the parent's is not changed. On failure the old one stays as
     * it was. */
    int (*reopen)(struct aiol__poller *poller, int wakeup_fd);

    void (*close)(struct aiol__poller *poller);
    uint64_t (*now_ns)(struct aiol__poller *poller);
    int (*backend_fd)(const struct aiol__poller *poller); /* or -ENOTSUP */

    /* Descriptor calls, as in aiol/fd.h. */
    int64_t (*fd_recv)(struct aiol__poller *poller, int fd, void *buffer, size_t size_bytes);
    int64_t (*fd_send)(struct aiol__poller *poller, int fd, const void *buffer, size_t size_bytes);
    int (*fd_shutdown)(struct aiol__poller *poller, int fd);
    int (*fd_close)(struct aiol__poller *poller, int fd);
};

/* The part that all pollers have, first in each. */
struct aiol__poller {
    const struct aiol__poller_ops *ops;
    const struct aiol_allocator *allocator;
    struct aiol__event *events;
    int max_events;
    int wakeup_fd;
    bool wakes_by_edges; /* the wakeup descriptor need not be cleared */
};

/* The system's poller: epoll or kqueue. `wakeup_fd` is watched from the start. */
int aiol__poller_open_system(const struct aiol_allocator *allocator, int max_events, int wakeup_fd,
                             struct aiol__poller **ret_poller);

/* The simulation. */
int aiol__poller_open_sim(const struct aiol_allocator *allocator, int max_events, int wakeup_fd,
                          uint64_t seed, struct aiol__poller **ret_poller);

#endif
