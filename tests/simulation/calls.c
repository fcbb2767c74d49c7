/* Deferred calls, and hooks around the wait. */
#include "waits.h"

#include <string.h>

#define CALL_COUNT 8
#define HOOK_COUNT 4

struct deferred {
    struct aiol_deferred own;
    struct aiol_deferred *deferred; /* that one, or one of the loop's */
    struct call call;
};

struct hook {
    struct aiol_hook own;
    struct aiol_hook *hook; /* that one, or one of the loop's */
    uint32_t place;
    bool is_started;
    uint64_t number; /* of its start */
    uint64_t turn;   /* the first in which it may be called */
    uint64_t called_turn;
};

static struct deferred deferreds[CALL_COUNT];
static struct hook hooks[HOOK_COUNT];
static uint64_t last_start_number;
static uint64_t called_number[2]; /* by place: the last that was called in this turn */
static uint64_t called_turn[2];

static void on_deferred(struct aiol_deferred *deferred, void *data);
static void on_hook(struct aiol_hook *hook, void *data);

static void renew_deferred(struct deferred *deferred)
{
    bool was_allocated = deferred->deferred && deferred->deferred != &deferred->own;

    if (was_allocated)
        aiol_deferred_free(deferred->deferred);
    else if (deferred->deferred)
        aiol_deferred_stop(deferred->deferred);
    call_drop(&deferred->call);
    memset(&deferred->own, 0xdb, sizeof deferred->own);
    deferred->deferred = &deferred->own;
    if (chance(2))
        aiol_deferred_init(&deferred->own, world.loop, on_deferred, deferred);
    else
        expect("new deferred call", 0,
               aiol_deferred_new(world.loop, on_deferred, deferred, &deferred->deferred), 0);
}

static void change_deferred(struct deferred *deferred)
{
    int number = (int)(deferred - deferreds);

    switch (below(6)) {
    case 0:
        trace("deferred call", number, "is stopped", 0);
        aiol_deferred_stop(deferred->deferred);
        call_drop(&deferred->call);
        break;
    case 1:
        trace("deferred call", number, "is made anew", 0);
        renew_deferred(deferred);
        break;
    default:
        trace("deferred call", number, "is started", 0);
        call_start(&deferred->call);
        expect("deferred start", number, aiol_deferred_start(deferred->deferred), 0);
    }
}

static void on_deferred(struct aiol_deferred *aiol_deferred, void *data)
{
    struct deferred *deferred = data;
    int number = (int)(deferred - deferreds);

    trace("deferred call", number, "is made", 0);
    if (aiol_deferred != deferred->deferred)
        fault("deferred call %d is made after it was freed", number);
    call_enter(&deferred->call, "deferred call", number);
    react();
    if (!is_over() && chance(4))
        change_deferred(deferred);
}

static enum phase phase_of(const struct hook *hook)
{
    return hook->place == AIOL_HOOK_BEFORE_WAIT ? BEFORE_WAIT : AFTER_WAIT;
}

static void renew_hook(struct hook *hook)
{
    bool was_allocated = hook->hook && hook->hook != &hook->own;

    if (was_allocated)
        aiol_hook_free(hook->hook);
    else if (hook->hook)
        aiol_hook_stop(hook->hook);
    hook->is_started = false;
    memset(&hook->own, 0xdb, sizeof hook->own);
    hook->hook = &hook->own;
    hook->place = below(2);
    if (chance(2))
        aiol_hook_init(&hook->own, world.loop, hook->place, on_hook, hook);
    else
        expect("new hook", 0, aiol_hook_new(world.loop, hook->place, on_hook, hook, &hook->hook),
               0);
}

static void change_hook(struct hook *hook)
{
    int number = (int)(hook - hooks);

    switch (below(4)) {
    case 0:
        trace("hook", number, "is stopped", 0);
        aiol_hook_stop(hook->hook);
        hook->is_started = false;
        break;
    case 1:
        trace("hook", number, "is made anew", 0);
        renew_hook(hook);
        break;
    default:
        trace("hook", number, "is started", 0);
        expect("hook start", number, aiol_hook_start(hook->hook), 0);
        if (hook->is_started)
            break;
        hook->is_started = true;
        hook->number = ++last_start_number;
        hook->turn = next_turn(phase_of(hook));
        hook->called_turn = 0;
    }
}

static void on_hook(struct aiol_hook *aiol_hook, void *data)
{
    struct hook *hook = data;
    int number = (int)(hook - hooks);

    trace("hook", number, "is called", hook->place);
    enter(phase_of(hook));
    if (aiol_hook != hook->hook || !hook->is_started)
        fault("hook %d is called without having been started", number);
    if (!world.blocks)
        fault("hook %d is called in a turn that does not wait", number);
    if (hook->turn > world.turn)
        fault("hook %d is called in the turn in which it was started", number);
    if (hook->called_turn == world.turn)
        fault("hook %d is called twice in a turn", number);
    if (called_turn[hook->place] == world.turn && called_number[hook->place] > hook->number)
        fault("hook %d is called after one that was started later", number);
    hook->called_turn = called_turn[hook->place] = world.turn;
    called_number[hook->place] = hook->number;
    if (hook->place == AIOL_HOOK_BEFORE_WAIT)
        world.is_owed = false; /* it may take away what was there to read */
    react();
    if (!is_over() && chance(3))
        change_hook(&hooks[below(HOOK_COUNT)]);
}

static void begin(void)
{
    last_start_number = 0;
    called_turn[0] = called_turn[1] = 0;
    for (int i = 0; i < CALL_COUNT; i++) {
        deferreds[i] = (struct deferred){0};
        renew_deferred(&deferreds[i]);
    }
    for (int i = 0; i < HOOK_COUNT; i++) {
        hooks[i] = (struct hook){0};
        renew_hook(&hooks[i]);
    }
}

static void act_on_calls(void)
{
    if (chance(4))
        change_hook(&hooks[below(HOOK_COUNT)]);
    else
        change_deferred(&deferreds[below(CALL_COUNT)]);
}

static void check(void)
{
    for (int i = 0; i < CALL_COUNT; i++)
        expect("deferred is active", i, aiol_deferred_is_active(deferreds[i].deferred),
               deferreds[i].call.is_due);
    for (int i = 0; i < HOOK_COUNT; i++) {
        struct hook *hook = &hooks[i];

        expect("hook is active", i, aiol_hook_is_active(hook->hook), hook->is_started);
        if (world.blocks && hook->is_started && hook->turn <= world.turn &&
            hook->called_turn != world.turn)
            fault("hook %d is not called", i);
    }
}

static void stop(void)
{
    for (int i = 0; i < CALL_COUNT; i++) {
        aiol_deferred_stop(deferreds[i].deferred);
        call_drop(&deferreds[i].call);
    }
    for (int i = 0; i < HOOK_COUNT; i++) {
        aiol_hook_stop(hooks[i].hook);
        hooks[i].is_started = false;
    }
}

static void end(void)
{
    stop();
    for (int i = 0; i < CALL_COUNT; i++) {
        if (deferreds[i].deferred != &deferreds[i].own)
            aiol_deferred_free(deferreds[i].deferred);
    }
    for (int i = 0; i < HOOK_COUNT; i++) {
        if (hooks[i].hook != &hooks[i].own)
            aiol_hook_free(hooks[i].hook);
    }
}

const struct subject call_subject = {
    .begin = begin, .act = act_on_calls, .check = check, .stop = stop, .end = end};
