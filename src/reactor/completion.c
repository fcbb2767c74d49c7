/* Waiters in callback form; completion.h explains them. */
#include "reactor/completion.h"
#include "reactor/loop.h"

static struct aiol__completion *completion_of(struct aiol_deferred *delivery)
{
    return container_of(delivery, struct aiol__completion, delivery);
}

static void deliver(struct aiol_deferred *delivery, void *data)
{
    struct aiol__completion *completion = completion_of(delivery);

    (void)data;
    completion->deliver(completion);
}

static void wake(struct aiol__waiter *waiter)
{
    struct aiol__completion *completion = waiter->owner;

    /* Not aiol_deferred_start(): what was accepted is delivered also while the loop closes. */
    aiol__list_append(&completion->delivery.loop->deferred, &completion->delivery.node);
}

void aiol__completion_init(struct aiol__completion *completion, struct aiol_loop *loop,
                           void (*deliver_result)(struct aiol__completion *))
{
    aiol__waiter_init(&completion->waiter, NULL, NULL);
    aiol_deferred_init(&completion->delivery, loop, deliver, NULL);
    completion->deliver = deliver_result;
}

bool aiol__completion_is_active(const struct aiol__completion *completion)
{
    return aiol__list_is_linked(&completion->waiter.node) ||
           aiol_deferred_is_active(&completion->delivery);
}

void aiol__completion_begin(struct aiol__completion *completion, void *object,
                            const struct aiol__waiter_source *source)
{
    aiol__waiter_init(&completion->waiter, object, source);
    completion->waiter.wake = wake;
    completion->waiter.owner = completion;
}

int64_t aiol__completion_end(struct aiol__completion *completion)
{
    if (aiol__waiter_is_pending(&completion->waiter))
        completion->waiter.source->withdraw(&completion->waiter);
    aiol_deferred_stop(&completion->delivery);
    return completion->waiter.status;
}

/* The delivery behind `node`, if it is one for `object`. */
static struct aiol_deferred *delivery_for(struct aiol__list *node, const void *object)
{
    struct aiol_deferred *call = container_of(node, struct aiol_deferred, node);

    return call->callback == deliver && completion_of(call)->waiter.object == object ? call : NULL;
}

static void move_deliveries(struct aiol__list *to, struct aiol__list *from, const void *object)
{
    struct aiol__list *node = from->next;

    while (node != from) {
        struct aiol__list *next = node->next;

        if (delivery_for(node, object)) {
            aiol__list_remove(node);
            aiol__list_append(to, node);
        }
        node = next;
    }
}

void aiol__completions_deliver(struct aiol_loop *loop, const void *object)
{
    struct aiol__list *now = &loop->deferred_now;
    struct aiol__list *node;

    move_deliveries(now, &loop->deferred_batch, object);
    move_deliveries(now, &loop->deferred, object);
    aiol__callback_begin();
    /* What is called may stop others, and close other objects, whose deliveries come behind these;
     * or close this one again, which then delivers the rest itself. */
    for (node = now->next; node != now;) {
        struct aiol_deferred *call = delivery_for(node, object);

        node = node->next;
        if (!call)
            continue;
        aiol_deferred_stop(call);
        call->callback(call, call->data);
        node = now->next;
    }
    aiol__callback_end();
}
