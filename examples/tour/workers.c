/* The workers: five tasks that take what was downloaded from one queue, hash it and count it. */
#include "tour.h"

#include <stdlib.h>

/* FNV-1a, 64 bits. The offset is hashed first, so that swapped pieces do not go unnoticed. */
static uint64_t fnv1a(uint64_t hash, const unsigned char *bytes, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

uint64_t piece_hash(const void *bytes, size_t size_bytes, uint64_t offset)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    hash = fnv1a(hash, (const unsigned char *)&offset, sizeof offset);
    return fnv1a(hash, bytes, size_bytes);
}

int hash_pieces(void *arg)
{
    struct tour *tour = arg;
    void *item;
    int rc;

    while ((rc = aiol_await_queue_get(tour->pieces, &item)) == 0) {
        struct piece *piece = item;
        struct file *file = piece->file;

        /* Several workers may hold pieces of one file. No lock: none of this awaits. */
        file->checksum += piece_hash(piece->bytes, piece->size_bytes, piece->offset);
        file->hashed_bytes += piece->size_bytes;
        tour->hashed_bytes += piece->size_bytes;
        free(piece);
        aiol_queue_done(tour->pieces);
    }
    return rc == AIOL_ECLOSED ? 0 : rc; /* shut down and drained: the normal end */
}
