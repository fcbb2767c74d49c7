/* Deferred calls while memory and the system fail. */
#include "faults.h"

static void count_call(struct aiol_deferred *deferred, void *data)
{
    (void)deferred;
    ++*(int *)data;
}

/* Calls itself again until it has been called three times. */
static void call_again(struct aiol_deferred *deferred, void *data)
{
    int *count = data;

    if (++*count < 3)
        aiol_deferred_start(deferred);
}

static int use_deferred_calls(struct aiol_loop *loop)
{
    struct aiol_deferred stopped;
    struct aiol_deferred *once = NULL, *again = NULL;
    int stopped_count = 0, once_count = 0, again_count = 0;
    int rc;

    aiol_deferred_init(&stopped, loop, count_call, &stopped_count);
    rc = aiol_deferred_start(&stopped);
    if (rc == 0)
        rc = aiol_deferred_new(loop, count_call, &once_count, &once);
    if (rc == 0)
        rc = aiol_deferred_new(loop, call_again, &again_count, &again);
    if (rc == 0)
        rc = aiol_deferred_start(once);
    if (rc == 0)
        rc = aiol_deferred_start(again);
    if (rc == 0)
        rc = expect(aiol_deferred_is_active(once) == 1, "a started call is active");
    aiol_deferred_stop(&stopped);
    if (rc == 0)
        rc = run_loop(loop);
    if (rc == 0)
        rc = expect(stopped_count == 0 && once_count == 1 && again_count == 3,
                    "each call comes as often as it was started");
    aiol_deferred_free(once);
    aiol_deferred_free(again);
    return rc;
}

static void test_deferred_calls(void **state)
{
    (void)state;
    inject_faults("deferred calls", use_deferred_calls, ON_BOTH);
}

static void test_sizes_cannot_fail(void **state)
{
    (void)state;
    assert_int_equal(aiol_deferred_size(), sizeof(struct aiol_deferred));
    assert_int_equal(aiol_deferred_align(), _Alignof(struct aiol_deferred));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_deferred_calls),
        TEST(test_sizes_cannot_fail),
    };

    return cmocka_run_group_tests_name("faults/deferred", tests, NULL, print_points);
}
