/*
 * An echo server in callbacks: 04_echo_callbacks [PORT]. Ctrl-C ends it.
 *
 * A peer is read only while nothing waits to be written to it, so that one who sends and never
 * reads costs no more than one buffer. Compare 05_echo_tasks.c, which does the same.
 */
#include "listen.h"

#include <aiol.h>

#include <signal.h>
#include <stdlib.h>

struct peer {
    struct peer *next, *prev;
    struct aiol_loop *loop;
    struct aiol_io io;
    int64_t size, sent; /* of what is in the buffer */
    char buffer[16384];
};

static struct peer peers = {.next = &peers,
                            .prev = &peers}; /* a circle of all that are connected */

static void close_peer(struct peer *peer)
{
    int fd = aiol_io_fd(&peer->io);

    aiol_io_close(&peer->io); /* from here on nothing comes, and the memory may go */
    close(fd);
    peer->next->prev = peer->prev;
    peer->prev->next = peer->next;
    free(peer);
}

static void on_peer_ready(struct aiol_io *io, uint32_t ready, void *data)
{
    struct peer *peer = data;
    int64_t rc;

    (void)ready;
    if (peer->sent == peer->size) {
        peer->sent = 0;
        peer->size = rc =
            aiol_fd_recv(peer->loop, aiol_io_fd(io), peer->buffer, sizeof peer->buffer);
        if (rc < 0)
            peer->size = 0;
    } else {
        rc = 1;
    }
    if (rc > 0) {
        rc = aiol_fd_send(peer->loop, aiol_io_fd(io), peer->buffer + peer->sent,
                          (size_t)(peer->size - peer->sent));
        if (rc > 0)
            peer->sent += rc;
    }
    if (rc == 0 || (rc < 0 && rc != -EAGAIN)) {
        close_peer(peer);
        return;
    }
    aiol_io_start(io, peer->sent < peer->size ? AIOL_WRITABLE : AIOL_READABLE);
}

static struct aiol_timer retry;

static void on_retry(struct aiol_timer *timer, void *data)
{
    (void)timer;
    aiol_io_start(data, AIOL_READABLE);
}

static void on_connection(struct aiol_io *listener, uint32_t ready, void *data)
{
    struct aiol_loop *loop = data;
    int fd = accept4(aiol_io_fd(listener), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct peer *peer;

    (void)ready;
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE) { /* no descriptors left: the next peer waits */
            aiol_io_stop(listener);
            aiol_timer_start(&retry, 100 * AIOL_MILLISECOND);
        }
        return;
    }
    peer = calloc(1, sizeof *peer);
    if (!peer) {
        close(fd);
        return;
    }
    peer->loop = loop;
    peer->next = &peers;
    peer->prev = peers.prev;
    peers.prev->next = peer;
    peers.prev = peer;
    aiol_io_init(&peer->io, loop, fd, on_peer_ready, peer);
    if (aiol_io_start(&peer->io, AIOL_READABLE) < 0)
        close_peer(peer);
}

static struct aiol_poster *poster;
static struct aiol_post stop_post;

static void on_signal(int number)
{
    static volatile sig_atomic_t was_posted;

    (void)number;
    if (!was_posted)
        aiol_poster_post_node(poster, &stop_post); /* may be called in a signal handler */
    was_posted = 1;
}

static void stop(int status, void *data)
{
    (void)status;
    aiol_loop_stop(data);
}

static int serve(struct aiol_loop *loop, int listener_fd)
{
    struct aiol_io listener;
    int rc;

    aiol_io_init(&listener, loop, listener_fd, on_connection, loop);
    aiol_timer_init(&retry, loop, on_retry, &listener);
    rc = aiol_io_start(&listener, AIOL_READABLE);
    if (rc < 0)
        return rc;
    rc = aiol_loop_run(loop);
    aiol_timer_stop(&retry);
    aiol_io_close(&listener);
    while (peers.next != &peers)
        close_peer(peers.next);
    return rc;
}

int main(int argc, char **argv)
{
    struct aiol_loop *loop;
    int rc, listener_fd;

    if ((rc = aiol_loop_new(NULL, &loop)) < 0)
        goto report;
    if ((rc = aiol_poster_new(loop, &poster)) < 0)
        goto free_loop;
    aiol_post_init(&stop_post, stop, loop);
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    if ((rc = listener_fd = listen_on_loopback(argc > 1 ? (uint16_t)atoi(argv[1]) : 0)) < 0)
        goto release_poster;

    rc = serve(loop, listener_fd);
    close(listener_fd);
    if (rc >= 0)
        printf("stopped\n");

release_poster:
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    aiol_poster_release(poster);
free_loop:
    aiol_loop_free(loop);
report:
    if (rc < 0)
        fprintf(stderr, "echo: %s\n", aiol_error_message(rc));
    return rc < 0;
}
