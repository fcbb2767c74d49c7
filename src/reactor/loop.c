/*
 * The loop: making and freeing one, and the phases of a turn. What happens inside a phase stands in
 * the file that is named after it; src/README.md has the order.
 */
#include "reactor/loop.h"
#include "base/allocator.h"
#include "base/arithmetic.h"
#include "base/options.h"
#include "platform/sys.h"

#include <aiol/error.h>

#include <errno.h>
#include <limits.h>

#define DEFAULT_MAX_EVENTS 1024
#define DEFAULT_MAX_TASK_STEPS 256

/* The loop that this thread runs; runs of different loops may be nested. */
static _Thread_local struct aiol_loop *current_loop;

struct aiol_loop *aiol_loop_current(void)
{
    return current_loop;
}

static int read_options(const struct aiol_loop_options *options,
                        struct aiol_loop_options *ret_chosen)
{
    int rc;

    *ret_chosen = (struct aiol_loop_options){0};
    rc = aiol__read_options(ret_chosen, sizeof *ret_chosen, options);
    if (rc < 0)
        return rc;
    if (ret_chosen->clock > AIOL_CLOCK_VIRTUAL || ret_chosen->reserved != 0 ||
        ret_chosen->max_events_per_turn > INT_MAX / 64)
        return -EINVAL;
    if (!ret_chosen->allocator)
        ret_chosen->allocator = &aiol__default_allocator;
    if (ret_chosen->max_events_per_turn == 0)
        ret_chosen->max_events_per_turn = DEFAULT_MAX_EVENTS;
    if (ret_chosen->max_task_steps_per_turn == 0)
        ret_chosen->max_task_steps_per_turn = DEFAULT_MAX_TASK_STEPS;
    return 0;
}

static int open_poller(struct aiol_loop *loop, const struct aiol_loop_options *options)
{
    int max_events = (int)options->max_events_per_turn;
    int wakeup_fd = loop->mailbox->wakeup.read_fd;

    if (options->clock == AIOL_CLOCK_VIRTUAL)
        return aiol__poller_open_sim(&loop->allocator, max_events, wakeup_fd, options->seed,
                                     &loop->poller);
    return aiol__poller_open_system(&loop->allocator, max_events, wakeup_fd, &loop->poller);
}

int aiol_loop_new(const struct aiol_loop_options *options, struct aiol_loop **ret_loop)
{
    struct aiol_loop_options chosen;
    struct aiol_loop *loop;
    int rc = read_options(options, &chosen);

    if (rc < 0)
        return rc;
    loop = aiol__allocate_zeroed(chosen.allocator, sizeof *loop);
    if (!loop)
        return -ENOMEM;
    loop->allocator = *chosen.allocator;
    loop->owner = pthread_self();
    loop->clock = chosen.clock;
    loop->max_task_steps = chosen.max_task_steps_per_turn;
    aiol__list_init(&loop->deferred);
    aiol__list_init(&loop->deferred_batch);
    aiol__list_init(&loop->deferred_now);
    aiol__list_init(&loop->hooks[AIOL_HOOK_BEFORE_WAIT]);
    aiol__list_init(&loop->hooks[AIOL_HOOK_AFTER_WAIT]);
    aiol__io_table_init(&loop->io);

    rc = aiol__mailbox_new(&loop->allocator, &loop->mailbox);
    if (rc < 0)
        goto free_loop;
    rc = open_poller(loop, &chosen);
    if (rc < 0)
        goto free_mailbox;
    aiol_loop_update_now(loop);
    aiol__wheel_init(&loop->wheel, loop->now_ns);
    *ret_loop = loop;
    return 0;

free_mailbox:
    aiol__mailbox_release(loop->mailbox);
free_loop:
    aiol__release(chosen.allocator, loop);
    return rc;
}

void aiol__loop_destroy(struct aiol_loop *loop)
{
    struct aiol_allocator allocator = loop->allocator;

    loop->is_closing = true;
    aiol__mailbox_close(loop->mailbox);
    /* What was accepted is called, and cannot start anything any more. */
    while (!aiol__list_is_empty(&loop->deferred))
        aiol__deferred_run(loop);
    if (loop->guest)
        loop->guest->ops->free(loop->guest);
    aiol__io_table_free(loop);
    loop->poller->ops->close(loop->poller);
    aiol__mailbox_release(loop->mailbox);
    aiol__release(&allocator, loop);
}

static uint64_t task_count(const struct aiol_loop *loop)
{
    return loop->guest ? loop->guest->alive_count : 0;
}

int aiol_loop_free(struct aiol_loop *loop)
{
    if (!loop)
        return 0;
    aiol__loop_check_thread(loop);
    if (loop->is_running || loop->is_closing || loop->io.active_count > 0 ||
        loop->wheel.active_count > 0 || !aiol__list_is_empty(&loop->deferred) ||
        !aiol__list_is_empty(&loop->hooks[AIOL_HOOK_BEFORE_WAIT]) ||
        !aiol__list_is_empty(&loop->hooks[AIOL_HOOK_AFTER_WAIT]) || task_count(loop) > 0 ||
        loop->object_count > 0)
        return -EBUSY;
    aiol__loop_destroy(loop);
    return 0;
}

static bool is_guest_ready(const struct aiol_loop *loop)
{
    return loop->guest && loop->guest->ops->is_ready(loop->guest);
}

uint64_t aiol_loop_next_timeout_ns(struct aiol_loop *loop)
{
    uint64_t next_ns;

    if (loop->is_stopping || !aiol__list_is_empty(&loop->deferred) || is_guest_ready(loop) ||
        loop->io.always_ready_count > 0 || !aiol__mailbox_is_empty(loop->mailbox))
        return 0;
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

static void run_hooks_after_wait(struct aiol_loop *loop)
{
    if (aiol__list_is_empty(&loop->hooks[AIOL_HOOK_AFTER_WAIT]))
        return;
    aiol__hooks_run(loop, AIOL_HOOK_AFTER_WAIT);
    aiol_loop_update_now(loop);
}

/* The wait phase: how many events there are, or -errno. */
static int wait_for_events(struct aiol_loop *loop, uint64_t max_wait_ns)
{
    uint64_t timeout_ns = bounded_timeout_ns(loop, max_wait_ns);
    bool blocks = timeout_ns > 0;
    int rc;

    if (blocks) {
        aiol__hooks_run(loop, AIOL_HOOK_BEFORE_WAIT);
        timeout_ns = bounded_timeout_ns(loop, max_wait_ns);
    }
    rc = aiol__io_table_flush(loop);
    /* A change that the poller refuses may have made a descriptor ready. */
    if (rc == 0 && timeout_ns > 0 && loop->io.always_ready_count > 0)
        timeout_ns = 0;
    if (rc == 0 && timeout_ns > 0 && !aiol__mailbox_prepare_sleep(loop->mailbox))
        timeout_ns = 0;
    if (rc == 0)
        rc = loop->poller->ops->wait(loop->poller, without_elapsed_ns(loop, timeout_ns));
    aiol_loop_update_now(loop);
    if (blocks)
        run_hooks_after_wait(loop);
    return rc;
}

/* The phases after it. */
static void serve(struct aiol_loop *loop, int event_count)
{
    aiol__io_serve(loop, event_count);
    aiol__mailbox_deliver(loop->mailbox);
    aiol__timers_run(loop);
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

/* Nothing is there that could ever make a task ready. */
static bool is_deadlocked(struct aiol_loop *loop)
{
    if (task_count(loop) == 0 || loop->wheel.active_count > 0 || loop->poster_count > 0 ||
        aiol_loop_next_timeout_ns(loop) != AIOL_NEVER)
        return false;
    if (loop->io.active_count == 0)
        return true;
    return aiol__io_table_flush(loop) == 0 && !loop->poller->ops->may_wake(loop->poller);
}

static int enter(struct aiol_loop *loop, struct aiol_loop **ret_outer)
{
    struct aiol_loop *outer = current_loop;

    if (loop->is_running || loop->is_closing)
        return -EBUSY;
    if (outer && outer->guest && outer->guest->ops->is_inside(outer->guest))
        return -EBUSY;
    if (!pthread_equal(loop->owner, pthread_self())) {
        if (task_count(loop) > 0)
            return -EPERM;
        loop->owner = pthread_self();
    }
    loop->is_running = true;
    current_loop = loop;
    *ret_outer = outer;
    return 0;
}

static void leave(struct aiol_loop *loop, struct aiol_loop *outer)
{
    loop->is_running = false;
    current_loop = outer;
}

int aiol_loop_run(struct aiol_loop *loop)
{
    struct aiol_loop *outer;
    bool was_deadlocked = false;
    int rc = enter(loop, &outer);

    if (rc < 0)
        return rc;
    while (rc == 0 && aiol_loop_is_alive(loop)) {
        /* After a deadlock the tasks are run to their end whatever they do. */
        if (loop->is_stopping && !(was_deadlocked && task_count(loop) > 0))
            break;
        if (is_deadlocked(loop)) {
            was_deadlocked = true;
            loop->guest->ops->cancel_all(loop->guest, false);
        }
        rc = turn(loop, AIOL_NEVER);
    }
    if (rc == 0 && was_deadlocked)
        rc = -EDEADLK;
    else if (rc == 0 && loop->is_stopping)
        rc = 1;
    loop->is_stopping = false;
    leave(loop, outer);
    return rc;
}

void aiol__loop_run_tasks_to_end(struct aiol_loop *loop)
{
    struct aiol_loop *outer;

    if (!loop->guest || enter(loop, &outer) < 0)
        return;
    loop->guest->ops->cancel_all(loop->guest, true);
    while (task_count(loop) > 0) {
        /* Cancelled tasks wait for nothing but one another, so polling may fail. */
        int rc = wait_for_events(loop, 0);

        serve(loop, rc < 0 ? 0 : rc);
    }
    loop->is_stopping = false;
    leave(loop, outer);
}

int aiol_loop_run_once(struct aiol_loop *loop, uint64_t timeout_ns)
{
    struct aiol_loop *outer;
    int rc = enter(loop, &outer);

    if (rc < 0)
        return rc;
    rc = turn(loop, timeout_ns);
    loop->is_stopping = false;
    leave(loop, outer);
    return rc < 0 ? rc : aiol_loop_is_alive(loop);
}

void aiol_loop_stop(struct aiol_loop *loop)
{
    aiol__loop_check_thread(loop);
    loop->is_stopping = true;
}

uint64_t aiol_loop_now_ns(const struct aiol_loop *loop)
{
    return loop->now_ns;
}

void aiol_loop_update_now(struct aiol_loop *loop)
{
    uint64_t now_ns = loop->poller->ops->now_ns(loop->poller);

    /* Some machines' monotonic clocks have been seen to step back. */
    if (now_ns > loop->now_ns)
        loop->now_ns = now_ns;
}

void aiol__callback_begin(void)
{
    if (current_loop && current_loop->guest)
        current_loop->guest->ops->hide_task(current_loop->guest);
}

void aiol__callback_end(void)
{
    if (current_loop && current_loop->guest)
        current_loop->guest->ops->show_task(current_loop->guest);
}

void *aiol__loop_allocate(struct aiol_loop *loop, size_t size_bytes)
{
    void *object = aiol__allocate(&loop->allocator, size_bytes);

    loop->object_count += object != NULL;
    return object;
}

void aiol__loop_release(struct aiol_loop *loop, void *object)
{
    loop->object_count--;
    aiol__release(&loop->allocator, object);
}

uint64_t aiol_deadline_after(uint64_t after_ns)
{
    uint64_t now_ns = current_loop ? current_loop->now_ns : aiol__sys_monotonic_ns();

    return aiol__saturating_add(now_ns, after_ns);
}

int aiol_loop_is_alive(const struct aiol_loop *loop)
{
    return loop->io.ref_count > 0 || loop->timer_ref_count > 0 ||
           !aiol__list_is_empty(&loop->deferred) || !aiol__list_is_empty(&loop->deferred_batch) ||
           loop->poster_ref_count > 0 || task_count(loop) > 0;
}

static uint64_t count_nodes(const struct aiol__list *list)
{
    uint64_t count = 0;

    for (const struct aiol__list *node = list->next; node != list; node = node->next)
        count++;
    return count;
}

uint64_t aiol_loop_alive_count(const struct aiol_loop *loop, uint32_t kind)
{
    switch (kind) {
    case AIOL_ALIVE_IO:
        return loop->io.ref_count;
    case AIOL_ALIVE_TIMER:
        return loop->timer_ref_count;
    case AIOL_ALIVE_DEFERRED:
        return count_nodes(&loop->deferred) + count_nodes(&loop->deferred_batch);
    case AIOL_ALIVE_POSTER:
        return loop->poster_ref_count;
    case AIOL_ALIVE_TASK:
        return task_count(loop);
    default:
        return 0;
    }
}

int aiol_loop_backend_fd(const struct aiol_loop *loop)
{
    return loop->poller->ops->backend_fd(loop->poller);
}

int aiol_loop_prepare(struct aiol_loop *loop)
{
    int rc;

    aiol__loop_check_thread(loop);
    if (loop->is_running)
        return -EBUSY;
    rc = aiol__io_table_flush(loop);
    if (rc == 0)
        aiol__mailbox_prepare_sleep(loop->mailbox);
    return rc;
}
