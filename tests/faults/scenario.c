/* What scenarios have in common. */
#include "faults.h"

#include <errno.h>
#include <sys/socket.h>

int run_loop(struct aiol_loop *loop)
{
    int rc = aiol_loop_run(loop);

    return rc > 0 ? expect(false, "the loop was stopped") : rc;
}

struct job {
    aiol_task_fn fn;
    void *arg;
    int result;
};

static int do_job(void *arg)
{
    struct job *job = arg;

    job->result = job->fn(job->arg);
    return 0;
}

int run_task(struct aiol_loop *loop, aiol_task_fn fn, void *arg)
{
    struct job job = {.fn = fn, .arg = arg};
    struct aiol_task *task;
    int rc = aiol_task_spawn(loop, do_job, &job, &task);

    if (rc < 0)
        return rc;
    rc = aiol_loop_run(loop);
    if (!aiol_task_is_done(task)) {
        aiol_task_cancel(task);
        for (int i = 0; i < 3 && !aiol_task_is_done(task); i++)
            aiol_loop_run(loop);
    }
    if (!aiol_task_is_done(task))
        return expect(false, "a cancelled task does not end");
    aiol_task_detach(task);
    return rc < 0 ? rc : job.result;
}

int open_pair(struct aiol_loop *loop, int ret_fds[2])
{
    int fds[2];
    int rc = aiol_sim_stream_pair(loop, NULL, fds);

    if (rc == -ENOTSUP)
        rc = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0 ? -errno
                                                                                         : 0;
    ret_fds[0] = rc < 0 ? -1 : fds[0];
    ret_fds[1] = rc < 0 ? -1 : fds[1];
    return rc;
}

int close_pair(struct aiol_loop *loop, const int fds[2])
{
    int rc = 0;

    for (int i = 0; i < 2; i++) {
        if (fds[i] >= 0)
            rc = aiol_first_error(rc, aiol_fd_close(loop, fds[i]));
    }
    return rc;
}
