/*
 * The table of descriptors; io_table.h explains it. Here is all that the reactor says to the poller
 * about descriptors.
 */
#include "base/allocator.h"
#include "reactor/loop.h"

#include <errno.h>

void aiol__io_table_init(struct aiol__io_table *table)
{
    *table = (struct aiol__io_table){.first_changed = -1};
}

void aiol__io_table_free(struct aiol_loop *loop)
{
    for (int i = 0; i < loop->io.block_count; i++)
        aiol__release(&loop->allocator, loop->io.blocks[i]);
    aiol__release(&loop->allocator, loop->io.blocks);
    aiol__release(&loop->allocator, loop->io.always_ready);
}

/* Make room for the addresses of so many blocks. */
static int reserve_blocks(struct aiol_loop *loop, int count)
{
    struct aiol__io_table *table = &loop->io;
    struct aiol__descriptor **blocks;

    if (count <= table->block_count)
        return 0;
    if (count < 2 * table->block_count)
        count = 2 * table->block_count;
    blocks = aiol__reallocate(&loop->allocator, table->blocks, (size_t)count * sizeof(void *));
    if (!blocks)
        return -ENOMEM;
    for (int i = table->block_count; i < count; i++)
        blocks[i] = NULL;
    table->blocks = blocks;
    table->block_count = count;
    return 0;
}

/* Make an entry for a number that has none. */
static int add_block(struct aiol_loop *loop, int fd)
{
    int index = fd / AIOL__BLOCK_DESCRIPTORS;
    struct aiol__descriptor *block;

    if (reserve_blocks(loop, index + 1) < 0)
        return -ENOMEM;
    block = aiol__allocate_zeroed(&loop->allocator, AIOL__BLOCK_DESCRIPTORS * sizeof block[0]);
    if (!block)
        return -ENOMEM;
    loop->io.blocks[index] = block;
    return 0;
}

/* Does the poller know what it has to? That nobody wants to read for now is left until there is
 * something to be read: mostly somebody wants to again by then. (Not so writing: what can be
 * written to now most likely still can when the poller looks.) */
static bool is_told(const struct aiol__descriptor *descriptor)
{
    uint8_t may_stay = descriptor->wanted ? AIOL_READABLE : AIOL_READABLE | AIOL_EDGE;
    uint8_t changed = descriptor->wanted ^ descriptor->registered;

    return !(changed & ~(descriptor->registered & may_stay)) && !descriptor->must_confirm;
}

static void mark_changed(struct aiol__io_table *table, int fd)
{
    struct aiol__descriptor *descriptor = aiol__io_table_at(table, fd);

    if (descriptor->is_changed || is_told(descriptor))
        return;
    descriptor->is_changed = true;
    descriptor->next_changed = table->first_changed;
    table->first_changed = fd;
}

void aiol__io_table_want(struct aiol__io_table *table, int fd, uint8_t wanted)
{
    aiol__io_table_at(table, fd)->wanted = wanted;
    mark_changed(table, fd);
}

void aiol__io_table_confirm(struct aiol__io_table *table, int fd)
{
    aiol__io_table_at(table, fd)->must_confirm = true;
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
    struct aiol__descriptor *descriptor = aiol__io_table_at(table, fd);
    int rc = reserve_always_ready(loop);

    if (rc < 0)
        return rc;
    aiol__io_table_unregister(loop, fd);
    descriptor->state = AIOL__ALWAYS_READY;
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
    if (!aiol__io_table_find(&loop->io, fd)) {
        rc = add_block(loop, fd);
        if (rc < 0) {
            if (is_pollable)
                poller->ops->remove(poller, fd, events);
            return rc;
        }
    }
    if (!is_pollable)
        return aiol__io_table_keep_ready(loop, fd);
    descriptor = aiol__io_table_at(&loop->io, fd);
    descriptor->generation = generation;
    descriptor->registered = (uint8_t)events;
    descriptor->state = AIOL__REGISTERED;
    descriptor->must_confirm = false;
    return 0;
}

int aiol__io_table_register(struct aiol_loop *loop, int fd, uint32_t events, bool is_trusted)
{
    struct aiol__descriptor *descriptor = aiol__io_table_find(&loop->io, fd);
    int rc = -ENOENT;

    if (!descriptor)
        return register_new(loop, fd, events);
    if (is_trusted && descriptor->state != AIOL__UNREGISTERED)
        return 0;
    if (descriptor->state == AIOL__REGISTERED) {
        rc = loop->poller->ops->modify(loop->poller, fd, descriptor->generation,
                                       descriptor->registered, events, true);
        if (rc == 0)
            descriptor->registered = (uint8_t)events;
    }
    if (rc == -ENOENT || rc == -EBADF)
        rc = register_new(loop, fd, events);
    /* What is registered is stale or half changed, and other watchers do not know. */
    if (rc < 0 && descriptor->first)
        aiol__io_table_confirm(&loop->io, fd);
    return rc;
}

void aiol__io_table_unregister(struct aiol_loop *loop, int fd)
{
    struct aiol__descriptor *descriptor = aiol__io_table_at(&loop->io, fd);

    if (descriptor->state == AIOL__REGISTERED) {
        loop->poller->ops->remove(loop->poller, fd, descriptor->registered);
        loop->io.has_unregistered = true;
    }
    descriptor->state = AIOL__UNREGISTERED;
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
        descriptor->state = AIOL__UNREGISTERED;
}

/* Being told more than is wanted is no failure. */
static bool misses_events(const struct aiol__descriptor *descriptor)
{
    uint8_t changed = descriptor->wanted ^ descriptor->registered;

    if (descriptor->must_confirm || (changed & AIOL_EDGE))
        return descriptor->wanted != 0;
    return (changed & descriptor->wanted) != 0;
}

static int flush_one(struct aiol_loop *loop, int fd, bool at_once)
{
    struct aiol__descriptor *descriptor = aiol__io_table_at(&loop->io, fd);
    int rc;

    if (descriptor->state != AIOL__REGISTERED || is_told(descriptor))
        return 0;
    rc = loop->poller->ops->modify(loop->poller, fd, descriptor->generation, descriptor->registered,
                                   descriptor->wanted, at_once || descriptor->must_confirm);
    if (rc == 0) {
        descriptor->registered = descriptor->wanted;
        descriptor->must_confirm = false;
        return 0;
    }
    if (rc != -ENOENT && rc != -EBADF) {
        descriptor->must_confirm |= misses_events(descriptor);
        return rc;
    }
    /* Closed behind the watchers' backs. Whoever still watches finds the error by reading. */
    if (!descriptor->wanted) {
        descriptor->state = AIOL__UNREGISTERED;
        descriptor->must_confirm = false;
        return 0;
    }
    if (rc == -ENOENT) {
        descriptor->must_confirm = true; /* until it is registered, whatever is wanted then */
        rc = register_new(loop, fd, descriptor->wanted);
    }
    return rc == -EBADF ? aiol__io_table_keep_ready(loop, fd) : rc;
}

int aiol__io_table_flush(struct aiol_loop *loop, bool at_once)
{
    struct aiol__io_table *table = &loop->io;
    int fd = table->first_changed;
    int result = 0;

    table->first_changed = -1;
    while (fd >= 0) {
        int next = aiol__io_table_at(table, fd)->next_changed;
        int rc = flush_one(loop, fd, at_once);

        aiol__io_table_at(table, fd)->is_changed = false;
        if (rc < 0)
            mark_changed(table, fd); /* to be tried again */
        if (rc < 0 && misses_events(aiol__io_table_at(table, fd)))
            result = rc;
        fd = next;
    }
    if (at_once && result == 0 && loop->poller->ops->hand_over)
        result = loop->poller->ops->hand_over(loop->poller);
    return result;
}

/* Tell a poller that was made anew what is registered, for now without wanting anything. */
static void register_again(struct aiol_loop *loop, int fd)
{
    struct aiol__descriptor *descriptor = aiol__io_table_at(&loop->io, fd);

    if (descriptor->state != AIOL__REGISTERED)
        return;
    descriptor->registered = 0;
    if (loop->poller->ops->add(loop->poller, fd, descriptor->generation, 0) == 0)
        mark_changed(&loop->io, fd);
    else
        aiol__io_table_confirm(&loop->io, fd); /* to be found missing by the flush */
}

int aiol__io_table_rebuild(struct aiol_loop *loop, int wakeup_fd)
{
    int rc = loop->poller->ops->reopen(loop->poller, wakeup_fd);

    if (rc < 0)
        return rc;
    for (int block = 0; block < loop->io.block_count; block++) {
        for (int i = 0; loop->io.blocks[block] && i < AIOL__BLOCK_DESCRIPTORS; i++)
            register_again(loop, block * AIOL__BLOCK_DESCRIPTORS + i);
    }
    return 0;
}
