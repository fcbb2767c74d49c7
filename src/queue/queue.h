/*
 * The queue as those who wait on it see it: tasks (src/await/queue.c) and callbacks
 * (queue_callbacks.c) do the same with waiters of different kinds.
 */
#ifndef AIOL__QUEUE_QUEUE_H
#define AIOL__QUEUE_QUEUE_H

#include "base/waiter.h"
#include "reactor/loop.h"

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
    /* Waiters in the order of arrival; at most one of these two lists has any. The slot of a putter
     * holds its item. */
    struct aiol__list getters;
    struct aiol__list putters;
    struct aiol__list joiners;
    struct aiol__list completed; /* of all three, in callback form, and not yet delivered */
    struct aiol__list remotes;   /* links */
};

static inline size_t aiol__queue_ring_index(const struct aiol_queue *queue, size_t offset)
{
    size_t index = queue->first + offset;

    return index < queue->ring_size ? index : index - queue->ring_size;
}

/* Into the ring, which has room. */
static inline void aiol__queue_push(struct aiol_queue *queue, void *item)
{
    queue->ring[aiol__queue_ring_index(queue, queue->count)] = item;
    queue->count++;
    if (queue->count > queue->high_water)
        queue->high_water = queue->count;
}

static inline void *aiol__queue_pop(struct aiol_queue *queue)
{
    void *item = queue->ring[queue->first];

    queue->first = aiol__queue_ring_index(queue, 1);
    queue->count--;
    return item;
}

/* What put and get mostly are: nobody waits, and there is room, or an item. False: nothing was
 * done, and it is not that simple. */
static inline bool aiol__queue_put_at_once(struct aiol_queue *queue, void *item)
{
    aiol__loop_check_thread(queue->loop);
    if (queue->count >= queue->ring_size || queue->is_shut_down ||
        !aiol__list_is_empty(&queue->getters))
        return false;
    queue->unfinished++;
    aiol__queue_push(queue, item);
    return true;
}

static inline bool aiol__queue_get_at_once(struct aiol_queue *queue, void **ret_item)
{
    aiol__loop_check_thread(queue->loop);
    if (queue->count == 0 || !aiol__list_is_empty(&queue->putters))
        return false;
    *ret_item = aiol__queue_pop(queue);
    return true;
}

/* The rest of what they do: as aiol_queue_put_nowait() and aiol_queue_get_nowait() return, when it
 * is known that nothing can be done at once. */
int aiol__queue_put_or_fail(struct aiol_queue *queue, void *item);
int aiol__queue_get_or_fail(struct aiol_queue *queue, void **ret_item);

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
