/*
 * Tasks that wait for simulated streams, and who is to be told of something: a source that is ready
 * is served in the next turn.
 */
#include "streams.h"

void cancel_tasks_of(const struct end *end)
{
    for (int i = 0; i < MAX_ACTORS; i++) {
        if (actors[i].number && actors[i].waits_for_fd && actors[i].end == end)
            cancel_scope_of(&actors[i]);
    }
}

static void await_recv(struct actor *self, struct end *end)
{
    unsigned char bytes[150];
    size_t size_bytes = 1 + below(sizeof bytes);
    int64_t rc;

    begin_fd_wait(self, end, AIOL_READABLE);
    rc = aiol_await_recv(end->fd, bytes, size_bytes);
    if (end_fd_wait(self, rc))
        return;
    check_received(end, bytes, size_bytes, rc);
    if (rc == -EAGAIN)
        fault("task %d receives -EAGAIN", self->number);
    if (!is_over() && end->is_open && chance(3)) {
        read_all(end);
        cancel_tasks_of(end);
    }
}

static void await_send(struct actor *self, struct end *end)
{
    unsigned char bytes[MAX_SEND_BYTES];
    size_t size_bytes = 1 + below(sizeof bytes);
    int64_t rc;

    if (!can_send(end))
        return;
    fill_bytes(bytes);
    other_end(end)->task_send_count++;
    begin_fd_wait(self, end, AIOL_WRITABLE);
    rc = aiol_await_send(end->fd, bytes, size_bytes);
    other_end(end)->task_send_count--;
    if (!end_fd_wait(self, rc))
        check_sent(end, bytes, size_bytes, rc);
}

static void await_send_all(struct actor *self, struct end *end)
{
    struct end *to = other_end(end);
    unsigned char bytes[MAX_SEND_BYTES];
    size_t size_bytes = 1 + below(sizeof bytes), sent_bytes = SIZE_MAX;
    int rc;

    if (!can_send(end) || to->task_send_count > 0)
        return;
    to->is_sent_all_to = true;
    fill_bytes(bytes);
    note_send(end, bytes, size_bytes, AIOL_NEVER);
    begin_fd_wait(self, end, AIOL_WRITABLE);
    rc = aiol_await_send_all(end->fd, bytes, size_bytes, &sent_bytes);
    to->is_sent_all_to = false;
    to->written_turn = stream_turn();
    if (!end_fd_wait(self, rc) && rc != 0 && (rc != -EPIPE || (to->is_open && !to->is_shut)))
        fault("task %d cannot send: %d", self->number, rc);
    if (sent_bytes > size_bytes || (rc == 0 && sent_bytes < size_bytes))
        fault("task %d has sent %zu bytes of %zu", self->number, sent_bytes, size_bytes);
    else
        note_sent_all(to, sent_bytes);
}

/* By a watcher of its own; which way it takes is nothing that the model knows of. */
static int await_by_watcher(int fd, uint32_t events)
{
    struct aiol_io io;
    int rc;

    aiol_io_init(&io, world.loop, fd, NULL, NULL);
    rc = aiol_await_io(&io, events);
    aiol_io_close(&io);
    if (rc > 0 && !(rc & (int)events))
        fault("a descriptor is ready for %d, which was not awaited", rc);
    return rc > 0 ? 0 : rc;
}

static void await_readiness(struct actor *self, struct end *end)
{
    bool by_watcher = chance(2), reads = chance(2);
    int rc;

    begin_fd_wait(self, end, reads ? AIOL_READABLE : AIOL_WRITABLE);
    if (by_watcher)
        rc = await_by_watcher(end->fd, reads ? AIOL_READABLE : AIOL_WRITABLE);
    else
        rc = reads ? aiol_await_readable(end->fd) : aiol_await_writable(end->fd);
    if (end_fd_wait(self, rc))
        return;
    expect("a wait for a descriptor", self->number, rc, 0);
    /* When others cannot have been faster. */
    if (!reads || end->read_turn == world.turn || world.max_steps < MAX_ACTORS || world.runs_freely)
        return;
    if (!read_from(end))
        fault("task %d was woken, but there is nothing to read", self->number);
}

void step_stream(struct actor *self)
{
    static void (*const awaits[])(struct actor *, struct end *) = {await_recv, await_send,
                                                                   await_send_all, await_readiness};
    struct end *end = &ends[below(chance(2) ? 2 : END_COUNT)]; /* often several for one */

    if (!end->is_open || end->is_edge)
        return;
    end->task_count++;
    trace("task", self->number, "waits for end", end_number(end));
    awaits[below(COUNT_OF(awaits))](self, end);
    end->task_count--;
}

static bool is_surely_ready(const struct actor *actor)
{
    return actor->wanted == AIOL_READABLE ? is_surely_readable(actor->end, 0)
                                          : is_surely_writable(actor->end);
}

bool is_watcher_owed(void)
{
    for (int i = 0; i < MAX_ACTORS; i++) {
        if (actors[i].number && actors[i].waits_for_fd && is_surely_ready(&actors[i]))
            return true;
    }
    return is_any_watcher_owed();
}

bool is_anything_under_way(void)
{
    for (int i = 0; i < END_COUNT; i++) {
        const struct end *end = &ends[i];
        bool is_waited_for = is_watched(end, AIOL_READABLE);

        for (int j = 0; j < MAX_ACTORS; j++)
            is_waited_for |= actors[j].number && actors[j].waits_for_fd && actors[j].end == end &&
                             actors[j].wanted == AIOL_READABLE;
        if (end->is_open && !end->is_edge && is_waited_for &&
            (end->is_shut || end->received < end->sent))
            return true;
    }
    return false;
}

void check_streams(void)
{
    for (int i = 0; i < MAX_ACTORS; i++) {
        struct actor *actor = &actors[i];

        if (!actor->number || !actor->waits_for_fd || world.max_steps < MAX_ACTORS)
            continue;
        actor->owed_turns = count_owed(actor->end, is_surely_ready(actor), actor->owed_turns);
        if (actor->owed_turns > owed_limit())
            fault("task %d is not woken by end %d", actor->number, end_number(actor->end));
    }
    check_watchers();
}
