/*
 * The downloaders: each takes a file from one queue, gets it from the server over TCP, and puts
 * what arrives, in pieces, into the next queue. A file that fails is complained about and counted,
 * and the next one taken.
 */
#include "http.h"
#include "tour.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* How long the server may take for an answer, and then for each piece. */
#define PATIENCE_NS (30 * AIOL_SECOND)

struct download {
    struct tour *tour;
    struct file *file;
    int fd;
    uint64_t received_bytes;
    struct http_answer answer;
    struct http_head head;
};

/* Without descriptors it waits for another download to end; its caller's patience is the limit. */
static int open_socket(int *ret_fd)
{
    int fd, rc;

    while ((fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) < 0) {
        if (errno != EMFILE && errno != ENFILE)
            return -errno;
        if ((rc = aiol_await_sleep(10 * AIOL_MILLISECOND)) < 0)
            return rc;
    }
    *ret_fd = fd;
    return 0;
}

/* Leaves the socket to its caller, to be closed whatever comes of this. */
static int request_file(struct download *download)
{
    const struct sockaddr_in *address = &download->tour->server.address;
    char request[HTTP_HEAD_BYTES];
    int size, rc;

    if ((rc = size = http_write_request(request, download->file->path)) < 0)
        return rc;
    if ((rc = open_socket(&download->fd)) < 0)
        return rc;
    rc = aiol_await_connect(download->fd, (const struct sockaddr *)address, sizeof *address);
    if (rc < 0)
        return rc;
    if ((rc = aiol_await_send_all(download->fd, request, (size_t)size, NULL)) < 0)
        return rc;
    if ((rc = http_receive_head(download->fd, &download->head)) < 0)
        return rc;
    if ((rc = http_parse_answer(download->head.text, &download->answer)) < 0)
        return rc;
    return download->answer.status == 200 ? 0 : -EIO;
}

/* What came together with the head is taken first. */
static int64_t receive_some(struct download *download, void *buffer, size_t size_bytes)
{
    struct http_head *head = &download->head;
    size_t left_bytes = head->filled_bytes - head->body_at;

    if (left_bytes == 0)
        return aiol_await_recv(download->fd, buffer, size_bytes);
    if (left_bytes > size_bytes)
        left_bytes = size_bytes;
    memcpy(buffer, head->text + head->body_at, left_bytes);
    head->body_at += left_bytes;
    return (int64_t)left_bytes;
}

static int receive_piece(struct download *download, struct piece *piece)
{
    size_t filled_bytes = 0;

    while (filled_bytes < piece->size_bytes) {
        int64_t size =
            receive_some(download, piece->bytes + filled_bytes, piece->size_bytes - filled_bytes);

        if (size <= 0)
            return size < 0 ? (int)size : AIOL_ECLOSED;
        filled_bytes += (size_t)size;
        download->received_bytes += (uint64_t)size;
    }
    return 0;
}

/* Receive the next piece and put it into the queue, which then owns it. */
static int pass_on_piece(struct download *download)
{
    uint64_t left_bytes = download->answer.content_bytes - download->received_bytes;
    size_t size_bytes = left_bytes < PIECE_BYTES ? (size_t)left_bytes : PIECE_BYTES;
    struct piece *piece = malloc(sizeof *piece + size_bytes);
    struct aiol_scope patience;
    int rc;

    if (!piece)
        return -ENOMEM;
    piece->file = download->file;
    piece->offset = download->received_bytes;
    piece->size_bytes = size_bytes;

    aiol_scope_enter(&patience, aiol_deadline_after(PATIENCE_NS));
    rc = receive_piece(download, piece);
    rc = aiol_scope_leave(&patience, rc);

    /* While the workers are busy and the queue is full, this is where a download waits. */
    if (rc == 0)
        rc = aiol_await_queue_put(download->tour->pieces, piece);
    if (rc != 0)
        free(piece);
    return rc;
}

static int download_file(struct download *download)
{
    struct aiol_scope patience;
    int rc;

    aiol_scope_enter(&patience, aiol_deadline_after(PATIENCE_NS));
    rc = request_file(download);
    rc = aiol_scope_leave(&patience, rc);

    while (rc == 0 && download->received_bytes < download->answer.content_bytes)
        rc = pass_on_piece(download);
    if (download->fd >= 0)
        aiol_fd_close(aiol_loop_current(), download->fd);
    return rc;
}

static void complain_about(const struct download *download, int error)
{
    const char *path = download->file->path;

    if (download->answer.status != 0 && download->answer.status != 200)
        complain(path, "the server answers %u %s", download->answer.status,
                 download->answer.reason);
    else if (error == AIOL_ECLOSED && download->answer.status == 0)
        complain(path, "the server closed early, before its answer was complete");
    else if (error == AIOL_ECLOSED)
        complain(path, "the server closed early, after %llu of %llu bytes",
                 (unsigned long long)download->received_bytes,
                 (unsigned long long)download->answer.content_bytes);
    else
        complain(path, "cannot be downloaded: %s", aiol_error_message(error));
}

/* Returns an error only when this task is to end; a file's failure is kept with the file. */
static int download_and_count(struct tour *tour, struct file *file)
{
    struct download download = {.tour = tour, .file = file, .fd = -1};
    int rc;

    if (++tour->in_flight > tour->most_in_flight)
        tour->most_in_flight = tour->in_flight;
    rc = download_file(&download);
    tour->in_flight--;
    if (rc == -ECANCELED)
        return rc;

    if (rc == 0) {
        file->state = FILE_DOWNLOADED;
        tour->downloaded_count++;
    } else {
        file->state = FILE_FAILED;
        tour->failed_count++;
        complain_about(&download, rc);
    }
    return 0;
}

int download_files(void *arg)
{
    struct tour *tour = arg;
    void *file;
    int rc;

    while ((rc = aiol_await_queue_get(tour->wanted, &file)) == 0) {
        if ((rc = download_and_count(tour, file)) < 0)
            return rc;
        aiol_queue_done(tour->wanted);
    }
    return rc == AIOL_ECLOSED ? 0 : rc; /* shut down and drained: the normal end */
}
