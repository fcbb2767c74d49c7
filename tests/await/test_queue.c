/* The queue as tasks use it: who waits, who is served, and what a cancel may not lose. */
#include "support.h"

#include <errno.h>
#include <string.h>

static char letters[] = "abcdefghijklmnopqrstuvwxyz";
static struct notes trace;
static struct notes destroyed;
static int outcome[16];
static struct aiol_queue *queue;

static void note_destroyed(void *item)
{
    note(&destroyed, *(char *)item);
}

/* Runs `fn` in a task that has `queue` of this capacity; the task frees it, or it is freed here. */
struct setting {
    aiol_task_fn fn;
    size_t capacity;
};

static int set_up_and_run(void *arg)
{
    struct setting *setting = arg;
    int rc = aiol_queue_new(aiol_loop_current(), setting->capacity, note_destroyed, &queue);

    if (rc < 0)
        return rc;
    rc = setting->fn(NULL);
    aiol_queue_free(queue);
    return rc;
}

static int run_with_queue(size_t capacity, aiol_task_fn fn)
{
    struct setting setting = {fn, capacity};

    memset(&trace, 0, sizeof trace);
    memset(&destroyed, 0, sizeof destroyed);
    memset(outcome, 0, sizeof outcome);
    return run_sim(0, set_up_and_run, &setting);
}

static int put(char letter)
{
    return aiol_await_queue_put(queue, &letters[letter - 'a']);
}

/* The letter, or the error. */
static int get(void)
{
    void *item = NULL;
    int rc = aiol_await_queue_get(queue, &item);

    return rc < 0 ? rc : *(char *)item;
}

static int produce(void *arg)
{
    for (char letter = 'a'; letter <= 'z'; letter++) {
        int rc = put(letter);

        if (rc < 0)
            return rc;
    }
    (void)arg;
    return aiol_queue_shutdown(queue, AIOL_QUEUE_DRAIN);
}

static int consume(void *arg)
{
    int rc;

    (void)arg;
    while ((rc = get()) > 0) {
        note(&trace, (char)rc);
        aiol_queue_done(queue);
    }
    return rc == AIOL_ECLOSED ? 0 : rc;
}

static int consumer_count;

static int run_pipeline(void *arg)
{
    struct aiol_group group;

    (void)arg;
    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    for (int i = 0; i < consumer_count; i++)
        aiol_group_spawn(&group, consume, NULL);
    aiol_group_spawn(&group, produce, NULL);
    outcome[0] = aiol_await_group(&group);
    outcome[1] = aiol_await_queue_join(queue);
    outcome[2] = (int)aiol_queue_high_water(queue);
    return outcome[0];
}

static void test_p2_a_pipeline_delivers_everything_once_and_in_order(void **state)
{
    static const size_t capacities[] = {0, 1, 3, 26, AIOL_QUEUE_UNBOUNDED};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(capacities) * 3; i++) {
        size_t capacity = capacities[i / 3];

        consumer_count = 1 + (int)(i % 3);
        assert_int_equal(run_with_queue(capacity, run_pipeline), 0);
        assert_int_equal(outcome[1], 0);
        assert_true((size_t)outcome[2] <= capacity);
        assert_int_equal(trace.length, 26);
        for (const char *letter = letters; *letter; letter++)
            assert_non_null(strchr(trace.text, *letter));
        if (consumer_count == 1)
            assert_string_equal(trace.text, letters);
    }
}

static int get_and_note(void *arg)
{
    int rc = get();

    note(&trace, *(char *)arg);
    note(&trace, rc > 0 ? (char)rc : rc == -ECANCELED ? 'C' : rc == AIOL_ECLOSED ? '!' : '?');
    return 0;
}

static void on_get(struct aiol_queue_getter *getter, int status, void *item, void *data)
{
    (void)getter;
    note(&trace, *(char *)data);
    note(&trace, status == 0 ? *(char *)item : '!');
}

static int serve_in_order(void *arg)
{
    struct aiol_queue_getter getter;

    (void)arg;
    aiol_queue_getter_init(&getter, queue, on_get, "2");
    aiol_task_spawn(aiol_loop_current(), get_and_note, "1", NULL);
    aiol_await_sleep(1);
    aiol_queue_getter_start(&getter);
    aiol_task_spawn(aiol_loop_current(), get_and_note, "3", NULL);
    aiol_await_sleep(1);
    for (char letter = 'a'; letter <= 'd'; letter++)
        outcome[0] |= put(letter);
    outcome[1] = get(); /* who comes last gets what is left */
    return aiol_await_sleep(1);
}

static void
test_p6_tasks_and_callbacks_that_get_are_served_in_the_order_in_which_they_came(void **state)
{
    (void)state;
    assert_int_equal(run_with_queue(4, serve_in_order), 0);
    assert_non_null(strstr(trace.text, "1a"));
    assert_non_null(strstr(trace.text, "2b"));
    assert_non_null(strstr(trace.text, "3c"));
    assert_int_equal(outcome[0], 0);
    assert_int_equal(outcome[1], 'd');
}

static int put_and_note(void *arg)
{
    int rc = put(*(char *)arg);

    note(&trace, *(char *)arg);
    note(&trace, rc == 0 ? '+' : rc == -ECANCELED ? 'C' : rc == AIOL_ECLOSED ? '!' : '?');
    return 0;
}

static int cancel_a_putter(void *arg)
{
    struct aiol_task *tasks[3];

    (void)arg;
    outcome[0] = put('z');
    for (int i = 0; i < 3; i++)
        aiol_task_spawn(aiol_loop_current(), put_and_note, &letters[i], &tasks[i]);
    aiol_await_sleep(1);
    aiol_task_cancel(tasks[1]);
    aiol_await_task(tasks[1], NULL);
    for (int i = 1; i < 4; i++)
        outcome[i] = get();
    outcome[4] = aiol_queue_get_nowait(queue, &(void *){NULL});
    outcome[5] = (int)aiol_queue_unfinished(queue);
    aiol_await_task(tasks[0], NULL);
    return aiol_await_task(tasks[2], NULL);
}

static void test_p2_a_cancelled_putter_keeps_its_item_and_the_others_stay_in_order(void **state)
{
    (void)state;
    assert_int_equal(run_with_queue(1, cancel_a_putter), 0);
    assert_string_equal(trace.text, "bCa+c+");
    assert_int_equal(outcome[1], 'z');
    assert_int_equal(outcome[2], 'a');
    assert_int_equal(outcome[3], 'c');
    assert_int_equal(outcome[4], -EAGAIN);
    assert_int_equal(outcome[5], 3);
}

static int get_twice(void *arg)
{
    (void)arg;
    outcome[0] = get();
    outcome[1] = get();
    return 0;
}

static int hand_over_and_cancel(void *arg)
{
    struct aiol_task *task = NULL;

    (void)arg;
    aiol_task_spawn(aiol_loop_current(), get_twice, NULL, &task);
    aiol_await_sleep(1);
    outcome[2] = put('a'); /* straight into the getter's hands */
    outcome[3] = put('b');
    aiol_task_cancel(task); /* before it has run */
    aiol_await_task(task, NULL);
    outcome[4] = get();
    return 0;
}

static void test_p2_a_getter_that_was_handed_its_item_gets_it_in_spite_of_a_cancel(void **state)
{
    (void)state;
    assert_int_equal(run_with_queue(4, hand_over_and_cancel), 0);
    assert_int_equal(outcome[0], 'a');
    assert_int_equal(outcome[1], -ECANCELED);
    assert_int_equal(outcome[2], 0);
    assert_int_equal(outcome[3], 0);
    assert_int_equal(outcome[4], 'b'); /* nor was the next one lost */
}

static int cancel_a_getter(void *arg)
{
    struct aiol_task *first = NULL, *second = NULL;

    (void)arg;
    aiol_task_spawn(aiol_loop_current(), get_and_note, "1", &first);
    aiol_task_spawn(aiol_loop_current(), get_and_note, "2", &second);
    aiol_await_sleep(1);
    aiol_task_cancel(first);
    outcome[0] = put('a');
    aiol_await_task(first, NULL);
    return aiol_await_task(second, NULL);
}

static void test_p2_a_cancelled_getter_takes_no_item(void **state)
{
    (void)state;
    assert_int_equal(run_with_queue(4, cancel_a_getter), 0);
    assert_string_equal(trace.text, "1C2a");
}

static int put_once(void *arg)
{
    (void)arg;
    outcome[0] = put('a');
    outcome[1] = aiol_await_yield();
    return 0;
}

static int take_and_cancel(void *arg)
{
    struct aiol_task *task = NULL;

    (void)arg;
    aiol_task_spawn(aiol_loop_current(), put_once, NULL, &task);
    aiol_await_sleep(1);
    outcome[2] = get();
    aiol_task_cancel(task);
    return aiol_await_task(task, NULL);
}

static void test_p2_a_put_whose_item_was_taken_is_a_success_in_spite_of_a_cancel(void **state)
{
    (void)state;
    assert_int_equal(run_with_queue(0, take_and_cancel), 0);
    assert_int_equal(outcome[0], 0);
    assert_int_equal(outcome[1], -ECANCELED);
    assert_int_equal(outcome[2], 'a');
}

static int join_and_note(void *arg)
{
    int rc = aiol_await_queue_join(queue);

    note(&trace, *(char *)arg);
    note(&trace, rc == 0 ? 'j' : rc == -ECANCELED ? 'C' : rc == AIOL_ECLOSED ? '!' : '?');
    return 0;
}

static int join_a_queue(void *arg)
{
    struct aiol_task *cancelled = NULL, *patient = NULL;

    (void)arg;
    outcome[0] = aiol_await_queue_join(queue); /* nothing was ever put */
    put('a');
    put('b');
    aiol_task_spawn(aiol_loop_current(), join_and_note, "1", &cancelled);
    aiol_task_spawn(aiol_loop_current(), join_and_note, "2", &patient);
    aiol_await_sleep(1);
    aiol_task_cancel(cancelled);
    get();
    aiol_queue_done(queue);
    get();
    aiol_await_sleep(1);
    note(&trace, '.');
    aiol_queue_done(queue);
    aiol_await_task(cancelled, NULL);
    return aiol_await_task(patient, NULL);
}

static void test_a_join_waits_until_all_is_done_and_can_be_cancelled(void **state)
{
    (void)state;
    assert_int_equal(run_with_queue(4, join_a_queue), 0);
    assert_string_equal(trace.text, "1C.2j");
    assert_int_equal(outcome[0], 0);
}

static int shut_down_under_waiters(void *arg)
{
    struct aiol_group group;

    (void)arg;
    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    put('z');
    aiol_group_spawn(&group, put_and_note, &letters[0]);
    aiol_group_spawn(&group, put_and_note, &letters[1]);
    aiol_group_spawn(&group, join_and_note, "1");
    aiol_await_sleep(1);
    aiol_queue_shutdown(queue, AIOL_QUEUE_NOW);
    outcome[0] = put('c');
    outcome[1] = get();
    return aiol_await_group(&group);
}

static void test_a_shutdown_ends_puts_with_aiol_eclosed_and_they_keep_their_items(void **state)
{
    (void)state;
    assert_int_equal(run_with_queue(1, shut_down_under_waiters), 0);
    assert_string_equal(trace.text, "a!b!1j");
    assert_string_equal(destroyed.text, "z");
    assert_int_equal(outcome[0], AIOL_ECLOSED);
    assert_int_equal(outcome[1], AIOL_ECLOSED);
}

static int free_under_waiters(void *arg)
{
    struct aiol_queue_getter getter;
    struct aiol_group group;

    (void)arg;
    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    aiol_group_spawn(&group, get_and_note, "1");
    aiol_group_spawn(&group, get_and_note, "3");
    aiol_await_sleep(1);
    aiol_queue_getter_init(&getter, queue, on_get, "2");
    aiol_queue_getter_start(&getter);
    put('a');
    aiol_queue_free(queue);
    note(&trace, '.'); /* callbacks were called inside, tasks run later */
    queue = NULL;
    return aiol_await_group(&group);
}

static void test_p1_free_tells_callbacks_at_once_and_tasks_when_they_run(void **state)
{
    (void)state;
    assert_int_equal(run_with_queue(4, free_under_waiters), 0);
    assert_string_equal(trace.text, "2!.1a3!");
}

static int measure_allocations(void *arg)
{
    struct aiol_group group;
    long made;

    (void)arg;
    aiol_group_open(&group, AIOL_GROUP_CANCEL_ALL);
    aiol_group_spawn(&group, consume, NULL);
    aiol_await_sleep(1);
    made = allocations_made();
    for (int i = 0; i < 1000; i++)
        outcome[0] |= put('a');
    outcome[1] = (int)(allocations_made() - made);
    aiol_queue_shutdown(queue, AIOL_QUEUE_DRAIN);
    return aiol_await_group(&group);
}

static void test_p5_putting_and_getting_allocate_nothing_also_when_they_wait(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity < 3; capacity++) {
        assert_int_equal(run_with_queue(capacity, measure_allocations), 0);
        assert_int_equal(outcome[0], 0);
        assert_int_equal(outcome[1], 0);
    }
}

static int run_out_of_memory(void *arg)
{
    void *item = letters;

    (void)arg;
    fail_allocation(1);
    outcome[0] = put('a');
    outcome[1] = (int)aiol_queue_count(queue);
    outcome[2] = put('b');
    outcome[3] = get();
    aiol_queue_shutdown(queue, AIOL_QUEUE_DRAIN);
    outcome[4] = aiol_await_queue_get(queue, &item);
    return item == letters ? 0 : -EIO;
}

static void test_p3_a_put_that_fails_keeps_the_item_and_a_get_that_fails_the_output(void **state)
{
    (void)state;
    assert_int_equal(run_with_queue(AIOL_QUEUE_UNBOUNDED, run_out_of_memory), 0);
    assert_int_equal(outcome[0], -ENOMEM);
    assert_int_equal(outcome[1], 0);
    assert_int_equal(outcome[2], 0);
    assert_int_equal(outcome[3], 'b');
    assert_int_equal(outcome[4], AIOL_ECLOSED);
}

static int use_queue_of_another_loop(void *arg)
{
    void *item = arg;

    outcome[0] = aiol_await_queue_get(arg, &item);
    outcome[1] = aiol_await_queue_put(arg, letters);
    outcome[2] = aiol_await_queue_join(arg);
    return item == arg ? 0 : -EIO;
}

static void test_p3_a_queue_of_another_loop_is_refused(void **state)
{
    struct aiol_loop *other = new_sim_loop(0);
    struct aiol_queue *foreign = NULL;

    (void)state;
    assert_int_equal(aiol_queue_new(other, 2, NULL, &foreign), 0);
    assert_int_equal(aiol_queue_put_nowait(foreign, letters), 0);
    assert_int_equal(run_sim(0, use_queue_of_another_loop, foreign), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(outcome[i], -EINVAL);
    assert_int_equal(aiol_queue_count(foreign), 1);
    aiol_queue_free(foreign);
    free_loop(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p2_a_pipeline_delivers_everything_once_and_in_order),
        TEST(test_p6_tasks_and_callbacks_that_get_are_served_in_the_order_in_which_they_came),
        TEST(test_p2_a_cancelled_putter_keeps_its_item_and_the_others_stay_in_order),
        TEST(test_p2_a_getter_that_was_handed_its_item_gets_it_in_spite_of_a_cancel),
        TEST(test_p2_a_cancelled_getter_takes_no_item),
        TEST(test_p2_a_put_whose_item_was_taken_is_a_success_in_spite_of_a_cancel),
        TEST(test_a_join_waits_until_all_is_done_and_can_be_cancelled),
        TEST(test_a_shutdown_ends_puts_with_aiol_eclosed_and_they_keep_their_items),
        TEST(test_p1_free_tells_callbacks_at_once_and_tasks_when_they_run),
        TEST(test_p5_putting_and_getting_allocate_nothing_also_when_they_wait),
        TEST(test_p3_a_put_that_fails_keeps_the_item_and_a_get_that_fails_the_output),
        TEST(test_p3_a_queue_of_another_loop_is_refused),
    };

    return cmocka_run_group_tests_name("await/queue", tests, NULL, NULL);
}
