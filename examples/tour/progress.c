/*
 * What the tour says while it runs, all of it on stderr: a bar that one task draws ten times a
 * second, on terminals only, and complaints.
 */
#include "tour.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define BAR_COLUMNS 30
#define CLEAR_LINE "\r\033[K"

static void draw_bar(const struct tour *tour)
{
    size_t ended_count = tour->downloaded_count + tour->failed_count;
    uint64_t total_bytes = tour->files.size_bytes;
    uint64_t columns = total_bytes ? tour->hashed_bytes * BAR_COLUMNS / total_bytes : BAR_COLUMNS;
    char bar[BAR_COLUMNS + 1];

    for (size_t i = 0; i < BAR_COLUMNS; i++)
        bar[i] = i < columns ? '#' : '.';
    bar[BAR_COLUMNS] = '\0';
    fprintf(stderr, CLEAR_LINE "[%s] %zu/%zu files  %.1f/%.1f MB", bar, ended_count,
            tour->files.count, (double)tour->hashed_bytes / 1e6, (double)total_bytes / 1e6);
}

int show_progress(void *arg)
{
    const struct tour *tour = arg;
    int rc;

    do {
        draw_bar(tour);
        rc = aiol_await_sleep(100 * AIOL_MILLISECOND);
    } while (rc == 0);
    draw_bar(tour); /* how it ended stays on the screen */
    fputc('\n', stderr);
    return rc == -ECANCELED ? 0 : rc;
}

/* Names may contain anything but a slash and a zero; the line must stay one line. */
static void print_path(const char *path)
{
    for (const unsigned char *c = (const unsigned char *)path; *c; c++)
        fprintf(stderr, *c < ' ' || *c == 0x7f || *c == '\\' ? "\\x%02x" : "%c", *c);
}

void complain(const char *path, const char *format, ...)
{
    va_list arguments;

    fputs(isatty(STDERR_FILENO) ? CLEAR_LINE "tour: " : "tour: ", stderr);
    print_path(path);
    fputs(": ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}
