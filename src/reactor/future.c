/* Futures: a result and a list of waiters, which are tasks or observers; a future can't tell them
 * apart. */
#include "reactor/future.h"
#include "reactor/completion.h"
#include "reactor/loop.h"

#include <aiol/error.h>

#include <errno.h>

enum { PENDING = 0, SET = 1, CLOSED = 2 };

const struct aiol__waiter_source aiol__future_source = {.withdraw = aiol__waiter_unlink};

void aiol_future_init(struct aiol_future *future, struct aiol_loop *loop,
                      aiol_future_withdraw_fn withdraw, void *data)
{
    *future = (struct aiol_future){.loop = loop, .withdraw = withdraw, .data = data};
    aiol__list_init(&future->waiters);
    aiol__list_init(&future->completed);
}

static void complete_waiters(struct aiol_future *future, int status, void *value)
{
    while (!aiol__list_is_empty(&future->waiters)) {
        struct aiol__waiter *waiter = container_of(future->waiters.next, struct aiol__waiter, node);

        waiter->slot = value;
        aiol__waiter_complete(waiter, status);
    }
}

int aiol_future_set(struct aiol_future *future, int status, void *value)
{
    aiol__loop_check_thread(future->loop);
    if (future->state != PENDING)
        return -EALREADY;
    future->state = SET;
    future->status = status;
    future->value = status < 0 ? NULL : value;
    complete_waiters(future, status, future->value);
    return 0;
}

static void withdraw_work(struct aiol_future *future)
{
    struct aiol_loop *loop = future->loop;

    if (!future->withdraw)
        return;
    aiol__callback_begin(loop);
    future->withdraw(future, future->data);
    aiol__callback_end(loop);
}

int aiol_future_cancel(struct aiol_future *future)
{
    int rc = aiol_future_set(future, -ECANCELED, NULL);

    if (rc == 0)
        withdraw_work(future);
    return rc;
}

int aiol_future_result(const struct aiol_future *future, void **ret_value)
{
    if (future->state == PENDING)
        return -EAGAIN;
    if (future->status >= 0 && ret_value)
        *ret_value = future->value;
    return future->status;
}

int aiol_future_is_set(const struct aiol_future *future)
{
    return future->state != PENDING;
}

void aiol_future_close(struct aiol_future *future)
{
    struct aiol_loop *loop = future->loop;
    bool was_pending = future->state == PENDING;

    aiol__loop_check_thread(loop);
    future->state = CLOSED;
    if (was_pending) {
        future->status = AIOL_ECLOSED;
        complete_waiters(future, AIOL_ECLOSED, NULL);
        withdraw_work(future);
    }
    /* Last, since an observer may end the memory's use: when it closes the future, or frees it. */
    aiol__completions_deliver(loop, &future->completed);
}

bool aiol__future_begin_wait(struct aiol_future *future, struct aiol__waiter *waiter)
{
    if (future->state == PENDING) {
        aiol__list_append(&future->waiters, &waiter->node);
        return true;
    }
    waiter->slot = future->value;
    return false;
}

static void deliver_result(struct aiol__completion *completion)
{
    struct aiol_future_observer *observer =
        container_of(completion, struct aiol_future_observer, completion);

    observer->callback(observer, (int)completion->waiter.status, completion->waiter.slot,
                       observer->data);
}

void aiol_future_observer_init(struct aiol_future_observer *observer, struct aiol_future *future,
                               aiol_future_observer_fn callback, void *data)
{
    *observer = (struct aiol_future_observer){.callback = callback, .data = data};
    aiol__completion_init(&observer->completion, future->loop, future, &future->completed,
                          deliver_result);
}

int aiol_future_observer_start(struct aiol_future_observer *observer)
{
    struct aiol__completion *completion = &observer->completion;
    struct aiol_future *future = completion->waiter.object;

    if (aiol__completion_is_active(completion))
        return -EALREADY;
    if (future->state == CLOSED || future->loop->is_closing)
        return AIOL_ECLOSED;
    aiol__completion_begin(completion, &aiol__future_source);
    if (!aiol__future_begin_wait(future, &completion->waiter))
        aiol__waiter_complete(&completion->waiter, future->status);
    return 0;
}

void aiol_future_observer_stop(struct aiol_future_observer *observer)
{
    if (aiol__completion_is_active(&observer->completion))
        aiol__completion_end(&observer->completion);
}

int aiol_future_new(struct aiol_loop *loop, aiol_future_withdraw_fn withdraw, void *data,
                    struct aiol_future **ret_future)
{
    struct aiol_future *future = aiol__loop_allocate(loop, sizeof *future);

    if (!future)
        return -ENOMEM;
    aiol_future_init(future, loop, withdraw, data);
    *ret_future = future;
    return 0;
}

void aiol_future_free(struct aiol_future *future)
{
    bool was_freed;

    if (!future)
        return;
    was_freed = future->is_freed;
    future->is_freed = true;
    aiol_future_close(future);
    if (!was_freed) /* else in an observer's callback, and the outer call releases it */
        aiol__loop_release(future->loop, future);
}

int aiol_future_observer_new(struct aiol_future *future, aiol_future_observer_fn callback,
                             void *data, struct aiol_future_observer **ret_observer)
{
    struct aiol_future_observer *observer = aiol__loop_allocate(future->loop, sizeof *observer);

    if (!observer)
        return -ENOMEM;
    aiol_future_observer_init(observer, future, callback, data);
    *ret_observer = observer;
    return 0;
}

void aiol_future_observer_free(struct aiol_future_observer *observer)
{
    if (!observer)
        return;
    aiol_future_observer_stop(observer);
    aiol__loop_release(observer->completion.delivery.loop, observer);
}

size_t aiol_future_size(void)
{
    return sizeof(struct aiol_future);
}

size_t aiol_future_align(void)
{
    return _Alignof(struct aiol_future);
}

size_t aiol_future_observer_size(void)
{
    return sizeof(struct aiol_future_observer);
}

size_t aiol_future_observer_align(void)
{
    return _Alignof(struct aiol_future_observer);
}
