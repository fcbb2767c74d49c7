/*
 * An allocator for explored runs, which finds what is used after it was released. What is released
 * is kept until the end of the run, filled with a pattern. Not for real threads.
 */
#ifndef CHECKED_MEMORY_H
#define CHECKED_MEMORY_H

#include <aiol.h>

#include <stdbool.h>

extern const struct aiol_allocator checked_allocator;

/* Fails the run when `object` is in memory that was released. */
void check_memory_is_alive(const volatile void *object);

/* Fill with the pattern what is not to be touched any more, and see that it was not. */
void spoil_memory(void *memory, size_t size_bytes);
bool is_memory_spoilt(const void *memory, size_t size_bytes);

/* At the end of a run: NULL, or what is wrong with what was allocated. */
const char *check_memory(void);

/* Give back all that the last run has allocated; or leave it as it is for ever. */
void reset_memory(void);
void abandon_memory(void);

#endif
