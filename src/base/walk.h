/*
 * Walking a circular list while what is called for each node adds and removes any of them. Nodes
 * that were there at the beginning and still are when their turn comes are visited, once and in
 * order; those added meanwhile are not. Whoever removes a node says so first (aiol__walk_forget()).
 */
#ifndef AIOL__BASE_WALK_H
#define AIOL__BASE_WALK_H

#include "base/list.h"

struct aiol__walk {
    struct aiol__list *next; /* NULL when all have been visited, or none is under way */
    struct aiol__list *last;
};

static inline struct aiol__list *aiol__walk_after(const struct aiol__walk *walk,
                                                  const struct aiol__list *node)
{
    return node == walk->last ? NULL : node->next;
}

static inline void aiol__walk_begin(struct aiol__walk *walk, struct aiol__list *first,
                                    struct aiol__list *last)
{
    walk->next = first;
    walk->last = last;
}

static inline struct aiol__list *aiol__walk_next(struct aiol__walk *walk)
{
    struct aiol__list *node = walk->next;

    if (node)
        walk->next = aiol__walk_after(walk, node);
    return node;
}

static inline void aiol__walk_forget(struct aiol__walk *walk, const struct aiol__list *node)
{
    if (walk->next == node)
        walk->next = aiol__walk_after(walk, node);
    else if (walk->last == node)
        walk->last = node->prev;
}

#endif
