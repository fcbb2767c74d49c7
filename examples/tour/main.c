/*
 * The tour of libaio-loop: serve a folder over HTTP, download all of it, hash it, and compare with
 * the files on disk; in one process, on one loop. tour.h has a drawing; take_tour() is where to
 * begin.
 *
 * The exit status is 0 when every file arrived and was found to be right.
 */
#include "tour.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int open_queues(struct tour *tour)
{
    struct aiol_loop *loop = aiol_loop_current();
    int rc;

    if ((rc = aiol_queue_new(loop, WANTED_CAPACITY, NULL, &tour->wanted)) < 0)
        return rc;
    if ((rc = aiol_queue_new(loop, PIECES_CAPACITY, free, &tour->pieces)) < 0)
        aiol_queue_free(tour->wanted);
    return rc;
}

static void free_queues(struct tour *tour)
{
    tour->most_pieces = aiol_queue_high_water(tour->pieces);
    aiol_queue_free(tour->pieces);
    aiol_queue_free(tour->wanted);
}

/* Groups nest: workers that fail cancel the downloads, and this task with them. */
static int download_and_hash(struct tour *tour)
{
    struct aiol_group workers, downloaders;
    int rc = 0;

    aiol_group_open(&workers, AIOL_GROUP_CANCEL_ALL);
    for (int i = 0; i < WORKERS; i++)
        aiol_group_spawn(&workers, hash_pieces, tour);

    aiol_group_open(&downloaders, AIOL_GROUP_CANCEL_ALL);
    for (unsigned i = 0; i < tour->downloaders; i++)
        aiol_group_spawn(&downloaders, download_files, tour);

    for (size_t i = 0; i < tour->files.count && rc == 0; i++)
        rc = aiol_await_queue_put(tour->wanted, &tour->files.items[i]);
    aiol_queue_shutdown(tour->wanted, AIOL_QUEUE_DRAIN);
    rc = aiol_first_error(rc, aiol_await_group(&downloaders));

    aiol_queue_shutdown(tour->pieces, AIOL_QUEUE_DRAIN);
    return aiol_first_error(rc, aiol_await_group(&workers));
}

/* What works in the background ends when the foreground is done: it is cancelled, and awaited. */
static int work_with_background(struct tour *tour)
{
    struct aiol_group background;
    int rc;

    aiol_group_open(&background, AIOL_GROUP_CANCEL_ALL);
    aiol_group_spawn(&background, serve, &tour->server);
    if (isatty(STDERR_FILENO))
        aiol_group_spawn(&background, show_progress, tour);

    rc = download_and_hash(tour);

    aiol_group_cancel(&background);
    return aiol_first_error(rc, aiol_await_group(&background));
}

/*
 * A download takes three descriptors: the client's, the server's, and the file's. How many are left
 * is tried out, since more than this program's own limit bounds them.
 */
static int choose_downloaders(int any_fd, unsigned *ret_downloaders)
{
    int fds[3 * DOWNLOADERS_MAX + 1]; /* one more, with which the server steps through folders */
    unsigned count = 0, downloaders;

    while (count < sizeof fds / sizeof *fds && (fds[count] = dup(any_fd)) >= 0)
        count++;
    downloaders = count ? (count - 1) / 3 : 0;
    while (count > 0)
        close(fds[--count]);
    if (downloaders == 0)
        return -EMFILE;
    *ret_downloaders = downloaders;
    return 0;
}

static int take_tour(void *arg)
{
    struct aiol_loop *loop = aiol_loop_current();
    struct tour *tour = arg;
    uint64_t start_ns;
    int rc;

    if ((rc = server_open(&tour->server, &tour->folder)) < 0)
        return rc;
    if ((rc = choose_downloaders(tour->folder.fd, &tour->downloaders)) < 0)
        goto close_server;
    if ((rc = open_queues(tour)) < 0)
        goto close_server;
    printf("served on http://127.0.0.1:%d, downloaded by %u tasks, hashed by %d\n",
           ntohs(tour->server.address.sin_port), tour->downloaders, WORKERS);
    fflush(stdout);

    start_ns = aiol_loop_now_ns(loop);
    rc = work_with_background(tour);
    tour->duration_ns = aiol_loop_now_ns(loop) - start_ns;

    free_queues(tour);
close_server:
    server_close(&tour->server);
    return rc;
}

static void print_plan(const struct tour *tour)
{
    const struct files *files = &tour->files;

    printf("%zu files, %.1f MB in %s\n", files->count, (double)files->size_bytes / 1e6,
           *tour->folder.root ? tour->folder.root : "/");
    if (files->folders_left_out + files->links_left_out + files->others_left_out > 0)
        printf("left out: %u folders (.git, build, build-*), %u links (to folders, or out of this "
               "one), %u that are no files\n",
               files->folders_left_out, files->links_left_out, files->others_left_out);
    fflush(stdout);
}

static void print_table(const struct tour *tour, size_t difference_count)
{
    double seconds = (double)tour->duration_ns / (double)AIOL_SECOND;

    printf("\n");
    printf("    files downloaded    %12zu of %zu\n", tour->downloaded_count, tour->files.count);
    printf("    files failed        %12zu\n", tour->failed_count);
    printf("    files that differ   %12zu\n", difference_count);
    printf("    bytes hashed        %12" PRIu64 "\n", tour->hashed_bytes);
    printf("    seconds             %12.3f\n", seconds);
    printf("    requests in flight  %12u at most\n", tour->most_in_flight);
    printf("    pieces in the queue %12zu at most, of %d\n", tour->most_pieces, PIECES_CAPACITY);
}

/* Returns 0 when all was well, else 1; what was not has been said. */
static int run_tour(struct tour *tour, const char *path)
{
    size_t difference_count;
    int rc;

    if ((rc = files_list(&tour->files, &tour->folder)) < 0) {
        complain(path, "%s", aiol_error_message(rc));
        return 1;
    }
    print_plan(tour);
    rc = aiol_run(take_tour, tour);
    if (rc < 0)
        complain(path, "the tour was cut short: %s", aiol_error_message(rc));
    difference_count = count_differences(tour);
    print_table(tour, difference_count);
    return rc < 0 || tour->failed_count + difference_count + tour->files.unreadable_count > 0;
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : ".";
    struct tour tour = {0};
    int status, rc;

    if (argc > 2) {
        fprintf(stderr, "usage: tour [DIR]\n");
        return EXIT_FAILURE;
    }
    if ((rc = folder_open(&tour.folder, path)) < 0) {
        complain(path, "%s", aiol_error_message(rc));
        return EXIT_FAILURE;
    }
    status = run_tour(&tour, path);
    files_free(&tour.files);
    folder_close(&tour.folder);
    return status;
}
