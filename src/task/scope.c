/* Scopes; scope.h draws their tree. */
#include "task/scope.h"
#include "reactor/loop.h"
#include "task/scheduler.h"

#include <aiol/error.h>

#include <errno.h>

static struct aiol__scope_node *node_of(struct aiol__list *sibling)
{
    return container_of(sibling, struct aiol__scope_node, sibling);
}

/* The node after `node` when the tree below `root` is walked parents first; NULL at its end. */
static struct aiol__scope_node *next_in_tree(struct aiol__scope_node *node,
                                             const struct aiol__scope_node *root, bool descend)
{
    if (descend && !aiol__list_is_empty(&node->children))
        return node_of(node->children.next);
    while (node != root) {
        if (node->sibling.next != &node->parent->children)
            return node_of(node->sibling.next);
        node = node->parent;
    }
    return NULL;
}

static void cancel_tree(struct aiol__scope_node *root, bool with_shields)
{
    struct aiol__scope_node *node = root;

    aiol__loop_check_thread(root->task->scheduler->loop);
    root->requested = true;
    while (node) {
        bool is_reached = with_shields || !node->shielded || node == root;
        bool is_news = is_reached && !node->cancelled;

        if (is_news) {
            node->cancelled = true;
            if (node->task->scope == node)
                aiol__task_interrupt(node->task);
        }
        /* What is below a node that is cancelled has been told before, but for what is shielded. */
        node = next_in_tree(node, root, is_news || with_shields);
    }
}

void aiol__scope_node_cancel(struct aiol__scope_node *root)
{
    cancel_tree(root, false);
}

void aiol__scope_node_cancel_all(struct aiol__scope_node *root)
{
    cancel_tree(root, true);
}

void aiol__scope_note_cut(struct aiol__scope_node *node)
{
    bool is_shielded = false;

    for (; node && !is_shielded; node = node->parent) {
        node->cut |= node->requested;
        is_shielded = node->shielded;
    }
}

static void expire(struct aiol_scope *scope)
{
    if (scope->tree.requested)
        return;
    scope->tree.expired = true;
    aiol__scope_node_cancel(&scope->tree);
}

static void on_deadline(struct aiol_timer *timer, void *data)
{
    (void)timer;
    expire(data);
}

void aiol__scope_set_deadline(struct aiol_scope *scope, uint64_t deadline_ns)
{
    struct aiol_timer *timer = &scope->deadline;

    aiol_timer_stop(timer);
    if (deadline_ns <= timer->loop->now_ns)
        expire(scope);
    else if (deadline_ns != AIOL_NEVER)
        aiol_timer_start_at(timer, deadline_ns);
}

static bool is_on_stack(const struct aiol__stack *stack, const void *address)
{
    return (uintptr_t)address >= (uintptr_t)stack->low &&
           (uintptr_t)address < (uintptr_t)stack->low + stack->size_bytes;
}

/* What lies in the task's frames is still needed when its function has returned without leaving. */
static void keep_on_stack(struct aiol_task *task, const void *address)
{
    if (is_on_stack(task->root->stack, address) && (uintptr_t)address < task->root->lowest_scope)
        task->root->lowest_scope = (uintptr_t)address;
}

int aiol__scope_enter(struct aiol_scope *scope, enum aiol__scope_kind kind, uint64_t deadline_ns)
{
    struct aiol_task *task = aiol_task_current();

    scope->tree.task = NULL; /* until it is entered, leaving it does nothing */
    scope->cleanups = NULL;
    if (!task)
        return AIOL_ENOTASK;
    aiol__scope_node_open(&scope->tree, task->scope, task, kind);
    task->scope = &scope->tree;
    keep_on_stack(task, scope);
    aiol_timer_init(&scope->deadline, task->scheduler->loop, on_deadline, scope);
    aiol__scope_set_deadline(scope, deadline_ns);
    return 0;
}

void aiol__scope_clean_up(struct aiol_scope *scope)
{
    while (scope->cleanups) {
        struct aiol_cleanup *cleanup = scope->cleanups;

        scope->cleanups = cleanup->next;
        cleanup->fn(cleanup->data);
    }
}

int aiol__scope_leave(struct aiol_scope *scope, int result)
{
    struct aiol__scope_node *node = &scope->tree;
    bool is_cancelled_outside = node->parent->cancelled && !node->shielded;

    if (scope->cleanups) {
        struct aiol_loop *loop = node->task->scheduler->loop;

        aiol__callback_begin(loop);
        aiol__scope_clean_up(scope);
        aiol__callback_end(loop);
    }
    aiol_timer_stop(&scope->deadline);
    aiol__scope_node_close(node);
    node->task->scope = node->parent;
    node->task = NULL;
    if (result == -ECANCELED && node->expired && node->cut && !is_cancelled_outside)
        return -ETIMEDOUT;
    return result;
}

int aiol_scope_enter(struct aiol_scope *scope, uint64_t deadline_ns)
{
    return aiol__scope_enter(scope, AIOL__SCOPE_PLAIN, deadline_ns);
}

int aiol_scope_enter_shielded(struct aiol_scope *scope, uint64_t deadline_ns)
{
    int rc = aiol__scope_enter(scope, AIOL__SCOPE_PLAIN, AIOL_NEVER);

    if (rc < 0)
        return rc;
    scope->tree.shielded = true;
    scope->tree.cancelled = false;
    aiol__scope_set_deadline(scope, deadline_ns);
    return 0;
}

int aiol_scope_set_deadline(struct aiol_scope *scope, uint64_t deadline_ns)
{
    if (!scope->tree.task)
        return -EINVAL;
    aiol__scope_set_deadline(scope, deadline_ns);
    return 0;
}

uint64_t aiol_scope_deadline_ns(const struct aiol_scope *scope)
{
    return scope->tree.task ? aiol_timer_deadline_ns(&scope->deadline) : AIOL_NEVER;
}

int aiol_scope_add_cleanup(struct aiol_scope *scope, struct aiol_cleanup *cleanup,
                           aiol_cleanup_fn fn, void *data)
{
    if (!scope->tree.task)
        return -EINVAL;
    *cleanup = (struct aiol_cleanup){.next = scope->cleanups, .fn = fn, .data = data};
    scope->cleanups = cleanup;
    keep_on_stack(scope->tree.task, cleanup);
    keep_on_stack(scope->tree.task, data);
    return 0;
}

int aiol_scope_remove_cleanup(struct aiol_scope *scope, struct aiol_cleanup *cleanup)
{
    struct aiol_cleanup **place = &scope->cleanups;

    if (!scope->tree.task)
        return 0;
    while (*place && *place != cleanup)
        place = &(*place)->next;
    if (!*place)
        return 0;
    *place = cleanup->next;
    return 1;
}

bool aiol__scope_can_be_left(const struct aiol_scope *scope)
{
    const struct aiol_task *task = scope->tree.task;

    return task == aiol_task_current() && task->scope == &scope->tree &&
           scope->tree.kind == AIOL__SCOPE_PLAIN;
}

int aiol_scope_leave(struct aiol_scope *scope, int result)
{
    if (!scope->tree.task)
        return result;
    return aiol__scope_can_be_left(scope) ? aiol__scope_leave(scope, result) : -EINVAL;
}

void aiol_scope_cancel(struct aiol_scope *scope)
{
    if (scope->tree.task)
        aiol__scope_node_cancel(&scope->tree);
}

int aiol_scope_is_cancelled(const struct aiol_scope *scope)
{
    return scope->tree.task && scope->tree.cancelled;
}

size_t aiol_scope_size(void)
{
    return sizeof(struct aiol_scope);
}

size_t aiol_scope_align(void)
{
    return _Alignof(struct aiol_scope);
}

size_t aiol_cleanup_size(void)
{
    return sizeof(struct aiol_cleanup);
}

size_t aiol_cleanup_align(void)
{
    return _Alignof(struct aiol_cleanup);
}
