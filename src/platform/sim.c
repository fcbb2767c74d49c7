/*
 * The simulated poller: a clock that jumps, over descriptors that are ends of in-memory stream
 * pairs (sim_stream.c). Every choice (chunk sizes, delays, the order of events) comes from one
 * seeded generator, and nothing else is random: one seed, one run.
 *
 * Waiting moves the clock to the next arrival or to the timeout. Only when neither exists does it
 * block for real, on the wakeup descriptor, since only another thread can then help.
 */
#include "platform/sim.h"
#include "base/allocator.h"
#include "platform/sim_stream.h"
#include "platform/sys.h"

#include <aiol/time.h>

#include <errno.h>

static void shuffle(struct aiol__sim *sim, int count)
{
    struct aiol__event *events = sim->base.events;

    for (int i = count - 1; i > 0; i--) {
        int j = (int)aiol__sim_random_between(sim, 0, (uint64_t)i);
        struct aiol__event other = events[j];

        events[j] = events[i];
        events[i] = other;
    }
}

static int collect_events(struct aiol__sim *sim)
{
    /* Begin anywhere, so that a full batch starves nobody. */
    int start = sim->end_count ? (int)aiol__sim_random_between(sim, 0, (uint64_t)sim->end_count - 1)
                               : 0;
    int count = 0;

    for (int i = 0; i < sim->end_count && count < sim->base.max_events; i++) {
        int fd = (start + i) % sim->end_count;
        struct aiol__sim_end *end = &sim->ends[fd];
        uint32_t events;

        if (!end->is_open || !end->is_registered)
            continue;
        events = aiol__sim_events(sim, end);
        aiol__sim_note_report(sim, end);
        if (events)
            sim->base.events[count++] =
                (struct aiol__event){.fd = fd, .generation = end->generation, .ready = events};
    }
    shuffle(sim, count);
    return count;
}

static bool may_wake(const struct aiol__poller *poller)
{
    const struct aiol__sim *sim = aiol__sim_of(poller);

    for (int fd = 0; fd < sim->end_count; fd++) {
        const struct aiol__sim_end *end = &sim->ends[fd];

        if (end->is_open && end->is_registered && aiol__sim_events(sim, end))
            return true;
    }
    return aiol__sim_next_arrival_ns(sim) != AIOL_NEVER;
}

static int block_on_wakeup(struct aiol__sim *sim)
{
    struct pollfd wakeup = {.fd = sim->base.wakeup_fd, .events = POLLIN};

    if (aiol__sys.poll(&wakeup, 1, -1) < 0)
        return errno == EINTR ? 0 : -errno;
    sim->base.events[0] =
        (struct aiol__event){.fd = wakeup.fd, .generation = 0, .ready = AIOL_READABLE};
    return 1;
}

static int wait_for_events(struct aiol__poller *poller, uint64_t timeout_ns)
{
    struct aiol__sim *sim = aiol__sim_of(poller);
    int count = collect_events(sim);
    uint64_t until_ns, arrival_ns;

    if (count > 0 || timeout_ns == 0)
        return count;
    until_ns = timeout_ns == AIOL_NEVER ? AIOL_NEVER : aiol__sim_later_ns(sim, timeout_ns);
    arrival_ns = aiol__sim_next_arrival_ns(sim);
    if (arrival_ns < until_ns)
        until_ns = arrival_ns;
    if (until_ns == AIOL_NEVER)
        return block_on_wakeup(sim);
    sim->now_ns = until_ns;
    return collect_events(sim);
}

static int add(struct aiol__poller *poller, int fd, uint32_t generation, uint32_t events)
{
    struct aiol__sim_end *end = aiol__sim_find_end(aiol__sim_of(poller), fd);

    if (!end)
        return -ENOTSUP;
    if (end->is_registered)
        return -EEXIST;
    end->is_registered = true;
    end->generation = generation;
    end->events = events;
    end->edge_chunk = 0;
    end->edge_eof = false;
    end->edge_writable = false;
    return 0;
}

static int modify(struct aiol__poller *poller, int fd, uint32_t generation, uint32_t old_events,
                  uint32_t events, bool at_once)
{
    struct aiol__sim_end *end = aiol__sim_find_end(aiol__sim_of(poller), fd);

    (void)old_events, (void)at_once;
    if (!end)
        return -EBADF;
    if (!end->is_registered)
        return -ENOENT;
    end->is_registered = false;
    return add(poller, fd, generation, events);
}

static void remove_registration(struct aiol__poller *poller, int fd, uint32_t old_events)
{
    struct aiol__sim_end *end = aiol__sim_find_end(aiol__sim_of(poller), fd);

    (void)old_events;
    if (end)
        end->is_registered = false;
}

static int reopen(struct aiol__poller *poller, int wakeup_fd)
{
    struct aiol__sim *sim = aiol__sim_of(poller);

    poller->wakeup_fd = wakeup_fd;
    for (int fd = 0; fd < sim->end_count; fd++)
        sim->ends[fd].is_registered = false;
    return 0;
}

static void close_poller(struct aiol__poller *poller)
{
    struct aiol__sim *sim = aiol__sim_of(poller);

    for (int fd = 0; fd < sim->end_count; fd++)
        aiol__sim_drop_chunks(sim, &sim->ends[fd]);
    aiol__release(poller->allocator, sim->ends);
    aiol__release(poller->allocator, poller->events);
    aiol__release(poller->allocator, sim);
}

static uint64_t now_ns(struct aiol__poller *poller)
{
    return aiol__sim_of(poller)->now_ns;
}

static int backend_fd(const struct aiol__poller *poller)
{
    (void)poller;
    return -ENOTSUP;
}

static const struct aiol__poller_ops sim_ops = {
    .add = add,
    .modify = modify,
    .remove = remove_registration,
    .wait = wait_for_events,
    .may_wake = may_wake,
    .reopen = reopen,
    .close = close_poller,
    .now_ns = now_ns,
    .backend_fd = backend_fd,
    .fd_recv = aiol__sim_recv,
    .fd_send = aiol__sim_send,
    .fd_shutdown = aiol__sim_shutdown,
    .fd_close = aiol__sim_close,
};

int aiol__poller_open_sim(const struct aiol_allocator *allocator, int max_events, int wakeup_fd,
                          uint64_t seed, struct aiol__poller **ret_poller)
{
    struct aiol__sim *sim = aiol__allocate_zeroed(allocator, sizeof *sim);

    if (!sim)
        return -ENOMEM;
    sim->base.ops = &sim_ops;
    sim->base.allocator = allocator;
    sim->base.max_events = max_events;
    sim->base.wakeup_fd = wakeup_fd;
    sim->random_state = seed;
    sim->base.events = aiol__allocate(allocator, (size_t)max_events * sizeof sim->base.events[0]);
    if (!sim->base.events) {
        aiol__release(allocator, sim);
        return -ENOMEM;
    }
    *ret_poller = &sim->base;
    return 0;
}

uint64_t aiol__sim_random(struct aiol__poller *poller)
{
    return aiol__sim_next_random(aiol__sim_of(poller));
}
