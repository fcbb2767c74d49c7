/* Hooks around the blocking wait. */
#include "reactor/loop.h"

#include <aiol/error.h>

#include <errno.h>

void aiol_hook_init(struct aiol_hook *hook, struct aiol_loop *loop, uint32_t place,
                    aiol_hook_fn callback, void *data)
{
    *hook = (struct aiol_hook){.loop = loop, .callback = callback, .data = data, .place = place};
    aiol__list_init(&hook->node);
}

int aiol_hook_start(struct aiol_hook *hook)
{
    aiol__loop_check_thread(hook->loop);
    if (hook->loop->is_closing)
        return AIOL_ECLOSED;
    if (hook->place > AIOL_HOOK_AFTER_WAIT)
        return -EINVAL;
    if (!aiol_hook_is_active(hook))
        aiol__list_append(&hook->loop->hooks[hook->place], &hook->node);
    return 0;
}

void aiol_hook_stop(struct aiol_hook *hook)
{
    aiol__loop_check_thread(hook->loop);
    aiol__walk_forget(&hook->loop->hook_walk, &hook->node);
    aiol__list_remove(&hook->node);
}

int aiol_hook_is_active(const struct aiol_hook *hook)
{
    return aiol__list_is_linked(&hook->node);
}

void aiol__hooks_run(struct aiol_loop *loop, enum aiol_hook_place place)
{
    struct aiol__list *hooks = &loop->hooks[place];
    struct aiol__list *node;

    if (aiol__list_is_empty(hooks))
        return;
    aiol__walk_begin(&loop->hook_walk, hooks->next, hooks->prev);
    while ((node = aiol__walk_next(&loop->hook_walk)) != NULL) {
        struct aiol_hook *hook = container_of(node, struct aiol_hook, node);

        hook->callback(hook, hook->data);
    }
}

int aiol_hook_new(struct aiol_loop *loop, uint32_t place, aiol_hook_fn callback, void *data,
                  struct aiol_hook **ret_hook)
{
    struct aiol_hook *hook = aiol__loop_allocate(loop, sizeof *hook);

    if (!hook)
        return -ENOMEM;
    aiol_hook_init(hook, loop, place, callback, data);
    *ret_hook = hook;
    return 0;
}

void aiol_hook_free(struct aiol_hook *hook)
{
    if (!hook)
        return;
    aiol_hook_stop(hook);
    aiol__loop_release(hook->loop, hook);
}

size_t aiol_hook_size(void)
{
    return sizeof(struct aiol_hook);
}

size_t aiol_hook_align(void)
{
    return _Alignof(struct aiol_hook);
}
