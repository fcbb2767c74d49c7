/*
 * Scopes and groups. The model keeps all nodes of the tree in an array, in the order in which they
 * were opened, and finds what is below one by asking each for its parents.
 */
#include "tasks.h"

#define MAX_NODES 160

static struct node *nodes[MAX_NODES];
static int node_count;
static uint64_t cancel_count;

void scopes_begin(void)
{
    node_count = 0;
    cancel_count = 0;
}

static void on_deadline(struct alarm *alarm);

void node_open(struct node *node, struct node *parent, struct actor *actor)
{
    *node = (struct node){.parent = parent, .actor = actor};
    node->deadline.fire = on_deadline;
    node->deadline.owner = node;
    node->is_cancelled = parent && parent->is_cancelled;
    if (node_count == MAX_NODES)
        fault("the test has too few scopes");
    else
        nodes[node_count++] = node;
}

void node_close(struct node *node)
{
    int place = 0;

    alarm_disarm(&node->deadline);
    while (nodes[place] != node)
        place++;
    node_count--;
    for (; place < node_count; place++)
        nodes[place] = nodes[place + 1];
}

/* Is what cancels `root` what cancels `node` too? */
static bool is_reached(const struct node *node, const struct node *root, bool with_shields)
{
    while (node && node != root && (with_shields || !node->is_shielded))
        node = node->parent;
    return node == root;
}

static void cancel_tree(struct node *root, bool with_shields)
{
    cancel_count++;
    if (!root->is_requested)
        root->requested_at = cancel_count;
    root->is_requested = true;
    batch_begin();
    for (int i = 0; i < node_count; i++) {
        struct node *node = nodes[i];

        if (node->is_cancelled || !is_reached(node, root, with_shields))
            continue;
        node->is_cancelled = true;
        if (node->actor->scope == node)
            interrupt(node->actor, cancel_count);
    }
    batch_end();
}

void node_cancel(struct node *root)
{
    cancel_tree(root, false);
}

void node_cancel_all(struct node *root)
{
    cancel_tree(root, true);
}

static void expire(struct node *node)
{
    if (node->is_requested)
        return;
    node->has_expired = true;
    node_cancel(node);
}

static void on_deadline(struct alarm *alarm)
{
    expire(alarm->owner);
}

void node_set_deadline(struct node *node, uint64_t deadline_ns)
{
    alarm_disarm(&node->deadline);
    if (deadline_ns <= now_ns())
        expire(node);
    else if (deadline_ns != AIOL_NEVER)
        alarm_arm(&node->deadline, deadline_ns);
}

/* The one whose cancel reaches what this one reaches; NULL when there is none. */
static struct node *above(const struct node *node)
{
    return node->is_shielded ? NULL : node->parent;
}

void note_cut(struct node *node)
{
    for (; node; node = above(node))
        node->was_cut |= node->is_requested;
}

void note_fd_cut(struct node *node, uint64_t interrupted_at)
{
    for (; node; node = above(node)) {
        if (node->is_requested && node->requested_at <= interrupted_at)
            node->was_cut = true;
        else if (node->is_requested)
            node->may_be_cut = true;
    }
}

void node_leave(struct node *node, int result, int actual)
{
    bool may_time_out = result == -ECANCELED && node->has_expired &&
                        (node->is_shielded || !node->parent->is_cancelled);
    int number = node->actor->number;

    trace("task", number, node->group ? "leaves a group" : "leaves a scope", actual);
    if (may_time_out && node->may_be_cut && !node->was_cut && actual == -ETIMEDOUT)
        result = -ETIMEDOUT;
    else if (may_time_out && node->was_cut)
        result = -ETIMEDOUT;
    expect("a scope's result, task", number, actual, result);
    node->actor->scope = node->parent;
    node_close(node);
}

/* The one that says most: failures outrank -ECANCELED, which outranks success; else the first. */
void group_note_result(struct node *node, int result)
{
    if (result < 0 && (node->result == 0 || (node->result == -ECANCELED && result != -ECANCELED)))
        node->result = result;
    if (result < 0 && result != -ECANCELED && node->policy == AIOL_GROUP_CANCEL_ALL)
        node_cancel(node);
}

void group_task_ended(struct node *node, int result)
{
    node->running_count--;
    group_note_result(node, result);
    if (node->running_count > 0)
        return;
    if (node->awaiters.count > 0)
        complete(line_first(&node->awaiters), 0, 0);
    else if (node->actor->waits_for_group && node->actor->scope == node && node->actor->is_ready)
        make_ready(node->actor); /* anew, if it was found to have to wait again */
}

/* A scope or group that is open, of any task; or NULL. */
static struct node *some_node(void)
{
    struct node *node = node_count ? nodes[below((unsigned)node_count)] : NULL;

    return node && (node->scope || node->group) ? node : NULL;
}

void spawn_late(void)
{
    for (int i = 0; i < node_count; i++) {
        if (nodes[i]->group && nodes[i]->actor->waits_for_group && nodes[i]->running_count == 0) {
            spawn(nodes[i]);
            return;
        }
    }
}

static void set_group_deadline(struct node *node)
{
    uint64_t deadline_ns = random_deadline();

    trace("group", node->actor->number, "is given a deadline", (int64_t)deadline_ns);
    node_set_deadline(node, deadline_ns);
    expect("group deadline", node->actor->number, aiol_group_set_deadline(node->group, deadline_ns),
           0);
}

static void set_scope_deadline(struct node *node)
{
    uint64_t deadline_ns = chance(3) ? AIOL_NEVER : random_deadline();

    trace("scope", node->actor->number, "is given a deadline", (int64_t)deadline_ns);
    node_set_deadline(node, deadline_ns);
    expect("scope deadline", node->actor->number, aiol_scope_set_deadline(node->scope, deadline_ns),
           0);
}

static void cancel(struct node *node)
{
    trace(node->scope ? "scope" : "group", node->actor->number, "is cancelled", 0);
    node_cancel(node);
    if (node->scope)
        aiol_scope_cancel(node->scope);
    else
        aiol_group_cancel(node->group);
}

void cancel_scope_of(struct actor *actor)
{
    cancel(actor->scope);
}

void act_on_scopes(void)
{
    struct node *node = some_node();

    if (!node)
        return;
    if (chance(3)) {
        cancel(node);
    } else if (node->group && chance(3)) {
        set_group_deadline(node);
    } else if (node->group) {
        spawn(node);
    } else {
        set_scope_deadline(node);
    }
}

void cancel_all_scopes(void)
{
    for (int i = 0; i < node_count; i++) {
        if (!nodes[i]->scope ||
            (nodes[i]->parent != &nodes[i]->actor->own && !nodes[i]->is_shielded))
            continue;
        node_cancel(nodes[i]);
        aiol_scope_cancel(nodes[i]->scope);
    }
}

void check_scopes(void)
{
    for (int i = 0; i < node_count; i++) {
        struct node *node = nodes[i];
        int number = node->actor->number;

        if (node->scope)
            expect("scope is cancelled, task", number, aiol_scope_is_cancelled(node->scope),
                   node->is_cancelled);
        if (node->group)
            expect("running in group, task", number, (int64_t)aiol_group_running_count(node->group),
                   node->running_count);
    }
}

static int random_result(void)
{
    static const int results[] = {0, 7, -EIO, -ECANCELED, -ECANCELED};

    return results[below(COUNT_OF(results))];
}

/* What a scope's leaving has to call. */
struct clean_ups {
    struct actor *actor;
    struct aiol_cleanup cleanups[3];
    int left;
};

static void clean_up(void *data)
{
    struct clean_ups *expected = data;

    trace("task", expected->actor->number, "cleans up", expected->left);
    expect("sleep in a clean-up", expected->actor->number, aiol_await_sleep(1), AIOL_ENOTASK);
    expected->left--;
}

static void never_clean_up(void *data)
{
    (void)data;
    fault("a clean-up is called that was taken back");
}

static void add_clean_ups(struct clean_ups *expected, struct actor *self, struct aiol_scope *scope)
{
    struct aiol_cleanup *unwanted = &expected->cleanups[1];

    *expected = (struct clean_ups){.actor = self, .left = 2};
    aiol_scope_add_cleanup(scope, &expected->cleanups[0], clean_up, expected);
    aiol_scope_add_cleanup(scope, unwanted, never_clean_up, expected);
    aiol_scope_add_cleanup(scope, &expected->cleanups[2], clean_up, expected);
    expect("clean-up taken back", self->number, aiol_scope_remove_cleanup(scope, unwanted), 1);
    expect("clean-up taken back again", self->number, aiol_scope_remove_cleanup(scope, unwanted),
           0);
}

void step_scope(struct actor *self)
{
    uint64_t delay_ns = random_delay(), deadline_ns = chance(3) ? AIOL_NEVER : random_deadline();
    struct clean_ups clean_ups = {.left = 0};
    struct aiol_scope scope;
    struct node node;
    int result;

    if (chance(3)) {
        deadline_ns = later(now_ns(), delay_ns);
        expect("deadline after", self->number, (int64_t)aiol_deadline_after(delay_ns),
               (int64_t)deadline_ns);
    }
    trace("task", self->number, "enters a scope", (int64_t)deadline_ns);
    node_open(&node, self->scope, self);
    node.scope = &scope;
    self->scope = &node;
    if (chance(4)) {
        node.is_shielded = true;
        node.is_cancelled = false;
    }
    node_set_deadline(&node, deadline_ns);
    expect("scope enter", self->number,
           node.is_shielded ? aiol_scope_enter_shielded(&scope, deadline_ns)
                            : aiol_scope_enter(&scope, deadline_ns),
           0);
    if (chance(4))
        add_clean_ups(&clean_ups, self, &scope);
    take_steps(self);
    result = random_result();
    node_leave(&node, result, aiol_scope_leave(&scope, result));
    expect("clean-ups not called", self->number, clean_ups.left, 0);
    expect("scope leave again", self->number, aiol_scope_leave(&scope, result), result);
    expect("left scope is cancelled", self->number, aiol_scope_is_cancelled(&scope), 0);
}

static void await_group(struct actor *self, struct node *node)
{
    int rc;

    trace("task", self->number, "waits for a group", node->running_count);
    self->waits_for_group = true;
    self->wait.is_pending = false;
    self->wait.status = 0;
    if (node->running_count > 0)
        line_join(&node->awaiters, &self->wait);
    rc = aiol_await_group(node->group);
    end_wait(self, "awaits a group", 0);
    self->waits_for_group = false;
    if (node->running_count > 0)
        fault("task %d does not wait for all of its group", self->number);
    node_leave(node, node->result, rc);
}

void step_group(struct actor *self)
{
    struct aiol_group group;
    struct node node;

    node_open(&node, self->scope, self);
    node.group = &group;
    node.policy = below(2);
    self->scope = &node;
    trace("task", self->number, "opens a group", node.policy);
    expect("group open", self->number, aiol_group_open(&group, node.policy), 0);
    for (unsigned count = below(5); count > 0; count--) {
        if (chance(8))
            set_group_deadline(&node);
        if (chance(16))
            cancel(&node);
        spawn(&node);
    }
    take_steps(self);
    if (chance(6))
        set_group_deadline(&node);
    await_group(self, &node);
}

/* What is refused, and changes nothing. */
void step_wrong_leave(struct actor *self)
{
    struct node *outer = self->scope->parent;
    struct aiol_group group;

    if (self->scope->group)
        expect("leave of a group's scope", self->number,
               aiol_scope_leave(&self->scope->group->scope, 0), -EINVAL);
    for (; outer && outer->actor == self; outer = outer->parent) {
        if (outer->scope)
            expect("leave of an outer scope", self->number, aiol_scope_leave(outer->scope, 0),
                   -EINVAL);
        if (outer->group) {
            expect("await of an outer group", self->number, aiol_await_group(outer->group),
                   -EINVAL);
            resumed(self);
        }
    }
    expect("group open", self->number, aiol_group_open(&group, 2), -EINVAL);
    expect("spawn into it", self->number, aiol_group_spawn(&group, NULL, NULL), -EINVAL);
    expect("await of it", self->number, aiol_await_group(&group), -EINVAL);
    resumed(self);
}
