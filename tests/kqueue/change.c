/* Registrations: what the changes of a kevent() call make of them, and what closing does. */
#include "queue.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>

static struct registration *find_registration(const struct queue *queue, int fd, int16_t filter)
{
    struct registration *registration;

    for (registration = TAILQ_FIRST(&queue->registrations); registration;
         registration = TAILQ_NEXT(registration, link))
        if (registration->fd == fd && registration->filter == filter)
            return registration;
    return NULL;
}

static struct registration *find_any_of(const struct queue *queue, int fd)
{
    struct registration *reader = find_registration(queue, fd, EVFILT_READ);

    return reader ? reader : find_registration(queue, fd, EVFILT_WRITE);
}

/* What epoll is to tell of a descriptor, for all of its registrations. */
static struct epoll_event watch_for(const struct queue *queue, int fd, uint32_t generation)
{
    const struct registration *reader = find_registration(queue, fd, EVFILT_READ);
    const struct registration *writer = find_registration(queue, fd, EVFILT_WRITE);
    struct epoll_event event = {.events = EPOLLET,
                                .data.u64 = (uint64_t)generation << 32 | (uint32_t)fd};

    if (reader && reader->is_enabled)
        event.events |= EPOLLIN;
    if (writer && writer->is_enabled)
        event.events |= EPOLLOUT;
    return event;
}

void update_watch(struct queue *queue, const struct registration *registration)
{
    struct epoll_event event = watch_for(queue, registration->fd, registration->generation);

    if (registration->kind != KIND_FILE)
        epoll_ctl(queue->fd, EPOLL_CTL_MOD, registration->fd, &event);
}

static int begin_watch(struct queue *queue, const struct registration *registration)
{
    struct epoll_event event = watch_for(queue, registration->fd, registration->generation);
    int fd = registration->fd;

    if (registration->kind == KIND_FILE) {
        if (look(registration).is_active)
            set_bell(queue, true);
        return 0;
    }
    if (epoll_ctl(queue->fd, EPOLL_CTL_ADD, fd, &event) == 0)
        return 0;
    switch (errno) {
    case EEXIST: /* the other filter is registered, or the file was once under this number */
        return epoll_ctl(queue->fd, EPOLL_CTL_MOD, fd, &event) == 0 ? 0 : errno;
    case EPERM:
        return ENODEV;
    case ELOOP:
        return EINVAL;
    case ENOSPC:
        return ENOMEM;
    default:
        return errno;
    }
}

static void forget(struct queue *queue, struct registration *registration)
{
    struct registration *other;

    TAILQ_REMOVE(&queue->registrations, registration, link);
    other = find_any_of(queue, registration->fd);
    if (other)
        update_watch(queue, other);
    else if (registration->kind != KIND_FILE)
        epoll_ctl(queue->fd, EPOLL_CTL_DEL, registration->fd, NULL);
    free(registration);
}

static void keep_for_later(struct queue *queue, const struct registration *registration,
                           const struct state *state)
{
    struct kevent event = {.ident = (uintptr_t)registration->fd,
                           .filter = registration->filter,
                           .flags = registration->flags | state->flags,
                           .fflags = state->fflags,
                           .data = state->data,
                           .udata = registration->udata};

    if (queue->reaps_late && registration->is_enabled && state->is_active)
        append_extra(queue, &event);
}

void drop_registration(struct queue *queue, struct registration *registration)
{
    struct state state = look(registration);

    keep_for_later(queue, registration, &state);
    forget(queue, registration);
}

/* Is the number still the descriptor's that was registered? epoll knows what it watches by the
 * number and the open file together, and says EEXIST when asked to add it again; also of one that
 * had this number longer ago and lives on as a duplicate, but that is another inode. */
static bool is_open(const struct queue *queue, const struct registration *registration)
{
    struct epoll_event event = {.events = EPOLLET};
    struct stat status;

    if (fstat(registration->fd, &status) < 0 || status.st_dev != registration->device ||
        status.st_ino != registration->inode)
        return false;
    if (registration->kind == KIND_FILE)
        return true;
    if (epoll_ctl(queue->fd, EPOLL_CTL_ADD, registration->fd, &event) < 0)
        return errno == EEXIST;
    epoll_ctl(queue->fd, EPOLL_CTL_DEL, registration->fd, NULL);
    return false;
}

void drop_closed(struct queue *queue)
{
    static const struct state anything = {.is_active = true};
    struct registration *registration = TAILQ_FIRST(&queue->registrations), *next;

    for (; registration; registration = next) {
        next = TAILQ_NEXT(registration, link);
        if (is_open(queue, registration))
            continue;
        keep_for_later(queue, registration, &anything);
        TAILQ_REMOVE(&queue->registrations, registration, link);
        free(registration);
    }
}

static int add(struct queue *queue, const struct kevent *change)
{
    struct registration *registration = calloc(1, sizeof *registration);
    int fd = (int)change->ident, error;
    const struct registration *other = find_any_of(queue, fd);
    uint16_t dropped_flags = EV_DELETE | EV_ENABLE | EV_DISABLE;
    struct stat status = {.st_ino = 0};

    if (!registration)
        return ENOMEM;
    fstat(fd, &status);
    if (system_now() == DOUBLE_FREEBSD)
        dropped_flags |= EV_ADD;
    registration->fd = fd;
    registration->filter = change->filter;
    registration->flags = change->flags & (uint16_t)~dropped_flags;
    registration->udata = change->udata;
    registration->is_enabled = !(change->flags & EV_DISABLE);
    registration->is_triggered = true; /* the filter is run at once */
    registration->generation = other ? other->generation : ++queue->last_generation;
    registration->kind = kind_of(fd);
    registration->last_data = -1;
    registration->device = status.st_dev;
    registration->inode = status.st_ino;
    TAILQ_INSERT_TAIL(&queue->registrations, registration, link);
    if (change->filter == EVFILT_WRITE && registration->kind == KIND_PIPE && has_no_reader(fd))
        error = EPIPE;
    else if (change->filter == EVFILT_WRITE && registration->kind == KIND_KQUEUE)
        error = EINVAL;
    else
        error = begin_watch(queue, registration);
    if (error) {
        TAILQ_REMOVE(&queue->registrations, registration, link);
        free(registration);
    }
    return error;
}

static void modify(struct queue *queue, struct registration *registration,
                   const struct kevent *change)
{
    if (change->flags & EV_ENABLE)
        registration->is_enabled = true;
    else if (change->flags & EV_DISABLE)
        registration->is_enabled = false;
    registration->udata = change->udata;
    registration->is_triggered = true;
    update_watch(queue, registration);
}

int apply_change(struct queue *queue, const struct kevent *change)
{
    struct registration *registration;

    if (change->filter != EVFILT_READ && change->filter != EVFILT_WRITE)
        return EINVAL;
    if ((change->flags & EV_ENABLE) && (change->flags & EV_DISABLE))
        return EINVAL;
    if (change->ident > INT_MAX || fcntl((int)change->ident, F_GETFD) < 0)
        return (change->flags & EV_ADD) || system_now() == DOUBLE_FREEBSD ? EBADF : ENOENT;
    if ((int)change->ident == queue->fd)
        return EINVAL;
    registration = find_registration(queue, (int)change->ident, change->filter);
    if (!registration)
        return change->flags & EV_ADD ? add(queue, change) : ENOENT;
    if (change->flags & EV_DELETE)
        drop_registration(queue, registration);
    else
        modify(queue, registration, change);
    return 0;
}
