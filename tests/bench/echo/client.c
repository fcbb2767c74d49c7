/*
 * The client of the echo servers, and the one that measures: the processor time of a server's
 * process in relation to the requests it was sent.
 *
 *     bench_echo_client WORKLOAD CONNECTIONS PORT PID
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_EVENTS 1024
#define LARGE_BYTES 16384
#define SMALL_BYTES 64

struct connection {
    int fd;
    size_t received_bytes; /* of the answer */
};

static char buffer[65536];
static size_t request_bytes;
static int poller;

static void check(int is_good, const char *what)
{
    if (is_good)
        return;
    fprintf(stderr, "client, %s: %s\n", what, strerror(errno));
    exit(1);
}

static void ask(struct connection *connection)
{
    connection->received_bytes = 0;
    check(send(connection->fd, buffer, request_bytes, MSG_NOSIGNAL) == (ssize_t)request_bytes,
          "send");
}

static void open_connection(struct connection *connection, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    int on = 1;

    connection->fd = socket(AF_INET, SOCK_STREAM, 0);
    check(connection->fd >= 0 &&
              connect(connection->fd, (struct sockaddr *)&address, sizeof address) == 0 &&
              setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
              epoll_ctl(poller, EPOLL_CTL_ADD, connection->fd, &event) == 0,
          "connect");
}

/* So many requests in all, one under way on each connection. */
static void run(struct connection *connections, long connection_count, long requests)
{
    static struct epoll_event events[MAX_EVENTS];
    long asked = 0, answered = 0;

    while (asked < connection_count && asked < requests)
        ask(&connections[asked++]);
    while (answered < requests) {
        int count = epoll_wait(poller, events, MAX_EVENTS, -1);

        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            ssize_t size = recv(connection->fd, buffer, sizeof buffer, 0);

            check(size > 0, "recv");
            connection->received_bytes += (size_t)size;
            if (connection->received_bytes < request_bytes)
                continue;
            answered++;
            if (asked < requests) {
                asked++;
                ask(connection);
            }
        }
    }
}

static uint64_t nanoseconds(clockid_t clock)
{
    struct timespec now;

    check(clock_gettime(clock, &now) == 0, "the server's clock");
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    struct connection *connections;
    long connection_count, requests;
    clockid_t clock;
    char line[16];

    check(argc == 5, "usage");
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    request_bytes = strcmp(argv[1], "echo16k") == 0 ? LARGE_BYTES : SMALL_BYTES;
    connection_count = atol(argv[2]);
    check(clock_getcpuclockid(atoi(argv[4]), &clock) == 0, "the server's process");
    poller = epoll_create1(EPOLL_CLOEXEC);
    connections = calloc((size_t)connection_count, sizeof *connections);
    for (long i = 0; i < connection_count; i++)
        open_connection(&connections[i], atoi(argv[3]));
    requests = request_bytes == LARGE_BYTES ? 5000 : 10000;
    while (fgets(line, sizeof line, stdin)) {
        uint64_t before_ns = nanoseconds(clock);

        run(connections, connection_count, requests);
        printf("time ns %ld %llu\n\n", requests,
               (unsigned long long)(nanoseconds(clock) - before_ns));
        fflush(stdout);
    }
    return 0;
}
