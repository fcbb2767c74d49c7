/*
 * The table of descriptors; io_table.h explains it. Here is all that the reactor says to the poller
 * about descriptors.
 */
#include "base/allocator.h"
#include "reactor/loop.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#define INITIAL_CAPACITY 64

void aiol__io_table_init(struct aiol__io_table *table)
{
    *table = (struct aiol__io_table){.first_changed = -1};
}

void aiol__io_table_free(struct aiol_loop *loop)
{
    aiol__release(&loop->allocator, loop->io.descriptors);
    aiol__release(&loop->allocator, loop->io.always_ready);
}

struct aiol__descriptor *aiol__io_table_find(struct aiol__io_table *table, int fd)
{
    return fd >= 0 && fd < table->capacity ? &table->descriptors[fd] : NULL;
}

static int grow_table(struct aiol_loop *loop, int fd)
{
    struct aiol__io_table *table = &loop->io;
    struct aiol__descriptor *descriptors;
    int capacity = table->capacity ? table->capacity : INITIAL_CAPACITY;

    while (capacity <= fd)
        capacity = capacity > INT_MAX / 2 ? INT_MAX : capacity * 2;
    descriptors = aiol__reallocate(&loop->allocator, table->descriptors,
                                   (size_t)capacity * sizeof *descriptors);
    if (!descriptors)
        return -ENOMEM;
    memset(descriptors + table->capacity, 0,
           (size_t)(capacity - table->capacity) * sizeof *descriptors);
    table->descriptors = descriptors;
    table->capacity = capacity;
    return 0;
}

static void mark_changed(struct aiol__io_table *table, int fd)
{
    struct aiol__descriptor *descriptor = &table->descriptors[fd];

    if (descriptor->is_changed ||
        (descriptor->wanted == descriptor->registered && !descriptor->must_confirm))
        return;
    descriptor->is_changed = true;
    descriptor->next_changed = table->first_changed;
    table->first_changed = fd;
}

void aiol__io_table_want(struct aiol__io_table *table, int fd, uint8_t wanted)
{
    table->descriptors[fd].wanted = wanted;
    mark_changed(table, fd);
}

/* Make room first, so that a descriptor that was found to be unpollable can be noted. */
static int reserve_always_ready(struct aiol_loop *loop)
{
    struct aiol__io_table *table = &loop->io;
    int capacity = table->always_ready_capacity ? table->always_ready_capacity * 2 : 8;
    int *fds;

    if (table->always_ready_count < table->always_ready_capacity)
        return 0;
    fds = aiol__reallocate(&loop->allocator, table->always_ready, (size_t)capacity * sizeof *fds);
    if (!fds)
        return -ENOMEM;
    table->always_ready = fds;
    table->always_ready_capacity = capacity;
    return 0;
}

int aiol__io_table_keep_ready(struct aiol_loop *loop, int fd)
{
    struct aiol__io_table *table = &loop->io;
    struct aiol__descriptor *descriptor = &table->descriptors[fd];
    int rc = reserve_always_ready(loop);

    if (rc < 0)
        return rc;
    descriptor->is_registered = false;
    descriptor->is_always_ready = true;
    if (!descriptor->is_listed_ready) {
        descriptor->is_listed_ready = true;
        table->always_ready[table->always_ready_count++] = fd;
    }
    return 0;
}

static uint32_t next_generation(const struct aiol__descriptor *descriptor)
{
    uint32_t generation = descriptor ? descriptor->generation + 1 : 1;

    return generation ? generation : 1; /* 0 is the wakeup descriptor's */
}

/* A new registration. Only when the poller has accepted the number is the table made to hold it,
 * lest a huge number that is no descriptor makes it huge. */
static int register_new(struct aiol_loop *loop, int fd, uint32_t events)
{
    struct aiol__poller *poller = loop->poller;
    uint32_t generation = next_generation(aiol__io_table_find(&loop->io, fd));
    struct aiol__descriptor *descriptor;
    int rc = poller->ops->add(poller, fd, generation, events);
    bool is_pollable = rc != -EPERM;

    if (rc == -EEXIST) /* it came back by dup2() from a duplicate of what we registered */
        rc = poller->ops->modify(poller, fd, generation, 0, events, true);
    if (rc < 0 && is_pollable)
        return rc;
    if (fd >= loop->io.capacity) {
        rc = grow_table(loop, fd);
        if (rc < 0) {
            if (is_pollable)
                poller->ops->remove(poller, fd, events);
            return rc;
        }
    }
    if (!is_pollable)
        return aiol__io_table_keep_ready(loop, fd);
    descriptor = &loop->io.descriptors[fd];
    descriptor->generation = generation;
    descriptor->registered = (uint8_t)events;
    descriptor->is_registered = true;
    descriptor->is_always_ready = false;
    descriptor->must_confirm = false;
    return 0;
}

int aiol__io_table_register(struct aiol_loop *loop, int fd, uint32_t events, bool is_trusted)
{
    struct aiol__descriptor *descriptor = aiol__io_table_find(&loop->io, fd);
    int rc;

    if (!descriptor)
        return register_new(loop, fd, events);
    if (is_trusted && (descriptor->is_registered || descriptor->is_always_ready))
        return 0;
    if (descriptor->is_registered) {
        rc = loop->poller->ops->modify(loop->poller, fd, descriptor->generation,
                                       descriptor->registered, events, true);
        if (rc == 0) {
            descriptor->registered = (uint8_t)events;
            return 0;
        }
        if (rc != -ENOENT && rc != -EBADF)
            return rc;
    }
    rc = register_new(loop, fd, events);
    if (rc < 0 && descriptor->first) {
        /* The registration is stale, and other watchers do not know: let the flush see to them. */
        descriptor->must_confirm = true;
        mark_changed(&loop->io, fd);
    }
    return rc;
}

void aiol__io_table_unregister(struct aiol_loop *loop, int fd)
{
    struct aiol__descriptor *descriptor = &loop->io.descriptors[fd];

    descriptor->is_always_ready = false;
    if (!descriptor->is_registered)
        return;
    loop->poller->ops->remove(loop->poller, fd, descriptor->registered);
    descriptor->is_registered = false;
    loop->io.has_unregistered = true;
}

int aiol__io_table_forget(struct aiol_loop *loop, int fd)
{
    struct aiol__descriptor *descriptor = aiol__io_table_find(&loop->io, fd);

    if (!descriptor)
        return 0;
    if (descriptor->first)
        return -EBUSY;
    aiol__io_table_unregister(loop, fd);
    return 0;
}

void aiol__io_table_expect_new(struct aiol_loop *loop, int fd)
{
    struct aiol__descriptor *descriptor = aiol__io_table_find(&loop->io, fd);

    if (descriptor && !descriptor->first)
        descriptor->is_registered = false;
}

static int flush_one(struct aiol_loop *loop, int fd, bool at_once)
{
    struct aiol__descriptor *descriptor = &loop->io.descriptors[fd];
    int rc;

    if (!descriptor->is_registered ||
        (descriptor->wanted == descriptor->registered && !descriptor->must_confirm))
        return 0;
    rc = loop->poller->ops->modify(loop->poller, fd, descriptor->generation, descriptor->registered,
                                   descriptor->wanted, at_once);
    if (rc == 0) {
        descriptor->registered = descriptor->wanted;
        descriptor->must_confirm = false;
        return 0;
    }
    if (rc != -ENOENT && rc != -EBADF)
        return rc;
    /* Closed behind the watchers' backs. Whoever still watches finds the error by reading. */
    if (!descriptor->wanted) {
        descriptor->is_registered = false;
        descriptor->must_confirm = false;
        return 0;
    }
    if (rc == -ENOENT) {
        descriptor->must_confirm = true; /* until it is registered, whatever is wanted then */
        rc = register_new(loop, fd, descriptor->wanted);
    }
    return rc == -EBADF ? aiol__io_table_keep_ready(loop, fd) : rc;
}

/* Being told more than is wanted is no failure. */
static bool misses_events(const struct aiol__descriptor *descriptor)
{
    if (descriptor->must_confirm)
        return descriptor->wanted != 0;
    return (descriptor->wanted & ~descriptor->registered) != 0;
}

int aiol__io_table_flush(struct aiol_loop *loop, bool at_once)
{
    struct aiol__io_table *table = &loop->io;
    int fd = table->first_changed;
    int result = 0;

    table->first_changed = -1;
    while (fd >= 0) {
        int next = table->descriptors[fd].next_changed;
        int rc = flush_one(loop, fd, at_once);

        table->descriptors[fd].is_changed = false;
        if (rc < 0)
            mark_changed(table, fd); /* to be tried again */
        if (rc < 0 && misses_events(&table->descriptors[fd]))
            result = rc;
        fd = next;
    }
    return result;
}

int aiol__io_table_rebuild(struct aiol_loop *loop, int wakeup_fd)
{
    struct aiol__io_table *table = &loop->io;
    int rc = loop->poller->ops->reopen(loop->poller, wakeup_fd);

    if (rc < 0)
        return rc;
    for (int fd = 0; fd < table->capacity; fd++) {
        struct aiol__descriptor *descriptor = &table->descriptors[fd];

        if (!descriptor->is_registered)
            continue;
        descriptor->registered = 0;
        if (loop->poller->ops->add(loop->poller, fd, descriptor->generation, 0) < 0)
            descriptor->must_confirm = true; /* to be found missing by the flush */
        mark_changed(table, fd);
    }
    return 0;
}
