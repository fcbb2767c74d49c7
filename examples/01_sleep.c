/*
 * Sleeping: three tasks in one thread. Each call that begins with aiol_await_ lets the others go
 * on; nothing else does.
 */
#include <aiol.h>

#include <stdio.h>

static int wake_after(void *arg)
{
    const unsigned *delay_ms = arg;
    int rc = aiol_await_sleep(*delay_ms * AIOL_MILLISECOND);

    if (rc == 0)
        printf("awake after %u ms\n", *delay_ms);
    return rc;
}

static int sleep_together(void *arg)
{
    unsigned delays_ms[] = {300, 100, 200};
    struct aiol_group sleepers;
    uint64_t begin_ns = aiol_loop_now_ns(aiol_loop_current());
    int rc;

    (void)arg;
    aiol_group_open(&sleepers, AIOL_GROUP_CANCEL_ALL);
    for (int i = 0; i < 3; i++)
        aiol_group_spawn(&sleepers, wake_after, &delays_ms[i]);
    rc = aiol_await_group(&sleepers);

    if (aiol_loop_now_ns(aiol_loop_current()) - begin_ns < 600 * AIOL_MILLISECOND)
        printf("together they took less than the sum\n");
    return rc;
}

int main(void)
{
    return aiol_run(sleep_together, NULL) < 0;
}
