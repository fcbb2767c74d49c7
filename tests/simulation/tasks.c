/*
 * The model of tasks. It knows of each what it waits for and, once that has ended, in which order
 * it is to go on; only when a descriptor wakes a task it cannot know.
 */
#include "subjects.h"

#define DEFAULT_STEPS 256
#define FEW_STEPS 64

struct actor actors[MAX_ACTORS];
static int last_number;
static uint64_t alive_count;
static uint64_t last_rank;
static unsigned batch_depth;
static const struct actor *last_resumed;
static uint64_t switch_count;
static uint64_t step_turn;  /* the last turn in which a task went on, */
static uint32_t step_count; /* and how many did */
static uint64_t seen_ns;    /* the clock when a task went on, while the loop runs freely */

void tasks_begin(void)
{
    for (int i = 0; i < MAX_ACTORS; i++)
        actors[i].number = 0;
    last_number = 0;
    alive_count = last_rank = switch_count = step_turn = seen_ns = 0;
    last_resumed = NULL;
    step_count = 0;
    batch_depth = 0;
}

void batch_begin(void)
{
    if (batch_depth++ == 0)
        last_rank++;
}

void batch_end(void)
{
    batch_depth--;
}

void make_ready(struct actor *actor)
{
    if (batch_depth == 0)
        last_rank++;
    actor->is_unordered = actor->is_ready;
    actor->is_ready = true;
    actor->rank = last_rank;
    actor->ready_turn = world.turn + (world.phase == OUTSIDE);
    actor->ready_ns = now_ns();
}

/* Who was woken when its group had no task may find one spawned since, and wait again. */
static bool is_surely_ready(const struct actor *actor)
{
    return actor->is_ready && !(actor->waits_for_group && actor->scope->running_count > 0);
}

bool is_anyone_ready(void)
{
    for (int i = 0; i < MAX_ACTORS; i++) {
        if (actors[i].number && is_surely_ready(&actors[i]))
            return true;
    }
    return false;
}

uint64_t tasks_alive(void)
{
    return alive_count;
}

void interrupt(struct actor *actor, uint64_t cancel_number)
{
    actor->interrupted_at = cancel_number;
    actor->interrupted_turn = world.turn + (world.phase == OUTSIDE);
    if (!actor->wait.is_pending || actor->waits_for_group || actor->waits_for_fd)
        return;
    alarm_disarm(&actor->alarm);
    if (actor->awaits)
        actor->awaits->claimed_by = NULL;
    actor->awaits = NULL;
    note_cut(actor->scope);
    complete(&actor->wait, -ECANCELED, 0);
}

static void cancel_everyone(void (*cancel)(struct node *))
{
    trace("loop", 0, "is deadlocked", (int64_t)alive_count);
    if (earliest_alarm_ns() != AIOL_NEVER || is_anyone_ready() || is_anything_under_way())
        fault("the loop ends although a task can be woken");
    for (int i = 0; i < MAX_ACTORS; i++) {
        if (actors[i].number && !actors[i].has_ended && !actors[i].own.parent)
            cancel(&actors[i].own);
    }
}

/* The loop runs freely, and has cancelled all tasks, since nothing can wake one any more; and when
 * it is so again, also those that are shielded from that. */
static void find_deadlock(const struct actor *self)
{
    if (!world.was_deadlocked) {
        world.was_deadlocked = true;
        cancel_everyone(node_cancel);
    }
    if (self->wait.is_pending && !self->scope->is_cancelled)
        cancel_everyone(node_cancel_all);
}

static void enter_tasks(const struct actor *self)
{
    if (!world.runs_freely) {
        enter(TASKS);
        return;
    }
    if (now_ns() > seen_ns || self->wait.is_pending)
        enter_unseen_turn();
    seen_ns = now_ns();
    if (self->wait.is_pending && !self->waits_for_fd)
        find_deadlock(self);
}

static void check_order(const struct actor *self)
{
    if (self->is_unordered || world.runs_freely)
        return;
    for (int i = 0; i < MAX_ACTORS; i++) {
        const struct actor *other = &actors[i];

        if (other->number && other->is_ready && !other->is_unordered && other->rank < self->rank)
            fault("task %d goes on before task %d", self->number, other->number);
    }
    if (step_count > world.max_steps)
        fault("more tasks go on in a turn than may");
}

void resumed(struct actor *self)
{
    enter_tasks(self);
    if (aiol_task_current() != self->task)
        fault("task %d is not the current one", self->number);
    switch_count += self != last_resumed;
    last_resumed = self;
    if (!self->is_ready)
        return;
    step_count = step_turn == world.turn ? step_count + 1 : 1;
    step_turn = world.turn;
    check_order(self);
    if (self->ready_ns != now_ns())
        fault("task %d, which was ready, goes on late", self->number);
    self->is_ready = self->is_unordered = false;
}

void begin_wait(struct actor *self)
{
    self->wait.is_pending = true;
    self->wait.status = 0;
    if (!self->scope->is_cancelled)
        return;
    note_cut(self->scope);
    self->wait.is_pending = false;
    self->wait.status = -ECANCELED;
}

void end_wait(struct actor *self, const char *what, int rc)
{
    trace("task", self->number, what, rc);
    resumed(self);
    if (self->wait.is_pending)
        fault("task %d goes on (%d) though nothing has ended its wait", self->number, rc);
    expect(what, self->number, rc, self->wait.status);
}

void begin_fd_wait(struct actor *self, struct end *end, uint32_t wanted)
{
    self->interrupted_at = 0;
    self->end = end;
    self->wanted = wanted;
    self->owed_turns = 0;
    begin_wait(self);
    self->waits_for_fd = true;
}

bool end_fd_wait(struct actor *self, int64_t rc)
{
    bool may_wait = self->wait.is_pending;

    trace("task", self->number, "has waited for a descriptor", rc);
    resumed(self);
    if (!may_wait) {
        expect("a descriptor, in a cancelled scope", self->number, rc, -ECANCELED);
    } else if (rc == -ECANCELED) {
        if (!self->scope->is_cancelled && world.runs_freely)
            find_deadlock(self);
        if (!self->scope->is_cancelled)
            fault("task %d is cut short without a cancel", self->number);
        note_fd_cut(self->scope, self->interrupted_at);
    }
    self->wait.is_pending = false;
    self->waits_for_fd = false;
    return rc == -ECANCELED;
}

uint64_t task_switches(void)
{
    return switch_count;
}

static void on_slept(struct alarm *alarm)
{
    struct actor *actor = alarm->owner;

    complete(&actor->wait, 0, 0);
}

struct actor *actor_new(struct node *group)
{
    struct actor *actor = NULL;

    for (int i = 0; i < MAX_ACTORS && !actor; i++) {
        if (actors[i].number == 0)
            actor = &actors[i];
    }
    if (!actor)
        return NULL;
    *actor = (struct actor){.number = ++last_number, .group = group};
    actor->wait.actor = actor;
    actor->alarm.fire = on_slept;
    actor->alarm.owner = actor;
    actor->scope = &actor->own;
    return actor;
}

void actor_free(struct actor *actor)
{
    actor->number = 0;
}

void actor_spawn(struct actor *actor)
{
    struct node *group = actor->group;

    node_open(&actor->own, group, actor);
    alive_count++;
    make_ready(actor);
    if (!group)
        return;
    group->running_count++;
    if (group->actor->waits_for_group && group->actor->scope == group && group->actor->is_ready)
        group->actor->is_unordered = true;
}

void actor_end(struct actor *self, int result)
{
    trace("task", self->number, "ends", result);
    batch_begin();
    self->has_ended = true;
    self->result = result;
    alive_count--;
    node_close(&self->own);
    if (self->group)
        group_task_ended(self->group, result);
    if (self->claimed_by)
        complete(&self->claimed_by->wait, 0, result);
    if (!self->has_handle)
        actor_free(self);
    batch_end();
}

/* How many turns a task that is ready may have to wait behind the others. */
static uint64_t patience(void)
{
    if (world.max_steps < DEFAULT_STEPS)
        return MAX_ACTORS / world.max_steps + 1;
    return step_turn == world.turn && step_count > FEW_STEPS;
}

/* Nobody waits for what is free. */
void check_tasks(void)
{
    for (int i = 0; i < MAX_ACTORS; i++) {
        const struct actor *actor = &actors[i];

        if (!actor->number)
            continue;
        if (is_surely_ready(actor) && world.turn > actor->ready_turn + patience())
            fault("task %d is ready, and does not go on", actor->number);
        if (actor->waits_for_fd && actor->scope->is_cancelled &&
            world.turn > actor->interrupted_turn + patience())
            fault("task %d is cancelled, and does not go on", actor->number);
        if (actor->has_handle)
            expect("task is done", actor->number, aiol_task_is_done(actor->task), actor->has_ended);
    }
}
