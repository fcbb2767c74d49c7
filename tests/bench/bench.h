/*
 * What the programs of a benchmark share. Each is one participant of one group of workloads
 * (`bench_timers_libuv`); its main(), in bench.c, is called with a workload and a case:
 *
 *     bench_timers_libuv timer_fire 1M
 *
 * and then measures one round for each line that it reads, and prints what it found. So several
 * participants can be measured in turns, each of them warm.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bench_workload {
    const char *name;
    /* Once, before the first round; `size` and `active` are the case's numbers: "9900x1000" is 9900
     * and 1000, "1M" is 1000000 and 0. NULL: nothing to do. */
    void (*begin)(long size, long active);
    /* One round: its number of operations, to which the time it took is set in relation. */
    long (*round)(void);
};

/* What a participant has; the last one has no name. */
extern const struct bench_workload bench_workloads[];

/* A round's time is the processor time that the process takes in round(), but for what lies between
 * these two. */
void bench_pause(void);
void bench_resume(void);

/* For rounds that measure memory: bytes in all, and of page tables. */
void bench_report_memory(uint64_t resident_bytes, uint64_t page_table_bytes);
uint64_t bench_resident_bytes(void);
uint64_t bench_page_table_bytes(void);

/* End the program, since a call has failed that must not. */
void bench_fail(const char *what);

static inline void bench_check(bool is_good, const char *what)
{
    if (!is_good)
        bench_fail(what);
}

/* A random number; the same sequence in each participant. */
uint64_t bench_random(void);

/* An array of pointers into `memory`, `count` elements of `size_bytes`, in random order. */
void **bench_shuffled(void *memory, size_t count, size_t size_bytes);

/* Memory that is there, and touched, so that no round pays for that. */
void *bench_allocate(size_t size_bytes);

/* A connected pair of non-blocking sockets. */
void bench_socket_pair(int fds[2]);

#ifdef __cplusplus
}
#endif

#endif
