/* The loop: making, running, stopping and freeing one, its phases and its clock. */
#include "platform/sys.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

static void test_p3_unknown_options_are_refused(void **state)
{
    struct aiol_loop_options options = {.size = 0};
    struct aiol_loop *loop = NULL;

    (void)state;
    assert_int_equal(aiol_loop_new(&options, &loop), -EINVAL);
    options = (struct aiol_loop_options){.size = sizeof options, .clock = 2};
    assert_int_equal(aiol_loop_new(&options, &loop), -EINVAL);
    options = (struct aiol_loop_options){.size = sizeof options, .reserved = 1};
    assert_int_equal(aiol_loop_new(&options, &loop), -EINVAL);
    options = (struct aiol_loop_options){.size = sizeof options, .max_events_per_turn = UINT32_MAX};
    assert_int_equal(aiol_loop_new(&options, &loop), -EINVAL);
    assert_null(loop);
}

static void test_p9_options_of_an_older_program_are_shorter(void **state)
{
    struct aiol_loop_options options = {.size = offsetof(struct aiol_loop_options, clock),
                                        .allocator = &counting_allocator,
                                        .clock = 77,
                                        .reserved = 77};
    struct aiol_loop *loop;

    (void)state;
    assert_int_equal(aiol_loop_new(&options, &loop), 0);
    assert_true(allocations_alive() > 0);
    assert_true(aiol_loop_backend_fd(loop) >= 0);
    free_loop(loop);
    assert_int_equal(aiol_loop_new(NULL, &loop), 0);
    free_loop(loop);
    assert_int_equal(aiol_loop_free(NULL), 0);
}

static void test_p3_a_loop_without_descriptors_left_is_an_error(void **state)
{
    struct aiol_loop_options options = {.size = sizeof options, .allocator = &counting_allocator};
    struct aiol_loop *loop = NULL;
    struct rlimit before, limit;
    int rc, refused_count = 0;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    limit = before;
    limit.rlim_cur = 3;
    for (; limit.rlim_cur < before.rlim_cur; limit.rlim_cur++) {
        setrlimit(RLIMIT_NOFILE, &limit);
        rc = aiol_loop_new(&options, &loop);
        if (rc != -EMFILE || loop || allocations_alive() != 0)
            break;
        refused_count++;
    }
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(rc, 0);
    assert_true(refused_count > 0);
    free_loop(loop);
}

static void test_p12_the_descriptors_of_a_loop_are_closed_on_exec_and_non_blocking(void **state)
{
    int fds[64], count = 0;
    struct aiol_loop *loop;

    (void)state;
    /* What is free before and in use after is the loop's. */
    for (int fd = 0; fd < 64; fd++)
        fds[fd] = fcntl(fd, F_GETFD);
    loop = new_loop();
    for (int fd = 0; fd < 64; fd++) {
        if (fds[fd] >= 0 || fcntl(fd, F_GETFD) < 0)
            continue;
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        if (fd != aiol_loop_backend_fd(loop))
            assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
        count++;
    }
    assert_in_range(count, 2, 3); /* the poller's, and one or two to wake it */
    free_loop(loop);
}

struct caller {
    struct aiol_loop *loop;
    struct aiol_loop *other;
    struct notes notes;
    int rc;
    struct aiol_loop *current;
    struct aiol_loop *current_inside;
};

static void stop_loop(struct aiol_deferred *deferred, void *data)
{
    struct caller *caller = data;

    (void)deferred;
    note(&caller->notes, 's');
    aiol_loop_stop(caller->loop);
}

static void note_call(struct aiol_deferred *deferred, void *data)
{
    struct caller *caller = data;

    (void)deferred;
    note(&caller->notes, 'n');
}

static void test_stop_ends_the_run_after_the_turn_and_the_loop_can_run_again(void **state)
{
    struct caller caller = {.loop = new_sim_loop(1)};
    struct aiol_deferred first, second, third;
    struct aiol_timer timer;

    (void)state;
    aiol_deferred_init(&first, caller.loop, stop_loop, &caller);
    aiol_deferred_init(&second, caller.loop, note_call, &caller);
    aiol_deferred_init(&third, caller.loop, note_call, &caller);
    aiol_deferred_start(&first);
    aiol_deferred_start(&second);
    aiol_timer_init(&timer, caller.loop, NULL, NULL);
    aiol_timer_start(&timer, AIOL_HOUR);
    assert_int_equal(aiol_loop_run(caller.loop), 1);
    assert_string_equal(caller.notes.text, "sn");
    assert_true(aiol_loop_now_ns(caller.loop) == 0);
    aiol_timer_stop(&timer);
    aiol_deferred_start(&third);
    assert_int_equal(aiol_loop_run(caller.loop), 0);
    assert_string_equal(caller.notes.text, "snn");
    free_loop(caller.loop);
}

static void test_stop_before_run_ends_it_before_its_first_turn_and_only_once(void **state)
{
    struct caller caller = {.loop = new_sim_loop(1)};
    struct aiol_deferred deferred;

    (void)state;
    aiol_deferred_init(&deferred, caller.loop, note_call, &caller);
    aiol_deferred_start(&deferred);
    aiol_loop_stop(caller.loop);
    assert_int_equal(aiol_loop_run(caller.loop), 1);
    assert_int_equal(caller.notes.length, 0);
    assert_int_equal(aiol_loop_run(caller.loop), 0);
    assert_int_equal(caller.notes.length, 1);
    free_loop(caller.loop);
}

static void test_stop_before_a_single_turn_makes_it_not_wait(void **state)
{
    struct caller caller = {.loop = new_sim_loop(1)};
    struct aiol_timer timer;

    (void)state;
    aiol_timer_init(&timer, caller.loop, NULL, NULL);
    aiol_timer_start(&timer, AIOL_HOUR);
    aiol_loop_stop(caller.loop);
    assert_true(aiol_loop_next_timeout_ns(caller.loop) == 0);
    assert_int_equal(aiol_loop_run_once(caller.loop, AIOL_NEVER), 1);
    assert_true(aiol_loop_now_ns(caller.loop) == 0);
    assert_int_equal(aiol_loop_run_once(caller.loop, AIOL_MINUTE), 1);
    assert_true(aiol_loop_now_ns(caller.loop) == AIOL_MINUTE);
    aiol_timer_stop(&timer);
    free_loop(caller.loop);
}

static void run_inside(struct aiol_deferred *deferred, void *data)
{
    struct caller *caller = data;

    (void)deferred;
    if (aiol_loop_run(caller->loop) == -EBUSY && aiol_loop_run_once(caller->loop, 0) == -EBUSY &&
        aiol_loop_prepare(caller->loop) == -EBUSY && aiol_loop_free(caller->loop) == -EBUSY)
        note(&caller->notes, 'b');
}

static void test_p3_running_preparing_or_freeing_a_loop_that_runs_is_refused(void **state)
{
    struct caller caller = {.loop = new_sim_loop(1)};
    struct aiol_deferred deferred;

    (void)state;
    aiol_deferred_init(&deferred, caller.loop, run_inside, &caller);
    aiol_deferred_start(&deferred);
    assert_int_equal(aiol_loop_run(caller.loop), 0);
    assert_string_equal(caller.notes.text, "b");
    free_loop(caller.loop);
}

static void note_current(struct aiol_deferred *deferred, void *data)
{
    struct caller *caller = data;

    (void)deferred;
    caller->current_inside = aiol_loop_current();
}

static void run_other(struct aiol_deferred *deferred, void *data)
{
    struct caller *caller = data;
    struct aiol_deferred inner;

    (void)deferred;
    aiol_deferred_init(&inner, caller->other, note_current, caller);
    aiol_deferred_start(&inner);
    caller->rc = aiol_loop_run(caller->other);
    caller->current = aiol_loop_current();
}

static void test_p7_a_callback_may_run_another_loop(void **state)
{
    struct caller caller = {.loop = new_sim_loop(1), .other = new_loop(), .rc = -1};
    struct aiol_deferred deferred;

    (void)state;
    aiol_deferred_init(&deferred, caller.loop, run_other, &caller);
    aiol_deferred_start(&deferred);
    assert_null(aiol_loop_current());
    assert_int_equal(aiol_loop_run(caller.loop), 0);
    assert_int_equal(caller.rc, 0);
    assert_ptr_equal(caller.current_inside, caller.other);
    assert_ptr_equal(caller.current, caller.loop);
    assert_null(aiol_loop_current());
    free_loop(caller.other);
    free_loop(caller.loop);
}

static void ignore_hook(struct aiol_hook *hook, void *data)
{
    (void)hook;
    (void)data;
}

static void ignore_io(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)io;
    (void)ready;
    (void)data;
}

static void ignore_timer(struct aiol_timer *timer, void *data)
{
    (void)timer;
    (void)data;
}

static void test_p3_a_loop_on_which_anything_is_started_is_not_freed(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct caller caller = {.loop = loop};
    struct aiol_timer timer;
    struct aiol_deferred deferred;
    struct aiol_hook hook;
    struct aiol_io io;
    int fds[2];

    (void)state;
    aiol_timer_init(&timer, loop, ignore_timer, NULL);
    aiol_timer_start(&timer, AIOL_NEVER);
    aiol_timer_unref(&timer);
    assert_int_equal(aiol_loop_free(loop), -EBUSY);
    aiol_timer_stop(&timer);

    aiol_deferred_init(&deferred, loop, note_call, &caller);
    aiol_deferred_start(&deferred);
    assert_int_equal(aiol_loop_free(loop), -EBUSY);
    aiol_deferred_stop(&deferred);

    for (uint32_t place = 0; place < 2; place++) {
        aiol_hook_init(&hook, loop, place, ignore_hook, NULL);
        aiol_hook_start(&hook);
        assert_int_equal(aiol_loop_free(loop), -EBUSY);
        aiol_hook_stop(&hook);
    }
    assert_int_equal(aiol_sim_stream_pair(loop, NULL, fds), 0);
    aiol_io_init(&io, loop, fds[0], ignore_io, NULL);
    assert_int_equal(aiol_io_start(&io, AIOL_READABLE), 0);
    assert_int_equal(aiol_loop_free(loop), -EBUSY);
    aiol_io_stop(&io);
    free_loop(loop);
}

/* Everything at once, started in the wrong order, and one of each kind started by the one before:
 * the phases of a turn as src/README.md has them. */
struct turn {
    struct aiol_loop *loop;
    struct notes notes;
    struct aiol_io io;
    struct aiol_post post;
    struct aiol_poster *poster;
    struct aiol_timer timer;
    struct aiol_deferred deferred;
    struct aiol_hook hooks[2];
};

static void note_io(struct aiol_io *io, uint32_t ready, void *data)
{
    struct turn *turn = data;

    (void)ready;
    note(&turn->notes, 'i');
    aiol_io_close(io);
    aiol_poster_post_node(turn->poster, &turn->post);
}

static void note_post(int status, void *data)
{
    struct turn *turn = data;

    note(&turn->notes, status == 0 ? 'p' : '?');
    aiol_timer_start(&turn->timer, 0);
}

static void note_timer(struct aiol_timer *timer, void *data)
{
    struct turn *turn = data;

    (void)timer;
    note(&turn->notes, 't');
    aiol_deferred_start(&turn->deferred);
}

static void note_deferred(struct aiol_deferred *deferred, void *data)
{
    (void)deferred;
    note(&((struct turn *)data)->notes, 'd');
}

static void note_hook(struct aiol_hook *hook, void *data)
{
    struct turn *turn = data;

    note(&turn->notes, hook == &turn->hooks[0] ? 'b' : 'a');
}

static int note_task(void *arg)
{
    note(&((struct turn *)arg)->notes, 'T');
    return 0;
}

static void start_task(struct aiol_hook *hook, void *data)
{
    struct turn *turn = data;

    (void)hook;
    note(&turn->notes, 'a');
    aiol_task_spawn(turn->loop, note_task, turn, NULL);
}

static void test_p6_the_phases_of_a_turn_come_in_their_order(void **state)
{
    struct turn turn = {.loop = new_loop()};
    struct aiol_deferred early_deferred;
    struct aiol_timer early_timer;
    int fds[2];

    (void)state;
    make_socket_pair(fds);
    aiol_deferred_init(&turn.deferred, turn.loop, note_deferred, &turn);
    aiol_timer_init(&turn.timer, turn.loop, note_timer, &turn);
    aiol_post_init(&turn.post, note_post, &turn);
    assert_int_equal(aiol_poster_new(turn.loop, &turn.poster), 0);
    aiol_hook_init(&turn.hooks[0], turn.loop, AIOL_HOOK_BEFORE_WAIT, note_hook, &turn);
    aiol_hook_init(&turn.hooks[1], turn.loop, AIOL_HOOK_AFTER_WAIT, start_task, &turn);
    aiol_hook_start(&turn.hooks[1]);
    aiol_hook_start(&turn.hooks[0]);
    aiol_io_init(&turn.io, turn.loop, fds[0], note_io, &turn);
    aiol_io_start(&turn.io, AIOL_WRITABLE);

    aiol_loop_run_once(turn.loop, AIOL_NEVER);
    assert_string_equal(turn.notes.text, "baiptdT");

    /* A turn that has something to do at once: no hooks, the same order. */
    aiol_deferred_init(&early_deferred, turn.loop, note_deferred, &turn);
    aiol_timer_init(&early_timer, turn.loop, note_timer, &turn);
    aiol_deferred_start(&early_deferred);
    aiol_timer_start(&early_timer, 0);
    aiol_io_init(&turn.io, turn.loop, fds[0], note_io, &turn);
    aiol_io_start(&turn.io, AIOL_WRITABLE);
    aiol_loop_run_once(turn.loop, AIOL_NEVER);
    assert_string_equal(turn.notes.text, "baiptdTipttdd");
    aiol_hook_stop(&turn.hooks[0]);
    aiol_hook_stop(&turn.hooks[1]);
    aiol_poster_release(turn.poster);
    close(fds[0]);
    close(fds[1]);
    free_loop(turn.loop);
}

static void look_at_clock(struct aiol_timer *timer, void *data)
{
    uint64_t *times_ns = data;
    struct aiol_loop *loop = aiol_loop_current();

    (void)timer;
    times_ns[0] = aiol_loop_now_ns(loop);
    pass_fake_time(AIOL_SECOND);
    times_ns[1] = aiol_loop_now_ns(loop);
    aiol_loop_update_now(loop);
    times_ns[2] = aiol_loop_now_ns(loop);
}

static void test_p4_the_clock_stands_still_in_a_turn_until_it_is_updated(void **state)
{
    struct aiol_loop *loop;
    struct aiol_timer timer;
    uint64_t times_ns[3];

    (void)state;
    begin_fake_time(AIOL_HOUR);
    loop = new_loop();
    assert_true(aiol_loop_now_ns(loop) == AIOL_HOUR);
    aiol_timer_init(&timer, loop, look_at_clock, times_ns);
    aiol_timer_start(&timer, AIOL_MINUTE);
    aiol_loop_run(loop);
    assert_true(times_ns[0] == AIOL_HOUR + AIOL_MINUTE);
    assert_true(times_ns[1] == times_ns[0]);
    assert_true(times_ns[2] == times_ns[0] + AIOL_SECOND);
    free_loop(loop);
}

static void test_what_keeps_the_loop_alive_can_be_counted(void **state)
{
    struct caller caller = {.loop = new_sim_loop(1)};
    struct aiol_poster *poster;
    struct aiol_deferred deferred;
    struct aiol_timer timers[2];

    (void)state;
    for (uint32_t kind = 0; kind < 8; kind++)
        assert_int_equal(aiol_loop_alive_count(caller.loop, kind), 0);
    assert_int_equal(aiol_loop_run(caller.loop), 0);
    aiol_deferred_init(&deferred, caller.loop, note_call, &caller);
    aiol_deferred_start(&deferred);
    assert_int_equal(aiol_loop_alive_count(caller.loop, AIOL_ALIVE_DEFERRED), 1);
    assert_int_equal(aiol_poster_new(caller.loop, &poster), 0);
    assert_int_equal(aiol_loop_alive_count(caller.loop, AIOL_ALIVE_POSTER), 1);
    for (int i = 0; i < 2; i++) {
        aiol_timer_init(&timers[i], caller.loop, ignore_timer, NULL);
        aiol_timer_start(&timers[i], AIOL_SECOND);
    }
    assert_int_equal(aiol_loop_alive_count(caller.loop, AIOL_ALIVE_TIMER), 2);
    assert_int_equal(aiol_loop_is_alive(caller.loop), 1);
    aiol_poster_release(poster);
    assert_int_equal(aiol_loop_run(caller.loop), 0);
    for (uint32_t kind = 0; kind < 8; kind++)
        assert_int_equal(aiol_loop_alive_count(caller.loop, kind), 0);
    free_loop(caller.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p3_unknown_options_are_refused),
        TEST(test_p9_options_of_an_older_program_are_shorter),
        TEST(test_p3_a_loop_without_descriptors_left_is_an_error),
        TEST(test_p12_the_descriptors_of_a_loop_are_closed_on_exec_and_non_blocking),
        TEST(test_stop_ends_the_run_after_the_turn_and_the_loop_can_run_again),
        TEST(test_stop_before_run_ends_it_before_its_first_turn_and_only_once),
        TEST(test_stop_before_a_single_turn_makes_it_not_wait),
        TEST(test_p3_running_preparing_or_freeing_a_loop_that_runs_is_refused),
        TEST(test_p7_a_callback_may_run_another_loop),
        TEST(test_p3_a_loop_on_which_anything_is_started_is_not_freed),
        TEST(test_p6_the_phases_of_a_turn_come_in_their_order),
        TEST(test_p4_the_clock_stands_still_in_a_turn_until_it_is_updated),
        TEST(test_what_keeps_the_loop_alive_can_be_counted),
    };

    return cmocka_run_group_tests_name("reactor/loop", tests, NULL, NULL);
}
