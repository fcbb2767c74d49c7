/*
 * The check: each file that was downloaded is read directly as well, and hashed in the same way.
 * The loop has gone by then, so this is an ordinary program that blocks.
 */
#include "tour.h"

#include <inttypes.h>
#include <unistd.h>

/* Read a file directly, in the same pieces, and hash it. */
static int hash_directly(const struct folder *folder, const char *path, uint64_t *ret_bytes,
                         uint64_t *ret_checksum)
{
    static unsigned char bytes[PIECE_BYTES];
    uint64_t offset = 0, checksum = 0, stat_bytes;
    int64_t size;
    int fd, rc;

    if ((rc = folder_open_file(folder, path, &fd, &stat_bytes)) < 0)
        return rc;
    while ((size = read_at(fd, bytes, sizeof bytes, offset)) > 0) {
        checksum += piece_hash(bytes, (size_t)size, offset);
        offset += (uint64_t)size;
    }
    close(fd);
    if (size < 0)
        return (int)size;
    *ret_bytes = offset;
    *ret_checksum = checksum;
    return 0;
}

size_t count_differences(const struct tour *tour)
{
    size_t difference_count = 0;

    for (size_t i = 0; i < tour->files.count; i++) {
        const struct file *file = &tour->files.items[i];
        uint64_t bytes = 0, checksum = 0;
        int rc = 0;

        if (file->state != FILE_DOWNLOADED)
            continue;
        rc = hash_directly(&tour->folder, file->path, &bytes, &checksum);
        if (rc < 0)
            complain(file->path, "was downloaded, but cannot be read: %s", aiol_error_message(rc));
        else if (bytes != file->hashed_bytes)
            complain(file->path, "%" PRIu64 " bytes were downloaded, but on disk it has %" PRIu64,
                     file->hashed_bytes, bytes);
        else if (checksum != file->checksum)
            complain(file->path, "what was downloaded is not what is on disk");
        else
            continue;
        difference_count++;
    }
    return difference_count;
}
