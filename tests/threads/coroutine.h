/* Coroutines for the explorer of schedules: made of the library's own switch between stacks, with
 * what the sanitizers must be told. A coroutine is resumed by the thread, and only pauses to it. */
#ifndef COROUTINE_H
#define COROUTINE_H

struct coroutine;

/* It runs body(arg), which must never return, from the first resume on. NULL without memory. */
struct coroutine *coroutine_new(void (*body)(void *arg), void *arg);

/* It need not have come to an end. */
void coroutine_free(struct coroutine *coroutine);

/* Let it run until it pauses. */
void coroutine_resume(struct coroutine *coroutine);

/* In the coroutine: back to who resumed it. */
void coroutine_pause(struct coroutine *coroutine);

#endif
