/*
 * Watched descriptors.
 *
 *     dispatch     "100x1": 50 connected pairs, 100 sockets, all watched for reading; one byte is
 *                  under way. Who can read reads a byte, and sends it on to the next pair: an event
 *                  is an operation. "9900x1000": a thousand bytes are under way.
 *     register     start to watch as many descriptors as the case says, all of them new, turn the
 *                  loop, and close the watchers: one of these is an operation
 *     idle_memory  so many descriptors are watched, and nothing happens: what the process holds for
 *                  each that it did not before, beside what the kernel does
 */
#ifndef BENCH_IO_H
#define BENCH_IO_H

#include "../bench.h"

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define DISPATCHED_EVENTS 20000 /* in a round, at the least */

struct bench_pairs {
    int *fds; /* watched; a byte sent to [i ^ 1] can be read from [i] */
    long count;
    long active;
    long event_count;
};

static inline void bench_pairs_open(struct bench_pairs *pairs, long count, long active)
{
    pairs->fds = (int *)bench_allocate((size_t)count * sizeof *pairs->fds);
    pairs->count = count;
    pairs->active = active;
    for (long i = 0; i < count; i += 2)
        bench_socket_pair(&pairs->fds[i]);
}

/* The first bytes, once all is watched. */
static inline void bench_pairs_start(const struct bench_pairs *pairs)
{
    for (long i = 0; i < pairs->active; i++) {
        long index = i * (pairs->count / pairs->active) & ~1L;

        bench_check(send(pairs->fds[index ^ 1], "x", 1, 0) == 1, "send");
    }
}

/* Socket number `index` can be read. */
static inline void bench_pairs_pass_on(struct bench_pairs *pairs, long index)
{
    long next = index + 2 < pairs->count ? index + 2 : index & 1;
    char byte;

    bench_check(recv(pairs->fds[index], &byte, 1, 0) == 1, "recv");
    bench_check(send(pairs->fds[next ^ 1], &byte, 1, 0) == 1, "send");
    pairs->event_count++;
}

/* Descriptors that never become ready. */
static inline int *bench_open_idle(long count)
{
    int *fds = (int *)bench_allocate((size_t)count * sizeof *fds);

    for (long i = 0; i < count; i++) {
        fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        bench_check(fds[i] >= 0, "eventfd");
    }
    return fds;
}

/* Others under the same numbers: a connection that is watched is a new one. */
static inline void bench_renew_idle(int *fds, long count)
{
    bench_pause();
    for (long i = 0; i < count; i++)
        close(fds[i]);
    for (long i = 0; i < count; i++) {
        fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        bench_check(fds[i] >= 0, "eventfd");
    }
    bench_resume();
}

#endif
