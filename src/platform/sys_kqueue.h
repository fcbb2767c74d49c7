/* kqueue(2) for the tables of system calls. */
#ifndef AIOL__PLATFORM_SYS_KQUEUE_H
#define AIOL__PLATFORM_SYS_KQUEUE_H

#include <fcntl.h>
#include <sys/event.h>

/* A kqueue is not inherited by fork(2), but without that an exec would hand it on. */
static inline int aiol__kqueue_cloexec(void)
{
    int fd = kqueue();

    if (fd >= 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}

#endif
