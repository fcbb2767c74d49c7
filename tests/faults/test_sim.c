/* Simulated streams while memory fails: slow and small ones, and many of them. */
#include "faults.h"

#include <errno.h>
#include <string.h>

#define MESSAGE_BYTES 60

static const struct aiol_sim_stream_options slow_and_small = {.size = sizeof slow_and_small,
                                                              .capacity_bytes = 16,
                                                              .max_chunk_bytes = 5,
                                                              .min_delay_ns = AIOL_MILLISECOND,
                                                              .max_delay_ns = AIOL_SECOND};

static int write_counting(void *arg)
{
    int fd = *(int *)arg;
    unsigned char bytes[MESSAGE_BYTES];
    int rc;

    for (unsigned i = 0; i < MESSAGE_BYTES; i++)
        bytes[i] = (unsigned char)i;
    rc = aiol_await_send_all(fd, bytes, sizeof bytes, NULL);
    return rc == 0 ? aiol_fd_shutdown(aiol_loop_current(), fd) : rc;
}

static int read_counting(void *arg)
{
    int fd = *(int *)arg;
    unsigned char bytes[8];
    unsigned count = 0;
    int64_t size;

    while ((size = aiol_await_recv(fd, bytes, sizeof bytes)) > 0) {
        for (int64_t i = 0; i < size; i++) {
            if (bytes[i] != count++)
                return expect(false, "the bytes come in their order");
        }
    }
    return size < 0 ? (int)size : expect(count == MESSAGE_BYTES, "all bytes come");
}

static int talk_both_ways(void *arg)
{
    struct aiol_group group;
    int *fds = arg;

    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    for (int i = 0; i < 2; i++) {
        aiol_group_spawn(&group, read_counting, &fds[i]);
        aiol_group_spawn(&group, write_counting, &fds[i]);
    }
    return aiol_await_group(&group);
}

static int talk_slowly(struct aiol_loop *loop)
{
    int fds[2];
    int rc = aiol_sim_stream_pair(loop, &slow_and_small, fds);

    if (rc < 0)
        return rc;
    rc = run_task(loop, talk_both_ways, fds);
    return aiol_first_error(rc, close_pair(loop, fds));
}

/* More than the loop has room for at first; every other one is left to be freed with the loop. */
static int make_many_pairs(struct aiol_loop *loop)
{
    int fds[12][2];
    int rc = 0, made_count = 0;

    while (rc == 0 && made_count < (int)COUNT_OF(fds)) {
        rc = aiol_sim_stream_pair(loop, NULL, fds[made_count]);
        made_count += rc == 0;
    }
    for (int i = 0; i < made_count; i++) {
        int fd = fds[i][aiol_sim_random(loop) % 2];
        int64_t size = aiol_fd_send(loop, fd, "left behind", 11);

        if (size != 11 && size != -ENOBUFS)
            rc = expect(false, "what is sent is taken as a whole or not at all");
        rc = size < 0 ? aiol_first_error(rc, (int)size) : rc;
        if (i % 2)
            rc = aiol_first_error(rc, close_pair(loop, fds[i]));
    }
    return rc;
}

static void test_slow_streams(void **state)
{
    (void)state;
    inject_faults("slow streams", talk_slowly, ON_SIMULATED);
}

static void test_many_streams(void **state)
{
    (void)state;
    inject_faults("many streams", make_many_pairs, ON_SIMULATED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_slow_streams),
        TEST(test_many_streams),
    };

    return cmocka_run_group_tests_name("faults/sim", tests, NULL, print_points);
}
