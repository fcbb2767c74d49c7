/* The main() of a participant; bench.h says what it does. */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint64_t begun_ns, taken_ns;
static uint64_t resident, page_tables;

static uint64_t processor_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void bench_pause(void)
{
    taken_ns += processor_ns() - begun_ns;
}

void bench_resume(void)
{
    begun_ns = processor_ns();
}

void bench_fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

uint64_t bench_random(void)
{
    static uint64_t state = 88172645463325252;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

void **bench_shuffled(void *memory, size_t count, size_t size_bytes)
{
    void **pointers = bench_allocate(count * sizeof *pointers);

    for (size_t i = 0; i < count; i++)
        pointers[i] = (char *)memory + i * size_bytes;
    for (size_t i = count; i > 1; i--) {
        size_t other = bench_random() % i;
        void *pointer = pointers[i - 1];

        pointers[i - 1] = pointers[other];
        pointers[other] = pointer;
    }
    return pointers;
}

void *bench_allocate(size_t size_bytes)
{
    void *memory = aligned_alloc(64, (size_bytes + 63) / 64 * 64);

    bench_check(memory != NULL, "memory");
    memset(memory, 0, size_bytes);
    return memory;
}

void bench_socket_pair(int fds[2])
{
    bench_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0,
                "socketpair");
}

/* A line of a file in /proc, which has it in kB. */
static uint64_t read_bytes(const char *path, const char *name)
{
    FILE *file = fopen(path, "re");
    unsigned long long value = 0;
    char line[256];

    bench_check(file != NULL, path);
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtoull(line + strlen(name), NULL, 10);
    }
    fclose(file);
    return value * 1024;
}

/* Counted page by page: what /proc/self/status has may be a hundred kB off. */
uint64_t bench_resident_bytes(void)
{
    return read_bytes("/proc/self/smaps_rollup", "Anonymous:");
}

uint64_t bench_page_table_bytes(void)
{
    return read_bytes("/proc/self/status", "VmPTE:");
}

void bench_report_memory(uint64_t resident_bytes, uint64_t page_table_bytes)
{
    resident = resident_bytes;
    page_tables = page_table_bytes;
}

static void allow_many_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* "100x1", "1M", "100k", "-" */
static long read_number(const char **text)
{
    char *end;
    long number = strtol(*text, &end, 10);

    if (*end == 'k' || *end == 'M')
        number *= *end++ == 'k' ? 1000 : 1000000;
    *text = *end == 'x' ? end + 1 : end;
    return number;
}

static void measure(const struct bench_workload *workload)
{
    long operations;

    taken_ns = 0;
    bench_resume();
    operations = workload->round();
    bench_pause();
    if (resident) {
        printf("memory B %ld %llu\n", operations, (unsigned long long)resident);
        printf("page_tables B %ld %llu\n", operations, (unsigned long long)page_tables);
    } else {
        printf("time ns %ld %llu\n", operations, (unsigned long long)taken_ns);
    }
    printf("\n");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const struct bench_workload *workload = bench_workloads;
    long size, active;
    char line[16];

    if (argc != 3) {
        for (; workload->name; workload++)
            printf("%s\n", workload->name);
        return 0;
    }
    while (workload->name && strcmp(workload->name, argv[1]) != 0)
        workload++;
    bench_check(workload->name != NULL, "no such workload");
    allow_many_descriptors();
    size = read_number((const char **)&argv[2]);
    active = read_number((const char **)&argv[2]);
    if (workload->begin)
        workload->begin(size, active);
    while (fgets(line, sizeof line, stdin))
        measure(workload);
    return 0;
}
