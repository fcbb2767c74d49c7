/*
 * Producers and consumers: two tasks put numbers into a bounded queue, five workers take them out.
 * When every number has been dealt with the workers, which wait for more, are cancelled.
 */
#include <aiol.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct job {
    unsigned number;
};

static unsigned sum; /* one thread, and no call that switches between reading and writing it */

static int work(void *arg)
{
    struct aiol_queue *jobs = arg;
    void *item;
    int rc;

    while ((rc = aiol_await_queue_get(jobs, &item)) == 0) {
        struct job *job = item;

        rc = aiol_await_sleep(job->number % 7 * AIOL_MILLISECOND);
        if (rc == 0)
            sum += job->number;
        free(job);
        aiol_queue_done(jobs);
    }
    return rc;
}

struct range {
    unsigned first;
    unsigned last;
    struct aiol_queue *jobs;
};

static int produce(void *arg)
{
    const struct range *range = arg; /* this task's own copy */

    for (unsigned number = range->first; number <= range->last; number++) {
        struct job *job = malloc(sizeof *job);
        int rc;

        if (!job)
            return -ENOMEM;
        job->number = number;
        rc = aiol_await_queue_put(range->jobs, job); /* waits while ten are there */
        if (rc < 0) {
            free(job); /* it changes hands only with a success */
            return rc;
        }
    }
    return 0;
}

static int add_up(void *arg)
{
    struct aiol_group workers, producers;
    struct aiol_queue *jobs;
    int rc, ended;

    (void)arg;
    rc = aiol_queue_new(aiol_loop_current(), 10, free, &jobs); /* what is left over is freed */
    if (rc < 0)
        return rc;

    aiol_group_open(&workers, AIOL_GROUP_CANCEL_ALL);
    for (int i = 0; i < 5; i++)
        aiol_group_spawn(&workers, work, jobs);

    aiol_group_open(&producers, AIOL_GROUP_CANCEL_ALL);
    for (unsigned i = 0; i < 2; i++) {
        struct range range = {.first = 1 + i * 50, .last = 50 + i * 50, .jobs = jobs};
        aiol_group_spawn_copy(&producers, produce, &range, sizeof range);
    }
    rc = aiol_await_group(&producers);
    if (rc == 0)
        rc = aiol_await_queue_join(jobs);

    aiol_group_cancel(&workers);
    ended = aiol_await_group(&workers);
    if (rc == 0 && ended == -ECANCELED)
        printf("1 + ... + 100 = %u, at most %zu waited\n", sum, aiol_queue_high_water(jobs));
    aiol_queue_free(jobs);
    return rc;
}

int main(void)
{
    return aiol_run(add_up, NULL) < 0;
}
