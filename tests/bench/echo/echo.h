/*
 * Echo servers over TCP, on loopback. The case says how many connections there are; each has one
 * request under way, of 64 bytes (echo) or 16 KiB (echo16k), and sends the next one when the last
 * has come back. The client, client.c, shares the server's processor, and measures how much
 * processor time the server takes for a request.
 *
 * A server's begin() prints its port and serves until it is ended by SIGTERM.
 */
#ifndef BENCH_ECHO_H
#define BENCH_ECHO_H

#include "../bench.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_BYTES 65536

static inline void bench_end(int signal_number)
{
    (void)signal_number;
    _exit(0);
}

/* For servers whose library opens the socket itself. */
static inline void bench_announce(unsigned port)
{
    signal(SIGTERM, bench_end);
    signal(SIGPIPE, SIG_IGN);
    printf("%u\n", port);
    fflush(stdout);
}

/* A listening socket, non-blocking, whose port is announced. */
static inline int bench_listen(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size_bytes = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    bench_check(listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof address) == 0 &&
                    listen(listener, 4096) == 0 &&
                    getsockname(listener, (struct sockaddr *)&address, &size_bytes) == 0,
                "listen");
    bench_announce(ntohs(address.sin_port));
    return listener;
}

static inline void bench_set_no_delay(int fd)
{
    int on = 1;

    bench_check(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "TCP_NODELAY");
}

#endif
