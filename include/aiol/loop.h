/*
 * The loop: it waits for what was started on it and calls back. What one turn does, in this order:
 * wait (with the hooks around it), descriptors, posts, timers, deferred calls, tasks. The order
 * inside each of them stands in src/README.md and is tested.
 */
#ifndef AIOL_LOOP_H
#define AIOL_LOOP_H

#include <aiol/allocator.h>
#include <aiol/base.h>

AIOL_BEGIN_DECLARATIONS

struct aiol_loop;

/* The clock that a loop lives by. */
enum aiol_clock {
    AIOL_CLOCK_MONOTONIC = 0, /* the system's; the loop polls real descriptors */
    AIOL_CLOCK_VIRTUAL = 1    /* a simulated loop: aiol/sim.h */
};

/*
 * Options of a loop. Set `size` to sizeof(struct aiol_loop_options) and the rest to zero where you
 * have no wish; fields that later versions append count as zero for a program that does not know
 * them.
 */
struct aiol_loop_options {
    size_t size;
    const struct aiol_allocator *allocator; /* copied; NULL for malloc's family */
    uint32_t clock;                         /* one of enum aiol_clock */
    uint32_t max_events_per_turn;           /* descriptors served in a turn, up to 2^24; 0: 1024 */
    uint32_t max_task_steps_per_turn;       /* task resumptions in a turn; 0: 1024 */
    uint32_t reserved;                      /* 0 */
    uint64_t seed;                          /* of a simulated loop */
};

/* What can keep a loop alive; see aiol_loop_alive_count(). */
enum aiol_alive {
    AIOL_ALIVE_IO = 0,       /* io watchers, started or waited on by a task, not unref'd */
    AIOL_ALIVE_TIMER = 1,    /* started timers that are not unref'd */
    AIOL_ALIVE_DEFERRED = 2, /* deferred calls that are to be made */
    AIOL_ALIVE_POSTER = 3,   /* posters that other threads may use, not unref'd */
    AIOL_ALIVE_TASK = 4      /* tasks that have not ended */
};

/*
 * Make a loop. `options` may be NULL. The loop belongs to the caller, who frees it with
 * aiol_loop_free().
 *
 * Thread: any. The loop is that thread's; another one takes it over by running it
 * (aiol_loop_run_once() with 0 is enough) while nothing is started on it.
 * Returns 0, -EINVAL (an unknown option or value, a size of 0), -ENOMEM, or -EMFILE or -ENFILE (no
 * descriptor left for the poller).
 */
AIOL_API int aiol_loop_new(const struct aiol_loop_options *options, struct aiol_loop **ret_loop);

/*
 * Free a loop on which nothing is started any more. Posts that were not yet delivered are told so:
 * their functions are called with AIOL_ECLOSED before this returns, and so will be told whoever
 * posts later. Tasks that have ended without being awaited go with it. NULL is allowed.
 *
 * Thread: the loop's. Returns 0, or -EBUSY (the loop runs, has started watchers, timers, hooks,
 * deferred calls or tasks, of which aiol_loop_alive_count() says of what kind and here the unref'd
 * ones count too, or there are queues or objects of an aiol_..._new() that were not freed;
 * posters may outlive it).
 */
AIOL_API int aiol_loop_free(struct aiol_loop *loop);

/*
 * Turn until nothing keeps the loop alive, or until aiol_loop_stop().
 *
 * When tasks are left and nothing can ever wake one of them (no watcher, timer or poster is there;
 * a simulated descriptor that nothing is under way to does not count, nor do hooks), all tasks are
 * cancelled, run to their end, and the run ends with -EDEADLK.
 *
 * Thread: the loop's. Returns 0 (nothing is alive any more), 1 (stopped), -EBUSY (this loop runs
 * already, or the caller is a task), -EPERM (another thread than before, while tasks are alive),
 * -EDEADLK (see above), or what the system's polling call says.
 */
AIOL_API int aiol_loop_run(struct aiol_loop *loop);

/*
 * One turn: wait up to `timeout_ns` for something to do (0: don't wait, AIOL_NEVER: as long as it
 * takes, for ever if nothing is started), and do it. Waits less when a timer is due before that,
 * and not at all when deferred calls or tasks are ready or the loop was stopped. A turn may end
 * without anything having been done.
 *
 * Thread: the loop's. Returns 1 (something is alive), 0 (nothing is), or an error as
 * aiol_loop_run() does, but for -EDEADLK.
 */
AIOL_API int aiol_loop_run_once(struct aiol_loop *loop, uint64_t timeout_ns);

/*
 * End the run after the turn in which this is called; what that turn has still to do is done.
 * Called while the loop does not run, it ends the next run before its first turn, or makes the next
 * single turn not wait. May be called from any callback or task; from other threads post a function
 * that does.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_loop_stop(struct aiol_loop *loop);

/*
 * The loop's clock. It is read once a turn, after waiting, and stands still in between, so that
 * whatever is started in one turn agrees on "now".
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API uint64_t aiol_loop_now_ns(const struct aiol_loop *loop);

/*
 * Read the clock anew: for a callback that has computed for long and starts a timer after that.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API void aiol_loop_update_now(struct aiol_loop *loop);

/*
 * The loop that this thread is running, in a callback or a task; NULL outside.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API struct aiol_loop *aiol_loop_current(void);

/*
 * 1 while anything keeps aiol_loop_run() from returning, else 0.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API int aiol_loop_is_alive(const struct aiol_loop *loop);

/*
 * Why it is alive: how many things of a kind (enum aiol_alive) keep it so; 0 for an unknown kind.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API uint64_t aiol_loop_alive_count(const struct aiol_loop *loop, uint32_t kind);

/*
 * For embedding this loop in another one: the descriptor of its poller, readable when the loop has
 * an event to handle (with kqueue also once after that; and once when there is something to be read
 * that nobody wants any more). A turn of the embedding loop calls
 * aiol_loop_prepare(), then asks for aiol_loop_next_timeout_ns(), waits that long or until this
 * descriptor is readable, and calls aiol_loop_run_once() with 0. The number changes when the poller
 * had to be made anew, so ask for it each time.
 *
 * Thread: the loop's. Returns the descriptor, which stays the loop's, or -ENOTSUP (simulated).
 */
AIOL_API int aiol_loop_backend_fd(const struct aiol_loop *loop);

/*
 * Hand to the kernel what watchers have asked for since the last turn, and make other threads'
 * posts wake the backend descriptor: what a turn does before it waits.
 *
 * Thread: the loop's. Returns 0, -EBUSY (the loop runs), or what the system's call for changing a
 * registration says.
 */
AIOL_API int aiol_loop_prepare(struct aiol_loop *loop);

/*
 * How long the next turn may wait from now by the loop's clock: 0 when something is ready,
 * AIOL_NEVER when only a descriptor or another thread can give it something to do.
 *
 * Thread: the loop's. Cannot fail.
 */
AIOL_API uint64_t aiol_loop_next_timeout_ns(struct aiol_loop *loop);

/*
 * Make the loop usable in a child of fork(2). The poller and the wakeup descriptor are shared with
 * the parent until then, and using the loop in the child would change the parent's. Everything
 * started is started in both from then on: timers, watchers, tasks, and posts that were not yet
 * delivered; an edge-triggered watcher is told once more of what is ready. Descriptors are shared,
 * as fork(2) says: close the watchers of those that the parent goes on reading. Those of the
 * library are closed here: a child must not have done that before, as closefrom(3) would. Other
 * threads do not exist in the child, so what they would have released or stopped is the child's to
 * release or stop. A child that does not use the loop, or calls exec, needs nothing.
 *
 * Thread: the loop's, in the child; also in a callback or a task that has called fork(). Returns 0,
 * -EMFILE, -ENFILE or -ENOMEM; then the loop must not be used, but this may be tried again.
 */
AIOL_API int aiol_loop_reinit_after_fork(struct aiol_loop *loop);

AIOL_END_DECLARATIONS

#endif
