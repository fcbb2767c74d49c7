/*
 * The tree of scopes. A task is a node, a scope that it enters is one below it, and the tasks of a
 * group are nodes below the group's scope:
 *
 *     task A ── scope ── group ─┬─ task B
 *                               └─ task C ── scope
 *
 * Cancelling a node marks all below it and interrupts the tasks that are parked there; so asking
 * whether a call is cancelled is looking at one flag of the innermost node.
 */
#ifndef AIOL__TASK_SCOPE_H
#define AIOL__TASK_SCOPE_H

#include "base/list.h"

#include <aiol/scope.h>

#include <assert.h>
#include <stdbool.h>

enum aiol__scope_kind { AIOL__SCOPE_TASK = 0, AIOL__SCOPE_PLAIN = 1, AIOL__SCOPE_GROUP = 2 };

/* Put a node below `parent` (NULL: at the root of a tree of its own), cancelled if that is. */
static inline void aiol__scope_node_open(struct aiol__scope_node *node,
                                         struct aiol__scope_node *parent, struct aiol_task *task,
                                         enum aiol__scope_kind kind)
{
    *node = (struct aiol__scope_node){.parent = parent, .task = task, .kind = (uint8_t)kind};
    aiol__list_init(&node->children);
    aiol__list_init(&node->sibling);
    if (parent) {
        aiol__list_append(&parent->children, &node->sibling);
        node->cancelled = parent->cancelled;
    }
}

/* Take it out again; nothing is below it any more. */
static inline void aiol__scope_node_close(struct aiol__scope_node *node)
{
    assert(aiol__list_is_empty(&node->children));
    aiol__list_remove(&node->sibling);
}

void aiol__scope_node_cancel(struct aiol__scope_node *root);
/* Also what is shielded from it. */
void aiol__scope_node_cancel_all(struct aiol__scope_node *root);

/* An awaiting call in `node` has returned -ECANCELED: note it with all whose doing it is. */
void aiol__scope_note_cut(struct aiol__scope_node *node);

void aiol__scope_set_deadline(struct aiol_scope *scope, uint64_t deadline_ns);

/* Call what is to be called when the scope is left. */
void aiol__scope_clean_up(struct aiol_scope *scope);

/* Is this scope, which is no group, the innermost one of the current task? */
bool aiol__scope_can_be_left(const struct aiol_scope *scope);

/* As the public ones, for scopes and groups. Leaving expects the innermost scope of its task. */
int aiol__scope_enter(struct aiol_scope *scope, enum aiol__scope_kind kind, uint64_t deadline_ns);
int aiol__scope_leave(struct aiol_scope *scope, int result);

#endif
