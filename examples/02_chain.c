/*
 * Chaining: three steps, each fed by the one before. A step that waits is an ordinary function; an
 * error travels up by return.
 */
#include <aiol.h>

#include <errno.h>
#include <stdio.h>

struct user {
    int id;
    const char *name;
};

struct orders {
    const struct user *user;
    int count;
    int prices[3];
};

static int fetch_user(int id, struct user *ret_user)
{
    int rc = aiol_await_sleep(50 * AIOL_MILLISECOND); /* stands for I/O; cancelled: -ECANCELED */

    if (rc < 0)
        return rc;
    if (id != 7)
        return -ENOENT;
    *ret_user = (struct user){.id = id, .name = "Ada"};
    return 0;
}

static int fetch_orders(const struct user *user, struct orders *ret_orders)
{
    int rc = aiol_await_sleep(50 * AIOL_MILLISECOND);

    if (rc < 0)
        return rc;
    *ret_orders = (struct orders){.user = user, .count = 3, .prices = {12, 30, 8}};
    return 0;
}

static int add_up(const struct orders *orders, int *ret_sum)
{
    int sum = 0;
    int rc = aiol_await_sleep(50 * AIOL_MILLISECOND);

    if (rc < 0)
        return rc;
    for (int i = 0; i < orders->count; i++)
        sum += orders->prices[i];
    *ret_sum = sum;
    return 0;
}

static int show_orders(int user_id)
{
    struct user user;
    struct orders orders;
    int sum, rc;

    if ((rc = fetch_user(user_id, &user)) < 0)
        return rc;
    if ((rc = fetch_orders(&user, &orders)) < 0)
        return rc;
    if ((rc = add_up(&orders, &sum)) < 0)
        return rc;
    printf("%s ordered %d things for %d\n", user.name, orders.count, sum);
    return 0;
}

static int show_two_users(void *arg)
{
    int rc;

    (void)arg;
    if ((rc = show_orders(7)) < 0)
        return rc;
    rc = show_orders(8);
    printf("user 8: %s\n", aiol_error_message(rc));
    return 0;
}

int main(void)
{
    return aiol_run(show_two_users, NULL) < 0;
}
