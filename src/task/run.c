/* aiol_run(): a loop for one task, and nothing left of it afterwards. */
#include "reactor/loop.h"
#include "task/scheduler.h"

#include <errno.h>

struct main_task {
    aiol_task_fn fn;
    void *arg;
    int result;
    bool has_ended;
};

static int run_main(void *arg)
{
    struct main_task *main_task = arg;

    main_task->result = main_task->fn(main_task->arg);
    main_task->has_ended = true;
    aiol_loop_stop(aiol_loop_current());
    return 0;
}

int aiol_run_with(const struct aiol_loop_options *options, aiol_task_fn fn, void *arg)
{
    struct main_task main_task = {.fn = fn, .arg = arg};
    struct aiol__spawn spawn = {
        .fn = run_main, .arg = &main_task, .place = __builtin_return_address(0)};
    struct aiol_loop *loop;
    int rc;

    if (aiol_task_current())
        return -EBUSY;
    rc = aiol_loop_new(options, &loop);
    if (rc < 0)
        return rc;
    rc = aiol__task_spawn(loop, &spawn, NULL);
    if (rc == 0)
        rc = aiol_loop_run(loop);
    if (rc >= 0)
        rc = aiol__loop_run_tasks_to_end(loop);
    aiol__loop_destroy(loop);
    return rc < 0 || !main_task.has_ended ? rc : main_task.result;
}

int aiol_run(aiol_task_fn fn, void *arg)
{
    return aiol_run_with(NULL, fn, arg);
}
