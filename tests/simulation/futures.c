/* Futures, their observers, and the tasks that await them. */
#include "tasks.h"

#include <string.h>

#define FUTURE_COUNT 4
#define OBSERVER_COUNT 10

enum state { PENDING, SET, CLOSED };

struct future {
    struct aiol_future own;
    struct aiol_future *future; /* that one, or one of the loop's */
    enum state state;
    int status;
    int value;
    struct line line;
    struct closing closing;
    bool is_withdrawing;
    unsigned withdrawn_count;
};

struct observer {
    struct aiol_future_observer own;
    struct aiol_future_observer *observer; /* that one, or one of the loop's */
    struct future *future;
    struct waiter waiter;
};

static struct future futures[FUTURE_COUNT];
static struct observer observers[OBSERVER_COUNT];
static int last_value;

static void on_withdraw(struct aiol_future *future, void *data);
static void on_observed(struct aiol_future_observer *observer, int status, void *value, void *data);

static int number_of(const struct future *future)
{
    return (int)(future - futures);
}

static void free_observer(struct observer *observer)
{
    if (observer->observer && observer->observer != &observer->own)
        aiol_future_observer_free(observer->observer);
    observer->observer = NULL;
}

/* Its future is pending or set. */
static void renew_observer(struct observer *observer)
{
    waiter_stop(&observer->waiter);
    if (observer->observer)
        aiol_future_observer_stop(observer->observer);
    free_observer(observer);
    memset(&observer->own, 0xdb, sizeof observer->own);
    observer->observer = &observer->own;
    if (chance(2))
        aiol_future_observer_init(&observer->own, observer->future->future, on_observed, observer);
    else
        expect("new observer", (int)(observer - observers),
               aiol_future_observer_new(observer->future->future, on_observed, observer,
                                        &observer->observer),
               0);
}

/* Neither it nor an observer of it is started. */
static void renew(struct future *future)
{
    *future = (struct future){.future = &future->own};
    memset(&future->own, 0xdb, sizeof future->own);
    if (chance(2))
        aiol_future_init(&future->own, world.loop, on_withdraw, future);
    else
        expect("new future", number_of(future),
               aiol_future_new(world.loop, on_withdraw, future, &future->future), 0);
    for (int i = 0; i < OBSERVER_COUNT; i++) {
        if (observers[i].future == future)
            renew_observer(&observers[i]);
    }
}

static void on_withdraw(struct aiol_future *aiol_future, void *data)
{
    struct future *future = data;

    trace("future", number_of(future), "is withdrawn", 0);
    if (aiol_future != future->future || !future->is_withdrawing)
        fault("future %d is withdrawn without reason", number_of(future));
    future->withdrawn_count++;
    react();
    future->is_withdrawing = false;
}

static void on_observed(struct aiol_future_observer *aiol_observer, int status, void *value,
                        void *data)
{
    struct observer *observer = data;
    int number = (int)(observer - observers);

    waiter_enter(&observer->waiter, &observer->future->closing, "observer", number);
    if (aiol_observer != observer->observer)
        fault("observer %d is called after it was freed", number);
    expect("observed status", number, status, observer->waiter.status);
    expect("observed value", number, (intptr_t)value, status < 0 ? 0 : observer->waiter.value);
    react();
}

static void set_in_model(struct future *future, enum state state, int status, int value)
{
    future->state = state;
    future->status = status;
    future->value = status < 0 ? 0 : value;
    while (future->line.count > 0)
        complete(future->line.waiters[0], status, future->value);
}

static void set(struct future *future)
{
    int status = chance(3) ? -EIO : (int)below(3), value = ++last_value;
    bool is_pending = future->state == PENDING;

    trace("future", number_of(future), "is set", status);
    if (is_pending)
        set_in_model(future, SET, status, value);
    expect("set", number_of(future),
           aiol_future_set(future->future, status, (void *)(intptr_t)value),
           is_pending ? 0 : -EALREADY);
}

static void cancel(struct future *future)
{
    bool is_pending = future->state == PENDING;
    unsigned withdrawn_before = future->withdrawn_count;

    trace("future", number_of(future), "is cancelled", 0);
    if (is_pending)
        set_in_model(future, SET, -ECANCELED, 0);
    future->is_withdrawing = is_pending;
    expect("cancel", number_of(future), aiol_future_cancel(future->future),
           is_pending ? 0 : -EALREADY);
    expect("withdrawn", number_of(future), future->withdrawn_count, withdrawn_before + is_pending);
}

/* Also again, by a callback that closing it calls. */
static void close_future(struct future *future)
{
    bool is_pending = future->state == PENDING;

    trace("future", number_of(future), "is closed", future->closing.depth);
    closing_begin(&future->closing);
    if (is_pending)
        set_in_model(future, CLOSED, AIOL_ECLOSED, 0);
    future->state = CLOSED;
    future->is_withdrawing = is_pending;
    if (future->future == &future->own)
        aiol_future_close(future->future);
    else
        aiol_future_free(future->future);
    if (--future->closing.depth > 0)
        return;
    if (is_pending)
        expect("withdrawn", number_of(future), future->withdrawn_count, 1);
    for (int i = 0; i < OBSERVER_COUNT; i++) {
        if (observers[i].future == future && is_started(&observers[i].waiter))
            fault("observer %d is not called by the close", i);
    }
}

static void start_observer(struct observer *observer)
{
    struct future *future = observer->future;
    int rc = 0;

    trace("observer", (int)(observer - observers), "is started", 0);
    if (is_started(&observer->waiter))
        rc = -EALREADY;
    else if (future->state == CLOSED)
        rc = AIOL_ECLOSED;
    else if (future->state == PENDING)
        line_join(&future->line, &observer->waiter);
    else
        complete(&observer->waiter, future->status, future->value);
    expect("observer start", (int)(observer - observers),
           aiol_future_observer_start(observer->observer), rc);
}

static void act_on_observers(void)
{
    struct observer *observer = &observers[below(OBSERVER_COUNT)];

    if (observer->future->is_withdrawing)
        return;
    switch (below(6)) {
    case 0:
        trace("observer", (int)(observer - observers), "is stopped", 0);
        waiter_stop(&observer->waiter);
        aiol_future_observer_stop(observer->observer);
        break;
    case 1:
        trace("observer", (int)(observer - observers), "is made anew", 0);
        if (observer->future->closing.depth == 0)
            renew_observer(observer);
        break;
    default:
        start_observer(observer);
    }
}

/* Often one that is being closed. */
static struct future *some_future(void)
{
    struct future *future = &futures[below(FUTURE_COUNT)];

    for (int i = 0; i < FUTURE_COUNT; i++) {
        if (futures[i].closing.depth > 0 && chance(4))
            future = &futures[i];
    }
    return future;
}

static void act_on_futures(void)
{
    struct future *future = some_future();

    if (chance(2)) {
        act_on_observers();
        return;
    }
    if (future->is_withdrawing)
        return;
    switch (below(6)) {
    case 0:
        cancel(future);
        break;
    case 1:
    case 2:
    case 3:
        set(future);
        break;
    default:
        close_future(future);
        if (future->closing.depth == 0)
            renew(future);
    }
}

static void await(struct actor *self)
{
    struct future *future = &futures[below(FUTURE_COUNT)];
    void *value = NULL;
    int rc;

    begin_wait(self);
    if (self->wait.is_pending && future->state == PENDING) {
        line_join(&future->line, &self->wait);
    } else if (self->wait.is_pending) {
        self->wait.is_pending = false;
        self->wait.status = future->status;
        self->wait.value = future->value;
    }
    rc = aiol_await_future(future->future, &value);
    end_wait(self, "awaits a future", rc);
    if (rc >= 0)
        expect("awaited value", self->number, (intptr_t)value, self->wait.value);
}

static void begin(void)
{
    last_value = 0;
    for (int i = 0; i < OBSERVER_COUNT; i++)
        observers[i] = (struct observer){.future = &futures[below(FUTURE_COUNT)]};
    for (int i = 0; i < FUTURE_COUNT; i++)
        renew(&futures[i]);
}

static void check(void)
{
    for (int i = 0; i < FUTURE_COUNT; i++) {
        struct future *future = &futures[i];
        void *value = NULL;
        int rc = aiol_future_result(future->future, &value);

        expect("future is set", i, aiol_future_is_set(future->future), future->state != PENDING);
        expect("future's result", i, rc, future->state == PENDING ? -EAGAIN : future->status);
        if (rc >= 0)
            expect("future's value", i, (intptr_t)value, future->value);
    }
}

static void stop(void)
{
    for (int i = 0; i < OBSERVER_COUNT; i++) {
        waiter_stop(&observers[i].waiter);
        aiol_future_observer_stop(observers[i].observer);
    }
}

static void end(void)
{
    for (int i = 0; i < FUTURE_COUNT; i++)
        close_future(&futures[i]);
    for (int i = 0; i < OBSERVER_COUNT; i++)
        free_observer(&observers[i]);
}

const struct subject future_subject = {
    .begin = begin, .act = act_on_futures, .step = await, .check = check, .stop = stop, .end = end};
