/* Where a loop takes its memory from. */
#ifndef AIOL_ALLOCATOR_H
#define AIOL_ALLOCATOR_H

#include <aiol/base.h>

AIOL_BEGIN_DECLARATIONS

/*
 * Three functions and what they get as their first argument. All memory of a loop and of what is
 * made on it comes from here, but for the tasks' stacks, which are mapped.
 *
 * Both functions that return memory return NULL when there is none, and memory aligned for any type
 * otherwise. `reallocate` keeps the contents and leaves the old memory alone when it fails.
 * `release` is never called with NULL.
 *
 * The loop calls them in its own thread. Those who call aiol_poster_post(), aiol_post_new() or
 * _free(), aiol_blocking_queue_...(), or release a poster or a remote, call them in their own
 * thread, so that a program which does this from other threads needs an allocator that may be
 * called by several threads at a time; malloc's family is one.
 */
struct aiol_allocator {
    void *(*allocate)(void *context, size_t size_bytes);
    void *(*reallocate)(void *context, void *memory, size_t size_bytes);
    void (*release)(void *context, void *memory);
    void *context;
};

AIOL_END_DECLARATIONS

#endif
