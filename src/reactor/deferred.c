/*
 * Deferred calls. A phase takes the whole list as its batch; what is started meanwhile goes to the
 * list, and so waits for the next turn. A node knows not which of the two it is in, so that
 * stopping it is the same for both.
 */
#include "reactor/loop.h"

#include <aiol/deferred.h>
#include <aiol/error.h>

#include <errno.h>

void aiol_deferred_init(struct aiol_deferred *deferred, struct aiol_loop *loop,
                        aiol_deferred_fn callback, void *data)
{
    *deferred = (struct aiol_deferred){.loop = loop, .callback = callback, .data = data};
    aiol__list_init(&deferred->node);
}

int aiol_deferred_start(struct aiol_deferred *deferred)
{
    aiol__loop_check_thread(deferred->loop);
    if (deferred->loop->is_closing)
        return AIOL_ECLOSED;
    if (!aiol_deferred_is_active(deferred))
        aiol__list_append(&deferred->loop->deferred, &deferred->node);
    return 0;
}

void aiol_deferred_stop(struct aiol_deferred *deferred)
{
    aiol__loop_check_thread(deferred->loop);
    aiol__list_remove(&deferred->node);
}

int aiol_deferred_is_active(const struct aiol_deferred *deferred)
{
    return aiol__list_is_linked(&deferred->node);
}

void aiol__deferred_run(struct aiol_loop *loop)
{
    struct aiol__list *node;

    aiol__list_splice(&loop->deferred_batch, &loop->deferred);
    while ((node = aiol__list_take_first(&loop->deferred_batch)) != NULL) {
        struct aiol_deferred *deferred = container_of(node, struct aiol_deferred, node);

        deferred->callback(deferred, deferred->data);
    }
}

int aiol_deferred_new(struct aiol_loop *loop, aiol_deferred_fn callback, void *data,
                      struct aiol_deferred **ret_deferred)
{
    struct aiol_deferred *deferred = aiol__loop_allocate(loop, sizeof *deferred);

    if (!deferred)
        return -ENOMEM;
    aiol_deferred_init(deferred, loop, callback, data);
    *ret_deferred = deferred;
    return 0;
}

void aiol_deferred_free(struct aiol_deferred *deferred)
{
    if (!deferred)
        return;
    aiol_deferred_stop(deferred);
    aiol__loop_release(deferred->loop, deferred);
}

size_t aiol_deferred_size(void)
{
    return sizeof(struct aiol_deferred);
}

size_t aiol_deferred_align(void)
{
    return _Alignof(struct aiol_deferred);
}
