/*
 * The server's tasks: one accepts, and each connection has its own, in a group whose members are
 * independent of each other. A connection that fails ends its own task and nothing else; its client
 * notices, and it is the client that complains.
 *
 * Files are opened and read by plain blocking calls: on a local disk that is soon over, and it
 * keeps this short. (A later version of the library reads files without blocking the loop.)
 */
#include "server.h"

#include "http.h"

#include <aiol.h>

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_LIMIT_NS (10 * AIOL_SECOND)
/* Half of the stack that a task has is left for what it calls. */
#define SEND_BYTES ((size_t)32 * 1024)

struct connection {
    const struct folder *folder;
    int fd;
};

int server_open(struct server *server, const struct folder *folder)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t address_bytes = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 128) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &address_bytes) < 0) {
        int rc = -errno;

        close(fd);
        return rc;
    }
    *server = (struct server){.folder = folder, .address = address, .listener_fd = fd};
    return 0;
}

void server_close(struct server *server)
{
    aiol_fd_close(aiol_loop_current(), server->listener_fd);
}

/* A client that never finishes its request loses its connection after a while. */
static int receive_request(int fd, struct http_head *head)
{
    struct aiol_scope limit;
    int rc;

    aiol_scope_enter(&limit, aiol_deadline_after(REQUEST_LIMIT_NS));
    rc = http_receive_head(fd, head);
    return aiol_scope_leave(&limit, rc);
}

static int send_error(int fd, int error)
{
    const char *status = "500 Internal Server Error";
    char answer[128];
    int size;

    if (error == -EINVAL)
        status = "400 Bad Request";
    else if (error == -EACCES || error == -EPERM)
        status = "403 Forbidden";
    else if (error == -ENOENT || error == -ENOTDIR || error == -ELOOP || error == -EXDEV)
        status = "404 Not Found";
    size = snprintf(answer, sizeof answer,
                    "HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status);
    return aiol_await_send_all(fd, answer, (size_t)size, NULL);
}

/*
 * The head goes out together with the first bytes of the file. What is promised there cannot be
 * taken back: if the file turns out to be shorter, all that is left is to close early.
 */
static int send_file(int fd, int file_fd, uint64_t size_bytes)
{
    char buffer[SEND_BYTES];
    size_t filled_bytes = (size_t)sprintf(
        buffer, "HTTP/1.1 200 OK\r\nContent-Length: %" PRIu64 "\r\nConnection: close\r\n\r\n",
        size_bytes);
    uint64_t offset = 0;
    int rc;

    do {
        uint64_t left_bytes = size_bytes - offset;
        size_t room_bytes = sizeof buffer - filled_bytes;
        size_t wanted_bytes = left_bytes < room_bytes ? (size_t)left_bytes : room_bytes;
        int64_t size = read_at(file_fd, buffer + filled_bytes, wanted_bytes, offset);

        if (size < 0)
            return (int)size;
        rc = aiol_await_send_all(fd, buffer, filled_bytes + (size_t)size, NULL);
        if (rc == 0 && (size_t)size < wanted_bytes)
            rc = -EIO;
        offset += (uint64_t)size;
        filled_bytes = 0;
    } while (rc == 0 && offset < size_bytes);
    return rc;
}

static int answer_request(const struct connection *connection)
{
    struct http_head head;
    uint64_t size_bytes;
    int file_fd, rc;
    char *path;

    if ((rc = receive_request(connection->fd, &head)) < 0)
        return rc;
    if ((rc = http_parse_request(head.text, &path)) < 0 ||
        (rc = folder_open_file(connection->folder, path, &file_fd, &size_bytes)) < 0)
        return send_error(connection->fd, rc);
    rc = send_file(connection->fd, file_fd, size_bytes);
    close(file_fd);
    return rc;
}

static int serve_connection(void *arg)
{
    const struct connection *connection = arg;
    int rc = answer_request(connection);

    aiol_fd_close(aiol_loop_current(), connection->fd);
    return rc;
}

/* Without descriptors the connection waits in the backlog until another one has ended. */
static int accept_when_possible(int listener_fd, int *ret_fd)
{
    int rc;

    while ((rc = aiol_await_accept(listener_fd, ret_fd)) == -EMFILE || rc == -ENFILE) {
        if ((rc = aiol_await_sleep(10 * AIOL_MILLISECOND)) < 0)
            return rc;
    }
    return rc;
}

int serve(void *arg)
{
    const struct server *server = arg;
    struct connection connection = {.folder = server->folder};
    struct aiol_group connections;
    int rc;

    aiol_group_open(&connections, AIOL_GROUP_INDEPENDENT);
    while ((rc = accept_when_possible(server->listener_fd, &connection.fd)) == 0) {
        rc = aiol_group_spawn_copy(&connections, serve_connection, &connection, sizeof connection);
        if (rc < 0) /* the client is told by the end of the connection, the next may have luck */
            aiol_fd_close(aiol_loop_current(), connection.fd);
    }
    /* How a connection ended is its own affair; that all of them have ended is ours. */
    aiol_await_group(&connections);
    return rc == -ECANCELED ? 0 : rc; /* cancelled: the way in which a server ends well */
}
