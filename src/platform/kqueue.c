/*
 * The poller on macOS and the BSDs (kqueue(2)). A registration is up to two kernel events of one
 * descriptor, EVFILT_READ and EVFILT_WRITE, each of which carries the generation. They are merged
 * again when they are ready together.
 *
 *     add, modify with `at_once`, remove ──> kevent(), at once
 *     modify ──> held back ──> goes along with the next wait
 *
 * The kernel forgets the events of a descriptor when that is closed, whatever duplicates it has, so
 * a registration can never be another descriptor's, but it can be gone: adding what is there is no
 * error, so confirming is adding again.
 */
#include "base/allocator.h"
#include "base/list.h"
#include "platform/poller_system.h"
#include "platform/sys.h"

#include <aiol/time.h>

#include <errno.h>
#include <sys/event.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_CHANGES_OF_ONE 4
#define MAX_HELD_BACK 64

/* A slot of a hash table that finds the event of a descriptor in base.events. */
struct place {
    uint64_t wait_number; /* in which it was written; another one's are empty */
    int index;
};

struct kqueue_poller {
    struct aiol__poller base;
    int fd;
    pid_t opened_by;
    int held_back_count;
    struct kevent held_back[MAX_HELD_BACK];
    uint64_t wait_number;
    struct place *places;
    size_t place_count; /* a power of two, at least twice as many as events */
    struct kevent raw[];
};

static struct kqueue_poller *kqueue_of(const struct aiol__poller *poller)
{
    return container_of(poller, struct kqueue_poller, base);
}

/* What is to be said to the kernel, to come from `old_events` to `events`; how many changes that
 * is. What is there already is said again. */
static int list_changes(struct kevent *changes, int fd, uint32_t generation, uint32_t old_events,
                        uint32_t events)
{
    static const struct {
        uint32_t event;
        short filter;
    } filters[] = {{AIOL_READABLE, EVFILT_READ}, {AIOL_WRITABLE, EVFILT_WRITE}};
    unsigned short how = (events & AIOL_EDGE) ? EV_ADD | EV_CLEAR : EV_ADD;
    bool is_renewed = (old_events ^ events) & AIOL_EDGE; /* flags stay as they were first added */
    void *data = (void *)(uintptr_t)generation;
    int count = 0;

    for (int i = 0; i < 2; i++) {
        if ((old_events & filters[i].event) && (is_renewed || !(events & filters[i].event)))
            EV_SET(&changes[count++], fd, filters[i].filter, EV_DELETE, 0, 0, data);
        if (events & filters[i].event)
            EV_SET(&changes[count++], fd, filters[i].filter, how, 0, 0, data);
    }
    return count;
}

static int apply(struct kqueue_poller *poller, const struct kevent *change)
{
    if (aiol__sys.kevent(poller->fd, change, 1, NULL, 0, NULL) == 0)
        return 0;
    /* After EINTR it has been applied. And what is to be deleted may be gone with its descriptor.
     */
    return errno == EINTR || (change->flags & EV_DELETE) ? 0 : -errno;
}

static int apply_all(struct kqueue_poller *poller, const struct kevent *changes, int count)
{
    int rc = 0;

    for (int i = 0; i < count && rc == 0; i++)
        rc = apply(poller, &changes[i]);
    return rc;
}

/* Apply what is held back of a descriptor of which more is to be said at once. Whether that works
 * does not matter any more. */
static void settle(struct kqueue_poller *poller, int fd)
{
    int kept = 0;

    for (int i = 0; i < poller->held_back_count; i++) {
        if (poller->held_back[i].ident == (uintptr_t)fd)
            apply(poller, &poller->held_back[i]);
        else
            poller->held_back[kept++] = poller->held_back[i];
    }
    poller->held_back_count = kept;
}

/* A file is always ready, but the kernel would call it readable only before its end. */
static int check_is_pollable(int fd)
{
    struct stat status;

    if (aiol__sys.fstat(fd, &status) < 0)
        return -errno;
    return S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) ? -EPERM : 0;
}

/* A number of the library's own: whoever watches it has had the descriptor closed that it was. */
static bool is_own(const struct kqueue_poller *poller, int fd)
{
    return fd == poller->fd || fd == poller->base.wakeup_fd;
}

static int add(struct aiol__poller *base, int fd, uint32_t generation, uint32_t events)
{
    struct kqueue_poller *poller = kqueue_of(base);
    struct kevent changes[MAX_CHANGES_OF_ONE];
    int rc = is_own(poller, fd) ? -EBADF : check_is_pollable(fd);

    if (rc < 0)
        return rc;
    settle(poller, fd);
    rc = apply_all(poller, changes, list_changes(changes, fd, generation, 0, events));
    if (rc == 0)
        return 0;
    apply_all(poller, changes, list_changes(changes, fd, generation, events, 0));
    return rc == -EPIPE ? -EPERM : rc; /* a pipe without a reader: writing will say so at once */
}

/* The changes fit among the events, so that there is room for what fails (kqueue(2)). */
static bool can_hold_back(const struct kqueue_poller *poller, int count)
{
    int needed = poller->held_back_count + count;

    return needed <= MAX_HELD_BACK && needed <= poller->base.max_events;
}

/* What fails for another reason is left for the next wait to report. */
static int hand_over(struct aiol__poller *base)
{
    struct kqueue_poller *poller = kqueue_of(base);
    int kept = 0, result = 0;

    for (int i = 0; i < poller->held_back_count; i++) {
        int rc = apply(poller, &poller->held_back[i]);

        if (rc < 0)
            poller->held_back[kept++] = poller->held_back[i];
        if (rc == -ENOMEM)
            result = rc;
    }
    poller->held_back_count = kept;
    return result;
}

static int modify(struct aiol__poller *base, int fd, uint32_t generation, uint32_t old_events,
                  uint32_t events, bool at_once)
{
    struct kqueue_poller *poller = kqueue_of(base);
    struct kevent changes[MAX_CHANGES_OF_ONE];
    int count = list_changes(changes, fd, generation, old_events, events);
    int rc;

    if (is_own(poller, fd))
        return -EBADF;
    if (!at_once && can_hold_back(poller, count)) {
        for (int i = 0; i < count; i++)
            poller->held_back[poller->held_back_count++] = changes[i];
        return 0;
    }
    rc = check_is_pollable(fd);
    if (rc < 0)
        return rc == -EPERM ? -ENOENT : rc; /* what was registered was another descriptor */
    settle(poller, fd);
    rc = apply_all(poller, changes, count);
    if (rc == 0)
        return 0;
    apply_all(poller, changes, list_changes(changes, fd, generation, events & ~old_events, 0));
    return rc == -EPIPE ? -ENOENT : rc;
}

static void remove_registration(struct aiol__poller *base, int fd, uint32_t old_events)
{
    struct kqueue_poller *poller = kqueue_of(base);
    struct kevent changes[MAX_CHANGES_OF_ONE];

    if (is_own(poller, fd))
        return;
    settle(poller, fd);
    apply_all(poller, changes, list_changes(changes, fd, 0, old_events, 0));
}

static uint32_t from_kevent(const struct kevent *raw)
{
    uint32_t ready = raw->filter == EVFILT_READ ? AIOL_READABLE : AIOL_WRITABLE;

    if (raw->flags & EV_ERROR) { /* a change that was held back has failed */
        ready = AIOL_READABLE | AIOL_WRITABLE | AIOL_ERROR;
        return raw->data == EPIPE || raw->data == EBADF ? ready | AIOL__READY_FOR_EVER : ready;
    }
    if (!(raw->flags & EV_EOF))
        return ready;
    /* Of the writing side it may be our own shutdown. */
    if (raw->filter == EVFILT_READ)
        ready |= AIOL_HANGUP;
    if (raw->fflags != 0) /* the socket's error */
        ready |= AIOL_READABLE | AIOL_WRITABLE | AIOL_ERROR;
    /* FreeBSD, of a pipe whose reader has gone. */
    if (raw->flags & EV_ONESHOT)
        ready |= AIOL_READABLE | AIOL_WRITABLE | AIOL_ERROR | AIOL__READY_FOR_EVER;
    return ready;
}

/* Where in `places` a descriptor's event of this wait is, or is to be. */
static struct place *find_place(struct kqueue_poller *poller, int32_t fd, uint32_t generation)
{
    size_t slot = (size_t)(uint32_t)fd;

    for (;; slot++) {
        struct place *place = &poller->places[slot & (poller->place_count - 1)];
        const struct aiol__event *event = &poller->base.events[place->index];

        if (place->wait_number != poller->wait_number ||
            (event->fd == fd && event->generation == generation))
            return place;
    }
}

/* One event for each descriptor; how many these are. */
static int merge_events(struct kqueue_poller *poller, int raw_count)
{
    int count = 0;

    poller->wait_number++;
    for (int i = 0; i < raw_count; i++) {
        const struct kevent *raw = &poller->raw[i];
        int32_t fd = (int32_t)raw->ident;
        uint32_t generation = (uint32_t)(uintptr_t)raw->udata;
        struct place *place = find_place(poller, fd, generation);

        if ((raw->flags & EV_ERROR) && raw->data == ENOENT)
            continue; /* what was to be deleted went with its descriptor */
        if (place->wait_number != poller->wait_number) {
            *place = (struct place){.wait_number = poller->wait_number, .index = count};
            poller->base.events[count++] = (struct aiol__event){.fd = fd, .generation = generation};
        }
        poller->base.events[place->index].ready |= from_kevent(raw);
    }
    return count;
}

/* Did a change find no memory? Then it is as if the wait had failed: the answers bring no events
 * with them (kqueue(2)), and all changes are made again. */
static bool is_out_of_memory(const struct kqueue_poller *poller, int raw_count)
{
    for (int i = 0; i < raw_count; i++) {
        if ((poller->raw[i].flags & EV_ERROR) && poller->raw[i].data == ENOMEM)
            return true;
    }
    return false;
}

static int wait_for_events(struct aiol__poller *base, uint64_t timeout_ns)
{
    struct kqueue_poller *poller = kqueue_of(base);
    /* A day is enough, and more than some systems take. */
    uint64_t bounded_ns = timeout_ns < 24 * AIOL_HOUR ? timeout_ns : 24 * AIOL_HOUR;
    struct timespec timeout = {.tv_sec = (time_t)(bounded_ns / AIOL_SECOND),
                               .tv_nsec = (long)(bounded_ns % AIOL_SECOND)};
    int count = aiol__sys.kevent(poller->fd, poller->held_back, poller->held_back_count,
                                 poller->raw, base->max_events,
                                 timeout_ns == AIOL_NEVER ? NULL : &timeout);

    if (count < 0 && errno != EINTR)
        return -errno;
    if (poller->held_back_count > 0 && is_out_of_memory(poller, count))
        return -ENOMEM;
    poller->held_back_count = 0; /* applied, also when the wait was interrupted */
    return count < 0 ? 0 : merge_events(poller, count);
}

/* A new kqueue that already watches the wakeup descriptor; or -errno. */
static int open_kqueue(int wakeup_fd)
{
    struct kevent change;
    int fd = aiol__sys.kqueue();
    int rc;

    if (fd < 0)
        return -errno;
    EV_SET(&change, wakeup_fd, EVFILT_READ, EV_ADD, 0, 0, NULL);
    if (aiol__sys.kevent(fd, &change, 1, NULL, 0, NULL) < 0) {
        rc = -errno;
        aiol__sys_close(fd);
        return rc;
    }
    return fd;
}

/* A child has no kqueue of its parent's, and its number may be another descriptor's. */
static void close_kqueue(const struct kqueue_poller *poller)
{
    if (poller->opened_by == getpid())
        aiol__sys_close(poller->fd);
}

static int reopen(struct aiol__poller *base, int wakeup_fd)
{
    struct kqueue_poller *poller = kqueue_of(base);
    int fd = open_kqueue(wakeup_fd);

    if (fd < 0)
        return fd;
    close_kqueue(poller);
    poller->fd = fd;
    poller->opened_by = getpid();
    base->wakeup_fd = wakeup_fd;
    poller->held_back_count = 0;
    return 0;
}

static void free_poller(struct kqueue_poller *poller)
{
    const struct aiol_allocator *allocator = poller->base.allocator;

    aiol__release(allocator, poller->base.events);
    aiol__release(allocator, poller->places);
    aiol__release(allocator, poller);
}

static void close_poller(struct aiol__poller *base)
{
    struct kqueue_poller *poller = kqueue_of(base);

    close_kqueue(poller);
    free_poller(poller);
}

static int backend_fd(const struct aiol__poller *poller)
{
    return kqueue_of(poller)->fd;
}

static const struct aiol__poller_ops kqueue_ops = {
    .add = add,
    .modify = modify,
    .hand_over = hand_over,
    .remove = remove_registration,
    .wait = wait_for_events,
    .may_wake = aiol__system_may_wake,
    .reopen = reopen,
    .close = close_poller,
    .now_ns = aiol__system_now_ns,
    .backend_fd = backend_fd,
    .fd_recv = aiol__system_fd_recv,
    .fd_send = aiol__system_fd_send,
    .fd_shutdown = aiol__system_fd_shutdown,
    .fd_close = aiol__system_fd_close,
};

int aiol__poller_open_system(const struct aiol_allocator *allocator, int max_events, int wakeup_fd,
                             struct aiol__poller **ret_poller)
{
    struct kqueue_poller *poller;
    int rc = -ENOMEM;

    poller = aiol__allocate_zeroed(allocator,
                                   sizeof *poller + (size_t)max_events * sizeof poller->raw[0]);
    if (!poller)
        return -ENOMEM;
    poller->base = (struct aiol__poller){.ops = &kqueue_ops,
                                         .allocator = allocator,
                                         .max_events = max_events,
                                         .wakeup_fd = wakeup_fd};
    poller->place_count = 2;
    while (poller->place_count < 2 * (size_t)max_events)
        poller->place_count *= 2;
    poller->base.events =
        aiol__allocate(allocator, (size_t)max_events * sizeof poller->base.events[0]);
    poller->places =
        aiol__allocate_zeroed(allocator, poller->place_count * sizeof poller->places[0]);
    poller->opened_by = getpid();
    if (poller->base.events && poller->places)
        poller->fd = rc = open_kqueue(wakeup_fd);
    if (rc < 0) {
        free_poller(poller);
        return rc;
    }
    *ret_poller = &poller->base;
    return 0;
}
