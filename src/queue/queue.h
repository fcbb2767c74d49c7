/*
 * The queue as those who wait on it see it: tasks (src/await/queue.c) and callbacks
 * (queue_callbacks.c) do the same with waiters of different kinds.
 */
#ifndef AIOL__QUEUE_QUEUE_H
#define AIOL__QUEUE_QUEUE_H

#include "base/waiter.h"

#include <aiol/queue.h>

/* What a remote (queue_remote.c) knows of its queue. */
struct aiol__queue_link {
    struct aiol__list node;
    struct aiol_queue *queue; /* NULL once that is freed */
};

struct aiol_queue {
    struct aiol_loop *loop;
    aiol_queue_destroy_fn destroy;
    void **ring; /* `count` items from `first` on, going round at `ring_size` */
    size_t ring_size;
    size_t first;
    size_t count;
    size_t capacity;
    size_t high_water;
    uint64_t unfinished;
    bool is_shut_down;
    bool is_freed;
    struct aiol__list
        getters; /* waiters, in the order of arrival; at most one of these two lists */
    struct aiol__list putters; /* has any. The slot of a putter holds its item. */
    struct aiol__list joiners;
    struct aiol__list completed; /* of all three, in callback form, and not yet delivered */
    struct aiol__list remotes;   /* links */
};

/* They only have a place in a list to give up. */
extern const struct aiol__waiter_source aiol__queue_source;

/*
 * Each of these does at once what it can, and returns how that went; or links the waiter and
 * returns -EAGAIN. What a get was given is in the waiter's slot; a put takes its item from there.
 */
int aiol__queue_get(struct aiol_queue *queue, struct aiol__waiter *getter);
int aiol__queue_put(struct aiol_queue *queue, struct aiol__waiter *putter);
int aiol__queue_join(struct aiol_queue *queue, struct aiol__waiter *joiner);

#endif
