/*
 * The descriptors of the simulation: ends of in-memory stream pairs.
 *
 *     send(a) ──> split into chunks, each with a time of arrival ──> b's incoming list ──> recv(b)
 *
 * Bytes belong to the end that will read them, so that closing one end needs nothing of the other
 * but a mark for the end of the stream.
 */
#ifndef AIOL__PLATFORM_SIM_STREAM_H
#define AIOL__PLATFORM_SIM_STREAM_H

#include "base/list.h"
#include "platform/poller.h"

struct aiol__sim_chunk {
    struct aiol__sim_chunk *next;
    uint64_t arrives_ns;
    uint64_t number; /* counts the chunks of this direction */
    size_t size_bytes;
    size_t read_bytes;
    unsigned char bytes[];
};

/* One end of a pair, and the direction that flows towards it. */
struct aiol__sim_end {
    bool is_open;
    int peer; /* -1 once the peer is closed */

    struct aiol__sim_chunk *first;
    struct aiol__sim_chunk *last;
    size_t held_bytes;
    uint64_t chunk_count;
    uint64_t last_arrival_ns;
    uint64_t eof_ns; /* when the end of the stream arrives; AIOL_NEVER before the peer's shutdown */

    size_t capacity_bytes;
    size_t max_chunk_bytes;
    uint64_t min_delay_ns;
    uint64_t max_delay_ns;

    bool is_registered;
    uint32_t generation;
    uint32_t events;
    uint64_t edge_chunk; /* edge-triggered: the chunks below this number have been reported, */
    bool edge_eof;       /* the end of the stream has, */
    bool edge_writable;  /* and so has the room to write */
};

struct aiol__sim {
    struct aiol__poller base;
    uint64_t now_ns;
    uint64_t random_state;
    struct aiol__sim_end *ends; /* by descriptor */
    int end_count;
};

static inline struct aiol__sim *aiol__sim_of(const struct aiol__poller *poller)
{
    return container_of(poller, struct aiol__sim, base);
}

uint64_t aiol__sim_next_random(struct aiol__sim *sim);
/* From `low` to `high`, both included. */
uint64_t aiol__sim_random_between(struct aiol__sim *sim, uint64_t low, uint64_t high);

/* The clock may come close to the end of time, but AIOL_NEVER means never. */
uint64_t aiol__sim_later_ns(const struct aiol__sim *sim, uint64_t delay_ns);
/* When the next thing arrives that a registered descriptor wants to read; AIOL_NEVER: nothing. */
uint64_t aiol__sim_next_arrival_ns(const struct aiol__sim *sim);

/* The open end with this number, or NULL. */
struct aiol__sim_end *aiol__sim_find_end(const struct aiol__sim *sim, int fd);
/* What a registered end has to report: all that is ready, or what is new since the last report. */
uint32_t aiol__sim_events(const struct aiol__sim *sim, const struct aiol__sim_end *end);
void aiol__sim_note_report(const struct aiol__sim *sim, struct aiol__sim_end *end);
void aiol__sim_drop_chunks(struct aiol__sim *sim, struct aiol__sim_end *end);

/* The descriptor calls of the poller's contract. */
int64_t aiol__sim_recv(struct aiol__poller *poller, int fd, void *buffer, size_t size_bytes);
int64_t aiol__sim_send(struct aiol__poller *poller, int fd, const void *buffer, size_t size_bytes);
int aiol__sim_shutdown(struct aiol__poller *poller, int fd);
int aiol__sim_close(struct aiol__poller *poller, int fd);

#endif
