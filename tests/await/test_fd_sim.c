/* Awaiting simulated descriptors: the same programs, in no time, and the same for one seed. */
#include "support.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

static int outcome[16];
static int fds[2];

static int run_on_sim(uint64_t seed, aiol_task_fn fn, void *arg)
{
    memset(outcome, 0, sizeof outcome);
    return run_sim(seed, fn, arg);
}

static int make_pair(void)
{
    return aiol_sim_stream_pair(aiol_loop_current(), NULL, fds);
}

/* What a run came to, as a number: when each piece arrived, and how large it was. */
struct fingerprint {
    uint64_t hash;
    size_t received_bytes;
    int mismatches;
};

static void add_to_hash(struct fingerprint *print, uint64_t number)
{
    print->hash = (print->hash ^ number) * UINT64_C(1099511628211);
}

static int receive_and_hash(void *arg)
{
    struct fingerprint *print = arg;
    unsigned char bytes[1000];
    int64_t size;

    while ((size = aiol_await_recv(fds[1], bytes, sizeof bytes)) > 0) {
        add_to_hash(print, aiol_loop_now_ns(aiol_loop_current()));
        add_to_hash(print, (uint64_t)size);
        for (int64_t i = 0; i < size; i++)
            print->mismatches += bytes[i] != (unsigned char)(print->received_bytes++ * 3);
    }
    return (int)size;
}

static int talk_in_pieces(void *arg)
{
    const struct aiol_sim_stream_options options = {.size = sizeof options,
                                                    .capacity_bytes = 5000,
                                                    .max_chunk_bytes = 700,
                                                    .min_delay_ns = AIOL_MILLISECOND,
                                                    .max_delay_ns = AIOL_SECOND};
    static unsigned char bytes[50000];
    struct aiol_group group;
    int rc = aiol_sim_stream_pair(aiol_loop_current(), &options, fds);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 3);
    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    aiol_group_spawn(&group, receive_and_hash, arg);
    rc = aiol_await_send_all(fds[0], bytes, sizeof bytes, NULL);
    aiol_fd_shutdown(aiol_loop_current(), fds[0]);
    return aiol_first_error(rc, aiol_await_group(&group));
}

static void test_p10_one_seed_is_always_the_same_run_and_another_seed_another(void **state)
{
    struct fingerprint first = {0}, again = {0}, other = {0};

    (void)state;
    assert_int_equal(run_on_sim(42, talk_in_pieces, &first), 0);
    assert_int_equal(run_on_sim(42, talk_in_pieces, &again), 0);
    assert_int_equal(run_on_sim(43, talk_in_pieces, &other), 0);
    assert_int_equal(first.received_bytes, 50000);
    assert_int_equal(first.mismatches + again.mismatches + other.mismatches, 0);
    assert_true(first.hash == again.hash);
    assert_true(first.hash != other.hash);
}

static int receive_byte(void *arg)
{
    char byte;

    outcome[*(int *)arg] = (int)aiol_await_recv(fds[1], &byte, 1);
    return 0;
}

static int take_and_cancel_the_other(void *arg)
{
    char byte;

    outcome[0] = (int)aiol_await_recv(fds[1], &byte, 1);
    aiol_task_cancel(*(struct aiol_task **)arg);
    return 0;
}

/* Two wait for one byte, and both are woken; the one that gets it cancels the other before that has
 * run. So the other one finds nothing, and must not wait again, since nobody will cut it short. */
static int let_two_receive_one_byte(void *arg)
{
    static int second_slot = 1;
    struct aiol_task *first = NULL, *second = NULL;

    (void)arg;
    if (make_pair() < 0)
        return -ENOMEM;
    aiol_task_spawn(aiol_loop_current(), take_and_cancel_the_other, &second, &first);
    aiol_task_spawn(aiol_loop_current(), receive_byte, &second_slot, &second);
    aiol_await_sleep(1);
    aiol_fd_send(aiol_loop_current(), fds[0], "x", 1);
    aiol_await_sleep(AIOL_SECOND);
    outcome[2] = aiol_task_is_done(second);
    aiol_fd_shutdown(aiol_loop_current(), fds[0]); /* or it would wait for ever */
    aiol_await_task(first, NULL);
    return aiol_await_task(second, NULL);
}

static void test_p2_a_cancel_is_not_lost_on_a_task_that_was_woken_for_nothing(void **state)
{
    (void)state;
    assert_int_equal(run_on_sim(0, let_two_receive_one_byte, NULL), 0);
    assert_int_equal(outcome[0], 1);
    assert_int_equal(outcome[2], 1);
    assert_int_equal(outcome[1], -ECANCELED);
}

static int send_byte_and_cancel_the_other(void *arg)
{
    static char bytes[10];

    outcome[0] = (int)aiol_await_send(fds[0], bytes, sizeof bytes);
    aiol_task_cancel(*(struct aiol_task **)arg);
    return 0;
}

static int send_byte(void *arg)
{
    (void)arg;
    outcome[1] = (int)aiol_await_send(fds[0], "y", 1);
    return 0;
}

static int let_two_send_into_one_gap(void *arg)
{
    const struct aiol_sim_stream_options options = {.size = sizeof options, .capacity_bytes = 10};
    struct aiol_task *first = NULL, *second = NULL;
    struct aiol_loop *loop = aiol_loop_current();
    char bytes[10];

    (void)arg;
    if (aiol_sim_stream_pair(loop, &options, fds) < 0)
        return -ENOMEM;
    memset(bytes, 'a', sizeof bytes);
    aiol_fd_send(loop, fds[0], bytes, sizeof bytes); /* full */
    aiol_task_spawn(loop, send_byte_and_cancel_the_other, &second, &first);
    aiol_task_spawn(loop, send_byte, NULL, &second);
    aiol_await_sleep(1);
    aiol_fd_recv(loop, fds[1], bytes, sizeof bytes);
    aiol_await_sleep(AIOL_SECOND);
    outcome[2] = aiol_task_is_done(second);
    aiol_fd_recv(loop, fds[1], bytes, sizeof bytes); /* or it would wait for ever */
    aiol_await_task(first, NULL);
    return aiol_await_task(second, NULL);
}

static void test_p2_a_cancel_is_not_lost_on_a_sender_that_was_woken_for_nothing(void **state)
{
    (void)state;
    assert_int_equal(run_on_sim(0, let_two_send_into_one_gap, NULL), 0);
    assert_int_equal(outcome[0], 10);
    assert_int_equal(outcome[2], 1);
    assert_int_equal(outcome[1], -ECANCELED);
}

static int wait_with_a_limit(void *arg)
{
    struct aiol_scope limit;
    char byte;

    (void)arg;
    if (make_pair() < 0)
        return -ENOMEM;
    aiol_scope_enter(&limit, aiol_deadline_after(AIOL_HOUR));
    outcome[0] = aiol_scope_leave(&limit, (int)aiol_await_recv(fds[0], &byte, 1));
    outcome[1] = aiol_loop_now_ns(aiol_loop_current()) == AIOL_HOUR;
    outcome[2] = (int)aiol_loop_alive_count(aiol_loop_current(), AIOL_ALIVE_IO);
    aiol_fd_close(aiol_loop_current(), fds[1]);
    outcome[3] = (int)aiol_await_recv(fds[0], &byte, 1);
    outcome[4] = (int)aiol_await_send(fds[0], &byte, 1);
    return 0;
}

static void test_p14_receiving_is_bounded_by_a_scope_and_leaves_no_watcher(void **state)
{
    (void)state;
    assert_int_equal(run_on_sim(0, wait_with_a_limit, NULL), 0);
    assert_int_equal(outcome[0], -ETIMEDOUT);
    assert_int_equal(outcome[1], 1);
    assert_int_equal(outcome[2], 0);
    assert_int_equal(outcome[3], 0);
    assert_int_equal(outcome[4], -EPIPE);
}

static int use_real_descriptors(void *arg)
{
    int real_fd = *(int *)arg;
    struct sockaddr_in address = {.sin_family = AF_INET};
    char byte;

    outcome[0] = aiol_await_readable(real_fd);
    outcome[1] = aiol_await_writable(real_fd);
    outcome[2] = (int)aiol_await_recv(real_fd, &byte, 1);
    outcome[3] = (int)aiol_await_send(real_fd, "x", 1);
    outcome[4] = -7;
    outcome[5] = aiol_await_accept(real_fd, &outcome[4]);
    outcome[6] = aiol_await_connect(real_fd, (struct sockaddr *)&address, sizeof address);
    return 0;
}

static void test_p10_a_simulated_loop_refuses_real_descriptors(void **state)
{
    int pair[2];

    (void)state;
    make_socket_pair(pair);
    assert_int_equal(run_on_sim(0, use_real_descriptors, &pair[0]), 0);
    close(pair[0]);
    close(pair[1]);
    assert_int_equal(outcome[0], -ENOTSUP);
    assert_int_equal(outcome[1], -ENOTSUP);
    assert_int_equal(outcome[2], -EBADF);
    assert_int_equal(outcome[3], -EBADF);
    assert_int_equal(outcome[4], -7);
    assert_int_equal(outcome[5], -ENOTSUP);
    assert_int_equal(outcome[6], -ENOTSUP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p10_one_seed_is_always_the_same_run_and_another_seed_another),
        TEST(test_p2_a_cancel_is_not_lost_on_a_task_that_was_woken_for_nothing),
        TEST(test_p2_a_cancel_is_not_lost_on_a_sender_that_was_woken_for_nothing),
        TEST(test_p14_receiving_is_bounded_by_a_scope_and_leaves_no_watcher),
        TEST(test_p10_a_simulated_loop_refuses_real_descriptors),
    };

    return cmocka_run_group_tests_name("await/fd_sim", tests, NULL, NULL);
}
