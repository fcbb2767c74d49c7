/* Waiters in callback form; completion.h explains them. */
#include "reactor/completion.h"
#include "reactor/loop.h"

static void deliver_one(struct aiol__completion *completion)
{
    aiol__list_remove(&completion->waiter.node);
    completion->deliver(completion);
}

static void on_deferred(struct aiol_deferred *delivery, void *data)
{
    (void)delivery;
    deliver_one(data);
}

static void wake(struct aiol__waiter *waiter)
{
    struct aiol__completion *completion = waiter->owner;

    aiol__list_append(completion->completed, &waiter->node);
    /* Not aiol_deferred_start(): what was accepted is delivered also while the loop closes. */
    aiol__list_append(&completion->delivery.loop->deferred, &completion->delivery.node);
}

void aiol__completion_init(struct aiol__completion *completion, struct aiol_loop *loop,
                           void *object, struct aiol__list *completed,
                           void (*deliver)(struct aiol__completion *))
{
    aiol__waiter_init(&completion->waiter, object, NULL);
    completion->waiter.wake = wake;
    completion->waiter.owner = completion;
    aiol_deferred_init(&completion->delivery, loop, on_deferred, completion);
    completion->completed = completed;
    completion->deliver = deliver;
}

bool aiol__completion_is_active(const struct aiol__completion *completion)
{
    return aiol__list_is_linked(&completion->waiter.node);
}

void aiol__completion_begin(struct aiol__completion *completion,
                            const struct aiol__waiter_source *source)
{
    aiol__waiter_init(&completion->waiter, completion->waiter.object, source);
}

int64_t aiol__completion_end(struct aiol__completion *completion)
{
    if (aiol__waiter_is_pending(&completion->waiter))
        completion->waiter.source->withdraw(&completion->waiter);
    aiol__list_remove(&completion->waiter.node);
    aiol_deferred_stop(&completion->delivery);
    return completion->waiter.status;
}

void aiol__completions_deliver(struct aiol_loop *loop, struct aiol__list *completed)
{
    /* By way of the loop's own list, since the object may be gone after the first callback. */
    struct aiol__list *delivering = &loop->delivering;

    aiol__list_splice(delivering, completed);
    aiol__callback_begin(loop);
    while (!aiol__list_is_empty(delivering)) {
        struct aiol__waiter *waiter = container_of(delivering->next, struct aiol__waiter, node);
        struct aiol__completion *completion = waiter->owner;

        aiol_deferred_stop(&completion->delivery);
        deliver_one(completion);
    }
    aiol__callback_end(loop);
}
