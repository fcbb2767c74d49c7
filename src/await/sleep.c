/* Sleeping and yielding. */
#include "base/arithmetic.h"
#include "task/scheduler.h"
#include "task/scope.h"

#include <aiol/await.h>
#include <aiol/error.h>

#include <errno.h>

static void on_wake_up(struct aiol_timer *timer, void *data)
{
    (void)timer;
    aiol__waiter_complete(data, 0);
}

static void withdraw_sleep(struct aiol__waiter *waiter)
{
    aiol_timer_stop(waiter->object);
}

static const struct aiol__waiter_source sleep_source = {.withdraw = withdraw_sleep};

static int sleep_until(struct aiol_task *task, uint64_t deadline_ns)
{
    struct aiol_timer timer;

    aiol_timer_init(&timer, task->scheduler->loop, on_wake_up,
                    aiol__task_waiter(task, &timer, &sleep_source));
    /* For ever needs no timer, and then the loop sees that nothing will ever end this. */
    if (deadline_ns != AIOL_NEVER)
        aiol_timer_start_at(&timer, deadline_ns);
    return (int)aiol__task_park(task);
}

int aiol_await_sleep_until(uint64_t deadline_ns)
{
    struct aiol_task *task;
    int rc = aiol__await_begin(&task);

    return rc < 0 ? rc : sleep_until(task, deadline_ns);
}

int aiol_await_sleep(uint64_t delay_ns)
{
    struct aiol_task *task;
    int rc = aiol__await_begin(&task);

    if (rc < 0)
        return rc;
    return sleep_until(task, aiol__saturating_add(task->scheduler->loop->now_ns, delay_ns));
}

int aiol_await_yield(void)
{
    struct aiol_task *task = aiol__current_task;

    if (!task)
        return AIOL_ENOTASK;
    aiol__task_yield(task);
    if (!task->scope->cancelled)
        return 0;
    aiol__scope_note_cut(task->scope);
    return -ECANCELED;
}
