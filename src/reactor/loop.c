/* The loop: making one, freeing it, and what can be asked of it. run.c is what makes it turn. */
#include "reactor/loop.h"
#include "base/allocator.h"
#include "base/arithmetic.h"
#include "base/options.h"
#include "platform/sys.h"

#include <aiol/error.h>

#include <errno.h>

#define DEFAULT_MAX_EVENTS 1024
#define MAX_MAX_EVENTS (1 << 24)
/* As many as the events: so all tasks that they make ready run in the same turn, and mostly wait
 * for the same again before the poller is told that nobody does. */
#define DEFAULT_MAX_TASK_STEPS DEFAULT_MAX_EVENTS

static int read_options(const struct aiol_loop_options *options,
                        struct aiol_loop_options *ret_chosen)
{
    int rc;

    *ret_chosen = (struct aiol_loop_options){0};
    rc = aiol__read_options(ret_chosen, sizeof *ret_chosen, options);
    if (rc < 0)
        return rc;
    if (ret_chosen->clock > AIOL_CLOCK_VIRTUAL || ret_chosen->reserved != 0 ||
        ret_chosen->max_events_per_turn > MAX_MAX_EVENTS)
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
    aiol__list_init(&loop->delivering);
    aiol__list_init(&loop->observers);
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

static struct aiol__loop_observer *observer_of(struct aiol__list *node)
{
    return container_of(node, struct aiol__loop_observer, node);
}

void aiol__loop_destroy(struct aiol_loop *loop)
{
    struct aiol_allocator allocator = loop->allocator;

    loop->is_closing = true;
    aiol__callback_begin(loop);
    while (!aiol__list_is_empty(&loop->observers)) {
        struct aiol__loop_observer *observer = observer_of(loop->observers.next);

        observer->on_end(observer);
    }
    aiol__mailbox_close(loop->mailbox);
    /* What was accepted is called, and cannot start anything any more. */
    while (!aiol__list_is_empty(&loop->deferred))
        aiol__deferred_run(loop);
    aiol__callback_end(loop);
    if (loop->guest)
        loop->guest->ops->free(loop->guest);
    aiol__io_table_free(loop);
    loop->poller->ops->close(loop->poller);
    aiol__mailbox_release(loop->mailbox);
    aiol__release(&allocator, loop);
}

int aiol_loop_free(struct aiol_loop *loop)
{
    if (!loop)
        return 0;
    aiol__loop_check_thread(loop);
    if (loop->is_running || loop->is_closing || loop->io.active_count > 0 ||
        loop->wheel.active_count > 0 || !aiol__list_is_empty(&loop->deferred) ||
        !aiol__list_is_empty(&loop->hooks[AIOL_HOOK_BEFORE_WAIT]) ||
        !aiol__list_is_empty(&loop->hooks[AIOL_HOOK_AFTER_WAIT]) ||
        aiol__loop_task_count(loop) > 0 || loop->object_count > 0 || loop->callback_depth > 0)
        return -EBUSY;
    aiol__loop_destroy(loop);
    return 0;
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

int aiol_loop_reinit_after_fork(struct aiol_loop *loop)
{
    struct aiol__wakeup *wakeup = &loop->mailbox->wakeup;
    struct aiol__wakeup inherited = *wakeup, renewed;
    int rc = aiol__wakeup_open(&renewed);

    aiol__loop_check_thread(loop);
    if (rc < 0)
        return rc;
    rc = aiol__io_table_rebuild(loop, renewed.read_fd);
    if (rc < 0) {
        aiol__wakeup_close(&renewed);
        return rc;
    }
    aiol__wakeup_close(&inherited);
    *wakeup = renewed;
    atomic_fetch_add(&loop->mailbox->fork_count, 1);
    for (struct aiol__list *node = loop->observers.next; node != &loop->observers;
         node = node->next)
        observer_of(node)->on_fork(observer_of(node));
    aiol_loop_update_now(loop);
    return 0;
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

int aiol_loop_is_alive(const struct aiol_loop *loop)
{
    return loop->io.ref_count > 0 || loop->timer_ref_count > 0 ||
           !aiol__list_is_empty(&loop->deferred) || !aiol__list_is_empty(&loop->deferred_batch) ||
           loop->poster_ref_count > 0 || aiol__loop_task_count(loop) > 0;
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
        return aiol__loop_task_count(loop);
    default:
        return 0;
    }
}

int aiol_loop_backend_fd(const struct aiol_loop *loop)
{
    return loop->poller->ops->backend_fd(loop->poller);
}
