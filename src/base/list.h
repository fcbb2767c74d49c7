/*
 * A circular, doubly linked list whose nodes live inside the things it links. A node that is in no
 * list points at itself, so that removing it again does nothing.
 */
#ifndef AIOL__BASE_LIST_H
#define AIOL__BASE_LIST_H

#include <aiol/base.h>

#include <stdbool.h>

#define container_of(pointer, type, member) \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline void aiol__list_init(struct aiol__list *list)
{
    list->next = list;
    list->prev = list;
}

static inline bool aiol__list_is_empty(const struct aiol__list *list)
{
    return list->next == list;
}

/* For a node: is it in a list? */
static inline bool aiol__list_is_linked(const struct aiol__list *node)
{
    return node->next != node;
}

static inline void aiol__list_insert_before(struct aiol__list *position, struct aiol__list *node)
{
    node->next = position;
    node->prev = position->prev;
    position->prev->next = node;
    position->prev = node;
}

static inline void aiol__list_append(struct aiol__list *list, struct aiol__list *node)
{
    aiol__list_insert_before(list, node);
}

static inline void aiol__list_remove(struct aiol__list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    aiol__list_init(node);
}

/* The first node, taken out; NULL when there is none. */
static inline struct aiol__list *aiol__list_take_first(struct aiol__list *list)
{
    struct aiol__list *first = list->next;

    if (first == list)
        return NULL;
    list->next = first->next;
    first->next->prev = list;
    aiol__list_init(first);
    return first;
}

/* Move all nodes of `from` to the end of `to`. */
static inline void aiol__list_splice(struct aiol__list *to, struct aiol__list *from)
{
    if (aiol__list_is_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    aiol__list_init(from);
}

#endif
