/*
 * Watchers: starting and stopping them, and serving events. What each descriptor's watchers want
 * together is kept in the table of descriptors (io_table.h), which tells the poller.
 */
#include "base/waiter.h"
#include "reactor/loop.h"

#include <aiol/error.h>

#include <errno.h>

#define MAX_STALE_TURNS 8

static const uint32_t all_events = AIOL_READABLE | AIOL_WRITABLE | AIOL_EDGE;

static struct aiol_io *io_of(struct aiol__list *node)
{
    return container_of(node, struct aiol_io, node);
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
    aiol__io_table_want(table, fd, wanted_by_watchers(aiol__io_table_at(table, fd), NULL));
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

static int start(struct aiol_io *io, uint32_t events)
{
    struct aiol_loop *loop = io->loop;
    struct aiol__io_table *table = &loop->io;
    struct aiol__descriptor *descriptor = aiol__io_table_find(table, io->fd);
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

    rc = aiol__io_table_register(loop, io->fd, others | events, io->trusted);
    if (rc < 0)
        return rc;
    /* An edge may have been dropped while this watcher did not want it: have the poller look again.
     */
    if (io->trusted && (events & AIOL_EDGE) && (events & ~(uint32_t)io->wanted))
        aiol__io_table_confirm(table, io->fd);
    io->trusted = true;
    if (!io->wanted) {
        link_watcher(aiol__io_table_at(table, io->fd), io);
        io->started_turn = table->turn;
        table->active_count++;
        table->ref_count += !io->unref;
    }
    io->wanted = (uint8_t)events;
    update_wanted(table, io->fd);
    return 0;
}

int aiol_io_start(struct aiol_io *io, uint32_t events)
{
    if (io->waiter)
        return -EBUSY;
    return io->callback ? start(io, events) : -EINVAL;
}

int aiol__io_wait(struct aiol_io *io, uint32_t events, struct aiol__waiter *waiter)
{
    int rc = io->wanted ? -EBUSY : start(io, events);

    if (rc == 0)
        io->waiter = waiter;
    return rc;
}

static void stop(struct aiol_io *io)
{
    struct aiol__io_table *table = &io->loop->io;

    unlink_watcher(table, aiol__io_table_at(table, io->fd), io);
    io->wanted = 0;
    io->waiter = NULL;
    table->active_count--;
    table->ref_count -= !io->unref;
    update_wanted(table, io->fd);
}

/* End the wait of the task that waits on the watcher. */
static void complete(struct aiol_io *io, int64_t status)
{
    struct aiol__waiter *waiter = io->waiter;

    stop(io);
    aiol__waiter_complete(waiter, status);
}

static void withdraw(struct aiol__waiter *waiter)
{
    stop(waiter->object);
}

const struct aiol__waiter_source aiol__io_source = {.withdraw = withdraw};

void aiol_io_stop(struct aiol_io *io)
{
    aiol__loop_check_thread(io->loop);
    if (io->waiter)
        complete(io, AIOL_ECLOSED);
    else if (io->wanted)
        stop(io);
}

void aiol_io_close(struct aiol_io *io)
{
    struct aiol__descriptor *descriptor;

    aiol_io_stop(io);
    io->trusted = false;
    descriptor = aiol__io_table_find(&io->loop->io, io->fd);
    if (descriptor && !descriptor->first)
        aiol__io_table_unregister(io->loop, io->fd);
}

static inline void serve_descriptor(struct aiol_loop *loop, int fd, uint32_t ready)
{
    const struct aiol__descriptor *descriptor = aiol__io_table_at(&loop->io, fd);
    struct aiol__list *first = descriptor->first;
    struct aiol__list *node;

    if (ready & descriptor->registered & ~(uint32_t)descriptor->wanted)
        aiol__io_table_confirm(&loop->io, fd); /* nobody wants it any more: have it taken back */
    if (!first) {
        /* A hang-up or an error is reported whether or not it is asked for, for ever. */
        if (ready & (AIOL_HANGUP | AIOL_ERROR))
            aiol__io_table_unregister(loop, fd);
        return;
    }
    aiol__walk_begin(&loop->io.walk, first, first->prev);
    while ((node = aiol__walk_next(&loop->io.walk)) != NULL) {
        struct aiol_io *io = io_of(node);

        uint32_t reported = ready & (io->wanted | AIOL_HANGUP | AIOL_ERROR);

        /* Those that were started in this very phase wait for the next turn. */
        if (!(io->wanted & ready) || io->started_turn == loop->io.turn)
            continue;
        if (io->waiter)
            complete(io, reported);
        else
            io->callback(io, reported, io->data);
    }
}

static void serve_event(struct aiol_loop *loop, struct aiol__event event)
{
    if (event.ready & AIOL__READY_FOR_EVER) {
        /* Then it is served with all that are always ready, in this turn already. */
        if (aiol__io_table_keep_ready(loop, event.fd) == 0)
            return;
        aiol__io_table_confirm(&loop->io, event.fd); /* to be told so again */
    }
    serve_descriptor(loop, event.fd, event.ready);
}

/* Have the processor fetch what an event to come will need: its entry, and a little later its first
 * watcher. With many descriptors none of that is in a cache. */
static void prefetch(const struct aiol_loop *loop, int index, int count)
{
    const struct aiol__event *events = loop->poller->events;
    const struct aiol__descriptor *descriptor = NULL;

    if (index + 8 < count)
        __builtin_prefetch(aiol__io_table_find(&loop->io, events[index + 8].fd));
    if (index + 4 < count)
        descriptor = aiol__io_table_find(&loop->io, events[index + 4].fd);
    if (descriptor)
        __builtin_prefetch(descriptor->first);
}

static void clear_wakeup(const struct aiol_loop *loop)
{
    if (!loop->poller->wakes_by_edges)
        aiol__wakeup_clear(&loop->mailbox->wakeup);
}

static void serve_events(struct aiol_loop *loop, int count)
{
    bool was_stale = false;

    loop->io.has_unregistered = false;
    for (int i = 0; i < count; i++) {
        struct aiol__event event = loop->poller->events[i];
        struct aiol__descriptor *descriptor = aiol__io_table_find(&loop->io, event.fd);

        prefetch(loop, i, count);
        if (event.generation == 0)
            clear_wakeup(loop);
        else if (descriptor && descriptor->state == AIOL__REGISTERED &&
                 descriptor->generation == event.generation)
            serve_event(loop, event);
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
        /* Out of descriptors or memory: tried again when the next stale events come. */
        aiol__io_table_rebuild(loop, loop->poller->wakeup_fd);
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
        const struct aiol__descriptor *descriptor = aiol__io_table_at(table, fd);

        if (descriptor->state == AIOL__ALWAYS_READY && descriptor->wanted)
            serve_descriptor(loop, fd, AIOL_READABLE | AIOL_WRITABLE);
    }
    for (int i = 0; i < table->always_ready_count; i++) {
        int fd = table->always_ready[i];
        struct aiol__descriptor *descriptor = aiol__io_table_at(table, fd);

        if (descriptor->state == AIOL__ALWAYS_READY && descriptor->wanted) {
            table->always_ready[kept++] = fd;
            continue;
        }
        descriptor->is_listed_ready = false;
        if (descriptor->state == AIOL__ALWAYS_READY)
            descriptor->state = AIOL__UNREGISTERED;
    }
    table->always_ready_count = kept;
}

void aiol__io_serve(struct aiol_loop *loop, int event_count)
{
    loop->io.turn++;
    serve_events(loop, event_count);
    if (loop->io.always_ready_count > 0)
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
