/* Getters, putters and joiners: get, put and join in callback form. */
#include "queues.h"

#include <string.h>

#define FORMS_PER_QUEUE 8 /* 3 getters, 3 putters, 2 joiners */
#define FORM_COUNT (QUEUE_COUNT * FORMS_PER_QUEUE)

enum kind { GETTER, PUTTER, JOINER };

struct form {
    enum kind kind;
    struct queue *queue;
    struct waiter waiter;
    bool is_allocated;
    union {
        struct aiol_queue_getter getter;
        struct aiol_queue_putter putter;
        struct aiol_queue_joiner joiner;
    } own;
    /* These are in `own`, or the loop's. */
    struct aiol_queue_getter *getter;
    struct aiol_queue_putter *putter;
    struct aiol_queue_joiner *joiner;
};

static struct form forms[FORM_COUNT];

static int number_of(const struct form *form)
{
    return (int)(form - forms);
}

static void on_get(struct aiol_queue_getter *getter, int status, void *item, void *data)
{
    struct form *form = data;

    waiter_enter(&form->waiter, &form->queue->closing, "getter", number_of(form));
    if (getter != form->getter)
        fault("getter %d is called after it was freed", number_of(form));
    expect("getter's status", number_of(form), status, form->waiter.status);
    if (status == 0)
        receive_item("getter", item, form->waiter.value);
    else if (item)
        fault("getter %d has an item without success", number_of(form));
    react();
}

static void on_put(struct aiol_queue_putter *putter, int status, void *item, void *data)
{
    struct form *form = data;

    waiter_enter(&form->waiter, &form->queue->closing, "putter", number_of(form));
    if (putter != form->putter)
        fault("putter %d is called after it was freed", number_of(form));
    expect("putter's status", number_of(form), status, form->waiter.status);
    if (status != 0)
        receive_item("putter", item, form->waiter.value);
    else if (item)
        fault("putter %d has an item that it has put", number_of(form));
    react();
}

static void on_join(struct aiol_queue_joiner *joiner, int status, void *data)
{
    struct form *form = data;

    waiter_enter(&form->waiter, &form->queue->closing, "joiner", number_of(form));
    if (joiner != form->joiner)
        fault("joiner %d is called after it was freed", number_of(form));
    expect("joiner's status", number_of(form), status, form->waiter.status);
    react();
}

static void free_form(struct form *form)
{
    if (!form->is_allocated)
        return;
    form->is_allocated = false;
    expect("getter free", number_of(form), aiol_queue_getter_free(form->getter), 0);
    expect("putter free", number_of(form), aiol_queue_putter_free(form->putter), 0);
    aiol_queue_joiner_free(form->joiner);
}

static void allocate(struct form *form)
{
    struct aiol_queue *queue = form->queue->queue;
    int rc;

    form->is_allocated = true;
    if (form->kind == GETTER)
        rc = aiol_queue_getter_new(queue, on_get, form, &form->getter);
    else if (form->kind == PUTTER)
        rc = aiol_queue_putter_new(queue, on_put, form, &form->putter);
    else
        rc = aiol_queue_joiner_new(queue, on_join, form, &form->joiner);
    expect("new form", number_of(form), rc, 0);
}

/* Begin anew, in spoilt memory. It is not started. */
static void renew(struct form *form)
{
    struct aiol_queue *queue = form->queue->queue;

    free_form(form);
    form->getter = NULL;
    form->putter = NULL;
    form->joiner = NULL;
    if (chance(2)) {
        allocate(form);
        return;
    }
    memset(&form->own, 0xdb, sizeof form->own);
    if (form->kind == GETTER) {
        form->getter = &form->own.getter;
        aiol_queue_getter_init(form->getter, queue, on_get, form);
    } else if (form->kind == PUTTER) {
        form->putter = &form->own.putter;
        aiol_queue_putter_init(form->putter, queue, on_put, form);
    } else {
        form->joiner = &form->own.joiner;
        aiol_queue_joiner_init(form->joiner, queue, on_join, form);
    }
}

void forget_forms(void)
{
    for (int i = 0; i < FORM_COUNT; i++)
        forms[i] = (struct form){0};
}

void bind_forms(struct queue *queue)
{
    static const enum kind kinds[FORMS_PER_QUEUE] = {GETTER, GETTER, GETTER, PUTTER,
                                                     PUTTER, PUTTER, JOINER, JOINER};

    for (int i = 0; i < FORMS_PER_QUEUE; i++) {
        struct form *form = &forms[queue_number(queue) * FORMS_PER_QUEUE + i];

        form->kind = kinds[i];
        form->queue = queue;
        renew(form);
    }
}

/* What the model's operation has come to: a status, or the form has to wait in this line. */
static int begin(struct form *form, struct line *line, int rc, int item)
{
    form->waiter.value = item;
    if (rc == -EAGAIN)
        line_join(line, &form->waiter);
    else if (rc == 0)
        complete(&form->waiter, 0, item);
    return rc == -EAGAIN ? 0 : rc;
}

static int start_in_model(struct form *form, int *ret_item)
{
    struct queue *queue = form->queue;
    int rc;

    *ret_item = -1;
    if (is_started(&form->waiter))
        return -EALREADY;
    if (queue->closing.depth > 0)
        return AIOL_ECLOSED;
    if (form->kind == GETTER) {
        rc = model_get(queue, ret_item);
        return begin(form, &queue->getters, rc, *ret_item);
    }
    if (form->kind == PUTTER) {
        *ret_item = new_item();
        rc = model_put(queue, *ret_item);
        return begin(form, &queue->putters, rc, *ret_item);
    }
    return begin(form, &queue->joiners, queue->unfinished > 0 ? -EAGAIN : 0, -1);
}

static void start(struct form *form)
{
    int item, expected, rc;

    if (!is_any_item_left())
        return;
    trace("form", number_of(form), "is started", form->kind);
    expected = start_in_model(form, &item);
    if (form->kind == GETTER)
        rc = aiol_queue_getter_start(form->getter);
    else if (form->kind == PUTTER)
        rc = aiol_queue_putter_start(form->putter, item < 0 ? NULL : item_pointer(item));
    else
        rc = aiol_queue_joiner_start(form->joiner);
    expect("start", number_of(form), rc, expected);
}

/* An item that it was given comes back, and one that it has not put yet stays here. */
static void stop(struct form *form)
{
    bool was_given = form->waiter.call.is_due && form->waiter.status == 0;
    bool was_started = is_started(&form->waiter);
    void *pointer = NULL;

    waiter_stop(&form->waiter);
    if (form->kind == GETTER) {
        expect("getter stop", number_of(form), aiol_queue_getter_stop(form->getter, &pointer),
               was_given);
        if (was_given)
            receive_item("stopped getter", pointer, form->waiter.value);
    } else if (form->kind == PUTTER) {
        expect("putter stop", number_of(form), aiol_queue_putter_stop(form->putter),
               was_given || !was_started);
    } else {
        aiol_queue_joiner_stop(form->joiner);
    }
}

static void check_busy(const struct form *form)
{
    if (form->kind == GETTER)
        expect("getter free", number_of(form), aiol_queue_getter_free(form->getter), -EBUSY);
    else if (form->kind == PUTTER)
        expect("putter free", number_of(form), aiol_queue_putter_free(form->putter), -EBUSY);
}

/* Often one that has been completed, and was not called yet. */
static struct form *some_form(void)
{
    struct form *form = &forms[below(FORM_COUNT)];

    for (int i = 0; i < FORM_COUNT; i++) {
        if (forms[i].waiter.call.is_due && chance(4))
            form = &forms[i];
    }
    return form;
}

void act_on_forms(void)
{
    struct form *form = some_form();

    if (!form->queue->queue)
        return;
    switch (below(8)) {
    case 0:
    case 1:
        trace("form", number_of(form), "is stopped", 0);
        stop(form);
        break;
    case 2:
        if (is_started(&form->waiter) && form->is_allocated)
            check_busy(form);
        else if (!is_started(&form->waiter) && form->queue->closing.depth == 0)
            renew(form);
        break;
    default:
        start(form);
    }
}

void check_forms_after_free(const struct queue *queue)
{
    for (int i = 0; i < FORM_COUNT; i++) {
        if (forms[i].queue == queue && is_started(&forms[i].waiter))
            fault("form %d is not called when its queue is freed", i);
    }
}

void stop_forms(void)
{
    for (int i = 0; i < FORM_COUNT; i++) {
        if (forms[i].queue->queue)
            stop(&forms[i]);
    }
}

void free_forms(void)
{
    for (int i = 0; i < FORM_COUNT; i++)
        free_form(&forms[i]);
}
