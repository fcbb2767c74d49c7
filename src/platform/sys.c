/*
 * System calls as the rest of the library wants them: -errno instead of errno, interrupted calls
 * repeated, and the handling of SIGPIPE settled once.
 */
#include "platform/sys.h"

#include <errno.h>

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* the table's send() sees to it */
#endif

uint64_t aiol__sys_monotonic_ns(void)
{
    struct timespec now;

    /* Cannot fail with a clock that every supported system has. */
    aiol__sys.clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int64_t aiol__sys_recv(int fd, void *buffer, size_t size_bytes)
{
    ssize_t size;

    do
        size = aiol__sys.recv(fd, buffer, size_bytes, MSG_DONTWAIT);
    while (size < 0 && errno == EINTR);
    return size < 0 ? -errno : size;
}

int64_t aiol__sys_send(int fd, const void *buffer, size_t size_bytes)
{
    ssize_t size;

    do
        size = aiol__sys.send(fd, buffer, size_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (size < 0 && errno == EINTR);
    return size < 0 ? -errno : size;
}

int aiol__sys_shutdown(int fd)
{
    return aiol__sys.shutdown(fd, SHUT_WR) < 0 ? -errno : 0;
}

int aiol__sys_close(int fd)
{
    /* After EINTR the descriptor is closed (Linux, FreeBSD; POSIX leaves it open), and must not be
     * closed again: another thread may have been given its number (close(2), "Dealing with error
     * returns from close()"). */
    if (aiol__sys.close(fd) < 0 && errno != EINTR)
        return -errno;
    return 0;
}

int aiol__sys_accept(int fd)
{
    int peer;

    do
        peer = aiol__sys.accept(fd);
    while (peer < 0 && (errno == EINTR || errno == ECONNABORTED));
    return peer < 0 ? -errno : peer;
}

int aiol__sys_connect(int fd, const struct sockaddr *address, socklen_t size_bytes)
{
    if (aiol__sys.connect(fd, address, size_bytes) == 0)
        return 0;
    /* An interrupted connect goes on in the background (POSIX, connect()). */
    return errno == EINTR ? -EINPROGRESS : -errno;
}

int aiol__sys_connect_result(int fd)
{
    int error = 0;
    socklen_t size_bytes = sizeof error;

    if (aiol__sys.getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size_bytes) < 0)
        return -errno;
    return -error;
}
