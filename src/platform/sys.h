/*
 * Every system call that the library makes goes through this one table, so that a test can make
 * each of them fail in each way it can. The signatures are the system's own: -1 and errno. The
 * wrappers around them, which turn that into -errno and repeat what was interrupted, are in sys.c.
 */
#ifndef AIOL__PLATFORM_SYS_H
#define AIOL__PLATFORM_SYS_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

struct epoll_event;
struct kevent;
struct stat;

/* NULL is what the system does not have, and its files do not call. */
struct aiol__sys {
    int (*clock_gettime)(clockid_t clock, struct timespec *time);
    ssize_t (*read)(int fd, void *buffer, size_t size);
    ssize_t (*write)(int fd, const void *buffer, size_t size);
    int (*close)(int fd);
    int (*poll)(struct pollfd *fds, nfds_t count, int timeout_ms);
    int (*fstat)(int fd, struct stat *status);
    int (*pipe)(int fds[2]); /* pipe2(), non-blocking and close-on-exec */
    ssize_t (*recv)(int fd, void *buffer, size_t size, int flags);
    ssize_t (*send)(int fd, const void *buffer, size_t size, int flags);
    int (*shutdown)(int fd, int how);
    int (*accept)(int fd); /* accept4(), non-blocking and close-on-exec */
    int (*connect)(int fd, const struct sockaddr *address, socklen_t size);
    int (*getsockopt)(int fd, int level, int name, void *value, socklen_t *size);
    void *(*mmap)(void *address, size_t size, int protection, int flags, int fd, off_t offset);
    int (*munmap)(void *address, size_t size);
    int (*mprotect)(void *address, size_t size, int protection);
    int (*madvise)(void *address, size_t size, int advice);
    ssize_t (*getrandom)(void *buffer, size_t size, unsigned flags);
    int (*epoll_create1)(int flags);
    int (*epoll_ctl)(int poller_fd, int operation, int fd, struct epoll_event *event);
    int (*epoll_wait)(int poller_fd, struct epoll_event *events, int count, int timeout_ms);
    int (*epoll_pwait2)(int poller_fd, struct epoll_event *events, int count,
                        const struct timespec *timeout);
    int (*eventfd)(unsigned value, int flags);
    int (*kqueue)(void); /* close-on-exec */
    int (*kevent)(int poller_fd, const struct kevent *changes, int change_count,
                  struct kevent *events, int event_count, const struct timespec *timeout);
};

/* Written only by tests, before any loop is made. */
extern struct aiol__sys aiol__sys;

/* The system's monotonic clock in nanoseconds. */
uint64_t aiol__sys_monotonic_ns(void);

/* As the public functions of aiol/fd.h. */
int64_t aiol__sys_recv(int fd, void *buffer, size_t size_bytes);
int64_t aiol__sys_send(int fd, const void *buffer, size_t size_bytes);
int aiol__sys_shutdown(int fd);
int aiol__sys_close(int fd);

/* A new descriptor, or -errno; never -EINTR or -ECONNABORTED. */
int aiol__sys_accept(int fd);

/* 0, -EINPROGRESS (wait until it is writable, then ask aiol__sys_connect_result()), or -errno. */
int aiol__sys_connect(int fd, const struct sockaddr *address, socklen_t size_bytes);
int aiol__sys_connect_result(int fd);

#endif
