/* Queues: the model of one, the calls that do not wait, and the tasks that do. */
#include "queues.h"

static char items[MAX_ITEMS];
static struct queue *queue_of[MAX_ITEMS]; /* that has the item; NULL: the program has it */
static int item_count;
struct queue queues[QUEUE_COUNT];

static void destroy_item(void *pointer);

int queue_number(const struct queue *queue)
{
    return (int)(queue - queues);
}

bool is_any_item_left(void)
{
    return item_count < MAX_ITEMS;
}

int new_item(void)
{
    return item_count++;
}

void *item_pointer(int item)
{
    return &items[item];
}

void receive_item(const char *what, const void *pointer, int item)
{
    int actual = (int)((const char *)pointer - items);

    if (!pointer || actual < 0 || actual >= item_count)
        fault("%s: this is no item", what);
    else
        expect(what, item, actual, item);
}

static void make(struct queue *queue)
{
    static const size_t capacities[] = {0, 1, 2, 5, AIOL_QUEUE_UNBOUNDED};

    queue->capacity = capacities[below(COUNT_OF(capacities))];
    queue->is_shut_down = false;
    queue->count = queue->high_water = 0;
    queue->unfinished = 0;
    queue->getters.count = queue->putters.count = queue->joiners.count = 0;
    trace("queue", queue_number(queue), "is made", (int64_t)queue->capacity);
    expect("new queue", queue_number(queue),
           aiol_queue_new(world.loop, queue->capacity, destroy_item, &queue->queue), 0);
    bind_forms(queue);
}

static void push(struct queue *queue, int item)
{
    queue->items[queue->count++] = item;
    queue_of[item] = queue;
    if (queue->count > queue->high_water)
        queue->high_water = queue->count;
}

static int pop(struct queue *queue)
{
    int item = queue->items[0];

    queue->count--;
    for (size_t i = 0; i < queue->count; i++)
        queue->items[i] = queue->items[i + 1];
    queue_of[item] = NULL;
    return item;
}

int model_put(struct queue *queue, int item)
{
    if (queue->is_shut_down)
        return AIOL_ECLOSED;
    if (queue->getters.count > 0) {
        queue->unfinished++;
        complete(line_first(&queue->getters), 0, item);
        return 0;
    }
    if (queue->count >= queue->capacity)
        return -EAGAIN;
    queue->unfinished++;
    push(queue, item);
    return 0;
}

static int accept_putter(struct queue *queue)
{
    struct waiter *putter = line_first(&queue->putters);
    int item = putter->value;

    queue->unfinished++;
    complete(putter, 0, item);
    return item;
}

int model_get(struct queue *queue, int *ret_item)
{
    if (queue->count > 0) {
        *ret_item = pop(queue);
        if (queue->putters.count > 0)
            push(queue, accept_putter(queue));
        return 0;
    }
    if (queue->putters.count > 0) {
        *ret_item = accept_putter(queue);
        return 0;
    }
    return queue->is_shut_down ? AIOL_ECLOSED : -EAGAIN;
}

static void finish(struct queue *queue, uint64_t count)
{
    queue->unfinished -= count;
    if (count > 0 && queue->unfinished == 0)
        complete_all(&queue->joiners, 0);
}

/* All items are about to be destroyed, in their order. */
static void condemn(struct queue *queue)
{
    size_t count = queue->count;

    for (; queue->count > 0; queue->count--)
        queue->dying[queue->dying_count++] = queue->items[queue->count - 1];
    finish(queue, count);
}

static void destroy_item(void *pointer)
{
    int item = (int)((char *)pointer - items);
    struct queue *queue = item >= 0 && item < item_count ? queue_of[item] : NULL;

    trace("item", item, "is destroyed", 0);
    if (!queue || queue->dying_count == 0 || queue->dying[queue->dying_count - 1] != item) {
        fault("item %d is destroyed without reason, or out of order", item);
        return;
    }
    queue->dying_count--;
    queue_of[item] = NULL;
    react();
}

static void shut_down(struct queue *queue, uint32_t how)
{
    trace("queue", queue_number(queue), "is shut down", how);
    batch_begin();
    queue->is_shut_down = true;
    complete_all(&queue->putters, AIOL_ECLOSED);
    complete_all(&queue->getters, AIOL_ECLOSED);
    if (how == AIOL_QUEUE_NOW)
        condemn(queue);
    batch_end();
    queue->destroying++;
    expect("shutdown", queue_number(queue), aiol_queue_shutdown(queue->queue, how), 0);
    if (--queue->destroying == 0)
        expect("items to be destroyed", queue_number(queue), queue->dying_count, 0);
}

/* Also again, by a callback that freeing it calls. */
static void free_queue(struct queue *queue)
{
    trace("queue", queue_number(queue), "is freed", queue->closing.depth);
    closing_begin(&queue->closing);
    if (queue->closing.depth == 1) {
        batch_begin();
        queue->is_shut_down = true;
        complete_all(&queue->putters, AIOL_ECLOSED);
        complete_all(&queue->getters, AIOL_ECLOSED);
        complete_all(&queue->joiners, AIOL_ECLOSED);
        condemn(queue);
        batch_end();
    }
    queue->destroying++;
    aiol_queue_free(queue->queue);
    if (--queue->destroying == 0)
        expect("items to be destroyed", queue_number(queue), queue->dying_count, 0);
    if (--queue->closing.depth > 0)
        return;
    queue->queue = NULL;
    check_forms_after_free(queue);
}

static void put(struct queue *queue)
{
    int item = new_item();
    int rc = model_put(queue, item);

    trace("queue", queue_number(queue), "is put into", item);
    expect("put", queue_number(queue), aiol_queue_put_nowait(queue->queue, item_pointer(item)), rc);
}

static void get(struct queue *queue)
{
    void *pointer = NULL;
    int item = -1, rc = model_get(queue, &item);

    trace("queue", queue_number(queue), "is got from", rc);
    expect("get", queue_number(queue), aiol_queue_get_nowait(queue->queue, &pointer), rc);
    if (rc == 0)
        receive_item("got", pointer, item);
}

/* Sometimes so many that a queue without a bound has to grow. */
static void put_or_get(struct queue *queue)
{
    if (chance(2)) {
        get(queue);
        return;
    }
    for (unsigned count = chance(12) ? below(40) : 1; count > 0 && is_any_item_left(); count--)
        put(queue);
}

static void say_done(struct queue *queue)
{
    int rc = queue->unfinished <= queue->count ? -EINVAL : 0;

    trace("queue", queue_number(queue), "has an item done", rc);
    if (rc == 0)
        finish(queue, 1);
    expect("done", queue_number(queue), aiol_queue_done(queue->queue), rc);
}

static void act_on_queues(void)
{
    struct queue *queue = &queues[below(QUEUE_COUNT)];

    if (chance(2)) {
        act_on_forms();
        return;
    }
    if (!queue->queue || queue->closing.depth > 0) {
        if (!queue->queue && queue->destroying == 0)
            make(queue);
        else if (queue->queue && chance(4))
            free_queue(queue);
        return;
    }
    switch (below(24)) {
    case 0:
        free_queue(queue);
        break;
    case 1:
        shut_down(queue, below(2));
        break;
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
        say_done(queue);
        break;
    case 7:
        expect("unknown shutdown", queue_number(queue), aiol_queue_shutdown(queue->queue, 2),
               -EINVAL);
        break;
    default:
        put_or_get(queue);
    }
}

static void await_get(struct actor *self, struct queue *queue)
{
    void *pointer = NULL;
    int item = -1, rc;

    if (self->wait.is_pending) {
        rc = model_get(queue, &item);
        self->wait.is_pending = false;
        self->wait.status = rc;
        self->wait.value = item;
        if (rc == -EAGAIN)
            line_join(&queue->getters, &self->wait);
    }
    rc = aiol_await_queue_get(queue->queue, &pointer);
    end_wait(self, "awaits a get", rc);
    if (rc == 0)
        receive_item("awaited", pointer, self->wait.value);
}

static void await_put(struct actor *self, struct queue *queue)
{
    int item = new_item(), rc;

    if (self->wait.is_pending) {
        rc = model_put(queue, item);
        self->wait.is_pending = false;
        self->wait.status = rc;
        self->wait.value = item;
        if (rc == -EAGAIN)
            line_join(&queue->putters, &self->wait);
    }
    rc = aiol_await_queue_put(queue->queue, item_pointer(item));
    end_wait(self, "awaits a put", rc);
}

static void await_join(struct actor *self, struct queue *queue)
{
    if (self->wait.is_pending) {
        self->wait.is_pending = false;
        self->wait.status = 0;
        if (queue->unfinished > 0)
            line_join(&queue->joiners, &self->wait);
    }
    end_wait(self, "awaits a join", aiol_await_queue_join(queue->queue));
}

static void await(struct actor *self)
{
    struct queue *queue = &queues[below(QUEUE_COUNT)];

    if (!queue->queue)
        return;
    trace("task", self->number, "waits for a queue", queue_number(queue));
    begin_wait(self);
    if (chance(5))
        await_join(self, queue);
    else if (chance(2) && is_any_item_left())
        await_put(self, queue);
    else
        await_get(self, queue);
}

static void begin(void)
{
    forget_forms();
    item_count = 0;
    for (int i = 0; i < MAX_ITEMS; i++)
        queue_of[i] = NULL;
    for (int i = 0; i < QUEUE_COUNT; i++) {
        queues[i] = (struct queue){0};
        make(&queues[i]);
    }
}

/* Nobody waits for what is free, and the library agrees on all that can be asked. */
static void check(void)
{
    for (int i = 0; i < QUEUE_COUNT; i++) {
        struct queue *queue = &queues[i];

        if (!queue->queue)
            continue;
        if (queue->getters.count > 0 && (queue->count > 0 || queue->is_shut_down))
            fault("a getter waits for queue %d", i);
        if (queue->putters.count > 0 && (queue->count < queue->capacity || queue->is_shut_down))
            fault("a putter waits for queue %d", i);
        if (queue->joiners.count > 0 && queue->unfinished == 0)
            fault("a joiner waits for queue %d", i);
        expect("queue's count", i, (int64_t)aiol_queue_count(queue->queue), (int64_t)queue->count);
        expect("queue's unfinished", i, (int64_t)aiol_queue_unfinished(queue->queue),
               (int64_t)queue->unfinished);
        expect("queue's high water", i, (int64_t)aiol_queue_high_water(queue->queue),
               (int64_t)queue->high_water);
        expect("queue's capacity", i, (int64_t)aiol_queue_capacity(queue->queue),
               (int64_t)queue->capacity);
    }
}

static void end(void)
{
    for (int i = 0; i < QUEUE_COUNT; i++) {
        if (queues[i].queue)
            free_queue(&queues[i]);
    }
    free_forms();
    for (int i = 0; i < item_count; i++) {
        if (queue_of[i])
            fault("item %d is lost", i);
    }
}

const struct subject queue_subject = {.begin = begin,
                                      .act = act_on_queues,
                                      .step = await,
                                      .check = check,
                                      .stop = stop_forms,
                                      .end = end};
