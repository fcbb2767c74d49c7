/* A group that comes to life again, and callbacks that run inside a task's call. */
#include "support.h"

#include <errno.h>
#include <string.h>

static struct notes trace;

struct late_spawn {
    struct aiol_group group;
    uint64_t running_before;
    int status;
    bool has_run;
};

static int take_a_while(void *arg)
{
    struct late_spawn *late = arg;
    int rc = aiol_await_sleep(AIOL_SECOND);

    late->has_run = rc == 0;
    return rc;
}

static int sleep_ten(void *arg)
{
    (void)arg;
    return aiol_await_sleep(10);
}

/* Wakes right behind the last task of the group, and before the one that awaits it. */
static int spawn_late(void *arg)
{
    struct late_spawn *late = arg;

    aiol_await_sleep(10);
    late->running_before = aiol_group_running_count(&late->group);
    late->status = aiol_group_spawn(&late->group, take_a_while, late);
    return 0;
}

static int await_group_with_late_spawn(void *arg)
{
    struct late_spawn *late = arg;
    int rc;

    aiol_group_open(&late->group, AIOL_GROUP_CANCEL_ALL);
    aiol_group_spawn(&late->group, sleep_ten, NULL);
    aiol_task_spawn(aiol_loop_current(), spawn_late, late, NULL);
    rc = aiol_await_group(&late->group);
    return rc < 0 || late->has_run ? rc : -EIO;
}

static void
test_a_group_waits_for_what_was_spawned_between_its_last_end_and_the_awaiter(void **state)
{
    struct late_spawn late = {.running_before = 1, .status = 1};

    (void)state;
    assert_int_equal(run_sim(0, await_group_with_late_spawn, &late), 0);
    assert_int_equal(late.running_before, 0);
    assert_int_equal(late.status, 0);
    assert_true(late.has_run);
    assert_int_equal(aiol_group_running_count(&late.group), 0);
}

static void note_outside(char mark)
{
    bool is_outside = !aiol_task_current() && aiol_await_yield() == AIOL_ENOTASK;

    note(&trace, is_outside ? mark : '?');
}

static void observe(struct aiol_future_observer *observer, int status, void *value, void *data)
{
    (void)observer, (void)status, (void)value, (void)data;
    note_outside('o');
}

static void withdraw(struct aiol_future *future, void *data)
{
    (void)future, (void)data;
    note_outside('w');
}

static void on_get(struct aiol_queue_getter *getter, int status, void *item, void *data)
{
    (void)getter, (void)status, (void)item;
    aiol_future_close(data); /* a callback in a callback */
    note_outside('g');
}

static int close_what_others_wait_for(void *arg)
{
    struct aiol_task *self = aiol_task_current();
    struct aiol_loop *loop = aiol_loop_current();
    struct aiol_future future;
    struct aiol_future_observer observer;
    struct aiol_queue *queue = NULL;
    struct aiol_queue_getter getter;
    int rc = aiol_queue_new(loop, 1, NULL, &queue);

    (void)arg;
    if (rc < 0)
        return rc;
    aiol_future_init(&future, loop, withdraw, NULL);
    aiol_future_observer_init(&observer, &future, observe, NULL);
    aiol_future_observer_start(&observer);
    aiol_queue_getter_init(&getter, queue, on_get, &future);
    aiol_queue_getter_start(&getter);
    aiol_queue_free(queue);
    return aiol_task_current() == self ? aiol_await_yield() : -EIO;
}

static void test_p13_who_is_told_inside_a_call_of_a_task_is_no_part_of_that_task(void **state)
{
    (void)state;
    memset(&trace, 0, sizeof trace);
    assert_int_equal(run_sim(0, close_what_others_wait_for, NULL), 0);
    assert_string_equal(trace.text, "wog");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_group_waits_for_what_was_spawned_between_its_last_end_and_the_awaiter),
        TEST(test_p13_who_is_told_inside_a_call_of_a_task_is_no_part_of_that_task),
    };

    return cmocka_run_group_tests_name("task/task_edges", tests, NULL, NULL);
}
