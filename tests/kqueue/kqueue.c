/* kqueue() and kevent() of the double, which double.h describes: the table of kqueues, and how a
 * call goes. One lock for everything; it is not held while a call waits. */
#include "queue.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define FILE_POLL_NS 10000000
#define BELL UINT64_MAX /* the bell's data in epoll's events */

static LIST_HEAD(, queue) queues = LIST_HEAD_INITIALIZER(queues);
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static enum double_system double_system;
static uint64_t queue_count;
static int bell_fd;

void lock_queues(void)
{
    pthread_mutex_lock(&mutex);
}

void unlock_queues(void)
{
    pthread_mutex_unlock(&mutex);
}

int set_bell(struct queue *queue, bool rings)
{
    struct epoll_event event = {.events = rings ? EPOLLIN : 0, .data.u64 = BELL};

    queue->bell_rings = rings;
    return epoll_ctl(queue->fd, EPOLL_CTL_MOD, bell_fd, &event);
}

/* A child has no kqueue of its parent's, not even the descriptor. */
static void leave_to_parent(void)
{
    struct queue *queue;

    for (queue = LIST_FIRST(&queues); queue; queue = LIST_NEXT(queue, link))
        if (set_bell(queue, queue->bell_rings) == 0)
            close(queue->fd);
    unlock_queues();
}

/* Before main(), so that who counts descriptors finds the bell there at the begin and the end. */
__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("KQUEUE_DOUBLE");

    if (name && strcmp(name, "macos") == 0)
        double_system = DOUBLE_MACOS;
    bell_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_atfork(lock_queues, unlock_queues, leave_to_parent);
}

void double_be(enum double_system system)
{
    lock_queues();
    double_system = system;
    unlock_queues();
}

enum double_system system_now(void)
{
    return double_system;
}

static void free_queue(struct queue *queue)
{
    struct registration *registration;

    while ((registration = TAILQ_FIRST(&queue->registrations)) != NULL) {
        TAILQ_REMOVE(&queue->registrations, registration, link);
        free(registration);
    }
    LIST_REMOVE(queue, link);
    free(queue->extra);
    free(queue);
}

static struct queue *find_number(int fd)
{
    struct queue *queue;

    for (queue = LIST_FIRST(&queues); queue; queue = LIST_NEXT(queue, link))
        if (queue->fd == fd)
            return queue;
    return NULL;
}

/* One that was closed, and whose number may be something else's, does not have the bell. */
struct queue *find_queue(int fd)
{
    struct queue *queue = find_number(fd);

    if (queue && set_bell(queue, queue->bell_rings) == 0)
        return queue;
    if (queue)
        free_queue(queue);
    errno = EBADF;
    return NULL;
}

int kqueue(void)
{
    struct epoll_event event = {.data.u64 = BELL};
    struct queue *queue = calloc(1, sizeof *queue), *predecessor;
    int fd;

    if (!queue) {
        errno = ENOMEM;
        return -1;
    }
    fd = epoll_create1(system_now() == DOUBLE_MACOS ? EPOLL_CLOEXEC : 0);
    if (fd < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, bell_fd, &event) < 0) {
        free(queue);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    lock_queues();
    predecessor = find_number(fd);
    if (predecessor)
        free_queue(predecessor);
    queue->fd = fd;
    queue->id = ++queue_count;
    TAILQ_INIT(&queue->registrations);
    LIST_INSERT_HEAD(&queues, queue, link);
    unlock_queues();
    return fd;
}

int append_extra(struct queue *queue, const struct kevent *event)
{
    struct kevent *extra =
        realloc(queue->extra, (size_t)(queue->extra_count + 1) * sizeof *queue->extra);

    if (!extra)
        return -1;
    extra[queue->extra_count++] = *event;
    queue->extra = extra;
    return set_bell(queue, true);
}

static int take_extra(struct queue *queue, struct kevent *events, int event_count)
{
    int count = queue->extra_count < event_count ? queue->extra_count : event_count;

    for (int i = 0; i < count; i++)
        events[i] = queue->extra[i];
    for (int i = count; i < queue->extra_count; i++)
        queue->extra[i - count] = queue->extra[i];
    queue->extra_count -= count;
    return count;
}

static int scripted_error(struct queue *queue)
{
    return queue->change_to_fail > 0 && --queue->change_to_fail == 0 ? queue->change_error : 0;
}

/* Returns 0 or an error number; in the first case there are *ret_answers in the list of events. An
 * answer may overwrite a change that has been read: both lists may be the same. */
static int apply_changes(struct queue *queue, const struct kevent *changes, int change_count,
                         struct kevent *events, int event_count, int *ret_answers)
{
    *ret_answers = 0;
    for (int i = 0; i < change_count; i++) {
        struct kevent change = changes[i];
        int error = scripted_error(queue);

        change.flags &= (uint16_t)~EV_SYSFLAGS;
        if (!error)
            error = apply_change(queue, &change);
        if (!error && !(change.flags & EV_RECEIPT))
            continue;
        if (*ret_answers == event_count)
            return error;
        change.flags = EV_ERROR | (double_system == DOUBLE_MACOS ? change.flags : 0);
        change.data = error;
        events[(*ret_answers)++] = change;
    }
    return 0;
}

/* What happened to those that want to be told once. epoll's events are of no other use. */
static void note_edges(struct queue *queue)
{
    struct registration *registration;
    struct epoll_event event;

    while (epoll_wait(queue->fd, &event, 1, 0) == 1) {
        if (event.data.u64 == BELL)
            return;
        for (registration = TAILQ_FIRST(&queue->registrations); registration;
             registration = TAILQ_NEXT(registration, link)) {
            uint32_t edge = registration->filter == EVFILT_READ ? EPOLLIN : EPOLLOUT;

            if (event.data.u64 ==
                    ((uint64_t)registration->generation << 32 | (uint32_t)registration->fd) &&
                (event.events & (edge | EPOLLHUP | EPOLLERR)))
                registration->is_triggered = true;
        }
    }
}

static bool is_new_to_report(struct registration *registration, const struct state *state)
{
    if (!registration->is_enabled)
        return false;
    if (!state->is_active) {
        registration->is_triggered = false;
        return false;
    }
    if (registration->kind == KIND_FILE && registration->last_data != state->data)
        registration->is_triggered = true;
    registration->last_data = state->data;
    return registration->is_triggered || !(registration->flags & EV_CLEAR);
}

/* Has the registration something to report? If so it does, and is as its flags want it after. */
static bool report(struct queue *queue, struct registration *registration, struct kevent *ret_event)
{
    struct state state = look(registration);

    if (!is_new_to_report(registration, &state))
        return false;
    *ret_event = (struct kevent){.ident = (uintptr_t)registration->fd,
                                 .filter = registration->filter,
                                 .flags = registration->flags | state.flags,
                                 .fflags = state.fflags,
                                 .data = state.data,
                                 .udata = registration->udata};
    if (double_system == DOUBLE_FREEBSD && registration->kind == KIND_PIPE &&
        registration->filter == EVFILT_WRITE && (state.flags & EV_EOF))
        ret_event->flags |= EV_ONESHOT;
    if (ret_event->flags & EV_ONESHOT) {
        drop_registration(queue, registration);
        return true;
    }
    registration->is_triggered = false;
    if (registration->flags & EV_DISPATCH) {
        registration->is_enabled = false;
        update_watch(queue, registration);
    }
    return true;
}

/* What is ready now: at most event_count events. Whoever has been looked at goes to the end of the
 * queue, so that the next scan goes on where this one stopped. */
static int scan(struct queue *queue, struct kevent *events, int event_count)
{
    struct registration *registration;
    int count, left = 0;

    if (queue->event_limit > 0 && queue->event_limit < event_count)
        event_count = queue->event_limit;
    set_bell(queue, false);
    note_edges(queue);
    count = take_extra(queue, events, event_count);
    for (registration = TAILQ_FIRST(&queue->registrations); registration;
         registration = TAILQ_NEXT(registration, link))
        left++;
    for (; left > 0 && count < event_count; left--) {
        registration = TAILQ_FIRST(&queue->registrations);
        TAILQ_REMOVE(&queue->registrations, registration, link);
        TAILQ_INSERT_TAIL(&queue->registrations, registration, link);
        count += report(queue, registration, &events[count]);
    }
    /* Only the next scan will tell whether what was reported is still so, or more is there. */
    if (count > 0)
        set_bell(queue, true);
    return count;
}

static bool has_files(const struct queue *queue)
{
    struct registration *registration;

    for (registration = TAILQ_FIRST(&queue->registrations); registration;
         registration = TAILQ_NEXT(registration, link))
        if (registration->kind == KIND_FILE)
            return true;
    return false;
}

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Until something may have happened, or for `left_ns` (negative: for ever). Without the lock. */
static int sleep_unlocked(const struct queue *queue, int64_t left_ns)
{
    struct pollfd pollfd = {.fd = queue->fd, .events = POLLIN};
    struct timespec left;
    int rc, error;

    if (has_files(queue) && (left_ns < 0 || left_ns > FILE_POLL_NS))
        left_ns = FILE_POLL_NS;
    left = (struct timespec){left_ns / 1000000000, left_ns % 1000000000};
    unlock_queues();
    rc = ppoll(&pollfd, 1, left_ns < 0 ? NULL : &left, NULL);
    error = errno;
    lock_queues();
    errno = error;
    return rc;
}

static int64_t deadline_after(const struct timespec *timeout)
{
    const time_t decades = 1000000000; /* fits, and is for ever */

    if (!timeout || timeout->tv_sec >= decades)
        return INT64_MAX;
    return now_ns() + (int64_t)timeout->tv_sec * 1000000000 + timeout->tv_nsec;
}

static int wait_for_events(struct queue *queue, struct kevent *events, int event_count,
                           const struct timespec *timeout)
{
    uint64_t id = queue->id;
    int fd = queue->fd, count;
    int64_t deadline, left_ns;

    if (timeout &&
        (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= 1000000000)) {
        errno = EINVAL;
        return -1;
    }
    if (queue->interruptions > 0) {
        queue->interruptions--;
        errno = EINTR;
        return -1;
    }
    deadline = deadline_after(timeout);
    for (;;) {
        count = scan(queue, events, event_count);
        left_ns = deadline == INT64_MAX ? -1 : deadline - now_ns();
        if (count > 0 || (deadline != INT64_MAX && left_ns <= 0))
            return count;
        if (sleep_unlocked(queue, left_ns) < 0)
            return -1;
        queue = find_queue(fd);
        if (!queue)
            return -1;
        if (queue->id != id) {
            errno = EBADF;
            return -1;
        }
        drop_closed(queue);
    }
}

static int kevent_locked(int kq, const struct kevent *changes, int change_count,
                         struct kevent *events, int event_count, const struct timespec *timeout)
{
    struct queue *queue = find_queue(kq);
    int answers, error;

    if (!queue)
        return -1;
    drop_closed(queue);
    error = apply_changes(queue, changes, change_count, events, event_count, &answers);
    if (error) {
        errno = error;
        return -1;
    }
    if (answers > 0 || event_count == 0)
        return answers;
    return wait_for_events(queue, events, event_count, timeout);
}

int kevent(int kq, const struct kevent *changes, int change_count, struct kevent *events,
           int event_count, const struct timespec *timeout)
{
    int rc;

    if (change_count < 0 || event_count < 0) {
        errno = EINVAL;
        return -1;
    }
    lock_queues();
    rc = kevent_locked(kq, changes, change_count, events, event_count, timeout);
    unlock_queues();
    return rc;
}
