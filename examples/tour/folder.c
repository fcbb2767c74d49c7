/*
 * Opening files below a folder, and never outside of it. A path may contain ".." and links that
 * lead anywhere: realpath(3) says where it ends, and what does not end below the folder is refused.
 * What it said is then opened step by step without following links, so that a link which is put
 * into the way in between leads nowhere.
 */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int folder_open(struct folder *folder, const char *path)
{
    char *root = realpath(path, NULL);
    int fd;

    if (!root)
        return -errno;
    fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        int rc = -errno;

        free(root);
        return rc;
    }
    if (strcmp(root, "/") == 0)
        root[0] = '\0';
    *folder = (struct folder){.fd = fd, .root = root, .root_bytes = strlen(root)};
    return 0;
}

void folder_close(struct folder *folder)
{
    close(folder->fd);
    free(folder->root);
}

int folder_resolve(const struct folder *folder, const char *path, char *real)
{
    char whole[PATH_MAX];
    int size = snprintf(whole, sizeof whole, "%s/%s", folder->root, path);

    if ((size_t)size >= sizeof whole)
        return -ENAMETOOLONG;
    if (!realpath(whole, real))
        return -errno;
    if (strncmp(real, folder->root, folder->root_bytes) != 0 || real[folder->root_bytes] != '/')
        return -EXDEV;
    return 0;
}

/* `path` has no links, no "..", and is changed. Returns a descriptor or -errno. */
static int open_step_by_step(int folder_fd, char *path)
{
    int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    int fd = folder_fd;

    for (char *name = path; name && fd >= 0; name = path) {
        char *slash = strchr(name, '/');
        int parent_fd = fd;

        if (slash)
            *slash = '\0';
        path = slash ? slash + 1 : NULL;
        fd = openat(parent_fd, name, slash ? flags | O_DIRECTORY : flags);
        if (fd < 0)
            fd = -errno;
        if (parent_fd != folder_fd)
            close(parent_fd);
    }
    return fd;
}

int folder_open_file(const struct folder *folder, const char *path, int *ret_fd,
                     uint64_t *ret_size_bytes)
{
    char real[PATH_MAX];
    struct stat status;
    int fd, rc;

    if ((rc = folder_resolve(folder, path, real)) < 0)
        return rc;
    if ((rc = fd = open_step_by_step(folder->fd, real + folder->root_bytes + 1)) < 0)
        return rc;
    rc = fstat(fd, &status) < 0 ? -errno : S_ISREG(status.st_mode) ? 0 : -ENOENT;
    if (rc < 0) {
        close(fd);
        return rc;
    }
    *ret_fd = fd;
    *ret_size_bytes = (uint64_t)status.st_size;
    return 0;
}

int64_t read_at(int fd, void *buffer, size_t size_bytes, uint64_t offset)
{
    size_t filled_bytes = 0;

    while (filled_bytes < size_bytes) {
        ssize_t size = pread(fd, (char *)buffer + filled_bytes, size_bytes - filled_bytes,
                             (off_t)(offset + filled_bytes));

        if (size == 0)
            break;
        if (size > 0)
            filled_bytes += (size_t)size;
        else if (errno != EINTR)
            return -errno;
    }
    return (int64_t)filled_bytes;
}
