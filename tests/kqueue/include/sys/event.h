/*
 * <sys/event.h> of the kqueue double (../../double.h): the part of it that macOS and FreeBSD agree
 * on and that the double imitates, with the values that both use. As there, struct timespec has to
 * come from elsewhere. FreeBSD's struct kevent has four more words at its end.
 */
#ifndef SYS_EVENT_H
#define SYS_EVENT_H

#include <stdint.h>

#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)

/* What a change does. */
#define EV_ADD 0x0001
#define EV_DELETE 0x0002
#define EV_ENABLE 0x0004
#define EV_DISABLE 0x0008

/* What an added event is like. */
#define EV_ONESHOT 0x0010
#define EV_CLEAR 0x0020
#define EV_RECEIPT 0x0040
#define EV_DISPATCH 0x0080

/* What comes back. */
#define EV_SYSFLAGS 0xF000
#define EV_ERROR 0x4000
#define EV_EOF 0x8000

struct kevent {
    uintptr_t ident;
    int16_t filter;
    uint16_t flags;
    uint32_t fflags;
    intptr_t data;
    void *udata;
};

#define EV_SET(event, a, b, c, d, e, f) \
    do { \
        struct kevent *event_to_set = (event); \
        event_to_set->ident = (a); \
        event_to_set->filter = (b); \
        event_to_set->flags = (c); \
        event_to_set->fflags = (d); \
        event_to_set->data = (e); \
        event_to_set->udata = (f); \
    } while (0)

struct timespec;

int kqueue(void);
int kevent(int kq, const struct kevent *changes, int change_count, struct kevent *events,
           int event_count, const struct timespec *timeout);

#endif
