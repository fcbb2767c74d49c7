/* The timer wheel; wheel.h explains it. */
#include "reactor/wheel.h"
#include "base/list.h"

#define TICK_BITS 10
#define DIGIT_BITS 6
/* How many timers of a slot to look through for the earliest, before rather waking up once too
 * early. */
#define SCAN_LIMIT 32

struct slot_place {
    unsigned level;
    unsigned digit;
};

static struct aiol_timer *timer_of(struct aiol__list *node)
{
    return container_of(node, struct aiol_timer, node);
}

static uint64_t tick_of(uint64_t time_ns)
{
    return time_ns >> TICK_BITS;
}

void aiol__wheel_init(struct aiol__wheel *wheel, uint64_t now_ns)
{
    *wheel = (struct aiol__wheel){.tick = tick_of(now_ns)};
    aiol__list_init(&wheel->due);
    aiol__list_init(&wheel->never);
    for (unsigned level = 0; level < AIOL__WHEEL_LEVELS; level++) {
        for (unsigned digit = 0; digit < AIOL__WHEEL_SLOTS; digit++)
            aiol__list_init(&wheel->slots[level][digit]);
    }
}

static bool comes_before(const struct aiol_timer *a, const struct aiol_timer *b)
{
    if (a->deadline_ns != b->deadline_ns)
        return a->deadline_ns < b->deadline_ns;
    return a->sequence < b->sequence;
}

/* Put a timer in the slot of its deadline, or of `first_tick` if that is later. */
static void place(struct aiol__wheel *wheel, struct aiol_timer *timer, uint64_t first_tick)
{
    uint64_t tick = tick_of(timer->deadline_ns);
    struct aiol__list *slot;
    uint64_t difference;
    unsigned level, digit;

    if (timer->deadline_ns == AIOL_NEVER) {
        aiol__list_append(&wheel->never, &timer->node);
        return;
    }
    if (tick < first_tick)
        tick = first_tick;
    difference = tick ^ wheel->tick;
    level = difference ? (63 - (unsigned)__builtin_clzll(difference)) / DIGIT_BITS : 0;
    digit = (unsigned)(tick >> (level * DIGIT_BITS)) % AIOL__WHEEL_SLOTS;
    slot = &wheel->slots[level][digit];
    if (!aiol__list_is_empty(slot) && comes_before(timer, timer_of(slot->prev)))
        wheel->disordered[level] |= UINT64_C(1) << digit;
    aiol__list_append(slot, &timer->node);
    timer->level = (uint8_t)level;
    timer->digit = (uint8_t)digit;
    wheel->occupied[level] |= UINT64_C(1) << digit;
    wheel->occupied_levels |= UINT32_C(1) << level;
}

static void mark_empty(struct aiol__wheel *wheel, unsigned level, unsigned digit)
{
    wheel->occupied[level] &= ~(UINT64_C(1) << digit);
    wheel->disordered[level] &= ~(UINT64_C(1) << digit);
    if (wheel->occupied[level] == 0)
        wheel->occupied_levels &= ~(UINT32_C(1) << level);
}

static void unlink_timer(struct aiol__wheel *wheel, struct aiol_timer *timer)
{
    struct aiol__list *neighbour = timer->node.next;
    bool is_alone = neighbour == timer->node.prev; /* then that is the head of its list */

    aiol__list_remove(&timer->node);
    if (is_alone && neighbour != &wheel->due && neighbour != &wheel->never) {
        unsigned index = (unsigned)(neighbour - &wheel->slots[0][0]);

        mark_empty(wheel, index / AIOL__WHEEL_SLOTS, index % AIOL__WHEEL_SLOTS);
    }
}

void aiol__wheel_arm(struct aiol__wheel *wheel, struct aiol_timer *timer, uint64_t deadline_ns)
{
    uint64_t old_deadline_ns = timer->deadline_ns;

    timer->deadline_ns = deadline_ns;
    timer->sequence = wheel->next_number++;
    if (timer->is_armed && deadline_ns >= old_deadline_ns) {
        wheel->disordered[timer->level] |= UINT64_C(1) << timer->digit;
        return;
    }
    if (timer->is_armed)
        unlink_timer(wheel, timer);
    else
        wheel->active_count++;
    timer->is_armed = true;
    place(wheel, timer, wheel->tick);
}

void aiol__wheel_disarm(struct aiol__wheel *wheel, struct aiol_timer *timer)
{
    if (!timer->is_armed)
        return;
    unlink_timer(wheel, timer);
    timer->is_armed = false;
    wheel->active_count--;
}

static struct slot_place first_slot(const struct aiol__wheel *wheel)
{
    unsigned level = (unsigned)__builtin_ctz(wheel->occupied_levels);
    unsigned digit = (unsigned)__builtin_ctzll(wheel->occupied[level]);

    return (struct slot_place){.level = level, .digit = digit};
}

/* The tick at which a slot comes up: the position's digits above its level, its own, then zeroes.
 */
static uint64_t slot_tick(const struct aiol__wheel *wheel, struct slot_place slot)
{
    unsigned shift = slot.level * DIGIT_BITS;
    uint64_t above = wheel->tick >> shift >> DIGIT_BITS << DIGIT_BITS << shift;

    return above | (uint64_t)slot.digit << shift;
}

static void empty_slot(struct aiol__wheel *wheel, struct slot_place slot,
                       struct aiol__list *ret_timers)
{
    aiol__list_init(ret_timers);
    aiol__list_splice(ret_timers, &wheel->slots[slot.level][slot.digit]);
    mark_empty(wheel, slot.level, slot.digit);
}

/* Of a slot in disorder, so that their order does not matter. Most of the time goes by waiting for
 * memory, link by link: so this walks from both ends, in turns. */
static void place_all(struct aiol__wheel *wheel, struct aiol__list *timers)
{
    bool at_front = true;

    while (!aiol__list_is_empty(timers)) {
        struct aiol__list *node = at_front ? timers->next : timers->prev;

        aiol__list_remove(node);
        __builtin_prefetch(at_front ? timers->next : timers->prev);
        place(wheel, timer_of(node), wheel->tick);
        at_front = !at_front;
    }
}

/* The earliest deadline of some timers. False when there are too many to look through; on the
 * lowest level all are, since its beginning may be now, and would not let time pass. */
static bool find_earliest(const struct aiol__list *timers, unsigned level, uint64_t *ret_ns)
{
    unsigned scanned = 0;

    *ret_ns = AIOL_NEVER;
    for (struct aiol__list *node = timers->next; node != timers; node = node->next) {
        if (++scanned > SCAN_LIMIT && level > 0)
            return false;
        if (timer_of(node)->deadline_ns < *ret_ns)
            *ret_ns = timer_of(node)->deadline_ns;
    }
    return true;
}

static uint64_t next_in_slots_ns(struct aiol__wheel *wheel)
{
    while (wheel->occupied_levels) {
        struct slot_place slot = first_slot(wheel);
        struct aiol__list *timers = &wheel->slots[slot.level][slot.digit];
        uint64_t start_tick = slot_tick(wheel, slot);
        uint64_t last_tick = start_tick + (UINT64_C(1) << (slot.level * DIGIT_BITS)) - 1;
        struct aiol__list postponed;
        uint64_t earliest_ns;

        if (!find_earliest(timers, slot.level, &earliest_ns))
            return start_tick << TICK_BITS;
        if (tick_of(earliest_ns) <= last_tick)
            return earliest_ns;
        /* All of them were pushed back: now is the time to put them in their places. */
        empty_slot(wheel, slot, &postponed);
        place_all(wheel, &postponed);
    }
    return AIOL_NEVER;
}

uint64_t aiol__wheel_next_ns(struct aiol__wheel *wheel)
{
    uint64_t next_ns = next_in_slots_ns(wheel), due_ns;

    /* In a timer's callback: what is left of the slot that is being fired. */
    if (!find_earliest(&wheel->due, 1, &due_ns))
        due_ns = wheel->tick << TICK_BITS;
    return due_ns < next_ns ? due_ns : next_ns;
}

/* Merge two chains (linked by `next`, ended by NULL) that are in order. */
static struct aiol__list *merge(struct aiol__list *a, struct aiol__list *b)
{
    struct aiol__list head, *tail = &head;

    while (a && b) {
        struct aiol__list **smaller = comes_before(timer_of(b), timer_of(a)) ? &b : &a;

        tail->next = *smaller;
        tail = *smaller;
        *smaller = (*smaller)->next;
    }
    tail->next = a ? a : b;
    return head.next;
}

/* Merge sort from the bottom up: runs[i] is empty or a chain of 2^i timers in order. */
static void sort(struct aiol__list *timers)
{
    struct aiol__list *runs[64] = {NULL};
    struct aiol__list *chain = NULL, *node;
    unsigned top = 0;

    while ((node = aiol__list_take_first(timers)) != NULL) {
        unsigned i = 0;

        node->next = NULL;
        for (; runs[i]; i++) {
            node = merge(runs[i], node);
            runs[i] = NULL;
        }
        runs[i] = node;
        if (i > top)
            top = i;
    }
    for (unsigned i = 0; i <= top; i++)
        chain = merge(runs[i], chain);
    while (chain) {
        struct aiol__list *next = chain->next;

        aiol__list_append(timers, chain);
        chain = next;
    }
}

static bool is_due(const struct aiol__wheel *wheel, const struct aiol_timer *timer)
{
    return timer->deadline_ns <= wheel->phase_ns && timer->sequence < wheel->phase_number;
}

/* Move what is due from a slot of the lowest level to wheel->due, in order, and the rest where it
 * belongs. */
static void collect_due(struct aiol__wheel *wheel, struct aiol__list *timers)
{
    uint64_t now_tick = tick_of(wheel->phase_ns);
    struct aiol_timer *latest = NULL;
    bool is_sorted = true;
    struct aiol__list *node;

    while ((node = aiol__list_take_first(timers)) != NULL) {
        struct aiol_timer *timer = timer_of(node);

        /* Pushed back: others may come before it, also in this phase. */
        if (tick_of(timer->deadline_ns) > wheel->tick) {
            place(wheel, timer, wheel->tick);
            continue;
        }
        if (!is_due(wheel, timer)) {
            place(wheel, timer, now_tick);
            continue;
        }
        aiol__list_append(&wheel->due, node);
        is_sorted = is_sorted && !(latest && comes_before(timer, latest));
        latest = timer;
    }
    if (!is_sorted)
        sort(&wheel->due);
}

void aiol__wheel_begin_phase(struct aiol__wheel *wheel, uint64_t now_ns)
{
    wheel->phase_ns = now_ns;
    wheel->phase_number = wheel->next_number;
}

/* Advance to the next slot that has something due, if there is one. */
static void refill_due(struct aiol__wheel *wheel)
{
    uint64_t now_tick = tick_of(wheel->phase_ns);

    while (aiol__list_is_empty(&wheel->due) && wheel->occupied_levels) {
        struct slot_place slot = first_slot(wheel);
        bool is_ordered = !(wheel->disordered[slot.level] >> slot.digit & 1);
        struct aiol__list timers;
        bool is_now;

        if (slot_tick(wheel, slot) > now_tick)
            break;
        wheel->tick = slot_tick(wheel, slot);
        is_now = slot.level == 0 && wheel->tick == now_tick;
        empty_slot(wheel, slot, &timers);
        /* In order, on whichever level: looked at when it is their turn, since looking at many
         * takes longer than the rest. */
        if (is_ordered && !is_now)
            aiol__list_splice(&wheel->due, &timers);
        else if (slot.level > 0)
            place_all(wheel, &timers);
        else
            collect_due(wheel, &timers);
        /* What is left in the slot of this very moment is not due: do not look at it again. */
        if (is_now)
            return;
    }
    if (aiol__list_is_empty(&wheel->due) && wheel->tick < now_tick)
        wheel->tick = now_tick;
}

struct aiol_timer *aiol__wheel_take_due(struct aiol__wheel *wheel)
{
    struct aiol__list *node;

    if (wheel->active_count == 0) {
        wheel->tick = tick_of(wheel->phase_ns);
        return NULL;
    }
    for (;;) {
        struct aiol_timer *timer;

        if (aiol__list_is_empty(&wheel->due))
            refill_due(wheel);
        node = aiol__list_take_first(&wheel->due);
        if (!node)
            return NULL;
        timer = timer_of(node);
        if (is_due(wheel, timer)) {
            timer->is_armed = false;
            wheel->active_count--;
            return timer;
        }
        /* Pushed back meanwhile, or not due when its slot was begun. */
        place(wheel, timer, tick_of(wheel->phase_ns));
    }
}
