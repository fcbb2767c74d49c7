/* aiol_run(): a loop for one task, and nothing left of it afterwards. */
#include "reactor/loop.h"
#include "task/scheduler.h"

#include <errno.h>

/* The run awaits the end of its task as another task would; being woken is stopping the loop. */
static void stop_loop(struct aiol__waiter *waiter)
{
    aiol_loop_stop(waiter->owner);
}

static int run_on(struct aiol_loop *loop, const struct aiol__spawn *spawn)
{
    struct aiol__waiter end = {.wake = stop_loop, .owner = loop};
    struct aiol_task *task;
    int rc = aiol__task_spawn(loop, spawn, &task);

    if (rc < 0)
        return rc;
    aiol__waiter_init(&end, task, NULL);
    task->awaiting = &end;
    rc = aiol_loop_run(loop);
    aiol__loop_run_tasks_to_end(loop);
    return rc < 0 ? rc : task->result;
}

static int run(const struct aiol_loop_options *options, const struct aiol__spawn *spawn)
{
    struct aiol_loop *loop;
    int rc;

    if (aiol_task_current())
        return -EBUSY;
    rc = aiol_loop_new(options, &loop);
    if (rc < 0)
        return rc;
    rc = run_on(loop, spawn);
    aiol__loop_destroy(loop);
    return rc;
}

int aiol_run(aiol_task_fn fn, void *arg)
{
    struct aiol__spawn spawn = {.fn = fn, .arg = arg, .place = __builtin_return_address(0)};

    return run(NULL, &spawn);
}

int aiol_run_with(const struct aiol_loop_options *options, aiol_task_fn fn, void *arg)
{
    struct aiol__spawn spawn = {.fn = fn, .arg = arg, .place = __builtin_return_address(0)};

    return run(options, &spawn);
}
