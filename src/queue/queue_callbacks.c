/* Get, put and join in callback form: the same waiters as the tasks', delivered as deferred calls.
 */
#include "queue/queue.h"
#include "reactor/completion.h"
#include "reactor/loop.h"

#include <aiol/error.h>

#include <errno.h>

/* What the three have in common: begin to wait for the queue, or be done at once. */
static int start(struct aiol__completion *completion, void *item,
                 int (*operation)(struct aiol_queue *, struct aiol__waiter *))
{
    struct aiol_queue *queue = completion->waiter.object;
    int rc;

    if (aiol__completion_is_active(completion))
        return -EALREADY;
    if (queue->is_freed || queue->loop->is_closing)
        return AIOL_ECLOSED;
    aiol__completion_begin(completion, &aiol__queue_source);
    completion->waiter.slot = item;
    rc = operation(queue, &completion->waiter);
    if (rc == 0)
        aiol__waiter_complete(&completion->waiter, 0);
    return rc == -EAGAIN ? 0 : rc;
}

static void init(struct aiol__completion *completion, struct aiol_queue *queue,
                 void (*deliver)(struct aiol__completion *))
{
    aiol__completion_init(completion, queue->loop, queue, &queue->completed, deliver);
}

static void release(struct aiol__completion *completion, void *memory)
{
    aiol__loop_release(completion->delivery.loop, memory);
}

static void deliver_get(struct aiol__completion *completion)
{
    struct aiol_queue_getter *getter =
        container_of(completion, struct aiol_queue_getter, completion);
    int status = (int)completion->waiter.status;

    getter->callback(getter, status, status == 0 ? completion->waiter.slot : NULL, getter->data);
}

void aiol_queue_getter_init(struct aiol_queue_getter *getter, struct aiol_queue *queue,
                            aiol_queue_getter_fn callback, void *data)
{
    *getter = (struct aiol_queue_getter){.callback = callback, .data = data};
    init(&getter->completion, queue, deliver_get);
}

int aiol_queue_getter_start(struct aiol_queue_getter *getter)
{
    return start(&getter->completion, NULL, aiol__queue_get);
}

int aiol_queue_getter_stop(struct aiol_queue_getter *getter, void **ret_item)
{
    if (!aiol__completion_is_active(&getter->completion))
        return 0;
    if (aiol__completion_end(&getter->completion) != 0)
        return 0;
    *ret_item = getter->completion.waiter.slot;
    return 1;
}

static void deliver_put(struct aiol__completion *completion)
{
    struct aiol_queue_putter *putter =
        container_of(completion, struct aiol_queue_putter, completion);
    int status = (int)completion->waiter.status;

    putter->callback(putter, status, status == 0 ? NULL : completion->waiter.slot, putter->data);
}

void aiol_queue_putter_init(struct aiol_queue_putter *putter, struct aiol_queue *queue,
                            aiol_queue_putter_fn callback, void *data)
{
    *putter = (struct aiol_queue_putter){.callback = callback, .data = data};
    init(&putter->completion, queue, deliver_put);
}

int aiol_queue_putter_start(struct aiol_queue_putter *putter, void *item)
{
    return start(&putter->completion, item, aiol__queue_put);
}

int aiol_queue_putter_stop(struct aiol_queue_putter *putter)
{
    if (!aiol__completion_is_active(&putter->completion))
        return 1;
    return aiol__completion_end(&putter->completion) == 0;
}

static void deliver_join(struct aiol__completion *completion)
{
    struct aiol_queue_joiner *joiner =
        container_of(completion, struct aiol_queue_joiner, completion);

    joiner->callback(joiner, (int)completion->waiter.status, joiner->data);
}

void aiol_queue_joiner_init(struct aiol_queue_joiner *joiner, struct aiol_queue *queue,
                            aiol_queue_joiner_fn callback, void *data)
{
    *joiner = (struct aiol_queue_joiner){.callback = callback, .data = data};
    init(&joiner->completion, queue, deliver_join);
}

int aiol_queue_joiner_start(struct aiol_queue_joiner *joiner)
{
    return start(&joiner->completion, NULL, aiol__queue_join);
}

void aiol_queue_joiner_stop(struct aiol_queue_joiner *joiner)
{
    if (aiol__completion_is_active(&joiner->completion))
        aiol__completion_end(&joiner->completion);
}

int aiol_queue_getter_new(struct aiol_queue *queue, aiol_queue_getter_fn callback, void *data,
                          struct aiol_queue_getter **ret_getter)
{
    struct aiol_queue_getter *getter = aiol__loop_allocate(queue->loop, sizeof *getter);

    if (!getter)
        return -ENOMEM;
    aiol_queue_getter_init(getter, queue, callback, data);
    *ret_getter = getter;
    return 0;
}

int aiol_queue_getter_free(struct aiol_queue_getter *getter)
{
    if (!getter)
        return 0;
    if (aiol__completion_is_active(&getter->completion))
        return -EBUSY;
    release(&getter->completion, getter);
    return 0;
}

int aiol_queue_putter_new(struct aiol_queue *queue, aiol_queue_putter_fn callback, void *data,
                          struct aiol_queue_putter **ret_putter)
{
    struct aiol_queue_putter *putter = aiol__loop_allocate(queue->loop, sizeof *putter);

    if (!putter)
        return -ENOMEM;
    aiol_queue_putter_init(putter, queue, callback, data);
    *ret_putter = putter;
    return 0;
}

int aiol_queue_putter_free(struct aiol_queue_putter *putter)
{
    if (!putter)
        return 0;
    if (aiol__completion_is_active(&putter->completion))
        return -EBUSY;
    release(&putter->completion, putter);
    return 0;
}

int aiol_queue_joiner_new(struct aiol_queue *queue, aiol_queue_joiner_fn callback, void *data,
                          struct aiol_queue_joiner **ret_joiner)
{
    struct aiol_queue_joiner *joiner = aiol__loop_allocate(queue->loop, sizeof *joiner);

    if (!joiner)
        return -ENOMEM;
    aiol_queue_joiner_init(joiner, queue, callback, data);
    *ret_joiner = joiner;
    return 0;
}

void aiol_queue_joiner_free(struct aiol_queue_joiner *joiner)
{
    if (!joiner)
        return;
    aiol_queue_joiner_stop(joiner);
    release(&joiner->completion, joiner);
}

size_t aiol_queue_getter_size(void)
{
    return sizeof(struct aiol_queue_getter);
}

size_t aiol_queue_getter_align(void)
{
    return _Alignof(struct aiol_queue_getter);
}

size_t aiol_queue_putter_size(void)
{
    return sizeof(struct aiol_queue_putter);
}

size_t aiol_queue_putter_align(void)
{
    return _Alignof(struct aiol_queue_putter);
}

size_t aiol_queue_joiner_size(void)
{
    return sizeof(struct aiol_queue_joiner);
}

size_t aiol_queue_joiner_align(void)
{
    return _Alignof(struct aiol_queue_joiner);
}
