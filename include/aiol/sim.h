/*
 * The simulated loop, for tests that take no time: a loop made with AIOL_CLOCK_VIRTUAL. Its clock
 * begins at 0 and jumps to the next thing that is to happen instead of waiting for it, so that an
 * hour of sleep takes microseconds. Instead of real descriptors, which it refuses to watch with
 * -ENOTSUP, it has pairs of connected in-memory ones, whose bytes arrive in pieces and after delays
 * that the loop's seed decides. One seed is always the same run; another one shuffles whatever
 * order the library leaves open, such as the order of descriptors that become ready together.
 */
#ifndef AIOL_SIM_H
#define AIOL_SIM_H

#include <aiol/loop.h>

AIOL_BEGIN_DECLARATIONS

/* How a simulated pair behaves; zeroes are the defaults. */
struct aiol_sim_stream_options {
    size_t size;
    size_t capacity_bytes;  /* what one direction holds before a sender must wait; 0: 65536 */
    size_t max_chunk_bytes; /* the most that arrives at once; 0: no limit of its own */
    uint64_t min_delay_ns;  /* each chunk arrives this long after it was sent at the least, */
    uint64_t max_delay_ns;  /* and this long at the most; chunks never overtake one another */
};

/*
 * Make two connected descriptors, like socketpair(2), that live in this loop only: they may be
 * watched, awaited, and used by aiol_fd_recv(), aiol_fd_send(), aiol_fd_shutdown() and
 * aiol_fd_close(). `options` may be NULL. The numbers are the smallest that are free, from 0 up,
 * and mean nothing to the system. Both belong to the caller; what is left open is freed with the
 * loop.
 *
 * Thread: the loop's. Returns 0, -ENOTSUP (the loop is not simulated), -EINVAL (an unknown option,
 * or min_delay_ns above max_delay_ns), -EMFILE (65536 are open) or -ENOMEM.
 */
AIOL_API int aiol_sim_stream_pair(struct aiol_loop *loop,
                                  const struct aiol_sim_stream_options *options, int ret_fds[2]);

/*
 * A number from the loop's seeded generator, for programs that want their own choices to belong to
 * the seed too.
 *
 * Thread: the loop's. Returns the number; 0 when the loop is not simulated. Cannot fail otherwise.
 */
AIOL_API uint64_t aiol_sim_random(struct aiol_loop *loop);

AIOL_END_DECLARATIONS

#endif
