/*
 * The queue. An item goes straight from a putter to a getter when one waits, else through a ring.
 *
 *     put ──> a getter waits? hand it over ── room? into the ring ── else wait, item in the slot
 *     get ──> the ring has one? take it, and let the first waiting putter's item in
 *             a putter waits (capacity 0)? take its item ── else wait for a hand-over
 *
 * So getters wait only while the ring is empty, and putters only while it is full: never both.
 */
#include "queue/queue.h"
#include "base/allocator.h"
#include "base/arithmetic.h"
#include "reactor/completion.h"

#include <aiol/error.h>

#include <errno.h>

#define FIRST_RING_SIZE 16

const struct aiol__waiter_source aiol__queue_source = {.withdraw = aiol__waiter_unlink};

int aiol_queue_new(struct aiol_loop *loop, size_t capacity, aiol_queue_destroy_fn destroy,
                   struct aiol_queue **ret_queue)
{
    bool is_bounded = capacity != AIOL_QUEUE_UNBOUNDED;
    struct aiol_queue *queue;

    aiol__loop_check_thread(loop);
    if (loop->is_closing)
        return AIOL_ECLOSED;
    if (is_bounded && aiol__product_overflows(capacity, sizeof queue->ring[0]))
        return -ENOMEM;
    queue = aiol__loop_allocate(loop, sizeof *queue);
    if (!queue)
        return -ENOMEM;
    *queue = (struct aiol_queue){.loop = loop, .capacity = capacity, .destroy = destroy};
    aiol__list_init(&queue->getters);
    aiol__list_init(&queue->putters);
    aiol__list_init(&queue->joiners);
    aiol__list_init(&queue->completed);
    aiol__list_init(&queue->remotes);
    if (is_bounded && capacity > 0) {
        queue->ring = aiol__allocate(&loop->allocator, capacity * sizeof queue->ring[0]);
        if (!queue->ring) {
            aiol__loop_release(loop, queue);
            return -ENOMEM;
        }
        queue->ring_size = capacity;
    }
    *ret_queue = queue;
    return 0;
}

static int grow_ring(struct aiol_queue *queue)
{
    size_t size = queue->ring_size ? queue->ring_size * 2 : FIRST_RING_SIZE;
    void **ring;

    if (aiol__product_overflows(size, sizeof ring[0]))
        return -ENOMEM;
    ring = aiol__allocate(&queue->loop->allocator, size * sizeof ring[0]);
    if (!ring)
        return -ENOMEM;
    for (size_t i = 0; i < queue->count; i++)
        ring[i] = queue->ring[aiol__queue_ring_index(queue, i)];
    aiol__release(&queue->loop->allocator, queue->ring);
    queue->ring = ring;
    queue->ring_size = size;
    queue->first = 0;
    return 0;
}

/* The first that still waits, who is then completed; or NULL. */
static struct aiol__waiter *claim_first(struct aiol__list *waiters)
{
    while (!aiol__list_is_empty(waiters)) {
        struct aiol__waiter *waiter = container_of(waiters->next, struct aiol__waiter, node);

        if (!waiter->source->claim || waiter->source->claim(waiter))
            return waiter;
        aiol__list_remove(&waiter->node);
    }
    return NULL;
}

int aiol__queue_put_or_fail(struct aiol_queue *queue, void *item)
{
    struct aiol__waiter *getter;

    if (queue->is_shut_down)
        return AIOL_ECLOSED;
    getter = claim_first(&queue->getters);
    if (getter) {
        queue->unfinished++;
        getter->slot = item;
        aiol__waiter_complete(getter, 0);
        return 0;
    }
    if (queue->count >= queue->capacity)
        return -EAGAIN;
    if (queue->count == queue->ring_size && grow_ring(queue) < 0)
        return -ENOMEM;
    queue->unfinished++;
    aiol__queue_push(queue, item);
    return 0;
}

/* A waiting put has succeeded; its item is in the caller's hands. */
static void *accept_putter(struct aiol_queue *queue, struct aiol__waiter *putter)
{
    void *item = putter->slot;

    queue->unfinished++;
    putter->slot = NULL;
    aiol__waiter_complete(putter, 0);
    return item;
}

int aiol_queue_put_nowait(struct aiol_queue *queue, void *item)
{
    return aiol__queue_put_at_once(queue, item) ? 0 : aiol__queue_put_or_fail(queue, item);
}

int aiol__queue_get_or_fail(struct aiol_queue *queue, void **ret_item)
{
    struct aiol__waiter *putter = claim_first(&queue->putters);

    if (queue->count > 0) {
        *ret_item = aiol__queue_pop(queue);
        if (putter)
            aiol__queue_push(queue, accept_putter(queue, putter));
        return 0;
    }
    if (putter) {
        *ret_item = accept_putter(queue, putter);
        return 0;
    }
    return queue->is_shut_down ? AIOL_ECLOSED : -EAGAIN;
}

int aiol_queue_get_nowait(struct aiol_queue *queue, void **ret_item)
{
    return aiol__queue_get_at_once(queue, ret_item) ? 0 : aiol__queue_get_or_fail(queue, ret_item);
}

int aiol__queue_get(struct aiol_queue *queue, struct aiol__waiter *getter)
{
    int rc = aiol_queue_get_nowait(queue, &getter->slot);

    if (rc == -EAGAIN)
        aiol__list_append(&queue->getters, &getter->node);
    return rc;
}

int aiol__queue_put(struct aiol_queue *queue, struct aiol__waiter *putter)
{
    int rc = aiol_queue_put_nowait(queue, putter->slot);

    if (rc == -EAGAIN)
        aiol__list_append(&queue->putters, &putter->node);
    return rc;
}

int aiol__queue_join(struct aiol_queue *queue, struct aiol__waiter *joiner)
{
    aiol__loop_check_thread(queue->loop);
    if (queue->unfinished == 0)
        return 0;
    aiol__list_append(&queue->joiners, &joiner->node);
    return -EAGAIN;
}

static void finish(struct aiol_queue *queue, uint64_t count)
{
    queue->unfinished -= count;
    if (queue->unfinished == 0)
        aiol__waiters_complete(&queue->joiners, 0);
}

int aiol_queue_done(struct aiol_queue *queue)
{
    aiol__loop_check_thread(queue->loop);
    /* What is still in the queue cannot have been dealt with. */
    if (queue->unfinished <= queue->count)
        return -EINVAL;
    finish(queue, 1);
    return 0;
}

static void forget_remotes(struct aiol_queue *queue)
{
    struct aiol__list *node;

    while ((node = aiol__list_take_first(&queue->remotes)) != NULL)
        container_of(node, struct aiol__queue_link, node)->queue = NULL;
}

/* Destroy all items of a queue that accepts no more. A destructor may free the queue, so that it is
 * not touched once the first is called. */
static void destroy_items(struct aiol_queue *queue)
{
    struct aiol_queue left = *queue;

    queue->ring = NULL;
    queue->ring_size = 0;
    queue->first = 0;
    queue->count = 0;
    if (left.count > 0)
        finish(queue, left.count);
    aiol__callback_begin(left.loop);
    while (left.count > 0) {
        void *item = aiol__queue_pop(&left);

        if (left.destroy)
            left.destroy(item);
    }
    aiol__callback_end(left.loop);
    aiol__release(&left.loop->allocator, left.ring);
}

int aiol_queue_shutdown(struct aiol_queue *queue, uint32_t how)
{
    aiol__loop_check_thread(queue->loop);
    if (how > AIOL_QUEUE_NOW)
        return -EINVAL;
    queue->is_shut_down = true;
    aiol__waiters_complete(&queue->putters, AIOL_ECLOSED);
    aiol__waiters_complete(&queue->getters, AIOL_ECLOSED);
    if (how == AIOL_QUEUE_NOW)
        destroy_items(queue);
    return 0;
}

void aiol_queue_free(struct aiol_queue *queue)
{
    struct aiol_loop *loop;

    if (!queue)
        return;
    loop = queue->loop;
    aiol__loop_check_thread(loop);
    if (queue->is_freed) {
        /* In a callback that freeing it has called: the outer call releases the memory. */
        aiol__completions_deliver(loop, &queue->completed);
        return;
    }
    queue->is_freed = true;
    queue->is_shut_down = true;
    aiol__waiters_complete(&queue->putters, AIOL_ECLOSED);
    aiol__waiters_complete(&queue->getters, AIOL_ECLOSED);
    aiol__waiters_complete(&queue->joiners, AIOL_ECLOSED);
    forget_remotes(queue);
    aiol__completions_deliver(loop, &queue->completed);
    destroy_items(queue);
    aiol__loop_release(loop, queue);
}

size_t aiol_queue_count(const struct aiol_queue *queue)
{
    return queue->count;
}

size_t aiol_queue_high_water(const struct aiol_queue *queue)
{
    return queue->high_water;
}

uint64_t aiol_queue_unfinished(const struct aiol_queue *queue)
{
    return queue->unfinished;
}

size_t aiol_queue_capacity(const struct aiol_queue *queue)
{
    return queue->capacity;
}
