/* What epoll and kqueue have in common: the system's time and its descriptors. These fill the
 * poller's table of functions (poller.h). */
#ifndef AIOL__PLATFORM_POLLER_SYSTEM_H
#define AIOL__PLATFORM_POLLER_SYSTEM_H

#include "platform/poller.h"

bool aiol__system_may_wake(const struct aiol__poller *poller);
uint64_t aiol__system_now_ns(struct aiol__poller *poller);
int64_t aiol__system_fd_recv(struct aiol__poller *poller, int fd, void *buffer, size_t size_bytes);
int64_t aiol__system_fd_send(struct aiol__poller *poller, int fd, const void *buffer,
                             size_t size_bytes);
int aiol__system_fd_shutdown(struct aiol__poller *poller, int fd);
int aiol__system_fd_close(struct aiol__poller *poller, int fd);

#endif
