/* Names and ranks of errors. */
#include "support.h"

#include <errno.h>

static void test_known_errors_have_their_names(void **state)
{
    (void)state;
    assert_string_equal(aiol_error_name(-ECONNRESET), "ECONNRESET");
    assert_string_equal(aiol_error_name(AIOL_ECLOSED), "AIOL_ECLOSED");
    assert_string_equal(aiol_error_name(0), "OK");
    assert_string_equal(aiol_error_name(17), "OK");
    assert_string_equal(aiol_error_name(-9999), "UNKNOWN");
    assert_string_equal(aiol_error_message(-ECONNRESET), "connection reset by peer");
    assert_string_equal(aiol_error_message(-9999), "unknown error");
    assert_string_equal(aiol_error_message(0), "success");
    assert_string_equal(aiol_error_message(7), "success");
}

static void test_first_error_prefers_failures_to_cancellation_to_success(void **state)
{
    (void)state;
    assert_int_equal(aiol_first_error(0, 0), 0);
    assert_int_equal(aiol_first_error(3, 4), 3);
    assert_int_equal(aiol_first_error(0, -EIO), -EIO);
    assert_int_equal(aiol_first_error(-EIO, -EPIPE), -EIO);
    assert_int_equal(aiol_first_error(-ECANCELED, -EPIPE), -EPIPE);
    assert_int_equal(aiol_first_error(-EPIPE, -ECANCELED), -EPIPE);
    assert_int_equal(aiol_first_error(5, -ECANCELED), -ECANCELED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_known_errors_have_their_names),
        TEST(test_first_error_prefers_failures_to_cancellation_to_success),
    };

    return cmocka_run_group_tests_name("base/error", tests, NULL, NULL);
}
