/*
 * The tour: one process, one loop, and all of this on it.
 *
 *     list ──► wanted ──► downloaders ◄──TCP──► server's connections ◄── pread ── the folder
 *             (queue)          │
 *                              └──► pieces ──► five workers: hash, count
 *                                  (queue)
 *
 * Both queues are bounded: when the workers are slow the downloaders wait, then TCP makes the
 * server wait, so that memory stays small however large the files are.
 */
#ifndef TOUR_H
#define TOUR_H

#include "files.h"
#include "server.h"

#include <aiol.h>

#define DOWNLOADERS_MAX 16
#define WANTED_CAPACITY 64
#define PIECES_CAPACITY 32
#define WORKERS 5

struct tour {
    struct folder folder;
    struct files files;
    struct server server;
    unsigned downloaders;

    struct aiol_queue *wanted; /* struct file: to be downloaded */
    struct aiol_queue *pieces; /* struct piece: downloaded, to be hashed */

    /* All of these are read and written between awaiting calls, so that no lock is needed. */
    size_t downloaded_count;
    size_t failed_count;
    uint64_t hashed_bytes;
    unsigned in_flight;
    unsigned most_in_flight;
    size_t most_pieces;
    uint64_t duration_ns;
};

/* The tasks; each gets the tour. */
int download_files(void *arg); /* client.c: until `wanted` is shut down and empty */
int hash_pieces(void *arg);    /* workers.c: until `pieces` is shut down and empty */
int show_progress(void *arg);  /* progress.c: until it is cancelled */

/* Compare with the files on disk, and complain. Returns how many differ (check.c). */
size_t count_differences(const struct tour *tour);

/* Say on stderr, in one line, what went wrong with a file or folder (progress.c). */
void complain(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
