/*
 * Time limits: a scope with a deadline bounds whatever is done inside it, one call or a thousand
 * lines. Scopes nest, and each answers only for its own deadline.
 */
#include <aiol.h>

#include <stdio.h>

/* Ten steps of 20 ms each. */
static int count_to_ten(int *ret_reached)
{
    for (*ret_reached = 0; *ret_reached < 10; ++*ret_reached) {
        int rc = aiol_await_sleep(20 * AIOL_MILLISECOND);

        if (rc < 0)
            return rc;
    }
    return 0;
}

static int count_within(uint64_t limit_ns)
{
    struct aiol_scope limit;
    int reached, rc;

    aiol_scope_enter(&limit, aiol_deadline_after(limit_ns));
    rc = count_to_ten(&reached);
    rc = aiol_scope_leave(&limit, rc); /* -ETIMEDOUT if, and only if, this limit cut it short */
    printf("within %3u ms: %s%s\n", (unsigned)(limit_ns / AIOL_MILLISECOND), aiol_error_name(rc),
           rc == 0 && reached == 10 ? ", counted to ten" : "");
    return rc;
}

static int try_limits(void *arg)
{
    struct aiol_scope outer;
    int rc;

    (void)arg;
    count_within(500 * AIOL_MILLISECOND);
    count_within(70 * AIOL_MILLISECOND);

    aiol_scope_enter(&outer, aiol_deadline_after(50 * AIOL_MILLISECOND));
    rc = count_within(500 * AIOL_MILLISECOND); /* cut short, but not by its own limit */
    rc = aiol_scope_leave(&outer, rc);
    printf("outer limit:   %s\n", aiol_error_name(rc));
    return 0;
}

int main(void)
{
    return aiol_run(try_limits, NULL) < 0;
}
