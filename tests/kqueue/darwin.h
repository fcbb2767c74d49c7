/*
 * What the tests use and macOS does not have. Included before everything else, by a compiler's
 * -include, where they are built for macOS; the library and the examples do without.
 */
#ifndef KQUEUE_DARWIN_H
#define KQUEUE_DARWIN_H

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCK_CLOEXEC 0x10000000
#define SOCK_NONBLOCK 0x20000000
#define MFD_CLOEXEC 1

#define socket(domain, type, protocol) darwin_socket((domain), (type), (protocol))
#define socketpair(domain, type, protocol, fds) darwin_pair((domain), (type), (protocol), (fds))

static inline int darwin_mark(int fd, int is_cloexec, int is_nonblocking)
{
    if (fd >= 0 && is_cloexec)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (fd >= 0 && is_nonblocking)
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    return fd;
}

static inline int darwin_mark_pair(int rc, const int fds[2], int is_cloexec, int is_nonblocking)
{
    for (int i = 0; rc == 0 && i < 2; i++)
        darwin_mark(fds[i], is_cloexec, is_nonblocking);
    return rc;
}

static inline int darwin_socket(int domain, int type, int protocol)
{
    int fd = (socket)(domain, type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK), protocol);

    return darwin_mark(fd, type & SOCK_CLOEXEC, type & SOCK_NONBLOCK);
}

static inline int darwin_pair(int domain, int type, int protocol, int fds[2])
{
    int rc = (socketpair)(domain, type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK), protocol, fds);

    return darwin_mark_pair(rc, fds, type & SOCK_CLOEXEC, type & SOCK_NONBLOCK);
}

static inline int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    return darwin_mark(accept(fd, address, size), flags & SOCK_CLOEXEC, flags & SOCK_NONBLOCK);
}

static inline int pipe2(int fds[2], int flags)
{
    return darwin_mark_pair(pipe(fds), fds, flags & O_CLOEXEC, flags & O_NONBLOCK);
}

static inline int memfd_create(const char *name, unsigned flags)
{
    char path[] = "/tmp/aiol-test-XXXXXX";
    int fd = mkstemp(path);

    (void)name;
    if (fd >= 0)
        unlink(path);
    return darwin_mark(fd, (flags & MFD_CLOEXEC) != 0, 0);
}

typedef struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    unsigned threads, waiting, round;
} pthread_barrier_t;

static inline int pthread_barrier_init(pthread_barrier_t *barrier, const void *attributes,
                                       unsigned threads)
{
    (void)attributes;
    *barrier = (pthread_barrier_t){.threads = threads};
    pthread_mutex_init(&barrier->mutex, NULL);
    return pthread_cond_init(&barrier->changed, NULL);
}

static inline int pthread_barrier_wait(pthread_barrier_t *barrier)
{
    unsigned round;

    pthread_mutex_lock(&barrier->mutex);
    round = barrier->round;
    if (++barrier->waiting == barrier->threads) {
        barrier->waiting = 0;
        barrier->round++;
        pthread_cond_broadcast(&barrier->changed);
    }
    while (barrier->round == round)
        pthread_cond_wait(&barrier->changed, &barrier->mutex);
    return pthread_mutex_unlock(&barrier->mutex);
}

static inline int pthread_barrier_destroy(pthread_barrier_t *barrier)
{
    pthread_cond_destroy(&barrier->changed);
    return pthread_mutex_destroy(&barrier->mutex);
}

#endif
