/*
 * What tasks do. Each takes random steps inside of a scope, its guard, by which it can be cancelled
 * at the end.
 */
#include "tasks.h"

#define MAX_DEPTH 4
#define COPY_BYTES 200
#define SPIN_COUNT 200 /* more calls than a task may make without yielding */

struct copied {
    struct actor *actor;
    unsigned char bytes[COPY_BYTES];
};

static void begin_body(struct actor *self)
{
    trace("task", self->number, "begins", self->own.is_cancelled);
    if (self->has_begun)
        fault("task %d begins twice", self->number);
    self->has_begun = true;
    if (!self->task)
        self->task = aiol_task_current();
    resumed(self);
}

/* Leave something open: the library closes it, and reports it. */
static int forget_to_leave(struct actor *self, struct aiol_scope *scope, struct aiol_group *group)
{
    if (chance(2))
        expect("scope enter", self->number, aiol_scope_enter(scope, random_deadline()), 0);
    else
        expect("group open", self->number, aiol_group_open(group, AIOL_GROUP_INDEPENDENT), 0);
    return AIOL_ESCOPE;
}

static int body(void *arg)
{
    static const int results[] = {0, 0, 0, 5, -EIO, -EPIPE, -ECANCELED};
    struct actor *self = arg;
    struct aiol_scope guard, scope;
    struct aiol_group group;
    struct node node;
    int result = 0;

    begin_body(self);
    node_open(&node, self->scope, self);
    node.scope = &guard;
    self->scope = &node;
    expect("guard enter", self->number, aiol_scope_enter(&guard, AIOL_NEVER), 0);
    take_steps(self);
    node_leave(&node, 0, aiol_scope_leave(&guard, 0));

    if (!is_over())
        result = results[below(COUNT_OF(results))];
    if (!is_over() && result >= 0 && chance(8))
        actor_end(self, forget_to_leave(self, &scope, &group));
    else
        actor_end(self, result);
    return result;
}

static int body_with_copy(void *arg)
{
    struct copied *copied = arg;

    for (int i = 0; i < COPY_BYTES; i++) {
        if (copied->bytes[i] != (unsigned char)(copied->actor->number + i))
            fault("the argument of task %d was not copied", copied->actor->number);
    }
    return body(copied->actor);
}

static int spawn_in_library(struct actor *actor)
{
    struct copied copied = {.actor = actor};
    struct aiol_task **task = actor->has_handle ? &actor->task : NULL;
    struct aiol_group *group = actor->group ? actor->group->group : NULL;

    for (int i = 0; i < COPY_BYTES; i++)
        copied.bytes[i] = (unsigned char)(actor->number + i);
    if (chance(2))
        return group ? aiol_group_spawn(group, body, actor)
                     : aiol_task_spawn(world.loop, body, actor, task);
    return group ? aiol_group_spawn_copy(group, body_with_copy, &copied, sizeof copied)
                 : aiol_task_spawn_copy(world.loop, body_with_copy, &copied, sizeof copied, task);
}

void spawn(struct node *group)
{
    struct actor *actor = actor_new(group);
    int number;

    if (!actor)
        return;
    number = actor->number;
    actor->has_handle = !group && chance(2);
    trace("task", number, "is spawned", group ? group->actor->number : 0);
    if (group && group->is_cancelled) {
        note_cut(group);
        group_note_result(group, -ECANCELED);
        expect("spawn", number, spawn_in_library(actor), -ECANCELED);
        actor_free(actor);
    } else {
        actor_spawn(actor);
        expect("spawn", number, spawn_in_library(actor), 0);
    }
}

/* Often one that is awaited. */
static struct actor *some_actor_with_handle(void)
{
    struct actor *actor = &actors[below(MAX_ACTORS)];

    for (int i = 0; i < MAX_ACTORS; i++) {
        if (actors[i].number && actors[i].claimed_by && chance(2))
            actor = &actors[i];
    }
    return actor->number && actor->has_handle ? actor : NULL;
}

static void act_on_handles(void)
{
    struct actor *actor = some_actor_with_handle();

    if (!actor)
        return;
    if (chance(2)) {
        trace("task", actor->number, "is cancelled", actor->has_ended);
        if (!actor->has_ended)
            node_cancel(&actor->own);
        aiol_task_cancel(actor->task);
        return;
    }
    trace("task", actor->number, "is detached", actor->has_ended);
    expect("detach", actor->number, aiol_task_detach(actor->task), actor->claimed_by ? -EBUSY : 0);
    if (actor->claimed_by)
        return;
    actor->has_handle = false;
    if (actor->has_ended)
        actor_free(actor);
}

static void act_on_tasks(void)
{
    switch (below(4)) {
    case 0:
    case 1:
        spawn(NULL);
        break;
    case 2:
        act_on_handles();
        break;
    default:
        act_on_scopes();
    }
}

static void sleep_for_a_while(struct actor *self)
{
    uint64_t delay_ns = random_delay(), deadline_ns = later(now_ns(), delay_ns);
    bool is_absolute = chance(2);

    if (is_absolute)
        deadline_ns = random_deadline();
    trace("task", self->number, "sleeps until", (int64_t)deadline_ns);
    begin_wait(self);
    if (self->wait.is_pending && deadline_ns != AIOL_NEVER)
        alarm_arm(&self->alarm, deadline_ns);
    end_wait(self, "has slept",
             is_absolute ? aiol_await_sleep_until(deadline_ns) : aiol_await_sleep(delay_ns));
}

static void yield(struct actor *self)
{
    int rc;

    trace("task", self->number, "yields", 0);
    make_ready(self);
    rc = aiol_await_yield();
    trace("task", self->number, "has yielded", rc);
    resumed(self);
    if (self->scope->is_cancelled)
        note_cut(self->scope);
    expect("yield", self->number, rc, self->scope->is_cancelled ? -ECANCELED : 0);
}

static void await_task(struct actor *self)
{
    struct actor *other = some_actor_with_handle();
    int rc, result = 0;

    if (!other)
        return;
    trace("task", self->number, "awaits task", other->number);
    begin_wait(self);
    if (self->wait.is_pending) {
        self->wait.is_pending = false;
        if (other == self) {
            self->wait.status = -EDEADLK;
        } else if (other->claimed_by) {
            self->wait.status = -EBUSY;
        } else if (!other->has_ended) {
            other->claimed_by = self;
            self->awaits = other;
            line_join(&other->enders, &self->wait);
        }
    }
    rc = aiol_await_task(other->task, &result);
    end_wait(self, "has awaited a task", rc);
    self->awaits = NULL;
    if (rc < 0)
        return;
    expect("awaited result", other->number, result, other->result);
    actor_free(other);
}

/* A task that never has to wait starves nobody. */
static void spin(struct actor *self)
{
    bool is_anyone_else_ready = is_anyone_ready();
    uint64_t switches_before = task_switches();
    struct aiol_scope scope;
    struct node node;

    trace("task", self->number, "spins", is_anyone_else_ready);
    node_open(&node, self->scope, self);
    node.scope = &scope;
    self->scope = &node;
    node_set_deadline(&node, 0);
    expect("scope enter", self->number, aiol_scope_enter(&scope, 0), 0);
    for (int i = 0; i < SPIN_COUNT; i++) {
        note_cut(self->scope);
        expect("sleep in a cancelled scope", self->number, aiol_await_sleep(1), -ECANCELED);
        resumed(self);
    }
    if (is_anyone_else_ready && task_switches() == switches_before)
        fault("task %d starves others", self->number);
    yield(self); /* so that other steps are not made to */
    node_leave(&node, -ECANCELED, aiol_scope_leave(&scope, -ECANCELED));
}

static void step(struct actor *self)
{
    static void (*const steps[])(struct actor *) = {
        sleep_for_a_while, sleep_for_a_while, sleep_for_a_while, yield,      await_task,       spin,
        step_scope,        step_scope,        step_group,        step_group, step_wrong_leave,
    };

    steps[below(self->depth < MAX_DEPTH ? COUNT_OF(steps) : 5)](self);
}

void take_steps(struct actor *self)
{
    self->depth++;
    for (unsigned count = below(9); count > 0 && !is_over(); count--) {
        if (chance(3))
            spawn_late();
        if (chance(4))
            act();
        else
            take_step(self);
    }
    self->depth--;
}

static void begin(void)
{
    tasks_begin();
    scopes_begin();
    for (unsigned count = below(6); count > 0; count--)
        spawn(NULL);
}

static void check(void)
{
    check_tasks();
    check_scopes();
}

/* Handles of tasks that have ended may be kept: they go with the loop. */
static void end(void)
{
    for (int i = 0; i < MAX_ACTORS; i++) {
        if (actors[i].number && chance(2))
            expect("detach", actors[i].number, aiol_task_detach(actors[i].task), 0);
        actors[i].number = 0;
    }
}

const struct subject task_subject = {
    .begin = begin, .act = act_on_tasks, .step = step, .check = check, .end = end};
