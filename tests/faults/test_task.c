/* Tasks, scopes and groups while memory and the system fail. */
#include "faults.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int sleep_long(void *arg)
{
    (void)arg;
    return aiol_await_sleep(AIOL_HOUR);
}

static int add_to_count(void *arg)
{
    int rc = aiol_await_yield();

    ++**(int **)arg;
    return rc;
}

static int count_entry(void *arg)
{
    ++*(int *)arg;
    return 5;
}

/* A handle for each: one is awaited, one is cancelled and awaited, one is detached. */
static int keep_handles(void *arg)
{
    struct aiol_loop *loop = aiol_loop_current();
    struct aiol_task *counting = NULL, *sleeping = NULL, *detached = NULL;
    int count = 0, counted = 0, slept = 0;
    int rc = aiol_task_spawn(loop, count_entry, &count, &counting);

    (void)arg;
    if (rc == 0)
        rc = aiol_task_spawn(loop, sleep_long, NULL, &sleeping);
    if (rc == 0)
        rc = aiol_task_spawn(loop, sleep_long, NULL, &detached);
    if (rc == 0) {
        aiol_task_set_name(sleeping, "sleeping");
        rc = expect(strcmp(aiol_task_name(sleeping), "sleeping") == 0 &&
                        aiol_task_spawn_place(sleeping) != NULL && !aiol_task_is_done(sleeping) &&
                        aiol_task_current() != sleeping,
                    "a task can be asked about");
    }
    if (detached) {
        aiol_task_cancel(detached);
        rc = aiol_first_error(rc, aiol_task_detach(detached));
    }
    if (sleeping) {
        aiol_task_cancel(sleeping);
        rc = aiol_first_error(rc, aiol_await_task(sleeping, &slept));
    }
    if (counting)
        rc = aiol_first_error(rc, aiol_await_task(counting, &counted));
    if (count != (counting != NULL))
        rc = expect(false, "what was spawned is entered once");
    if (rc == 0)
        rc = expect(counted == 5 && slept == -ECANCELED, "each result comes");
    return rc;
}

static int use_handles(struct aiol_loop *loop)
{
    int rc = run_task(loop, keep_handles, NULL);

    if (rc == 0)
        rc = expect(strcmp(aiol_task_guard_kind(loop), "none yet") != 0, "stacks have guards");
    return rc;
}

/* A scope whose deadline comes, one that is cancelled, and one in which there is time enough. */
static int nest_scopes(void *arg)
{
    struct aiol_scope outer, inner;
    int rc, inner_rc;

    (void)arg;
    rc = aiol_scope_enter(&outer, aiol_deadline_after(AIOL_SECOND));
    if (rc == 0)
        rc = aiol_scope_enter(&inner, AIOL_NEVER);
    if (rc == 0)
        rc = aiol_await_sleep(AIOL_MILLISECOND);
    aiol_scope_cancel(&inner);
    if (rc == 0)
        rc = expect(aiol_scope_is_cancelled(&inner) && !aiol_scope_is_cancelled(&outer),
                    "the inner scope is cancelled");
    inner_rc = aiol_scope_leave(&inner, aiol_await_yield());
    if (rc == 0)
        rc = expect(inner_rc == -ECANCELED, "a cancelled scope waits for nothing");
    if (rc == 0)
        rc = aiol_await_sleep_until(AIOL_NEVER);
    rc = aiol_scope_leave(&outer, rc);
    return rc == -ETIMEDOUT ? 0 : rc;
}

static void count_up(void *data)
{
    ++*(int *)data;
}

static void sleep_and_count_up(void *data)
{
    aiol_await_sleep(AIOL_MILLISECOND);
    count_up(data);
}

/* A shield that a cancel does not reach, but its own deadline, which is moved; and clean-ups, of
 * which one is taken back, one does not wait, and one does. */
static int tidy_up_in_a_shield(void *arg)
{
    struct aiol_cleanup unwanted, quick, slow;
    struct aiol_scope scope, shield;
    int rc, count = 0;

    (void)arg;
    aiol_scope_enter(&scope, AIOL_NEVER);
    aiol_scope_add_cleanup(&scope, &slow, sleep_and_count_up, &count);
    aiol_scope_cancel(&scope);
    rc = expect(aiol_task_is_cancelled(aiol_task_current()), "the task is cancelled");
    aiol_scope_enter_shielded(&shield, aiol_deadline_after(AIOL_MILLISECOND));
    aiol_scope_add_cleanup(&shield, &quick, count_up, &count);
    aiol_scope_add_cleanup(&shield, &unwanted, count_up, &count);
    if (rc == 0)
        rc = expect(aiol_scope_remove_cleanup(&shield, &unwanted) == 1, "it is taken back");
    aiol_scope_set_deadline(&shield, aiol_deadline_after(AIOL_SECOND));
    if (rc == 0)
        rc = expect(aiol_scope_deadline_ns(&shield) != AIOL_NEVER, "a shield has a deadline");
    if (rc == 0)
        rc = aiol_await_sleep_until(AIOL_NEVER);
    rc = aiol_scope_leave(&shield, rc);
    if (rc == -ETIMEDOUT)
        rc = 0;
    rc = aiol_await_scope_leave(&scope, rc, AIOL_NEVER);
    return rc < 0 ? rc : expect(count == 2, "what is to be tidied up is");
}

static int use_scopes(struct aiol_loop *loop)
{
    return aiol_first_error(run_task(loop, nest_scopes, NULL),
                            run_task(loop, tidy_up_in_a_shield, NULL));
}

/* Some that end by themselves, and some that the group's deadline cancels. */
static int open_groups(void *arg)
{
    struct aiol_group counting, sleeping;
    int count = 0, *count_address = &count;
    int rc, sleeping_rc, counting_rc, spawned_count = 0;

    (void)arg;
    rc = aiol_group_open(&sleeping, AIOL_GROUP_INDEPENDENT);
    for (int i = 0; i < 2 && rc == 0; i++)
        rc = aiol_group_spawn(&sleeping, sleep_long, NULL);
    aiol_group_set_deadline(&sleeping, aiol_deadline_after(AIOL_SECOND));
    aiol_group_open(&counting, AIOL_GROUP_CANCEL_ALL);
    for (int i = 0; i < 3 && rc == 0; i++) {
        rc = aiol_group_spawn_copy(&counting, add_to_count, &count_address, sizeof count_address);
        spawned_count += rc == 0;
    }
    if (aiol_group_running_count(&counting) != (uint64_t)spawned_count)
        rc = expect(false, "the group knows how many run");
    counting_rc = aiol_await_group(&counting);
    if (rc < 0)
        aiol_group_cancel(&sleeping);
    sleeping_rc = aiol_await_group(&sleeping);
    if (count != spawned_count)
        rc = expect(false, "what was spawned is entered once");
    rc = aiol_first_error(rc, counting_rc);
    return rc == 0 ? expect(sleeping_rc == -ETIMEDOUT, "the deadline cuts the sleep short") : rc;
}

static int use_groups(struct aiol_loop *loop)
{
    return run_task(loop, open_groups, NULL);
}

/* More stacks than are mapped at once, which is 64. */
static int spawn_crowd(void *arg)
{
    struct aiol_group group;
    int count = 0, spawned_count = 0, *count_address = &count;
    int rc = aiol_group_open(&group, AIOL_GROUP_INDEPENDENT);

    (void)arg;
    for (int i = 0; i < 66 && rc == 0; i++) {
        rc = aiol_group_spawn_copy(&group, add_to_count, &count_address, sizeof count_address);
        spawned_count += rc == 0;
    }
    rc = aiol_first_error(rc, aiol_await_group(&group));
    if (count != spawned_count)
        rc = expect(false, "what was spawned is entered once");
    return rc;
}

static int use_a_crowd(struct aiol_loop *loop)
{
    return run_task(loop, spawn_crowd, NULL);
}

/* Whoever spawned them has forgotten them; the loop has not. */
static int detach_tasks(struct aiol_loop *loop)
{
    struct aiol_task *task = NULL;
    int rc = aiol_task_spawn_copy(loop, sleep_long, &loop, sizeof loop, &task);

    if (rc == 0)
        rc = aiol_task_detach(task);
    if (rc == 0)
        rc = aiol_task_spawn(loop, sleep_long, NULL, NULL);
    return aiol_first_error(rc, run_loop(loop));
}

/* Nothing can wake it; the run says so when it has ended it. */
static int sleep_for_ever(void *arg)
{
    (void)arg;
    return aiol_await_sleep(AIOL_NEVER);
}

static int end_in_a_deadlock(struct aiol_loop *loop)
{
    int rc = run_task(loop, sleep_for_ever, NULL);

    return rc == -EDEADLK ? 0 : rc;
}

static int hold_a_pair(void *arg)
{
    int fds[2];
    int rc = open_pair(aiol_loop_current(), fds);

    (void)arg;
    if (rc == 0)
        rc = aiol_await_readable(fds[0]);
    return aiol_first_error(rc, close_pair(aiol_loop_current(), fds));
}

/* Leaves tasks behind, which the run ends. */
static int leave_some_behind(void *arg)
{
    int rc = aiol_task_spawn(aiol_loop_current(), sleep_for_ever, NULL, NULL);

    (void)arg;
    if (rc == 0)
        rc = aiol_task_spawn(aiol_loop_current(), hold_a_pair, NULL, NULL);
    return rc == 0 ? aiol_await_sleep(AIOL_MILLISECOND) : rc;
}

static void ignore_io(struct aiol_io *io, uint32_t ready, void *data)
{
    (void)io;
    (void)ready;
    (void)data;
}

static int run_by_itself(const struct aiol_loop_options *options)
{
    int rc = aiol_run_with(options, leave_some_behind, NULL);

    if (rc == 0)
        rc = aiol_run(leave_some_behind, NULL);
    return rc;
}

/* Ends while the poller has still to be told what a watcher wants. Nobody stops the watcher: the
 * run forgets it, but must end the task in any case. */
static int leave_a_watcher_behind(void *arg)
{
    static struct aiol_io io;
    struct aiol_loop *loop = aiol_loop_current();
    int rc;

    aiol_io_init(&io, loop, *(int *)arg, ignore_io, NULL);
    rc = aiol_io_start(&io, AIOL_READABLE);
    if (rc == 0)
        rc = aiol_task_spawn(loop, hold_a_pair, NULL, NULL);
    if (rc == 0)
        rc = aiol_await_yield(); /* the task waits now */
    return rc == 0 ? aiol_io_start(&io, AIOL_READABLE | AIOL_WRITABLE) : rc;
}

static int run_and_forget(const struct aiol_loop_options *options)
{
    int fds[2];
    int rc;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
        return -errno;
    rc = aiol_run_with(options, leave_a_watcher_behind, &fds[0]);
    close(fds[0]);
    close(fds[1]);
    return rc;
}

static void test_handles(void **state)
{
    (void)state;
    inject_faults("handles of tasks", use_handles, ON_BOTH);
}

static void test_scopes(void **state)
{
    (void)state;
    inject_faults("scopes", use_scopes, ON_BOTH);
}

static void test_groups(void **state)
{
    (void)state;
    inject_faults("groups", use_groups, ON_BOTH);
}

static void test_a_crowd(void **state)
{
    (void)state;
    inject_faults("a crowd of tasks", use_a_crowd, ON_SIMULATED);
}

static void test_detached_tasks(void **state)
{
    (void)state;
    inject_faults("detached tasks", detach_tasks, ON_BOTH);
}

static void test_a_deadlock(void **state)
{
    (void)state;
    inject_faults("a deadlock", end_in_a_deadlock, ON_BOTH);
}

static void test_runs(void **state)
{
    (void)state;
    inject_faults_alone("runs", run_by_itself, ON_BOTH);
}

static void test_runs_that_forget(void **state)
{
    (void)state;
    inject_faults_alone("runs that forget", run_and_forget, ON_REAL);
}

static void test_sizes_cannot_fail(void **state)
{
    (void)state;
    assert_int_equal(aiol_scope_size(), sizeof(struct aiol_scope));
    assert_int_equal(aiol_scope_align(), _Alignof(struct aiol_scope));
    assert_int_equal(aiol_cleanup_size(), sizeof(struct aiol_cleanup));
    assert_int_equal(aiol_cleanup_align(), _Alignof(struct aiol_cleanup));
    assert_int_equal(aiol_group_size(), sizeof(struct aiol_group));
    assert_int_equal(aiol_group_align(), _Alignof(struct aiol_group));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_handles), TEST(test_scopes),           TEST(test_groups),
        TEST(test_a_crowd), TEST(test_detached_tasks),   TEST(test_a_deadlock),
        TEST(test_runs),    TEST(test_runs_that_forget), TEST(test_sizes_cannot_fail),
    };

    return cmocka_run_group_tests_name("faults/task", tests, NULL, print_points);
}
