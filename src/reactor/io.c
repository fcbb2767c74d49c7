/*
 * Descriptors and their watchers: a table indexed by descriptor number, and in each entry what the
 * poller was told against what the watchers want now. The difference goes to the poller once a
 * turn.
 *
 *     start/stop ──> wanted changes ──> entry on the list of changed ones ──> flush before the wait
 *
 * An event names a descriptor and the generation of its registration, never an address. If the
 * generation is not the entry's, the event belongs to a descriptor that was closed while a
 * duplicate of it lives on somewhere, and is dropped. Such a registration cannot be taken out by
 * its number any more; if it goes on sending, the poller is made anew.
 *
 * A registration outlives its watchers' stop, since starting again is common; and it may be stale,
 * since users close descriptors. So a watcher that starts for the first time does not trust it, but
 * has the poller confirm it.
 */
#include "base/allocator.h"
#include "reactor/loop.h"

#include <aiol/error.h>

#include <errno.h>
#include <limits.h>
#include <string.h>

#define INITIAL_CAPACITY 64
#define MAX_STALE_TURNS 8

static const uint32_t all_events = AIOL_READABLE | AIOL_WRITABLE | AIOL_EDGE;

static struct aiol_io *io_of(struct aiol__list *node)
{
    return container_of(node, struct aiol_io, node);
}

void aiol__io_init(struct aiol__io_table *table)
{
    *table = (struct aiol__io_table){.first_changed = -1};
}

void aiol__io_free(struct aiol_loop *loop)
{
    aiol__release(&loop->allocator, loop->io.descriptors);
    aiol__release(&loop->allocator, loop->io.always_ready);
}

static struct aiol__descriptor *find_descriptor(struct aiol__io_table *table, int fd)
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

/* What the watchers want together, but for one that is to be left out. */
static uint8_t wanted_by_watchers(const struct aiol__descriptor *descriptor,
                                  const struct aiol_io *but)
{
    struct aiol__list *node = descriptor->first;
    uint8_t wanted = 0;

    if (!node)
        return 0;
    do {
        if (io_of(node) != but)
            wanted |= io_of(node)->wanted;
        node = node->next;
    } while (node != descriptor->first);
    return wanted;
}

static void update_wanted(struct aiol__io_table *table, int fd)
{
    struct aiol__descriptor *descriptor = &table->descriptors[fd];

    descriptor->wanted = wanted_by_watchers(descriptor, NULL);
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

static int make_always_ready(struct aiol_loop *loop, int fd)
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
    uint32_t generation = next_generation(find_descriptor(&loop->io, fd));
    struct aiol__descriptor *descriptor;
    int rc = poller->ops->add(poller, fd, generation, events);
    bool is_pollable = rc != -EPERM;

    if (rc == -EEXIST) /* ours, forgotten by aiol__io_expect_new() */
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
        return make_always_ready(loop, fd);
    descriptor = &loop->io.descriptors[fd];
    descriptor->generation = generation;
    descriptor->registered = (uint8_t)events;
    descriptor->is_registered = true;
    descriptor->is_always_ready = false;
    descriptor->must_confirm = false;
    return 0;
}

/* See that the poller knows the descriptor; `is_trusted`: what was registered before is still so.
 */
static int ensure_registered(struct aiol_loop *loop, int fd, uint32_t events, bool is_trusted)
{
    struct aiol__descriptor *descriptor = find_descriptor(&loop->io, fd);
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

static void link_watcher(struct aiol__descriptor *descriptor, struct aiol_io *io)
{
    if (descriptor->first)
        aiol__list_insert_before(descriptor->first, &io->node);
    else
        descriptor->first = &io->node;
}

static void unlink_watcher(struct aiol__io_table *table, struct aiol__descriptor *descriptor,
                           struct aiol_io *io)
{
    aiol__walk_forget(&table->walk, &io->node);
    if (descriptor->first == &io->node)
        descriptor->first = aiol__list_is_linked(&io->node) ? io->node.next : NULL;
    aiol__list_remove(&io->node);
}

void aiol_io_init(struct aiol_io *io, struct aiol_loop *loop, int fd, aiol_io_fn callback,
                  void *data)
{
    *io = (struct aiol_io){.loop = loop, .callback = callback, .data = data, .fd = fd};
    aiol__list_init(&io->node);
}

int aiol_io_start(struct aiol_io *io, uint32_t events)
{
    struct aiol_loop *loop = io->loop;
    struct aiol__io_table *table = &loop->io;
    struct aiol__descriptor *descriptor = find_descriptor(table, io->fd);
    uint8_t others;
    int rc;

    aiol__loop_check_thread(loop);
    if (loop->is_closing)
        return AIOL_ECLOSED;
    if ((events & ~all_events) || !(events & (AIOL_READABLE | AIOL_WRITABLE)))
        return -EINVAL;
    if (io->fd < 0)
        return -EBADF;
    others = descriptor ? wanted_by_watchers(descriptor, io) : 0;
    if (others && (others ^ events) & AIOL_EDGE)
        return -EINVAL;

    rc = ensure_registered(loop, io->fd, others | events, io->trusted);
    if (rc < 0)
        return rc;
    /* An edge may have been dropped while this watcher did not want it: have the poller look again.
     */
    if (io->trusted && (events & AIOL_EDGE) && (events & ~(uint32_t)io->wanted))
        table->descriptors[io->fd].must_confirm = true;
    io->trusted = true;
    if (!io->wanted) {
        link_watcher(&table->descriptors[io->fd], io);
        io->started_turn = table->turn;
        table->active_count++;
        table->ref_count += !io->unref;
    }
    io->wanted = (uint8_t)events;
    update_wanted(table, io->fd);
    return 0;
}

void aiol_io_stop(struct aiol_io *io)
{
    struct aiol__io_table *table = &io->loop->io;

    aiol__loop_check_thread(io->loop);
    if (!io->wanted)
        return;
    unlink_watcher(table, &table->descriptors[io->fd], io);
    io->wanted = 0;
    table->active_count--;
    table->ref_count -= !io->unref;
    update_wanted(table, io->fd);
}

static void unregister(struct aiol_loop *loop, int fd)
{
    struct aiol__descriptor *descriptor = &loop->io.descriptors[fd];

    descriptor->is_always_ready = false;
    if (!descriptor->is_registered)
        return;
    loop->poller->ops->remove(loop->poller, fd, descriptor->registered);
    descriptor->is_registered = false;
    loop->io.has_unregistered = true;
}

void aiol_io_close(struct aiol_io *io)
{
    struct aiol__descriptor *descriptor;

    aiol_io_stop(io);
    io->trusted = false;
    descriptor = find_descriptor(&io->loop->io, io->fd);
    if (descriptor && !descriptor->first)
        unregister(io->loop, io->fd);
}

int aiol__io_forget(struct aiol_loop *loop, int fd)
{
    struct aiol__descriptor *descriptor = find_descriptor(&loop->io, fd);

    if (!descriptor)
        return 0;
    if (descriptor->first)
        return -EBUSY;
    unregister(loop, fd);
    return 0;
}

void aiol__io_expect_new(struct aiol_loop *loop, int fd)
{
    struct aiol__descriptor *descriptor = find_descriptor(&loop->io, fd);

    if (descriptor && !descriptor->first)
        descriptor->is_registered = false;
}

static int flush_one(struct aiol_loop *loop, int fd)
{
    struct aiol__descriptor *descriptor = &loop->io.descriptors[fd];
    int rc;

    if (!descriptor->is_registered ||
        (descriptor->wanted == descriptor->registered && !descriptor->must_confirm))
        return 0;
    rc = loop->poller->ops->modify(loop->poller, fd, descriptor->generation, descriptor->registered,
                                   descriptor->wanted, false);
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
        return 0;
    }
    if (rc == -ENOENT)
        rc = register_new(loop, fd, descriptor->wanted);
    return rc == -EBADF ? make_always_ready(loop, fd) : rc;
}

int aiol__io_flush(struct aiol_loop *loop)
{
    struct aiol__io_table *table = &loop->io;
    int fd = table->first_changed;
    int result = 0;

    table->first_changed = -1;
    while (fd >= 0) {
        int next = table->descriptors[fd].next_changed;
        int rc = flush_one(loop, fd);

        table->descriptors[fd].is_changed = false;
        if (rc < 0)
            mark_changed(table, fd); /* to be tried again */
        /* Being told more than is wanted is no failure. */
        if (rc < 0 && (table->descriptors[fd].wanted & ~table->descriptors[fd].registered))
            result = rc;
        fd = next;
    }
    return result;
}

static void serve_descriptor(struct aiol_loop *loop, int fd, uint32_t ready)
{
    struct aiol__list *first = loop->io.descriptors[fd].first;
    struct aiol__list *node;

    if (!first) {
        /* A hang-up or an error is reported whether or not it is asked for, for ever. */
        if (ready & (AIOL_HANGUP | AIOL_ERROR))
            unregister(loop, fd);
        return;
    }
    aiol__walk_begin(&loop->io.walk, first, first->prev);
    while ((node = aiol__walk_next(&loop->io.walk)) != NULL) {
        struct aiol_io *io = io_of(node);

        /* Those that were started in this very phase wait for the next turn. */
        if ((io->wanted & ready) && io->started_turn < loop->io.turn)
            io->callback(io, ready & (io->wanted | AIOL_HANGUP | AIOL_ERROR), io->data);
    }
}

/* Make the poller anew with all that is wanted, and nothing else. */
static void rebuild_poller(struct aiol_loop *loop)
{
    struct aiol__io_table *table = &loop->io;

    if (loop->poller->ops->reopen(loop->poller) < 0)
        return; /* out of descriptors or memory: tried again when the next stale event comes */
    for (int fd = 0; fd < table->capacity; fd++) {
        struct aiol__descriptor *descriptor = &table->descriptors[fd];

        if (!descriptor->is_registered)
            continue;
        descriptor->registered = 0;
        if (loop->poller->ops->add(loop->poller, fd, descriptor->generation, 0) < 0)
            descriptor->registered = AIOL_EDGE; /* to be found missing by the flush */
        mark_changed(table, fd);
    }
}

static void serve_events(struct aiol_loop *loop, int count)
{
    bool was_stale = false;

    loop->io.has_unregistered = false;
    for (int i = 0; i < count; i++) {
        struct aiol__event event = loop->poller->events[i];
        struct aiol__descriptor *descriptor = find_descriptor(&loop->io, event.fd);

        if (event.generation == 0)
            aiol__wakeup_clear(&loop->mailbox->wakeup);
        else if (descriptor && descriptor->is_registered &&
                 descriptor->generation == event.generation)
            serve_descriptor(loop, event.fd, event.ready);
        else
            was_stale = true;
    }
    /* What was taken out in this very turn may have had an event in it: that is no sign of
     * anything. */
    if (was_stale)
        loop->io.stale_turns += !loop->io.has_unregistered;
    else if (count < loop->poller->max_events) /* else it may be waiting behind the others */
        loop->io.stale_turns = 0;
    if (loop->io.stale_turns >= MAX_STALE_TURNS) {
        loop->io.stale_turns = 0;
        rebuild_poller(loop);
    }
}

/* Those that become so meanwhile wait for the next turn; those that nobody wants are dropped, to be
 * found out about again when they are started the next time. */
static void serve_always_ready(struct aiol_loop *loop)
{
    struct aiol__io_table *table = &loop->io;
    int count = table->always_ready_count, kept = 0;

    for (int i = 0; i < count; i++) {
        int fd = table->always_ready[i];

        if (table->descriptors[fd].is_always_ready && table->descriptors[fd].wanted)
            serve_descriptor(loop, fd, AIOL_READABLE | AIOL_WRITABLE);
    }
    for (int i = 0; i < table->always_ready_count; i++) {
        int fd = table->always_ready[i];
        struct aiol__descriptor *descriptor = &table->descriptors[fd];

        if (!descriptor->is_always_ready || !descriptor->wanted)
            descriptor->is_listed_ready = descriptor->is_always_ready = false;
        else
            table->always_ready[kept++] = fd;
    }
    table->always_ready_count = kept;
}

void aiol__io_serve(struct aiol_loop *loop, int event_count)
{
    loop->io.turn++;
    serve_events(loop, event_count);
    serve_always_ready(loop);
}

int aiol_io_is_active(const struct aiol_io *io)
{
    return io->wanted != 0;
}

int aiol_io_fd(const struct aiol_io *io)
{
    return io->fd;
}

void aiol_io_unref(struct aiol_io *io)
{
    if (io->wanted && !io->unref)
        io->loop->io.ref_count--;
    io->unref = true;
}

void aiol_io_ref(struct aiol_io *io)
{
    if (io->wanted && io->unref)
        io->loop->io.ref_count++;
    io->unref = false;
}

int aiol_io_new(struct aiol_loop *loop, int fd, aiol_io_fn callback, void *data,
                struct aiol_io **ret_io)
{
    struct aiol_io *io = aiol__loop_allocate(loop, sizeof *io);

    if (!io)
        return -ENOMEM;
    aiol_io_init(io, loop, fd, callback, data);
    *ret_io = io;
    return 0;
}

void aiol_io_free(struct aiol_io *io)
{
    if (!io)
        return;
    aiol_io_close(io);
    aiol__loop_release(io->loop, io);
}

size_t aiol_io_size(void)
{
    return sizeof(struct aiol_io);
}

size_t aiol_io_align(void)
{
    return _Alignof(struct aiol_io);
}
