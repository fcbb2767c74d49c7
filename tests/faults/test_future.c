/* Futures while memory and the system fail: observers and tasks that wait for one result. */
#include "faults.h"

#include <errno.h>

static int value;

struct sight {
    int count;
    int status;
};

static void observe(struct aiol_future_observer *observer, int status, void *seen, void *data)
{
    struct sight *sight = data;

    (void)observer;
    sight->count++;
    sight->status = status == 0 && seen != &value ? WRONG_RESULT : status;
}

static void count_withdrawal(struct aiol_future *future, void *data)
{
    (void)future;
    ++*(int *)data;
}

/* Three observers: of a result that comes, of one that is there, and one that is stopped. */
static int observe_a_result(struct aiol_loop *loop)
{
    struct aiol_future_observer early, stopped;
    struct aiol_future_observer *late = NULL;
    struct aiol_future *future = NULL;
    struct sight early_sight = {0}, late_sight = {0}, stopped_sight = {0};
    void *seen = NULL;
    int rc = aiol_future_new(loop, NULL, NULL, &future);

    if (rc < 0)
        return rc;
    aiol_future_observer_init(&early, future, observe, &early_sight);
    aiol_future_observer_init(&stopped, future, observe, &stopped_sight);
    rc = aiol_future_observer_start(&early);
    if (rc == 0)
        rc = aiol_future_observer_start(&stopped);
    if (rc == 0)
        rc = expect(aiol_future_is_set(future) == 0 && aiol_future_result(future, NULL) == -EAGAIN,
                    "the result is pending");
    if (rc == 0)
        rc = aiol_future_set(future, 0, &value);
    aiol_future_observer_stop(&stopped);
    if (rc == 0)
        rc = aiol_future_result(future, &seen);
    if (rc == 0)
        rc = aiol_future_observer_new(future, observe, &late_sight, &late);
    if (rc == 0)
        rc = aiol_future_observer_start(late);
    if (rc == 0)
        rc = run_loop(loop);
    if (rc == 0)
        rc = expect(early_sight.count == 1 && early_sight.status == 0 && late_sight.count == 1 &&
                        late_sight.status == 0 && stopped_sight.count == 0 && seen == &value,
                    "each observer sees the result once");
    aiol_future_observer_stop(&early);
    aiol_future_observer_stop(&stopped);
    aiol_future_observer_free(late);
    aiol_future_free(future);
    return rc;
}

/* One that is given up, and one that is closed while somebody observes it. */
static int give_up_results(struct aiol_loop *loop)
{
    struct aiol_future_observer observer;
    struct aiol_future cancelled, closed;
    struct sight sight = {0};
    int withdrawal_count = 0;
    int rc;

    aiol_future_init(&cancelled, loop, count_withdrawal, &withdrawal_count);
    aiol_future_init(&closed, loop, count_withdrawal, &withdrawal_count);
    aiol_future_observer_init(&observer, &cancelled, observe, &sight);
    rc = aiol_future_observer_start(&observer);
    if (rc == 0)
        rc = aiol_future_cancel(&cancelled);
    if (rc == 0)
        rc = run_loop(loop);
    if (rc == 0)
        rc = expect(sight.count == 1 && sight.status == -ECANCELED, "it is told of the cancel");
    aiol_future_close(&cancelled);
    aiol_future_observer_init(&observer, &closed, observe, &sight);
    if (rc == 0)
        rc = aiol_future_observer_start(&observer);
    aiol_future_close(&closed);
    if (rc == 0)
        rc = expect(sight.count == 2 && sight.status == AIOL_ECLOSED && withdrawal_count == 2,
                    "it is told of the close");
    return rc;
}

static int await_result(void *arg)
{
    void *seen = NULL;
    int rc = aiol_await_future(arg, &seen);

    return rc < 0 ? rc : expect(seen == &value, "the awaited value comes");
}

static void set_value(struct aiol_timer *timer, void *data)
{
    (void)timer;
    aiol_future_set(data, 0, &value);
}

static int set_later(struct aiol_loop *loop, struct aiol_future *future)
{
    struct aiol_timer timer;
    struct aiol_group group;
    int rc;

    aiol_timer_init(&timer, loop, set_value, future);
    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    aiol_group_spawn(&group, await_result, future);
    aiol_group_spawn(&group, await_result, future);
    rc = aiol_timer_start(&timer, AIOL_SECOND);
    rc = aiol_first_error(rc, aiol_await_group(&group));
    aiol_timer_stop(&timer);
    return rc;
}

static int await_twice(void *arg)
{
    struct aiol_loop *loop = aiol_loop_current();
    struct aiol_future *future = NULL;
    int rc = aiol_future_new(loop, NULL, NULL, &future);

    (void)arg;
    if (rc == 0)
        rc = set_later(loop, future);
    aiol_future_free(future);
    return rc;
}

static int await_a_result(struct aiol_loop *loop)
{
    return run_task(loop, await_twice, NULL);
}

static void test_observing(void **state)
{
    (void)state;
    inject_faults("observing a future", observe_a_result, ON_BOTH);
}

static void test_giving_up(void **state)
{
    (void)state;
    inject_faults("giving futures up", give_up_results, ON_BOTH);
}

static void test_awaiting(void **state)
{
    (void)state;
    inject_faults("awaiting a future", await_a_result, ON_BOTH);
}

static void test_sizes_cannot_fail(void **state)
{
    (void)state;
    assert_int_equal(aiol_future_size(), sizeof(struct aiol_future));
    assert_int_equal(aiol_future_align(), _Alignof(struct aiol_future));
    assert_int_equal(aiol_future_observer_size(), sizeof(struct aiol_future_observer));
    assert_int_equal(aiol_future_observer_align(), _Alignof(struct aiol_future_observer));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_observing),
        TEST(test_giving_up),
        TEST(test_awaiting),
        TEST(test_sizes_cannot_fail),
    };

    return cmocka_run_group_tests_name("faults/future", tests, NULL, print_points);
}
