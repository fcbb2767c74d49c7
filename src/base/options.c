/* Reading option structs. */
#include "base/options.h"

#include <errno.h>
#include <string.h>

int aiol__read_options(void *chosen, size_t chosen_bytes, const void *options)
{
    const unsigned char *bytes = options;
    size_t size_bytes;

    if (!options)
        return 0;
    memcpy(&size_bytes, options, sizeof size_bytes);
    if (size_bytes < sizeof size_bytes)
        return -EINVAL;
    for (size_t i = chosen_bytes; i < size_bytes; i++) {
        if (bytes[i] != 0)
            return -EINVAL;
    }
    memcpy(chosen, options, size_bytes < chosen_bytes ? size_bytes : chosen_bytes);
    return 0;
}
