/* What queues.c and queue_calls.c share: queues in the model. */
#ifndef QUEUES_H
#define QUEUES_H

#include "tasks.h"

#define QUEUE_COUNT 3
#define MAX_ITEMS 512

/* Items are numbers. A program never uses one twice, so that none can be mistaken for another. */
struct queue {
    struct aiol_queue *queue; /* NULL: it was freed */
    size_t capacity;
    bool is_shut_down;
    int items[MAX_ITEMS];
    size_t count;
    size_t high_water;
    uint64_t unfinished;
    struct line getters;
    struct line putters;
    struct line joiners;
    struct closing closing;
    unsigned destroying;  /* calls under way that destroy items */
    int dying[MAX_ITEMS]; /* what is about to be destroyed, the first one last */
    int dying_count;
};

extern struct queue queues[QUEUE_COUNT];

int queue_number(const struct queue *queue);
bool is_any_item_left(void);
int new_item(void);
void *item_pointer(int item);
/* The program has this item now, as the model says. */
void receive_item(const char *what, const void *pointer, int item);

/* The model's put, get and join: 0 or an error, as the library has them; -EAGAIN when one would
 * have to wait. */
int model_put(struct queue *queue, int item);
int model_get(struct queue *queue, int *ret_item);

/* queue_calls.c: getters, putters and joiners of a queue. */
void forget_forms(void);
void bind_forms(struct queue *queue);
void act_on_forms(void);
void check_forms_after_free(const struct queue *queue);
void stop_forms(void);
void free_forms(void);

#endif
