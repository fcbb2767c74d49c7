/* A small HTTP/1.1 file server: GET only, one request a connection. */
#ifndef SERVER_H
#define SERVER_H

#include "files.h"

#include <netinet/in.h>

struct server {
    const struct folder *folder;
    struct sockaddr_in address;
    int listener_fd;
};

/* Listen on 127.0.0.1, on a port that the system picks. Returns 0 or -errno. */
int server_open(struct server *server, const struct folder *folder);

/* After its task has ended. */
void server_close(struct server *server);

/* The server's task: gets the server, and accepts and serves until it is cancelled. */
int serve(void *arg);

#endif
