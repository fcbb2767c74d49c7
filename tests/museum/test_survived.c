/* Bugs of our own making (tests/mutants/) that no other test had noticed. */
#include "platform/sys.h"
#include "poller.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

struct late_timers {
    struct aiol_timer first;
    struct aiol_timer second;
    uint64_t fired_ns;
};

static void compute_and_start_second(struct aiol_timer *timer, void *data)
{
    struct late_timers *timers = data;

    (void)timer;
    aiol_timer_start(&timers->second, AIOL_MINUTE);
    pass_fake_time(AIOL_SECOND);
}

static void note_time(struct aiol_timer *timer, void *data)
{
    (void)timer;
    *(uint64_t *)data = aiol_loop_now_ns(aiol_loop_current());
}

/* In one run: between two runs the clock is read anyway. */
static void test_p4_a_wait_is_shorter_by_what_the_callback_before_it_took(void **state)
{
    struct late_timers timers = {.fired_ns = 0};
    struct aiol_loop *loop;

    (void)state;
    begin_fake_time(AIOL_HOUR);
    loop = new_loop();
    aiol_timer_init(&timers.first, loop, compute_and_start_second, &timers);
    aiol_timer_init(&timers.second, loop, note_time, &timers.fired_ns);
    aiol_timer_start(&timers.first, 0);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_true(timers.fired_ns == AIOL_HOUR + AIOL_MINUTE);
    free_loop(loop);
}

static struct aiol__sys real_sys;
static struct aiol_poster *late_poster;
static struct aiol_post late_post;

/* The last moment before the loop goes to sleep at which a test gets a word in. */
static int post_at_the_last_moment(int poller_fd, int operation, int fd, struct epoll_event *event)
{
    aiol_poster_post_node(late_poster, &late_post);
    aiol__sys.epoll_ctl = real_sys.epoll_ctl;
    return real_sys.epoll_ctl(poller_fd, operation, fd, event);
}

static void count_post(int status, void *data)
{
    *(int *)data += status == 0;
}

static void count_io(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)io;
    (void)ready;
    ++*(int *)data;
}

static void test_p2_a_post_that_comes_after_the_last_look_keeps_the_loop_awake(void **state)
{
    struct aiol_loop *loop;
    struct aiol_io io;
    int count = 0, fds[2];

    (void)state;
    only_with_epoll();
    begin_fake_time(AIOL_HOUR);
    loop = new_loop();
    make_socket_pair(fds);
    aiol_io_init(&io, loop, fds[0], count_io, &count);
    assert_int_equal(aiol_io_start(&io, AIOL_READABLE), 0);
    assert_int_equal(aiol_poster_new(loop, &late_poster), 0);
    aiol_post_init(&late_post, count_post, &count);
    aiol_loop_run_once(loop, 0);
    aiol_io_start(&io, AIOL_READABLE | AIOL_EDGE); /* the poller is told before the wait */
    real_sys = aiol__sys;
    aiol__sys.epoll_ctl = post_at_the_last_moment;
    aiol_loop_run_once(loop, AIOL_SECOND);
    assert_int_equal(count, 1);
    assert_true(aiol_loop_now_ns(loop) == AIOL_HOUR);
    aiol_io_close(&io);
    aiol_poster_release(late_poster);
    aiol_loop_run_once(loop, 0);
    close(fds[0]);
    close(fds[1]);
    free_loop(loop);
}

static int seen_flags;

static ssize_t note_recv_flags(int fd, void *buffer, size_t size, int flags)
{
    seen_flags = flags;
    return real_sys.recv(fd, buffer, size, flags | MSG_DONTWAIT);
}

static ssize_t note_send_flags(int fd, const void *buffer, size_t size, int flags)
{
    seen_flags = flags;
    return real_sys.send(fd, buffer, size, flags | MSG_DONTWAIT);
}

static void test_p13_transfers_do_not_block_where_the_socket_would(void **state)
{
    struct aiol_loop *loop = new_loop();
    char byte = 0;
    int fds[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    real_sys = aiol__sys;
    aiol__sys.recv = note_recv_flags;
    aiol__sys.send = note_send_flags;
    assert_int_equal(aiol_fd_recv(loop, fds[0], &byte, 1), -EAGAIN);
    assert_true(seen_flags & MSG_DONTWAIT);
    seen_flags = 0;
    assert_int_equal(aiol_fd_send(loop, fds[0], &byte, 1), 1);
    assert_true(seen_flags & MSG_DONTWAIT);
    close(fds[0]);
    close(fds[1]);
    free_loop(loop);
}

/* Where a table has been enlarged in vain. */
static void test_p5_watchers_go_on_when_there_is_no_memory_for_another_one(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct aiol_io io, refused_io;
    int count = 0, fds[2], high_fd;

    (void)state;
    make_socket_pair(fds);
    high_fd = fcntl(fds[1], F_DUPFD_CLOEXEC, 1000);
    aiol_io_init(&io, loop, fds[0], count_io, &count);
    assert_int_equal(aiol_io_start(&io, AIOL_WRITABLE), 0);
    aiol_io_init(&refused_io, loop, high_fd, count_io, &count);
    fail_allocation(1);
    assert_int_equal(aiol_io_start(&refused_io, AIOL_WRITABLE), -ENOMEM);
    fail_allocation(0);
    aiol_loop_run_once(loop, 0);
    assert_int_equal(count, 1);
    aiol_io_close(&io);
    close(high_fd);
    close(fds[0]);
    close(fds[1]);
    free_loop(loop);
}

static int mapping_count;

static void *count_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    mapping_count++;
    return mmap(address, size, protection, flags, fd, offset);
}

static int return_0(void *arg)
{
    (void)arg;
    return 0;
}

static void test_p5_a_task_for_which_there_is_no_memory_gives_its_stack_back(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);

    (void)state;
    mapping_count = 0;
    aiol__sys.mmap = count_mmap;
    for (int i = 0; i < 64; i++) /* that many are made room for at once, stacks and tasks */
        assert_int_equal(aiol_task_spawn(loop, return_0, NULL, NULL), 0);
    assert_int_equal(mapping_count, 1);
    fail_allocation(2);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(aiol_task_spawn(loop, return_0, NULL, NULL), -ENOMEM);
        fail_allocation(1);
    }
    fail_allocation(0);
    for (int i = 0; i < 64; i++)
        assert_int_equal(aiol_task_spawn(loop, return_0, NULL, NULL), 0);
    assert_int_equal(mapping_count, 2);
    assert_int_equal(aiol_loop_run(loop), 0);
    free_loop(loop);
}

static void test_p7_a_poster_that_was_unrefd_leaves_no_count_behind(void **state)
{
    struct aiol_loop *loop = new_loop();
    struct aiol_poster *poster;

    (void)state;
    assert_int_equal(aiol_poster_new(loop, &poster), 0);
    assert_int_equal(aiol_loop_alive_count(loop, AIOL_ALIVE_POSTER), 1);
    aiol_poster_unref(poster);
    assert_int_equal(aiol_loop_alive_count(loop, AIOL_ALIVE_POSTER), 0);
    aiol_poster_release(poster);
    assert_int_equal(aiol_loop_run_once(loop, 0), 0);
    assert_int_equal(aiol_loop_alive_count(loop, AIOL_ALIVE_POSTER), 0);
    free_loop(loop);
}

struct runner {
    int entered[2]; /* pipes */
    int may_leave[2];
    struct aiol_loop *seen;
};

static void stay_in_callback(struct aiol_timer *timer, void *data)
{
    struct runner *runner = data;
    char byte;

    (void)timer;
    if (write(runner->entered[1], "x", 1) == 1 && read(runner->may_leave[0], &byte, 1) == 1)
        runner->seen = aiol_loop_current();
}

static void *run_loop(void *arg)
{
    aiol_loop_run(arg);
    return NULL;
}

/* That another thread is in a callback, too, is nothing to this one. */
static void test_p7_the_current_loop_is_that_of_the_thread(void **state)
{
    struct aiol_loop *loops[2];
    struct aiol_timer timers[2];
    struct runner runners[2];
    pthread_t threads[2];
    char byte;

    (void)state;
    for (int i = 0; i < 2; i++) {
        loops[i] = new_sim_loop(1);
        runners[i].seen = NULL;
        assert_int_equal(pipe(runners[i].entered), 0);
        assert_int_equal(pipe(runners[i].may_leave), 0);
        aiol_timer_init(&timers[i], loops[i], stay_in_callback, &runners[i]);
        aiol_timer_start(&timers[i], 0);
        assert_int_equal(pthread_create(&threads[i], NULL, run_loop, loops[i]), 0);
        assert_int_equal(read(runners[i].entered[0], &byte, 1), 1);
    }
    assert_null(aiol_loop_current());
    for (int i = 0; i < 2; i++) {
        assert_int_equal(write(runners[i].may_leave[1], "x", 1), 1);
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_ptr_equal(runners[i].seen, loops[i]);
        for (int end = 0; end < 2; end++) {
            close(runners[i].entered[end]);
            close(runners[i].may_leave[end]);
        }
        aiol_loop_run_once(loops[i], 0); /* this thread's again */
        free_loop(loops[i]);
    }
}

static void *post_and_release(void *arg)
{
    struct aiol_poster *poster = arg;

    aiol_poster_wake(poster);
    aiol_poster_release(poster);
    return NULL;
}

/* For the thread sanitizer: nothing but the counting orders the threads. */
static void test_p7_the_last_of_several_releases_comes_after_what_the_others_did(void **state)
{
    pthread_t threads[4];

    (void)state;
    for (int round = 0; round < 20; round++) {
        struct aiol_loop *loop = new_loop();
        struct aiol_poster *poster;

        assert_int_equal(aiol_poster_new(loop, &poster), 0);
        for (size_t i = 0; i < COUNT_OF(threads); i++) {
            aiol_poster_retain(poster);
            assert_int_equal(pthread_create(&threads[i], NULL, post_and_release, poster), 0);
        }
        aiol_poster_release(poster);
        if (round % 2 == 0)
            assert_int_equal(aiol_loop_run(loop), 0);
        free_loop(loop);
        for (size_t i = 0; i < COUNT_OF(threads); i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

struct receiver {
    int fds[2];
    uint64_t received_ns;
};

static int receive_a_byte(void *arg)
{
    struct receiver *receiver = arg;
    char byte;
    int64_t size = aiol_await_recv(receiver->fds[0], &byte, 1);

    receiver->received_ns = aiol_loop_now_ns(aiol_loop_current());
    return (int)size;
}

static void test_p10_virtual_time_stops_at_an_arrival_on_its_way_to_a_timer(void **state)
{
    const struct aiol_sim_stream_options options = {
        .size = sizeof options, .min_delay_ns = AIOL_SECOND, .max_delay_ns = AIOL_SECOND};
    struct aiol_loop *loop = new_sim_loop(1);
    struct receiver receiver = {.received_ns = 0};
    struct aiol_timer timer;
    uint64_t fired_ns = 0;

    (void)state;
    assert_int_equal(aiol_sim_stream_pair(loop, &options, receiver.fds), 0);
    aiol_timer_init(&timer, loop, note_time, &fired_ns);
    aiol_timer_start(&timer, AIOL_HOUR);
    assert_int_equal(aiol_task_spawn(loop, receive_a_byte, &receiver, NULL), 0);
    assert_int_equal(aiol_fd_send(loop, receiver.fds[1], "x", 1), 1);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_true(receiver.received_ns == AIOL_SECOND);
    assert_true(fired_ns == AIOL_HOUR);
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p4_a_wait_is_shorter_by_what_the_callback_before_it_took),
        TEST(test_p2_a_post_that_comes_after_the_last_look_keeps_the_loop_awake),
        TEST(test_p13_transfers_do_not_block_where_the_socket_would),
        TEST(test_p5_watchers_go_on_when_there_is_no_memory_for_another_one),
        TEST(test_p5_a_task_for_which_there_is_no_memory_gives_its_stack_back),
        TEST(test_p7_a_poster_that_was_unrefd_leaves_no_count_behind),
        TEST(test_p7_the_current_loop_is_that_of_the_thread),
        TEST(test_p7_the_last_of_several_releases_comes_after_what_the_others_did),
        TEST(test_p10_virtual_time_stops_at_an_arrival_on_its_way_to_a_timer),
    };

    return cmocka_run_group_tests_name("museum/survived", tests, NULL, NULL);
}
