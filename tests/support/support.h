/*
 * What all tests share: loops whose memory is counted, and a check after each test that no byte and
 * no descriptor is left.
 *
 * A test is listed as `TEST(test_something)`. cmocka leaves a failed assertion by longjmp(), so
 * never assert inside a task: note what happened, and assert outside.
 */
#ifndef SUPPORT_H
#define SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <aiol.h>

#include <stdbool.h>

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin_test, end_test)

/* Elements of an array. */
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* end_test() also puts the system-call table (platform/sys.h) back as begin_test() found it. */
int begin_test(void **state);
int end_test(void **state);

/* malloc's family, counted; safe for several threads. */
extern const struct aiol_allocator counting_allocator;
/* How many allocations are alive, and how many calls for memory there have been since begin_test().
 */
long allocations_alive(void);
long allocations_made(void);

/* Make one call for memory fail: the next one is number 1; 0 for none after all. */
void fail_allocation(long number);

/* The order in which things happened, a letter each: callbacks note, the test compares the text. */
struct notes {
    char text[128];
    size_t length;
};
void note(struct notes *notes, char mark);

/* Until the end of the test loops with a real poller live in a time that only passes by waiting,
 * which takes none, and by passing it. */
void begin_fake_time(uint64_t now_ns);
void pass_fake_time(uint64_t ns);

/* A loop with the counting allocator. */
struct aiol_loop *new_loop(void);
struct aiol_loop *new_sim_loop(uint64_t seed);
/* Asserts that nothing is started on it any more. */
void free_loop(struct aiol_loop *loop);

/* Run a task on a simulated loop, or on a real one, with the counting allocator; aiol_run_with()'s
 * result. */
int run_sim(uint64_t seed, aiol_task_fn fn, void *arg);
int run_real(aiol_task_fn fn, void *arg);

int count_open_fds(void);

/* End a child of fork(), which must not run what the test's process does at its end. */
void end_child(int status);

/* A connected pair of non-blocking, close-on-exec stream sockets. */
void make_socket_pair(int fds[2]);

#endif
