/* Futures as callback code sees them: observers, cancelling, closing. */
#include "support.h"

#include <aiol/error.h>

#include <errno.h>
#include <string.h>

struct watcher {
    struct aiol_future_observer observer;
    struct notes *notes;
    char name;
    int status;
    void *value;
    struct watcher *stops[2]; /* are stopped and poisoned by the callback */
};

static void observe(struct aiol_future_observer *observer, int status, void *value, void *data)
{
    struct watcher *watcher = data;

    (void)observer;
    note(watcher->notes, watcher->name);
    watcher->status = status;
    watcher->value = value;
    for (size_t i = 0; i < COUNT_OF(watcher->stops) && watcher->stops[i]; i++) {
        aiol_future_observer_stop(&watcher->stops[i]->observer);
        memset(&watcher->stops[i]->observer, 0xa5, sizeof watcher->stops[i]->observer);
    }
}

static void start_watchers(struct watcher *watchers, int count, struct aiol_future *future,
                           struct notes *notes)
{
    for (int i = 0; i < count; i++) {
        watchers[i] = (struct watcher){.notes = notes, .name = (char)('a' + i), .status = 77};
        aiol_future_observer_init(&watchers[i].observer, future, observe, &watchers[i]);
        assert_int_equal(aiol_future_observer_start(&watchers[i].observer), 0);
    }
}

static void note_withdrawal(struct aiol_future *future, void *data)
{
    (void)future;
    note(data, 'W');
}

static void test_p6_observers_are_called_in_their_order_and_never_inside_set(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    struct watcher watchers[3], late;
    struct aiol_future future;
    int value;

    (void)state;
    aiol_future_init(&future, loop, note_withdrawal, &notes);
    start_watchers(watchers, 3, &future, &notes);
    assert_int_equal(aiol_future_observer_start(&watchers[0].observer), -EALREADY);
    assert_int_equal(aiol_future_set(&future, 5, &value), 0);
    start_watchers(&late, 1, &future, &notes);
    late.name = 'l';
    assert_int_equal(notes.length, 0);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_string_equal(notes.text, "abcl");
    assert_int_equal(watchers[2].status, 5);
    assert_ptr_equal(watchers[2].value, &value);
    assert_ptr_equal(late.value, &value);
    aiol_future_close(&future);
    assert_string_equal(notes.text, "abcl");
    free_loop(loop);
}

static void test_p2_a_result_is_set_once_and_stays(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    struct aiol_future future;
    int first, second;
    void *value = &second;

    (void)state;
    aiol_future_init(&future, loop, note_withdrawal, &notes);
    assert_int_equal(aiol_future_result(&future, &value), -EAGAIN);
    assert_ptr_equal(value, &second);
    assert_int_equal(aiol_future_is_set(&future), 0);
    assert_int_equal(aiol_future_set(&future, 0, &first), 0);
    assert_int_equal(aiol_future_set(&future, 1, &second), -EALREADY);
    assert_int_equal(aiol_future_cancel(&future), -EALREADY);
    assert_int_equal(aiol_future_result(&future, &value), 0);
    assert_ptr_equal(value, &first);
    assert_int_equal(aiol_future_result(&future, NULL), 0);
    aiol_future_close(&future);
    assert_int_equal(aiol_future_set(&future, 1, &second), -EALREADY);
    assert_int_equal(notes.length, 0);

    aiol_future_init(&future, loop, NULL, NULL);
    aiol_future_set(&future, -EIO, &first);
    value = &second;
    assert_int_equal(aiol_future_result(&future, &value), -EIO);
    assert_ptr_equal(value, &second);
    aiol_future_close(&future);
    free_loop(loop);
}

static void test_cancelling_withdraws_the_work_once_and_tells_all_who_wait(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    struct watcher watchers[2];
    struct aiol_future future;

    (void)state;
    aiol_future_init(&future, loop, note_withdrawal, &notes);
    start_watchers(watchers, 2, &future, &notes);
    assert_int_equal(aiol_future_cancel(&future), 0);
    assert_string_equal(notes.text, "W");
    assert_int_equal(aiol_future_cancel(&future), -EALREADY);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_string_equal(notes.text, "Wab");
    assert_int_equal(watchers[1].status, -ECANCELED);
    assert_null(watchers[1].value);
    aiol_future_close(&future);
    assert_string_equal(notes.text, "Wab");
    free_loop(loop);
}

static void test_p1_closing_calls_who_still_waits_before_it_returns(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    struct watcher watchers[3];
    struct aiol_future future;

    (void)state;
    aiol_future_init(&future, loop, note_withdrawal, &notes);
    start_watchers(watchers, 3, &future, &notes);
    aiol_future_observer_stop(&watchers[1].observer);
    aiol_future_close(&future);
    memset(&future, 0xa5, sizeof future);
    assert_int_equal(notes.length, 3);
    assert_non_null(strstr(notes.text, "ac"));
    assert_non_null(strchr(notes.text, 'W'));
    assert_int_equal(watchers[0].status, AIOL_ECLOSED);
    assert_int_equal(watchers[1].status, 77);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_int_equal(notes.length, 3);
    free_loop(loop);
}

static void test_p2_closing_hands_over_results_that_were_set_but_not_delivered(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    struct watcher watchers[2];
    struct aiol_future future;
    int value;

    (void)state;
    aiol_future_init(&future, loop, note_withdrawal, &notes);
    start_watchers(watchers, 2, &future, &notes);
    aiol_future_set(&future, 3, &value);
    aiol_future_close(&future);
    assert_string_equal(notes.text, "ab");
    assert_int_equal(watchers[1].status, 3);
    assert_ptr_equal(watchers[1].value, &value);
    assert_int_equal(aiol_future_observer_start(&watchers[0].observer), AIOL_ECLOSED);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_string_equal(notes.text, "ab");
    free_loop(loop);
}

static void test_p1_observers_may_stop_one_another_in_their_batch(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    struct watcher watchers[4];
    struct aiol_future future;

    (void)state;
    aiol_future_init(&future, loop, NULL, NULL);
    start_watchers(watchers, 4, &future, &notes);
    watchers[0].stops[0] = &watchers[0];
    watchers[0].stops[1] = &watchers[1];
    watchers[2].stops[0] = &watchers[3];
    aiol_future_set(&future, 0, NULL);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_string_equal(notes.text, "ac");
    aiol_future_close(&future);
    free_loop(loop);
}

static void test_p1_observers_may_stop_one_another_inside_close(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    struct watcher watchers[4];
    struct aiol_future future;

    (void)state;
    aiol_future_init(&future, loop, NULL, NULL);
    start_watchers(watchers, 4, &future, &notes);
    watchers[0].stops[0] = &watchers[0];
    watchers[0].stops[1] = &watchers[1];
    watchers[2].stops[0] = &watchers[3];
    aiol_future_close(&future);
    assert_string_equal(notes.text, "ac");
    free_loop(loop);
}

struct pair {
    struct aiol_future *future;
    struct aiol_future_observer *observer;
};

static void free_pair(struct aiol_future_observer *observer, int status, void *value, void *data)
{
    struct pair *pair = data;

    (void)observer;
    (void)status;
    (void)value;
    aiol_future_observer_free(pair->observer);
    aiol_future_free(pair->future);
    pair->future = NULL;
}

static void test_p1_an_observer_may_free_itself_and_its_future(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct pair pair;

    (void)state;
    assert_int_equal(aiol_future_new(loop, NULL, NULL, &pair.future), 0);
    assert_int_equal(aiol_future_observer_new(pair.future, free_pair, &pair, &pair.observer), 0);
    assert_int_equal(aiol_future_observer_start(pair.observer), 0);
    aiol_future_set(pair.future, 0, NULL);
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_null(pair.future);
    free_loop(loop);
}

static void set_future(int status, void *data)
{
    aiol_future_set(data, status, NULL);
}

/* A thread's answer comes too late: the loop is freed, the post is told so and passes that on. */
static void
test_p2_an_observer_is_told_when_a_post_left_over_at_the_end_sets_its_future(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct notes notes = {.length = 0};
    struct watcher watcher;
    struct aiol_future future;
    struct aiol_poster *poster;

    (void)state;
    aiol_future_init(&future, loop, NULL, NULL);
    start_watchers(&watcher, 1, &future, &notes);
    assert_int_equal(aiol_poster_new(loop, &poster), 0);
    assert_int_equal(aiol_poster_post(poster, set_future, &future), 0);
    aiol_poster_release(poster);
    free_loop(loop);
    assert_string_equal(notes.text, "a");
    assert_int_equal(watcher.status, AIOL_ECLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p6_observers_are_called_in_their_order_and_never_inside_set),
        TEST(test_p2_a_result_is_set_once_and_stays),
        TEST(test_cancelling_withdraws_the_work_once_and_tells_all_who_wait),
        TEST(test_p1_closing_calls_who_still_waits_before_it_returns),
        TEST(test_p2_closing_hands_over_results_that_were_set_but_not_delivered),
        TEST(test_p1_observers_may_stop_one_another_in_their_batch),
        TEST(test_p1_observers_may_stop_one_another_inside_close),
        TEST(test_p1_an_observer_may_free_itself_and_its_future),
        TEST(test_p2_an_observer_is_told_when_a_post_left_over_at_the_end_sets_its_future),
    };

    return cmocka_run_group_tests_name("reactor/future", tests, NULL, NULL);
}
