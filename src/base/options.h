/* Reading option structs, which begin with their size. */
#ifndef AIOL__BASE_OPTIONS_H
#define AIOL__BASE_OPTIONS_H

#include <stddef.h>

/*
 * Copy what the user has set into `chosen`, which holds the defaults, of `chosen_bytes` bytes. A
 * shorter struct, of an older program, leaves the rest as it is. A longer one, of a newer program,
 * must be zero where it is unknown. `options` may be NULL. 0, or -EINVAL (a size that cannot be, or
 * something unknown is set).
 */
int aiol__read_options(void *chosen, size_t chosen_bytes, const void *options);

#endif
