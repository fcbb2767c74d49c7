/* What streams.c, stream_steps.c and watchers.c share: simulated streams in the model. */
#ifndef STREAMS_H
#define STREAMS_H

#include "subjects.h"

#define END_COUNT 6
#define MAX_SENDS 64
#define MAX_SEND_BYTES 300

/* Bytes that were sent together. */
struct send {
    uint64_t until;       /* how many were sent up to and with them */
    uint64_t earliest_ns; /* they were sent not before this time, */
    uint64_t latest_ns;   /* and not after that; AIOL_NEVER: it is still going on */
    uint64_t tick;
};

/* One end of a pair, and the direction that flows towards it. */
struct end {
    int fd;
    bool is_open;
    bool is_edge; /* how its watchers watch it */
    size_t capacity_bytes;
    uint64_t min_delay_ns;
    uint64_t max_delay_ns;

    uint64_t sent;
    uint64_t sent_at_most; /* some of these may have been, while a task is sending all its bytes */
    bool is_sent_all_to;   /* a task does, */
    int task_send_count;   /* and so many wait to send once */
    uint64_t received;
    struct send sends[MAX_SENDS]; /* those that were not received yet */
    int send_count;
    bool is_shut; /* nothing more will be sent */
    uint64_t shut_ns;
    uint64_t shut_turn;
    uint64_t shut_tick;
    uint64_t received_tick; /* when something was received last */
    uint64_t filled_tick;   /* when the sender last found, or left, no room */
    uint64_t read_turn;     /* in which somebody tried to receive */
    uint64_t written_turn;  /* in which somebody tried to send */
    unsigned task_count;    /* tasks that wait for this end */
};

extern struct end ends[END_COUNT];

/* A clock that never stands still: for what is before what in one turn. */
uint64_t tick(void);
/* This turn, or outside of turns the next one. */
uint64_t stream_turn(void);
int end_number(const struct end *end);
struct end *other_end(const struct end *end);
/* There is surely something to read that came after this tick; 0: or before. */
bool is_surely_readable(const struct end *end, uint64_t since);
bool is_surely_writable(const struct end *end);
/* All was read that will ever be. */
bool has_surely_ended(const struct end *end);
/* Read, from anywhere. False when nothing was there. */
bool read_from(struct end *end);
void write_to(struct end *end);
/* Until nothing is there, or there is no room. */
void read_all(struct end *end);
void write_all(struct end *end);

/* It has received bytes, the end of the stream, or an error. */
void check_received(struct end *end, const unsigned char *bytes, size_t size_bytes, int64_t rc);
/* Somebody may send from here now: what is sent can be kept, and no task is sending all of its
 * bytes, between which others would come. */
bool can_send(const struct end *end);
void fill_bytes(unsigned char bytes[MAX_SEND_BYTES]);
/* These were sent, until that time; AIOL_NEVER: a task is sending them. */
void note_send(struct end *end, const unsigned char *bytes, uint64_t size, uint64_t latest_ns);
/* So many of them it has sent, at times that the model does not know. */
void note_sent_all(struct end *to, size_t size_bytes);
/* A send has come to this. */
void check_sent(struct end *end, const unsigned char *bytes, size_t size_bytes, int64_t rc);

/* stream_steps.c */
void step_stream(struct actor *self);
/* Cancel those who wait for it, and may have been woken in this turn. */
void cancel_tasks_of(const struct end *end);
void check_streams(void);

/* For how many turns in a row, in which nobody touched that end, somebody was to be told and was
 * not, when that was so for `turns` turns before this one. */
unsigned count_owed(const struct end *end, bool is_owed, unsigned turns);
/* More turns than this are a fault. */
unsigned owed_limit(void);

/* watchers.c */
void begin_watchers(void);
void act_on_watchers(void);
/* Have the watchers of this end watch its new descriptor. */
void bind_watchers(struct end *end);
void close_watchers(const struct end *end);
bool is_watched(const struct end *end, uint32_t wanted);
bool is_any_watcher_owed(void);
void check_watchers(void);
void stop_watchers(void);
void end_watchers(void);

#endif
