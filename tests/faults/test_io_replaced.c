/* Watchers of a descriptor that was replaced by another one under the same number, while memory and
 * the system fail. */
#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static void count_ready(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)io;
    (void)ready;
    ++*(int *)data;
}

/* A turn may end without anything having been done. */
static int turn_until(struct aiol_loop *loop, const int *count)
{
    int rc = 0;

    for (int i = 0; i < 200 && rc >= 0 && *count == 0; i++)
        rc = aiol_loop_run_once(loop, 0);
    return rc < 0 ? rc : expect(*count > 0, "what is ready is served");
}

/* Under the number of what is watched comes something else. `replaced` is the pair of which one end
 * is not what it was, and `fds` the one that took its place. */
static int replace_descriptor(struct aiol_loop *loop, struct aiol_io *io, int replaced[2],
                              int fds[2])
{
    int rc = aiol_io_start(io, AIOL_READABLE);

    if (rc == 0)
        rc = open_pair(loop, fds);
    if (rc == 0)
        rc = dup2(fds[0], replaced[0]) < 0 ? -errno : 0;
    if (rc == 0)
        rc = send(fds[1], "x", 1, MSG_NOSIGNAL) < 0 ? -errno : 0;
    return rc;
}

/* The watcher notices when it wants more; when that fails, it makes do with what it had. */
static int want_more_of_a_replaced_descriptor(struct aiol_loop *loop)
{
    struct aiol_io io;
    int replaced[2], fds[2] = {-1, -1}, count = 0;
    int rc = open_pair(loop, replaced);

    if (rc < 0)
        return rc;
    aiol_io_init(&io, loop, replaced[0], count_ready, &count);
    rc = replace_descriptor(loop, &io, replaced, fds);
    if (rc == 0)
        rc = aiol_io_start(&io, AIOL_READABLE | AIOL_WRITABLE);
    if (rc == 0) {
        rc = aiol_loop_prepare(loop);
        if (rc == -ENOSPC) /* so the loop has noticed */
            rc = aiol_io_start(&io, AIOL_READABLE);
    }
    if (rc == 0)
        rc = turn_until(loop, &count);
    aiol_io_close(&io);
    rc = aiol_first_error(rc, close_pair(loop, fds));
    return aiol_first_error(rc, close_pair(loop, replaced));
}

/* Another watcher notices; if it cannot be started, the first one must do without, or be told. */
static int share_a_replaced_descriptor(struct aiol_loop *loop)
{
    struct aiol_io io, other;
    int replaced[2], fds[2] = {-1, -1}, count = 0, other_count = 0;
    int rc = open_pair(loop, replaced);

    if (rc < 0)
        return rc;
    aiol_io_init(&io, loop, replaced[0], count_ready, &count);
    aiol_io_init(&other, loop, replaced[0], count_ready, &other_count);
    rc = replace_descriptor(loop, &io, replaced, fds);
    if (rc == 0) {
        int other_rc = aiol_io_start(&other, AIOL_WRITABLE);

        if (other_rc == 0 || other_rc == -ENOSPC) /* so the loop has noticed */
            rc = turn_until(loop, &count);
        rc = aiol_first_error(rc, other_rc);
    }
    aiol_io_close(&io);
    aiol_io_close(&other);
    rc = aiol_first_error(rc, close_pair(loop, fds));
    return aiol_first_error(rc, close_pair(loop, replaced));
}

static void test_more_of_a_replaced_descriptor(void **state)
{
    (void)state;
    inject_faults("more of a replaced descriptor", want_more_of_a_replaced_descriptor, ON_REAL);
}

static void test_sharing_a_replaced_descriptor(void **state)
{
    (void)state;
    inject_faults("sharing a replaced descriptor", share_a_replaced_descriptor, ON_REAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_more_of_a_replaced_descriptor),
        TEST(test_sharing_a_replaced_descriptor),
    };

    return cmocka_run_group_tests_name("faults/io_replaced", tests, NULL, print_points);
}
