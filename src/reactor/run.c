/*
 * Running a loop: the phases of a turn, and how often to turn. What happens inside a phase stands
 * in the file that is named after it; src/README.md has the order.
 */
#include "base/arithmetic.h"
#include "platform/sys.h"
#include "reactor/loop.h"

#include <errno.h>

/* The loop that this thread runs; runs of different loops may be nested. */
static _Thread_local struct aiol_loop *current_loop;
/* Callbacks that run inside a call of this thread, in a run or not. */
static _Thread_local unsigned callback_depth;

struct aiol_loop *aiol_loop_current(void)
{
    return current_loop;
}

static bool is_guest_ready(const struct aiol_loop *loop)
{
    return loop->guest && loop->guest->ops->is_ready(loop->guest);
}

static bool has_posts(const struct aiol_loop *loop)
{
    return loop->poster_count > 0 && !aiol__mailbox_is_empty(loop->mailbox);
}

uint64_t aiol_loop_next_timeout_ns(struct aiol_loop *loop)
{
    uint64_t next_ns;

    if (loop->is_stopping || !aiol__list_is_empty(&loop->deferred) || is_guest_ready(loop) ||
        loop->io.always_ready_count > 0 || has_posts(loop))
        return 0;
    if (loop->wheel.active_count == 0)
        return AIOL_NEVER;
    next_ns = aiol__wheel_next_ns(&loop->wheel);
    return next_ns == AIOL_NEVER ? AIOL_NEVER : aiol__saturating_sub(next_ns, loop->now_ns);
}

static uint64_t bounded_timeout_ns(struct aiol_loop *loop, uint64_t max_wait_ns)
{
    uint64_t timeout_ns = aiol_loop_next_timeout_ns(loop);

    return timeout_ns < max_wait_ns ? timeout_ns : max_wait_ns;
}

/* How long really to wait, when `timeout_ns` counts from the loop's clock, which is as old as the
 * turn that ends. */
static uint64_t without_elapsed_ns(struct aiol_loop *loop, uint64_t timeout_ns)
{
    uint64_t now_ns;

    if (timeout_ns == 0 || timeout_ns == AIOL_NEVER)
        return timeout_ns;
    now_ns = loop->poller->ops->now_ns(loop->poller);
    return aiol__saturating_sub(timeout_ns, aiol__saturating_sub(now_ns, loop->now_ns));
}

static bool has_hooks(const struct aiol_loop *loop, enum aiol_hook_place place)
{
    return !aiol__list_is_empty(&loop->hooks[place]);
}

static int poll_events(struct aiol_loop *loop, uint64_t timeout_ns)
{
    /* A change that the poller has refused may have made a descriptor ready. */
    if (timeout_ns > 0 && loop->io.always_ready_count > 0)
        timeout_ns = 0;
    /* Without a poster there is nobody who could wake the loop. */
    if (timeout_ns > 0 && loop->poster_count > 0 && !aiol__mailbox_prepare_sleep(loop->mailbox))
        timeout_ns = 0;
    return loop->poller->ops->wait(loop->poller, without_elapsed_ns(loop, timeout_ns));
}

/* Nothing is there that could ever make a task ready. */
static bool is_deadlocked(struct aiol_loop *loop)
{
    if (aiol__loop_task_count(loop) == 0 || loop->wheel.active_count > 0 ||
        loop->poster_count > 0 || aiol_loop_next_timeout_ns(loop) != AIOL_NEVER)
        return false;
    if (loop->io.active_count == 0)
        return true;
    return aiol__io_table_flush(loop, false) == 0 && !loop->poller->ops->may_wake(loop->poller);
}

/* Is there nothing left to run for? */
static bool is_over(struct aiol_loop *loop)
{
    return !aiol_loop_is_alive(loop) || is_deadlocked(loop);
}

/* How long to wait after the hooks: not for what they have ended. */
static uint64_t run_hooks_before_wait(struct aiol_loop *loop, uint64_t max_wait_ns)
{
    bool was_over = is_over(loop);

    aiol__hooks_run(loop, AIOL_HOOK_BEFORE_WAIT);
    return !was_over && is_over(loop) ? 0 : bounded_timeout_ns(loop, max_wait_ns);
}

/* The wait phase: how many events there are, or -errno. */
static int wait_for_events(struct aiol_loop *loop, uint64_t max_wait_ns)
{
    uint64_t timeout_ns = bounded_timeout_ns(loop, max_wait_ns);
    bool blocks = timeout_ns > 0;
    int rc = 0;

    if (blocks && has_hooks(loop, AIOL_HOOK_BEFORE_WAIT))
        timeout_ns = run_hooks_before_wait(loop, max_wait_ns);
    if (aiol__io_table_has_changes(&loop->io))
        rc = aiol__io_table_flush(loop, false);
    if (rc == 0)
        rc = poll_events(loop, timeout_ns);
    aiol_loop_update_now(loop);
    if (blocks && has_hooks(loop, AIOL_HOOK_AFTER_WAIT)) {
        aiol__hooks_run(loop, AIOL_HOOK_AFTER_WAIT);
        aiol_loop_update_now(loop); /* they take time */
    }
    return rc;
}

/* The phases after it. */
static void serve(struct aiol_loop *loop, int event_count)
{
    aiol__io_serve(loop, event_count);
    if (loop->poster_count > 0)
        aiol__mailbox_deliver(loop->mailbox);
    if (loop->wheel.active_count > 0)
        aiol__timers_run(loop);
    if (!aiol__list_is_empty(&loop->deferred))
        aiol__deferred_run(loop);
    if (loop->guest)
        loop->guest->ops->run(loop->guest);
}

static int turn(struct aiol_loop *loop, uint64_t max_wait_ns)
{
    int rc = wait_for_events(loop, max_wait_ns);

    if (rc < 0)
        return rc;
    serve(loop, rc);
    return 0;
}

static int enter(struct aiol_loop *loop, struct aiol_loop **ret_outer)
{
    struct aiol_loop *outer = current_loop;

    if (loop->is_running || loop->is_closing)
        return -EBUSY;
    if (outer && outer->guest && outer->guest->ops->is_inside(outer->guest))
        return -EBUSY;
    if (!pthread_equal(loop->owner, pthread_self())) {
        if (aiol__loop_task_count(loop) > 0)
            return -EPERM;
        loop->owner = pthread_self();
    }
    aiol_loop_update_now(loop); /* it has stood still since the last turn */
    loop->is_running = true;
    current_loop = loop;
    *ret_outer = outer;
    return 0;
}

static void leave(struct aiol_loop *loop, struct aiol_loop *outer)
{
    loop->is_running = false;
    loop->is_stopping = false;
    current_loop = outer;
}

/* Cancel all tasks, also those that are spawned meanwhile, and turn until the last one has ended,
 * whatever else is alive. */
static void drain_tasks(struct aiol_loop *loop)
{
    if (!loop->guest)
        return;
    loop->guest->is_draining = true;
    loop->guest->ops->cancel_all(loop->guest, false);
    while (loop->guest->alive_count > 0) {
        int rc;

        loop->is_stopping = false; /* it stops when they have ended; until then it may sleep */
        rc = is_deadlocked(loop) ? -EDEADLK : wait_for_events(loop, AIOL_NEVER);
        /* Cancelled tasks wait for nothing but one another, and for what is shielded: when that
         * cannot come, or cannot be polled, the shields end. */
        if (rc < 0)
            loop->guest->ops->cancel_all(loop->guest, true);
        serve(loop, rc < 0 ? 0 : rc);
    }
    loop->guest->is_draining = false;
}

int aiol_loop_run(struct aiol_loop *loop)
{
    struct aiol_loop *outer;
    int rc = enter(loop, &outer);

    if (rc < 0)
        return rc;
    while (rc == 0 && !loop->is_stopping && aiol_loop_is_alive(loop)) {
        if (is_deadlocked(loop)) {
            drain_tasks(loop);
            rc = -EDEADLK;
        } else {
            rc = turn(loop, AIOL_NEVER);
        }
    }
    if (rc == 0 && loop->is_stopping)
        rc = 1;
    leave(loop, outer);
    return rc;
}

void aiol__loop_run_tasks_to_end(struct aiol_loop *loop)
{
    struct aiol_loop *outer;

    if (enter(loop, &outer) < 0)
        return;
    drain_tasks(loop);
    leave(loop, outer);
}

int aiol_loop_run_once(struct aiol_loop *loop, uint64_t timeout_ns)
{
    struct aiol_loop *outer;
    int rc = enter(loop, &outer);

    if (rc < 0)
        return rc;
    rc = turn(loop, timeout_ns);
    leave(loop, outer);
    return rc < 0 ? rc : aiol_loop_is_alive(loop);
}

void aiol_loop_stop(struct aiol_loop *loop)
{
    aiol__loop_check_thread(loop);
    loop->is_stopping = true;
}

bool aiol__loop_is_calling(void)
{
    return current_loop || callback_depth > 0;
}

void aiol__callback_begin(struct aiol_loop *loop)
{
    callback_depth++;
    loop->callback_depth++;
    if (current_loop && current_loop->guest)
        current_loop->guest->ops->hide_task(current_loop->guest);
}

void aiol__callback_end(struct aiol_loop *loop)
{
    callback_depth--;
    loop->callback_depth--;
    if (current_loop && current_loop->guest)
        current_loop->guest->ops->show_task(current_loop->guest);
}

uint64_t aiol_deadline_after(uint64_t after_ns)
{
    uint64_t now_ns = current_loop ? current_loop->now_ns : aiol__sys_monotonic_ns();

    return aiol__saturating_add(now_ns, after_ns);
}

int aiol_loop_prepare(struct aiol_loop *loop)
{
    int rc;

    aiol__loop_check_thread(loop);
    if (loop->is_running)
        return -EBUSY;
    aiol_loop_update_now(loop);
    rc = aiol__io_table_flush(loop, true);
    if (rc == 0)
        aiol__mailbox_prepare_sleep(loop->mailbox);
    return rc;
}
