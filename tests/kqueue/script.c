/* What a test tells the double to do out of turn (double.h). */
#include "queue.h"

int double_fail_change(int kq, int number, int error)
{
    struct queue *queue;

    lock_queues();
    queue = find_queue(kq);
    if (queue) {
        queue->change_to_fail = number;
        queue->change_error = error;
    }
    unlock_queues();
    return queue ? 0 : -1;
}

int double_inject(int kq, const struct kevent *event)
{
    struct queue *queue;
    int rc = -1;

    lock_queues();
    queue = find_queue(kq);
    if (queue)
        rc = append_extra(queue, event);
    unlock_queues();
    return rc;
}

int double_reap_late(int kq, bool reaps_late)
{
    struct queue *queue;

    lock_queues();
    queue = find_queue(kq);
    if (queue)
        queue->reaps_late = reaps_late;
    unlock_queues();
    return queue ? 0 : -1;
}

int double_limit_events(int kq, int limit)
{
    struct queue *queue;

    lock_queues();
    queue = find_queue(kq);
    if (queue)
        queue->event_limit = limit;
    unlock_queues();
    return queue ? 0 : -1;
}

int double_interrupt(int kq, int count)
{
    struct queue *queue;

    lock_queues();
    queue = find_queue(kq);
    if (queue)
        queue->interruptions = count;
    unlock_queues();
    return queue ? 0 : -1;
}
