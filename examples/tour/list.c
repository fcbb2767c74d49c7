/*
 * Which files there are: all regular ones, and links to such a file below the same folder. Links
 * that lead nowhere are listed too, since the server has something to say about them. The rest is
 * left out and counted.
 */
#include "tour.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int list_folder(struct files *files, const struct folder *folder, const char *path);

static int add_file(struct files *files, const char *path, uint64_t size_bytes)
{
    char *path_copy;

    if (files->count == files->capacity) {
        size_t capacity = files->capacity ? 2 * files->capacity : 256;
        struct file *items = realloc(files->items, capacity * sizeof *items);

        if (!items)
            return -ENOMEM;
        files->items = items;
        files->capacity = capacity;
    }
    path_copy = strdup(path);
    if (!path_copy)
        return -ENOMEM;
    files->items[files->count++] = (struct file){.path = path_copy};
    files->size_bytes += size_bytes;
    return 0;
}

/* Of version control, and what a build has left. */
static int is_left_out(const char *name)
{
    return strcmp(name, ".git") == 0 || strcmp(name, "build") == 0 ||
           strncmp(name, "build-", 6) == 0;
}

static int list_link(struct files *files, const struct folder *folder, const char *path,
                     const char *place)
{
    char real[PATH_MAX];
    struct stat status;

    if (stat(place, &status) < 0)
        return add_file(files, path, 0);
    if (S_ISREG(status.st_mode) && folder_resolve(folder, path, real) == 0)
        return add_file(files, path, (uint64_t)status.st_size);
    files->links_left_out++;
    return 0;
}

static int list_entry(struct files *files, const struct folder *folder, const char *path,
                      const char *name)
{
    struct stat status;
    char *place;
    int rc = 0;

    if (asprintf(&place, "%s/%s", folder->root, path) < 0)
        return -ENOMEM;
    if (lstat(place, &status) < 0)
        rc = add_file(files, path, 0); /* gone already: let the server say so */
    else if (S_ISREG(status.st_mode))
        rc = add_file(files, path, (uint64_t)status.st_size);
    else if (S_ISLNK(status.st_mode))
        rc = list_link(files, folder, path, place);
    else if (!S_ISDIR(status.st_mode))
        files->others_left_out++;
    else if (is_left_out(name))
        files->folders_left_out++;
    else
        rc = list_folder(files, folder, path);
    free(place);
    return rc;
}

static int is_entry(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* `path` is "" or that of a folder below. No descriptor is open while it goes deeper. */
static int list_folder(struct files *files, const struct folder *folder, const char *path)
{
    struct dirent **entries;
    char *place, *below;
    int count, rc = 0;

    if (asprintf(&place, "%s/%s", folder->root, path) < 0)
        return -ENOMEM;
    count = scandir(place, &entries, is_entry, alphasort);
    if (count < 0) {
        complain(*path ? path : folder->root, "cannot be listed: %s", aiol_error_message(-errno));
        files->unreadable_count++;
    }
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;

        if (rc == 0 && asprintf(&below, "%s%s%s", path, *path ? "/" : "", name) < 0)
            rc = -ENOMEM;
        if (rc == 0) {
            rc = list_entry(files, folder, below, name);
            free(below);
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    free(place);
    return rc;
}

int files_list(struct files *files, const struct folder *folder)
{
    *files = (struct files){0};
    return list_folder(files, folder, "");
}

void files_free(struct files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->items[i].path);
    free(files->items);
}
