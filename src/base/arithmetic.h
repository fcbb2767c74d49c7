/* Arithmetic that saturates or reports instead of wrapping. */
#ifndef AIOL__BASE_ARITHMETIC_H
#define AIOL__BASE_ARITHMETIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A time and a delay; what would not fit is AIOL_NEVER. */
static inline uint64_t aiol__saturating_add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static inline uint64_t aiol__saturating_sub(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static inline size_t aiol__min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline bool aiol__product_overflows(size_t count, size_t size_bytes)
{
    return size_bytes != 0 && count > SIZE_MAX / size_bytes;
}

#endif
