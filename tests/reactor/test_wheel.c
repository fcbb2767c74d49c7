/* The timer wheel against a model that is too simple to be wrong: an array that is searched. */
#include "base/list.h"
#include "reactor/wheel.h"
#include "support.h"

#define TIMER_COUNT 32
#define STEP_COUNT 400
#define SEED_COUNT 300

/* What the model knows of a timer. */
struct entry {
    struct aiol_timer timer;
    bool is_armed;
    uint64_t deadline_ns;
    uint64_t order; /* of its start */
};

struct model {
    struct aiol__wheel wheel;
    struct entry entries[TIMER_COUNT];
    uint64_t now_ns;
    uint64_t next_order;
    uint64_t random_state;
    const char *fault; /* what the wheel did wrong first */
};

static uint64_t next_random(struct model *model)
{
    uint64_t x = model->random_state;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return model->random_state = x;
}

/* Of any magnitude: each level of the wheel gets its share. */
static uint64_t random_span_ns(struct model *model)
{
    unsigned shift = (unsigned)(next_random(model) % 64);

    return next_random(model) >> shift;
}

static uint64_t later_ns(uint64_t now_ns, uint64_t span_ns)
{
    return span_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + span_ns;
}

static void init_model(struct model *model, uint64_t now_ns, uint64_t seed)
{
    *model = (struct model){.now_ns = now_ns, .random_state = seed * 0x9e3779b97f4a7c15 + 1};
    aiol__wheel_init(&model->wheel, now_ns);
    for (int i = 0; i < TIMER_COUNT; i++)
        aiol_timer_init(&model->entries[i].timer, NULL, NULL, NULL);
}

static void arm(struct model *model, struct entry *entry, uint64_t deadline_ns)
{
    entry->is_armed = true;
    entry->deadline_ns = deadline_ns;
    entry->order = model->next_order++;
    aiol__wheel_arm(&model->wheel, &entry->timer, deadline_ns);
}

static void disarm(struct model *model, struct entry *entry)
{
    entry->is_armed = false;
    aiol__wheel_disarm(&model->wheel, &entry->timer);
}

static bool comes_before(const struct entry *a, const struct entry *b)
{
    if (a->deadline_ns != b->deadline_ns)
        return a->deadline_ns < b->deadline_ns;
    return a->order < b->order;
}

/* The first armed entry that was started before `order`, or NULL. */
static struct entry *first_before(struct model *model, uint64_t order)
{
    struct entry *first = NULL;

    for (int i = 0; i < TIMER_COUNT; i++) {
        struct entry *entry = &model->entries[i];

        if (entry->is_armed && entry->order < order && (!first || comes_before(entry, first)))
            first = entry;
    }
    return first;
}

static void change_something(struct model *model)
{
    struct entry *entry = &model->entries[next_random(model) % TIMER_COUNT];
    struct entry *other = &model->entries[next_random(model) % TIMER_COUNT];

    switch (next_random(model) % 8) {
    case 0:
        disarm(model, entry);
        break;
    case 1: /* the same deadline as another one */
        if (other->is_armed && other->deadline_ns >= model->now_ns)
            arm(model, entry, other->deadline_ns);
        break;
    case 2: /* push it back a little, or by far */
        if (entry->is_armed && entry->deadline_ns >= model->now_ns)
            arm(model, entry, later_ns(entry->deadline_ns, random_span_ns(model)));
        break;
    case 3:
        arm(model, entry, next_random(model) % 4 ? model->now_ns : UINT64_MAX);
        break;
    default:
        arm(model, entry, later_ns(model->now_ns, random_span_ns(model)));
    }
}

static void check_next(struct model *model)
{
    uint64_t next_ns = aiol__wheel_next_ns(&model->wheel);
    struct entry *first = first_before(model, UINT64_MAX);
    uint64_t first_ns = first ? first->deadline_ns : UINT64_MAX;

    /* How long ago something was due makes no difference to how long to wait. */
    if (next_ns < model->now_ns)
        next_ns = model->now_ns;
    if (first_ns < model->now_ns)
        first_ns = model->now_ns;
    if (next_ns > first_ns)
        model->fault = "would sleep past a deadline";
    else if (next_ns != first_ns)
        model->fault = "would wake up without need";
}

/* Fire what is due; what is armed meanwhile must wait. */
static void fire(struct model *model)
{
    uint64_t order = model->next_order;

    aiol__wheel_begin_phase(&model->wheel, model->now_ns);
    for (;;) {
        struct aiol_timer *timer = aiol__wheel_take_due(&model->wheel);
        struct entry *first = first_before(model, order);

        if (first && (first->deadline_ns > model->now_ns || first->deadline_ns == UINT64_MAX))
            first = NULL;
        if (timer != (first ? &first->timer : NULL)) {
            model->fault = !timer  ? "forgot a timer that is due"
                           : first ? "took another timer before the first one"
                                   : "took a timer that is not due";
            return;
        }
        if (!timer)
            return;
        first->is_armed = false;
        if (next_random(model) % 2)
            change_something(model);
    }
}

static void step(struct model *model)
{
    int change_count = (int)(next_random(model) % 6);
    uint64_t next_ns;

    for (int i = 0; i < change_count; i++)
        change_something(model);
    check_next(model);
    next_ns = aiol__wheel_next_ns(&model->wheel);
    switch (next_random(model) % 4) {
    case 0: /* exactly then */
        if (next_ns != UINT64_MAX && next_ns > model->now_ns)
            model->now_ns = next_ns;
        break;
    case 1: /* late */
        if (next_ns != UINT64_MAX && next_ns > model->now_ns)
            model->now_ns = later_ns(next_ns, next_random(model) % 100000);
        break;
    case 2: /* by something shorter or longer, but not all the way to the end of time */
        model->now_ns = later_ns(model->now_ns, random_span_ns(model) >> 16);
        break;
    default:
        break;
    }
    fire(model);
}

static bool is_empty_at_the_end(struct model *model)
{
    for (int i = 0; i < TIMER_COUNT; i++)
        disarm(model, &model->entries[i]);
    return model->wheel.active_count == 0 && model->wheel.occupied_levels == 0 &&
           aiol__wheel_next_ns(&model->wheel) == UINT64_MAX;
}

static void test_p4_the_wheel_agrees_with_a_sorted_model(void **state)
{
    static struct model model;

    (void)state;
    for (uint64_t seed = 1; seed <= SEED_COUNT; seed++) {
        init_model(&model, seed % 3 ? seed * 1234567 : UINT64_C(1) << (seed % 60), seed);
        for (int i = 0; i < STEP_COUNT && !model.fault; i++)
            step(&model);
        if (!model.fault && !is_empty_at_the_end(&model))
            model.fault = "is not empty when nothing is armed";
        if (model.fault)
            fail_msg("seed %llu: the wheel %s", (unsigned long long)seed, model.fault);
    }
}

/* The wheel wakes up early for crowded slots, but may not do so again and again. */
static void test_a_crowd_that_was_pushed_back_costs_few_early_wakeups(void **state)
{
    static struct aiol__wheel wheel;
    static struct aiol_timer timers[1000];
    uint64_t now_ns = 12345, deadline_ns = 10 * AIOL_HOUR + 500;
    int wakeups = 0;

    (void)state;
    aiol__wheel_init(&wheel, now_ns);
    for (size_t i = 0; i < COUNT_OF(timers); i++) {
        aiol_timer_init(&timers[i], NULL, NULL, NULL);
        aiol__wheel_arm(&wheel, &timers[i], AIOL_SECOND);
        aiol__wheel_arm(&wheel, &timers[i], deadline_ns);
    }
    while (now_ns < deadline_ns && wakeups < 1000) {
        uint64_t next_ns = aiol__wheel_next_ns(&wheel);

        assert_true(next_ns <= deadline_ns);
        if (next_ns > now_ns)
            now_ns = next_ns;
        aiol__wheel_begin_phase(&wheel, now_ns);
        if (now_ns < deadline_ns)
            assert_null(aiol__wheel_take_due(&wheel));
        wakeups++;
    }
    assert_in_range(wakeups, 1, 2 * AIOL__WHEEL_LEVELS);
    for (size_t i = 0; i < COUNT_OF(timers); i++)
        assert_ptr_equal(aiol__wheel_take_due(&wheel), &timers[i]);
    assert_null(aiol__wheel_take_due(&wheel));
    assert_int_equal(wheel.active_count, 0);
}

/* A timer pushed back stays in its old slot; one that comes between must not be overtaken by it. */
static void test_p4_a_timer_pushed_back_keeps_its_place_in_a_late_phase(void **state)
{
    static struct aiol__wheel wheel;
    struct aiol_timer pushed, between;

    (void)state;
    aiol__wheel_init(&wheel, 0);
    aiol_timer_init(&pushed, NULL, NULL, NULL);
    aiol_timer_init(&between, NULL, NULL, NULL);
    aiol__wheel_arm(&wheel, &pushed, 10 * AIOL_MICROSECOND);
    aiol__wheel_arm(&wheel, &between, 20 * AIOL_MICROSECOND);
    aiol__wheel_arm(&wheel, &pushed, 30 * AIOL_MICROSECOND);

    aiol__wheel_begin_phase(&wheel, AIOL_MILLISECOND);
    assert_ptr_equal(aiol__wheel_take_due(&wheel), &between);
    assert_ptr_equal(aiol__wheel_take_due(&wheel), &pushed);
    assert_null(aiol__wheel_take_due(&wheel));
}

/* Timers that lie together in one slot of the second level, [65.5, 131) microseconds after 0. */
struct crowd {
    struct aiol__wheel wheel;
    struct aiol_timer timers[5];
    struct notes fired;
};

static void arm_crowd(struct crowd *crowd, const uint64_t *deadlines_us, size_t count)
{
    *crowd = (struct crowd){.fired = {.length = 0}};
    aiol__wheel_init(&crowd->wheel, 0);
    for (size_t i = 0; i < count; i++) {
        aiol_timer_init(&crowd->timers[i], NULL, NULL, NULL);
        aiol__wheel_arm(&crowd->wheel, &crowd->timers[i], deadlines_us[i] * AIOL_MICROSECOND);
    }
}

/* Take the first `most` of those that are due; "ab" were the first two timers. */
static const char *take_some(struct crowd *crowd, int most)
{
    struct aiol_timer *timer;

    for (int i = 0; i < most; i++) {
        timer = aiol__wheel_take_due(&crowd->wheel);
        if (!timer)
            break;
        note(&crowd->fired, (char)('a' + (timer - crowd->timers)));
    }
    return crowd->fired.text;
}

static const char *fire_crowd(struct crowd *crowd, uint64_t now_us)
{
    aiol__wheel_begin_phase(&crowd->wheel, now_us * AIOL_MICROSECOND);
    return take_some(crowd, 10);
}

static void test_p4_a_slot_in_order_is_fired_as_far_as_it_is_due(void **state)
{
    static struct crowd crowd;

    (void)state;
    arm_crowd(&crowd, (const uint64_t[]){70, 80, 80, 90, 130}, 5);
    assert_string_equal(fire_crowd(&crowd, 69), "");
    assert_string_equal(fire_crowd(&crowd, 80), "abc");
    assert_true(aiol__wheel_next_ns(&crowd.wheel) == 90 * AIOL_MICROSECOND);
    /* What is armed now comes in between. */
    aiol__wheel_arm(&crowd.wheel, &crowd.timers[0], 100 * AIOL_MICROSECOND);
    assert_string_equal(fire_crowd(&crowd, 95), "abcd");
    assert_true(aiol__wheel_next_ns(&crowd.wheel) == 100 * AIOL_MICROSECOND);
    assert_string_equal(fire_crowd(&crowd, 1000), "abcdae");
    assert_int_equal(crowd.wheel.occupied_levels, 0);
}

/* What is left of the one slot that they are in is not looked at again in the same phase. */
static void test_p4_the_slot_of_this_moment_is_fired_as_far_as_it_is_due(void **state)
{
    static struct aiol__wheel wheel;
    struct aiol_timer timers[3];
    const uint64_t deadlines_ns[] = {70000, 70100, 70200}; /* in one tick */

    (void)state;
    aiol__wheel_init(&wheel, 0);
    for (size_t i = 0; i < COUNT_OF(timers); i++) {
        aiol_timer_init(&timers[i], NULL, NULL, NULL);
        aiol__wheel_arm(&wheel, &timers[i], deadlines_ns[i]);
    }
    for (size_t i = 0; i < COUNT_OF(timers); i++) {
        aiol__wheel_begin_phase(&wheel, deadlines_ns[i]);
        assert_ptr_equal(aiol__wheel_take_due(&wheel), &timers[i]);
        assert_null(aiol__wheel_take_due(&wheel));
    }
    assert_int_equal(wheel.active_count, 0);
}

/* Its list is walked from both ends, which meet at one timer or between two. */
static void test_p4_a_slot_in_disorder_is_fired_in_order(void **state)
{
    static struct crowd crowd;

    (void)state;
    arm_crowd(&crowd, (const uint64_t[]){80, 70}, 2);
    assert_string_equal(fire_crowd(&crowd, 1000), "ba");
    arm_crowd(&crowd, (const uint64_t[]){80, 90, 70}, 3);
    assert_string_equal(fire_crowd(&crowd, 1000), "cab");
    arm_crowd(&crowd, (const uint64_t[]){80, 70, 80, 70}, 4);
    assert_string_equal(fire_crowd(&crowd, 1000), "bdac");
    arm_crowd(&crowd, (const uint64_t[]){80, 100, 90, 70, 100}, 5);
    assert_string_equal(fire_crowd(&crowd, 1000), "dacbe");
    assert_int_equal(crowd.wheel.occupied_levels, 0);
}

static void test_p4_a_timer_pushed_back_disorders_a_slot_of_any_level(void **state)
{
    static struct crowd crowd;

    (void)state;
    arm_crowd(&crowd, (const uint64_t[]){70, 80, 80, 90}, 4);
    aiol__wheel_arm(&crowd.wheel, &crowd.timers[0], 85 * AIOL_MICROSECOND);
    aiol__wheel_arm(&crowd.wheel, &crowd.timers[1], 80 * AIOL_MICROSECOND);
    assert_string_equal(fire_crowd(&crowd, 1000), "cbad");
}

/* Those that are due and have not had their turn can be moved and disarmed as any other. */
static void test_p4_timers_are_changed_while_their_slot_is_fired(void **state)
{
    static struct crowd crowd;

    (void)state;
    arm_crowd(&crowd, (const uint64_t[]){70, 80, 90, 100, 110}, 5);
    aiol__wheel_begin_phase(&crowd.wheel, 120 * AIOL_MICROSECOND);
    assert_string_equal(take_some(&crowd, 1), "a");
    aiol__wheel_arm(&crowd.wheel, &crowd.timers[0], 75 * AIOL_MICROSECOND);  /* in the past */
    aiol__wheel_arm(&crowd.wheel, &crowd.timers[1], 125 * AIOL_MICROSECOND); /* back */
    aiol__wheel_disarm(&crowd.wheel, &crowd.timers[2]);
    aiol__wheel_arm(&crowd.wheel, &crowd.timers[4], 74 * AIOL_MICROSECOND); /* forward */
    assert_string_equal(take_some(&crowd, 10), "ad");
    assert_string_equal(fire_crowd(&crowd, 120), "adea");
    assert_true(aiol__wheel_next_ns(&crowd.wheel) == 125 * AIOL_MICROSECOND);
    assert_string_equal(fire_crowd(&crowd, 125), "adeab");
    assert_int_equal(crowd.wheel.active_count, 0);
    assert_int_equal(crowd.wheel.occupied_levels, 0);
}

static void test_the_wheel_starts_anywhere_in_the_range_of_the_clock(void **state)
{
    static struct aiol__wheel wheel;
    const uint64_t starts_ns[] = {0, 1023, 1024, UINT64_C(1) << 52, UINT64_MAX - 3 * AIOL_SECOND};
    struct aiol_timer timer;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(starts_ns); i++) {
        uint64_t deadline_ns = starts_ns[i] + AIOL_SECOND + 1;

        aiol__wheel_init(&wheel, starts_ns[i]);
        aiol_timer_init(&timer, NULL, NULL, NULL);
        aiol__wheel_arm(&wheel, &timer, deadline_ns);
        assert_true(aiol__wheel_next_ns(&wheel) == deadline_ns);
        aiol__wheel_begin_phase(&wheel, deadline_ns - 1);
        assert_null(aiol__wheel_take_due(&wheel));
        aiol__wheel_begin_phase(&wheel, deadline_ns);
        assert_ptr_equal(aiol__wheel_take_due(&wheel), &timer);
    }
}

static void test_p4_a_timer_that_is_never_due_does_not_fire_at_the_end_of_time(void **state)
{
    static struct aiol__wheel wheel;
    struct aiol_timer never, last;

    (void)state;
    aiol__wheel_init(&wheel, 0);
    aiol_timer_init(&never, NULL, NULL, NULL);
    aiol_timer_init(&last, NULL, NULL, NULL);
    aiol__wheel_arm(&wheel, &never, AIOL_NEVER);
    aiol__wheel_arm(&wheel, &last, AIOL_NEVER - 1);
    aiol__wheel_begin_phase(&wheel, AIOL_NEVER);
    assert_ptr_equal(aiol__wheel_take_due(&wheel), &last);
    assert_null(aiol__wheel_take_due(&wheel));
    assert_int_equal(wheel.active_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_p4_the_wheel_agrees_with_a_sorted_model),
        TEST(test_a_crowd_that_was_pushed_back_costs_few_early_wakeups),
        TEST(test_p4_a_timer_pushed_back_keeps_its_place_in_a_late_phase),
        TEST(test_p4_a_slot_in_order_is_fired_as_far_as_it_is_due),
        TEST(test_p4_the_slot_of_this_moment_is_fired_as_far_as_it_is_due),
        TEST(test_p4_a_slot_in_disorder_is_fired_in_order),
        TEST(test_p4_a_timer_pushed_back_disorders_a_slot_of_any_level),
        TEST(test_p4_timers_are_changed_while_their_slot_is_fired),
        TEST(test_the_wheel_starts_anywhere_in_the_range_of_the_clock),
        TEST(test_p4_a_timer_that_is_never_due_does_not_fire_at_the_end_of_time),
    };

    return cmocka_run_group_tests_name("reactor/wheel", tests, NULL, NULL);
}
