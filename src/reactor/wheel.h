/*
 * The timer wheel: nine levels of 64 slots over ticks of 1024 ns, which is exactly the range of
 * 64-bit nanoseconds, so that no deadline needs a special case.
 *
 *     tick of a deadline:  | 6 bits | 6 bits | ... | 6 bits | 10 bits dropped |
 *                           level 8  level 7        level 0
 *
 * A timer lies on the level of the highest digit in which its tick differs from the wheel's
 * position, in the slot of that digit. So everything on one level comes before everything on the
 * next, and the lowest bit of the lowest occupied level is where the next timer is.
 *
 * When the position reaches a slot whose timers are in order, they are fired from there, whatever
 * its level; what of them is not due then goes to the levels below. A slot in disorder is spread
 * over the levels below it, and sorted on the lowest.
 *
 * A slot promises only that none of its timers is due before it comes up. Pushing a deadline back
 * is therefore a store: the timer is put in its right place when its old slot comes up, or when its
 * turn comes among those that are due.
 */
#ifndef AIOL__REACTOR_WHEEL_H
#define AIOL__REACTOR_WHEEL_H

#include <aiol/timer.h>

#include <stdbool.h>

#define AIOL__WHEEL_LEVELS 9
#define AIOL__WHEEL_SLOTS 64

struct aiol__wheel {
    uint64_t tick;         /* the position: no slot before it is occupied */
    uint64_t phase_ns;     /* while timers fire: what is due by then */
    uint64_t phase_number; /* and was started before it began */
    uint64_t next_number;
    uint64_t active_count;
    uint32_t occupied_levels;
    uint64_t occupied[AIOL__WHEEL_LEVELS];
    uint64_t disordered[AIOL__WHEEL_LEVELS]; /* slots whose timers may not be in order */
    struct aiol__list due;                   /* taken from the slot that is being fired, in order */
    struct aiol__list never;                 /* armed without a deadline: in no slot */
    struct aiol__list slots[AIOL__WHEEL_LEVELS][AIOL__WHEEL_SLOTS];
};

void aiol__wheel_init(struct aiol__wheel *wheel, uint64_t now_ns);

/* Arm at `deadline_ns`; an armed timer is moved. */
void aiol__wheel_arm(struct aiol__wheel *wheel, struct aiol_timer *timer, uint64_t deadline_ns);
void aiol__wheel_disarm(struct aiol__wheel *wheel, struct aiol_timer *timer);

/* A lower bound for the earliest deadline, exact but for crowded slots; AIOL_NEVER when there is
 * none. */
uint64_t aiol__wheel_next_ns(struct aiol__wheel *wheel);

/* Fire: begin a phase, then take the timers that are due by `now_ns`, one by one in exact order,
 * until NULL. Timers armed meanwhile wait for the next phase. What is taken is disarmed. */
void aiol__wheel_begin_phase(struct aiol__wheel *wheel, uint64_t now_ns);
struct aiol_timer *aiol__wheel_take_due(struct aiol__wheel *wheel);

#endif
