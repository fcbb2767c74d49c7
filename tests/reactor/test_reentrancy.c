/* What callbacks may do to the object whose end they are being told of, and a wake-up that comes
 * while posts are being delivered. */
#include "support.h"

#include <string.h>

static struct notes calls;
static struct aiol_future *future_to_end;

static void note_closed(struct aiol_future_observer *observer, int status, void *value, void *data)
{
    (void)observer, (void)value;
    note(&calls, status == AIOL_ECLOSED ? *(char *)data : '?');
}

static void note_and_free_future(struct aiol_future_observer *observer, int status, void *value,
                                 void *data)
{
    note_closed(observer, status, value, data);
    aiol_future_free(future_to_end);
}

/* What the observer frees is what is being freed, or closed, around it. */
static void check_free_in_observer(void (*end)(struct aiol_future *future))
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct aiol_future_observer first, second;

    memset(&calls, 0, sizeof calls);
    assert_int_equal(aiol_future_new(loop, NULL, NULL, &future_to_end), 0);
    aiol_future_observer_init(&first, future_to_end, note_and_free_future, "a");
    aiol_future_observer_init(&second, future_to_end, note_closed, "b");
    assert_int_equal(aiol_future_observer_start(&first), 0);
    assert_int_equal(aiol_future_observer_start(&second), 0);
    end(future_to_end);
    assert_string_equal(calls.text, "ab");
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_string_equal(calls.text, "ab");
    free_loop(loop);
}

static void test_p1_an_observer_may_free_its_future_while_that_is_being_freed(void **state)
{
    (void)state;
    check_free_in_observer(aiol_future_free);
}

static void test_p1_an_observer_may_free_its_future_while_that_is_being_closed(void **state)
{
    (void)state;
    check_free_in_observer(aiol_future_close);
}

struct closer {
    struct aiol_future future;
    struct aiol_future_observer observers[3];
};

static void close_again(struct aiol_future_observer *observer, int status, void *value, void *data)
{
    struct closer *closer = data;

    note_closed(observer, status, value, "a");
    aiol_future_close(&closer->future);
    note(&calls, '.');
    memset(closer, 0xee, sizeof *closer);
}

static void test_p1_when_an_inner_close_returns_all_observers_have_been_told(void **state)
{
    struct aiol_loop *loop = new_sim_loop(1);
    struct closer closer;

    (void)state;
    memset(&calls, 0, sizeof calls);
    aiol_future_init(&closer.future, loop, NULL, NULL);
    aiol_future_observer_init(&closer.observers[0], &closer.future, close_again, &closer);
    aiol_future_observer_init(&closer.observers[1], &closer.future, note_closed, "b");
    aiol_future_observer_init(&closer.observers[2], &closer.future, note_closed, "c");
    for (int i = 0; i < 3; i++)
        assert_int_equal(aiol_future_observer_start(&closer.observers[i]), 0);
    aiol_future_close(&closer.future);
    assert_string_equal(calls.text, "abc.");
    assert_int_equal(aiol_loop_run(loop), 0);
    assert_string_equal(calls.text, "abc.");
    free_loop(loop);
}

struct waker {
    struct aiol_poster *poster;
    int count;
    int wake_status;
};

static void wake_in_post(int status, void *data)
{
    struct waker *waker = data;

    waker->count += status == 0;
    waker->wake_status = aiol_poster_wake(waker->poster);
}

/* The loop has taken the first wake-up out of the list, but has not come to it. */
static void test_p2_a_wake_up_made_while_an_earlier_one_is_delivered_is_not_lost(void **state)
{
    struct waker waker = {.wake_status = 1};
    struct aiol_loop *loop;

    (void)state;
    begin_fake_time(AIOL_HOUR);
    loop = new_loop();
    assert_int_equal(aiol_poster_new(loop, &waker.poster), 0);
    assert_int_equal(aiol_poster_post(waker.poster, wake_in_post, &waker), 0);
    assert_int_equal(aiol_poster_wake(waker.poster), 0);
    aiol_loop_run_once(loop, AIOL_SECOND);
    assert_int_equal(waker.count, 1);
    assert_int_equal(waker.wake_status, 0);
    assert_true(aiol_loop_now_ns(loop) == AIOL_HOUR);
    aiol_loop_run_once(loop, AIOL_SECOND);
    assert_true(aiol_loop_now_ns(loop) == AIOL_HOUR); /* it did not wait */
    aiol_loop_run_once(loop, AIOL_SECOND);
    aiol_loop_run_once(loop, AIOL_SECOND);
    assert_true(aiol_loop_now_ns(loop) > AIOL_HOUR); /* and does so again */
    aiol_poster_release(waker.poster);
    free_loop(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p1_an_observer_may_free_its_future_while_that_is_being_freed),
        TEST(test_p1_an_observer_may_free_its_future_while_that_is_being_closed),
        TEST(test_p1_when_an_inner_close_returns_all_observers_have_been_told),
        TEST(test_p2_a_wake_up_made_while_an_earlier_one_is_delivered_is_not_lost),
    };

    return cmocka_run_group_tests_name("reactor/reentrancy", tests, NULL, NULL);
}
