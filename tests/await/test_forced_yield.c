/*
 * A task that is always served is made to yield inside some awaiting call. Another task may then
 * end the very thing that is being awaited: whoever is inside such a call waits on it, and so is
 * told; the thing's memory is not looked at again.
 */
#include "support.h"

#include <errno.h>

enum { FAR_TOO_OFTEN = 1000 };

static int calls, last_rc;
static struct aiol_queue *queue;
static struct aiol_future *future;
static struct aiol_loop *other_loop;

static int free_the_queue(void *arg)
{
    (void)arg;
    aiol_queue_free(queue);
    queue = NULL;
    return 0;
}

static int get_until_freed(void *arg)
{
    struct aiol_queue *own;

    (void)arg;
    if (aiol_queue_new(aiol_loop_current(), FAR_TOO_OFTEN, NULL, &queue) < 0)
        return -ENOMEM;
    own = queue;
    for (int i = 0; i < FAR_TOO_OFTEN; i++)
        aiol_queue_put_nowait(queue, &calls);
    aiol_task_spawn(aiol_loop_current(), free_the_queue, NULL, NULL);
    for (calls = 0; queue && calls < FAR_TOO_OFTEN; calls++) {
        void *item = NULL;

        last_rc = aiol_await_queue_get(own, &item);
    }
    return 0;
}

static void test_p1_a_queue_may_be_freed_while_a_task_that_gets_is_made_to_yield(void **state)
{
    (void)state;
    assert_int_equal(run_sim(0, get_until_freed, NULL), 0);
    assert_null(queue);
    assert_true(last_rc == 0 || last_rc == AIOL_ECLOSED);
}

static int put_until_freed(void *arg)
{
    struct aiol_queue *own;

    (void)arg;
    if (aiol_queue_new(aiol_loop_current(), FAR_TOO_OFTEN, NULL, &queue) < 0)
        return -ENOMEM;
    own = queue;
    aiol_task_spawn(aiol_loop_current(), free_the_queue, NULL, NULL);
    for (calls = 0; queue && calls < FAR_TOO_OFTEN; calls++)
        last_rc = aiol_await_queue_put(own, &calls);
    return 0;
}

static void test_p1_a_queue_may_be_freed_while_a_task_that_puts_is_made_to_yield(void **state)
{
    (void)state;
    assert_int_equal(run_sim(0, put_until_freed, NULL), 0);
    assert_null(queue);
    assert_true(last_rc == 0 || last_rc == AIOL_ECLOSED);
}

static int close_the_future(void *arg)
{
    (void)arg;
    aiol_future_close(future);
    /* The memory is used for something else at once. */
    aiol_future_init(future, other_loop, NULL, NULL);
    aiol_future_set(future, -EIO, NULL);
    aiol_future_close(future);
    future = NULL;
    return 0;
}

static int await_until_closed(void *arg)
{
    struct aiol_future own;

    (void)arg;
    future = &own;
    aiol_future_init(&own, aiol_loop_current(), NULL, NULL);
    aiol_future_set(&own, 3, NULL);
    aiol_task_spawn(aiol_loop_current(), close_the_future, NULL, NULL);
    for (calls = 0; future && calls < FAR_TOO_OFTEN; calls++)
        last_rc = aiol_await_future(&own, NULL);
    return 0;
}

static void
test_p1_a_future_may_be_closed_while_a_task_that_awaits_it_is_made_to_yield(void **state)
{
    (void)state;
    other_loop = new_sim_loop(0);
    last_rc = run_sim(0, await_until_closed, NULL) == 0 ? last_rc : -ENOMEM;
    free_loop(other_loop);
    assert_null(future);
    assert_true(last_rc == 3 || last_rc == AIOL_ECLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p1_a_queue_may_be_freed_while_a_task_that_gets_is_made_to_yield),
        TEST(test_p1_a_queue_may_be_freed_while_a_task_that_puts_is_made_to_yield),
        TEST(test_p1_a_future_may_be_closed_while_a_task_that_awaits_it_is_made_to_yield),
    };

    return cmocka_run_group_tests_name("await/forced_yield", tests, NULL, NULL);
}
