/*
 * An echo server in tasks: 05_echo_tasks [PORT]. Ctrl-C ends it.
 *
 * One task a peer, each a loop that reads like its specification. A peer that sends and never reads
 * makes only its own task wait.
 */
#include "listen.h"

#include <aiol.h>

#include <signal.h>
#include <stdlib.h>

static int serve(void *arg)
{
    int fd = *(const int *)arg;
    char buffer[16384];
    int64_t size;
    int rc = 0;

    while (rc == 0 && (size = aiol_await_recv(fd, buffer, sizeof buffer)) > 0)
        rc = aiol_await_send_all(fd, buffer, (size_t)size, NULL);
    aiol_fd_close(aiol_loop_current(), fd);
    return 0; /* how a peer ended is its own affair */
}

/* When there are no descriptors left, the next peer waits until there are. */
static int accept_next(int listener_fd, int *ret_fd)
{
    int rc;

    while ((rc = aiol_await_accept(listener_fd, ret_fd)) == -EMFILE || rc == -ENFILE) {
        if ((rc = aiol_await_sleep(100 * AIOL_MILLISECOND)) < 0)
            break;
    }
    return rc;
}

static int accept_peers(void *arg)
{
    int listener_fd = *(const int *)arg;
    struct aiol_group peers;
    int fd, rc;

    aiol_group_open(&peers, AIOL_GROUP_INDEPENDENT);
    while ((rc = accept_next(listener_fd, &fd)) == 0) {
        if ((rc = aiol_group_spawn_copy(&peers, serve, &fd, sizeof fd)) < 0) {
            aiol_fd_close(aiol_loop_current(), fd);
            break;
        }
    }
    aiol_group_cancel(&peers); /* every wait in their tasks ends, and so do they */
    return aiol_first_error(rc, aiol_await_group(&peers));
}

static struct aiol_poster *poster;
static struct aiol_post stop_post;
static struct aiol_scope until_signal; /* outlives the post that cancels it */

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
    (void)data;
    aiol_scope_cancel(&until_signal);
}

static int serve_until_signal(void *arg)
{
    const uint16_t *port = arg;
    int rc, listener_fd;

    if ((rc = aiol_poster_new(aiol_loop_current(), &poster)) < 0)
        return rc;
    if ((rc = listener_fd = listen_on_loopback(*port)) < 0)
        goto release_poster;
    aiol_scope_enter(&until_signal, AIOL_NEVER);
    aiol_post_init(&stop_post, stop, NULL);
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);

    rc = accept_peers(&listener_fd);

    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    if (aiol_scope_is_cancelled(&until_signal)) {
        printf("stopped\n");
        rc = 0;
    }
    aiol_scope_leave(&until_signal, rc);
    aiol_fd_close(aiol_loop_current(), listener_fd);
release_poster:
    aiol_poster_release(poster);
    return rc;
}

int main(int argc, char **argv)
{
    uint16_t port = argc > 1 ? (uint16_t)atoi(argv[1]) : 0;
    int rc = aiol_run(serve_until_signal, &port);

    if (rc < 0)
        fprintf(stderr, "echo: %s\n", aiol_error_message(rc));
    return rc < 0;
}
