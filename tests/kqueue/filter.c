/* The filters: what EVFILT_READ and EVFILT_WRITE say of each kind of descriptor, told from what
 * Linux's poll(2) and ioctl(2) say. */
#include "queue.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static short poll_now(int fd)
{
    struct pollfd pollfd = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};

    return poll(&pollfd, 1, 0) == 1 ? pollfd.revents : 0;
}

enum kind kind_of(int fd)
{
    struct stat status = {.st_mode = 0};

    fstat(fd, &status);
    if (S_ISSOCK(status.st_mode))
        return KIND_SOCKET;
    if (S_ISFIFO(status.st_mode))
        return KIND_PIPE;
    if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))
        return KIND_FILE;
    return find_queue(fd) ? KIND_KQUEUE : KIND_OTHER;
}

bool has_no_reader(int fd)
{
    return (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY && (poll_now(fd) & POLLERR);
}

static int ask(int fd, unsigned long request)
{
    int bytes = 0;

    return ioctl(fd, request, &bytes) < 0 ? 0 : bytes;
}

static int socket_option(int fd, int name)
{
    socklen_t size = sizeof(int);
    int value = 0;

    return getsockopt(fd, SOL_SOCKET, name, &value, &size) < 0 ? 0 : value;
}

/* Has this side ended its sending, by shutdown()? No poll says so. */
static bool is_shut_for_writing(int fd)
{
    struct tcp_info info;
    socklen_t size = sizeof info;

    if (socket_option(fd, SO_TYPE) != SOCK_STREAM)
        return false;
    if (socket_option(fd, SO_DOMAIN) == AF_UNIX) /* sends nothing, but fails */
        return send(fd, "", 0, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EPIPE;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
        return false;
    return info.tcpi_state == TCP_FIN_WAIT1 || info.tcpi_state == TCP_FIN_WAIT2 ||
           info.tcpi_state == TCP_CLOSING || info.tcpi_state == TCP_LAST_ACK ||
           info.tcpi_state == TCP_TIME_WAIT;
}

static struct state look_at_socket(int fd, int16_t filter, short ready)
{
    struct state state = {.is_active = false};

    if (filter == EVFILT_READ && socket_option(fd, SO_ACCEPTCONN)) {
        state.is_active = ready & POLLIN;
        state.data = state.is_active;
        return state;
    }
    /* Linux calls a socket that was never connected hung up. */
    if ((ready & POLLHUP) && !(ready & (POLLRDHUP | POLLERR)))
        return state;
    if (filter == EVFILT_READ) {
        state.data = ask(fd, FIONREAD);
        state.is_active = ready & (POLLIN | POLLERR | POLLHUP | POLLRDHUP);
        state.flags = ready & (POLLRDHUP | POLLHUP) ? EV_EOF : 0;
    } else {
        if ((ready & POLLHUP) || (!(ready & POLLERR) && is_shut_for_writing(fd)))
            state.flags = EV_EOF;
        state.is_active = (ready & (POLLOUT | POLLERR)) || state.flags;
        state.data = socket_option(fd, SO_SNDBUF) - ask(fd, TIOCOUTQ);
        if (state.data < 1)
            state.data = 1;
    }
    /* An error that does not end the connection shows in nothing, but wakes. */
    if (state.flags && (ready & POLLERR))
        state.fflags = ECONNRESET;
    return state;
}

/* The filter that the other end is for is no error, and never has an event. */
static struct state look_at_pipe(int fd, int16_t filter, short ready)
{
    struct state state = {.data = ask(fd, FIONREAD)};

    if (filter == EVFILT_READ) {
        state.flags = ready & POLLHUP ? EV_EOF : 0;
        state.is_active = ready & (POLLIN | POLLHUP);
    } else {
        state.flags = ready & POLLERR ? EV_EOF : 0;
        state.is_active = ready & (POLLOUT | POLLERR);
        state.data = state.flags ? 0 : fcntl(fd, F_GETPIPE_SZ) - state.data;
    }
    return state;
}

static struct state look_at_file(int fd, int16_t filter)
{
    struct state state = {.is_active = filter == EVFILT_WRITE};
    struct stat status;

    if (filter == EVFILT_READ && fstat(fd, &status) == 0) {
        state.data = status.st_size - lseek(fd, 0, SEEK_CUR);
        state.is_active = state.data != 0;
    }
    return state;
}

/* Terminals and other devices, kqueues, and what only Linux has. */
static struct state look_at_other(int fd, int16_t filter, short ready)
{
    struct state state = {.flags = ready & POLLHUP ? EV_EOF : 0};

    state.is_active = ready & (filter == EVFILT_READ ? POLLIN : POLLOUT);
    state.is_active |= (ready & (POLLHUP | POLLERR)) != 0;
    state.data = filter == EVFILT_READ ? ask(fd, FIONREAD) : 1;
    if (state.data == 0 && (ready & POLLIN))
        state.data = 1;
    return state;
}

struct state look(const struct registration *registration)
{
    int fd = registration->fd;
    int16_t filter = registration->filter;

    switch (registration->kind) {
    case KIND_SOCKET:
        return look_at_socket(fd, filter, poll_now(fd));
    case KIND_PIPE:
        return look_at_pipe(fd, filter, poll_now(fd));
    case KIND_FILE:
        return look_at_file(fd, filter);
    default:
        return look_at_other(fd, filter, poll_now(fd));
    }
}
