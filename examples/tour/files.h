/* The folder that the tour shows, the files in it, and what they are cut into for hashing. */
#ifndef FILES_H
#define FILES_H

#include <stddef.h>
#include <stdint.h>

/* A folder that no path leads out of. */
struct folder {
    int fd;
    char *root;        /* its real path, "" for that of the whole system */
    size_t root_bytes; /* its length */
};

/* Returns 0 or -errno; close it with folder_close(). */
int folder_open(struct folder *folder, const char *path);
void folder_close(struct folder *folder);

/*
 * Where a path below the folder leads when all links are followed; `real` has room for PATH_MAX
 * bytes. Returns 0, -EXDEV when that is not below the folder, or -errno.
 */
int folder_resolve(const struct folder *folder, const char *path, char *real);

/*
 * Open a regular file below the folder, for reading. Returns 0, -ENOENT when it is something else,
 * or as folder_resolve() does; the descriptor is the caller's.
 */
int folder_open_file(const struct folder *folder, const char *path, int *ret_fd,
                     uint64_t *ret_size_bytes);

/* pread(2) that stops short only at the end of the file. Returns how many bytes, or -errno. */
int64_t read_at(int fd, void *buffer, size_t size_bytes, uint64_t offset);

enum file_state { FILE_WAITING, FILE_DOWNLOADED, FILE_FAILED };

struct file {
    char *path; /* below the folder */
    enum file_state state;
    uint64_t hashed_bytes;
    uint64_t checksum;
};

struct files {
    struct file *items;
    size_t count, capacity;
    uint64_t size_bytes; /* of all, as far as it was known when they were listed */
    unsigned folders_left_out, links_left_out, others_left_out;
    unsigned unreadable_count; /* folders that could not be read; each has got its complaint */
};

/* List all files below the folder. Returns 0 or -ENOMEM; in both cases files_free() is due. */
int files_list(struct files *files, const struct folder *folder);
void files_free(struct files *files);

/*
 * Files are hashed in pieces of this size, the last one shorter. A piece's hash depends on where in
 * the file it lies, and a file's checksum is the sum over its pieces: so they may be hashed in any
 * order, by whichever worker comes first.
 */
#define PIECE_BYTES ((size_t)64 * 1024)

struct piece {
    struct file *file;
    uint64_t offset;
    size_t size_bytes;
    unsigned char bytes[];
};

uint64_t piece_hash(const void *bytes, size_t size_bytes, uint64_t offset);

#endif
