/* Parking: what ends a wait, and that nothing said before it is lost. A wait for a deadline is the
 * one thing here that takes real time, since a condition variable knows no other clock: a
 * millisecond, which is enough to be early in. */
#include "platform/parker.h"
#include "platform/sys.h"
#include "support.h"

#include <pthread.h>
#include <sched.h>

struct parked {
    struct aiol__parker parker;
    pthread_t thread;
    uint64_t deadline_ns;
    bool is_parked; /* these three under the lock */
    bool is_woken;
    bool has_seen_wake;
    int turns; /* how often the wait came back; the thread's, read when it has ended */
};

static void *park(void *data)
{
    struct parked *parked = data;

    aiol__parker_lock(&parked->parker);
    parked->is_parked = true;
    while (!parked->is_woken) {
        parked->turns++;
        if (!aiol__parker_wait(&parked->parker, parked->deadline_ns))
            break;
    }
    parked->has_seen_wake = parked->is_woken;
    aiol__parker_unlock(&parked->parker);
    return NULL;
}

static void begin_to_park(struct parked *parked, uint64_t deadline_ns)
{
    *parked = (struct parked){.deadline_ns = deadline_ns};
    assert_int_equal(aiol__parker_init(&parked->parker), 0);
    assert_int_equal(pthread_create(&parked->thread, NULL, park, parked), 0);
}

/* The thread had the lock and has given it up, so it waits. */
static void await_parking(struct parked *parked)
{
    bool is_parked;

    do {
        sched_yield();
        aiol__parker_lock(&parked->parker);
        is_parked = parked->is_parked;
        aiol__parker_unlock(&parked->parker);
    } while (!is_parked);
}

static void wake(struct parked *parked)
{
    aiol__parker_lock(&parked->parker);
    parked->is_woken = true;
    aiol__parker_wake(&parked->parker);
    aiol__parker_unlock(&parked->parker);
}

static void end_parking(struct parked *parked)
{
    pthread_join(parked->thread, NULL);
    aiol__parker_destroy(&parked->parker);
}

static void test_a_wake_ends_a_wait_without_a_deadline(void **state)
{
    struct parked parked;

    (void)state;
    begin_to_park(&parked, AIOL_NEVER);
    await_parking(&parked);
    wake(&parked);
    end_parking(&parked);
    assert_true(parked.has_seen_wake);
}

/* Later than any timespec reaches, and still no reason to come back at once. */
static void test_a_wake_ends_a_wait_for_a_far_deadline(void **state)
{
    struct parked parked;

    (void)state;
    begin_to_park(&parked, AIOL_NEVER - 1);
    for (int i = 0; i < 1000; i++)
        await_parking(&parked);
    wake(&parked);
    end_parking(&parked);
    assert_true(parked.has_seen_wake);
    assert_true(parked.turns <= 10); /* more than one if the system wakes it for nothing */
}

static void test_a_deadline_that_has_passed_ends_a_wait_before_it_begins(void **state)
{
    const uint64_t past_ns[] = {0, 1, aiol__sys_monotonic_ns()};
    struct aiol__parker parker;

    (void)state;
    assert_int_equal(aiol__parker_init(&parker), 0);
    aiol__parker_lock(&parker);
    for (size_t i = 0; i < COUNT_OF(past_ns); i++)
        assert_false(aiol__parker_wait(&parker, past_ns[i]));
    aiol__parker_unlock(&parker);
    aiol__parker_destroy(&parker);
}

static void test_p4_a_wait_is_not_over_before_its_deadline(void **state)
{
    struct aiol__parker parker;

    (void)state;
    assert_int_equal(aiol__parker_init(&parker), 0);
    aiol__parker_lock(&parker);
    for (int i = 0; i < 5; i++) {
        uint64_t deadline_ns = aiol__sys_monotonic_ns() + AIOL_MILLISECOND + 1;
        int turns = 0;

        while (aiol__parker_wait(&parker, deadline_ns))
            turns++;
        assert_true(aiol__sys_monotonic_ns() >= deadline_ns);
        assert_true(turns <= 10); /* it slept, and did not spin */
    }
    aiol__parker_unlock(&parker);
    aiol__parker_destroy(&parker);
}

/* Two threads hand a ball to and fro. The wake often comes before the other one waits; that one
 * then sees under the lock that it need not. */
struct table {
    struct aiol__parker parker; /* its lock is over `ball` */
    int ball;                   /* even: it is the main thread's turn */
};

#define ROUND_COUNT 1000

static void play_once(struct aiol__parker *parker, int *ball, int own_turn)
{
    aiol__parker_lock(parker);
    while (*ball % 2 != own_turn)
        aiol__parker_wait(parker, AIOL_NEVER);
    ++*ball;
    aiol__parker_wake(parker);
    aiol__parker_unlock(parker);
}

static void *play(void *data)
{
    struct table *table = data;
    struct aiol__parker *parker = &table->parker;

    for (int i = 0; i < ROUND_COUNT; i++)
        play_once(parker, &table->ball, 1);
    return NULL;
}

static void test_no_wake_is_lost_between_two_that_take_turns(void **state)
{
    static struct table table;
    struct aiol__parker *parker = &table.parker;
    pthread_t thread;

    (void)state;
    table.ball = 0;
    assert_int_equal(aiol__parker_init(parker), 0);
    assert_int_equal(pthread_create(&thread, NULL, play, &table), 0);
    for (int i = 0; i < ROUND_COUNT; i++)
        play_once(parker, &table.ball, 0);
    pthread_join(thread, NULL);
    assert_int_equal(table.ball, 2 * ROUND_COUNT);
    aiol__parker_destroy(parker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_wake_ends_a_wait_without_a_deadline),
        TEST(test_a_wake_ends_a_wait_for_a_far_deadline),
        TEST(test_a_deadline_that_has_passed_ends_a_wait_before_it_begins),
        TEST(test_p4_a_wait_is_not_over_before_its_deadline),
        TEST(test_no_wake_is_lost_between_two_that_take_turns),
    };

    return cmocka_run_group_tests_name("platform/parker", tests, NULL, NULL);
}
