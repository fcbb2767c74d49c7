/*
 * Inside of the kqueue double: what a kqueue and a registration are.
 *
 * A kqueue's descriptor is an epoll descriptor. Each descriptor that is registered is in it once,
 * edge-triggered, so that nothing which is not wanted any more can keep it readable; what is ready
 * is found by looking (filter.c). Also in it is the bell, a descriptor that is always readable but
 * asked about only while the kqueue itself is to be readable.
 *
 *     kevent()  ->  change.c: registrations     ->  epoll: something may have happened
 *               ->  kqueue.c: scan, wait        ->  filter.c: what is ready
 */
#ifndef KQUEUE_DOUBLE_QUEUE_H
#define KQUEUE_DOUBLE_QUEUE_H

#include "double.h"

#include <sys/queue.h>
#include <sys/types.h>

enum kind {
    KIND_SOCKET,
    KIND_PIPE,
    KIND_FILE, /* and directories: what epoll does not take */
    KIND_KQUEUE,
    KIND_OTHER
};

struct registration {
    TAILQ_ENTRY(registration) link;
    int fd;
    int16_t filter;
    uint16_t flags; /* of the EV_ADD that made it */
    void *udata;
    bool is_enabled;
    bool is_triggered;   /* for EV_CLEAR: something has happened since it was last reported */
    uint32_t generation; /* of the descriptor; tells its events from those of a predecessor */
    enum kind kind;
    dev_t device;
    ino_t inode;
    intptr_t last_data; /* of a file, when it was last reported */
};

TAILQ_HEAD(registration_list, registration);

struct queue {
    LIST_ENTRY(queue) link;
    int fd;
    uint64_t id; /* tells it from one that has the same number later */
    bool bell_rings;
    uint32_t last_generation;
    struct registration_list registrations; /* in the order in which they will be reported */

    /* The script. */
    struct kevent *extra; /* to be reported before anything else */
    int extra_count;
    int change_to_fail; /* 0: none */
    int change_error;
    int event_limit; /* 0: none */
    int interruptions;
    bool reaps_late;
};

/* kqueue.c. All but these two want the lock to be held. */
void lock_queues(void);
void unlock_queues(void);
enum double_system system_now(void);
struct queue *find_queue(int fd); /* or NULL with EBADF */
int set_bell(struct queue *queue, bool rings);
int append_extra(struct queue *queue, const struct kevent *event);

/* change.c */
int apply_change(struct queue *queue, const struct kevent *change); /* 0 or an error number */
void drop_registration(struct queue *queue, struct registration *registration);
void drop_closed(struct queue *queue);
void update_watch(struct queue *queue, const struct registration *registration);

/* filter.c: what a filter says of its descriptor, and what of that comes back to the program. */
struct state {
    bool is_active;
    uint16_t flags;
    uint32_t fflags;
    intptr_t data;
};
enum kind kind_of(int fd);
bool has_no_reader(int fd);
struct state look(const struct registration *registration);

#endif
