/*
 * The table of descriptors, indexed by their numbers: what the poller was told against what the
 * watchers want now. The difference goes to the poller once a turn.
 *
 *     start/stop ──> wanted changes ──> entry on the list of changed ones ──> flush before the wait
 *
 * An event names a descriptor and the generation of its registration, never an address. If the
 * generation is not the entry's, the event belongs to a descriptor that was closed while a
 * duplicate of it lives on somewhere, and is dropped. Such a registration cannot be taken out by
 * its number any more; if it goes on sending, the poller is made anew.
 *
 * A registration outlives its watchers' stop, since starting again is common: the poller goes on
 * looking whether there is something to be read, until there is and nobody wants it. And it may be
 * stale, since users close descriptors. So a watcher that starts for the first time does not trust
 * it, but has the poller confirm it.
 */
#ifndef AIOL__REACTOR_IO_TABLE_H
#define AIOL__REACTOR_IO_TABLE_H

#include "base/walk.h"

#include <stdbool.h>
#include <stdint.h>

struct aiol_loop;

enum aiol__descriptor_state {
    AIOL__UNREGISTERED,
    AIOL__REGISTERED,
    AIOL__ALWAYS_READY /* the poller does not have it */
};

/* What the table knows of a descriptor, whose number is its index in the table. */
struct aiol__descriptor {
    struct aiol__list *first; /* the watchers that are started, in a circle without a head */
    uint32_t generation;      /* of the registration, or of the last one; 0: never registered */
    int32_t next_changed;     /* the next descriptor on the list of changed ones; -1 ends it */
    uint8_t wanted;           /* what the watchers want together, and AIOL_EDGE */
    uint8_t registered;       /* what the poller was told */
    uint8_t state;            /* enum aiol__descriptor_state */
    bool is_changed;          /* on the list of changed ones */
    bool is_listed_ready;     /* in table.always_ready, perhaps only until that is next walked */
    bool must_confirm;        /* tell the poller again, although nothing has changed */
};

#define AIOL__BLOCK_DESCRIPTORS 256

struct aiol__io_table {
    /* Of so many descriptors each; NULL where no number in it was ever watched. They stay where
     * they are when the table grows. */
    struct aiol__descriptor **blocks;
    int block_count;
    int first_changed;
    int *always_ready; /* descriptors that cannot be polled, in the order of their starts */
    int always_ready_count;
    int always_ready_capacity;
    uint64_t active_count; /* started watchers */
    uint64_t ref_count;    /* of them those that are not unref'd */

    /* For io.c, which serves. */
    struct aiol__walk walk; /* the watchers of the descriptor that is being served */
    uint64_t turn;
    unsigned stale_turns;  /* turns in a row in which the poller sent stale events */
    bool has_unregistered; /* in the turn that is under way */
};

void aiol__io_table_init(struct aiol__io_table *table);
void aiol__io_table_free(struct aiol_loop *loop);

/* The entry of a number that is known to have one. */
static inline struct aiol__descriptor *aiol__io_table_at(const struct aiol__io_table *table, int fd)
{
    unsigned number = (unsigned)fd;

    return &table->blocks[number / AIOL__BLOCK_DESCRIPTORS][number % AIOL__BLOCK_DESCRIPTORS];
}

/* The entry of a number, or NULL. */
static inline struct aiol__descriptor *aiol__io_table_find(const struct aiol__io_table *table,
                                                           int fd)
{
    unsigned block = (unsigned)fd / AIOL__BLOCK_DESCRIPTORS; /* of a negative one beyond all */

    if (block >= (unsigned)table->block_count || !table->blocks[block])
        return NULL;
    return aiol__io_table_at(table, fd);
}

/* See that the poller knows the descriptor, for `events` if it has to be told now. `is_trusted`:
 * what was registered before is still so. 0 or an error as aiol_io_start() returns. */
int aiol__io_table_register(struct aiol_loop *loop, int fd, uint32_t events, bool is_trusted);

/* The poller does not have the descriptor, or does not want it any more: from now on it is always
 * ready. 0 or -ENOMEM. */
int aiol__io_table_keep_ready(struct aiol_loop *loop, int fd);

/* Tell the poller again in the next flush, also when nothing has changed. */
void aiol__io_table_confirm(struct aiol__io_table *table, int fd);

/* Take the registration out, at once. */
void aiol__io_table_unregister(struct aiol_loop *loop, int fd);

/* What the watchers want from now on; the poller is told in the next flush. */
void aiol__io_table_want(struct aiol__io_table *table, int fd, uint8_t wanted);

static inline bool aiol__io_table_has_changes(const struct aiol__io_table *table)
{
    return table->first_changed >= 0;
}

/* Tell the poller what has changed, which with `at_once` must not wait until it polls. What it
 * refuses is tried again the next time; an error is returned when events that are wanted would be
 * missed for that. */
int aiol__io_table_flush(struct aiol_loop *loop, bool at_once);

/* Make the poller anew, with a wakeup descriptor; what is wanted is registered in it by the next
 * flush. 0 or -errno, and then nothing has changed. */
int aiol__io_table_rebuild(struct aiol_loop *loop, int wakeup_fd);

/* Forget a descriptor, which must have no watcher: -EBUSY otherwise. */
int aiol__io_table_forget(struct aiol_loop *loop, int fd);

/* A number that the system has just handed out: what is known of it is out of date. */
void aiol__io_table_expect_new(struct aiol_loop *loop, int fd);

#endif
