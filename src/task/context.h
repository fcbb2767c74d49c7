/*
 * Execution contexts: a stack and where on it to go on. What a processor or C library does
 * (aiol__machine_...) is in context_<processor>.h, or in context_ucontext.h; what the sanitizers
 * and valgrind must be told around that is in context.c, and nothing without them.
 */
#ifndef AIOL__TASK_CONTEXT_H
#define AIOL__TASK_CONTEXT_H

#include <stddef.h>
#include <stdint.h> /* and what C library this is */

#if defined(__x86_64__) && !defined(AIOL__UCONTEXT)
#include "task/context_x86_64.h"
#elif defined(__aarch64__) && !defined(AIOL__UCONTEXT)
#include "task/context_aarch64.h"
#else
#include "task/context_ucontext.h"
#endif

#if defined(__SANITIZE_ADDRESS__)
#define AIOL__ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define AIOL__ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define AIOL__TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define AIOL__TSAN 1
#endif
#endif

/* For a thread-local variable: the fast model of shared libraries. Only glibc keeps room for what
 * such a library needs of it when a program loads one with dlopen(); musl refuses. */
#ifdef __GLIBC__
#define AIOL__FAST_THREAD_LOCAL __attribute__((tls_model("initial-exec")))
#else
#define AIOL__FAST_THREAD_LOCAL
#endif

/* Memory to run on: [low, low + size_bytes). */
struct aiol__stack_area {
    void *low;
    size_t size_bytes;
};

struct aiol__context {
    struct aiol__machine machine;
#ifdef AIOL__ASAN
    struct aiol__stack_area area;
    void *fake_stack;
    struct aiol__context *came_from;
#endif
#ifdef AIOL__TSAN
    void *fiber;
#endif
};

/* Of the thread that is running: to be switched away from, and back to. */
void aiol__context_init_current(struct aiol__context *context);

/* To begin in entry(arg), which must never return, on a stack. `fiber` is what aiol__fiber_new()
 * returned for that stack. */
static inline void aiol__context_prepare(struct aiol__context *context,
                                         struct aiol__stack_area area, void *fiber,
                                         void (*entry)(void *), void *arg)
{
    aiol__machine_prepare(&context->machine, area.low, area.size_bytes, entry, arg);
#ifdef AIOL__ASAN
    context->area = area;
    context->fake_stack = NULL;
#endif
#ifdef AIOL__TSAN
    context->fiber = fiber;
#endif
    (void)fiber;
}

/* Have the processor fetch what switching to a context will touch. */
static inline void aiol__context_prefetch(const struct aiol__context *context)
{
    aiol__machine_prefetch(&context->machine);
}

/* What the thread sanitizer knows a stack by; NULL without it. */
#ifdef AIOL__TSAN
void *aiol__fiber_new(void);
void aiol__fiber_free(void *fiber); /* or NULL */
#else
static inline void *aiol__fiber_new(void)
{
    return NULL;
}
static inline void aiol__fiber_free(void *fiber)
{
    (void)fiber;
}
#endif

/* Tell valgrind of a stack, which returns the number it is known by; and the tools that it is one
 * no more. */
unsigned aiol__stack_announce(struct aiol__stack_area area);
void aiol__stack_retract(struct aiol__stack_area area, unsigned number);

/* Tell valgrind that frames which were returned from, but not overwritten, are to be read again. */
void aiol__stack_revive(struct aiol__stack_area area);

#if defined(AIOL__ASAN) || defined(AIOL__TSAN)
/* The first thing to call in an entry function. */
void aiol__context_entered(struct aiol__context *context);
void aiol__context_switch(struct aiol__context *from, struct aiol__context *to);
/* The last switch away from a stack: `from` is not its context but one that may be forgotten. */
void aiol__context_exit(struct aiol__context *from, struct aiol__context *to);
#else
static inline void aiol__context_entered(struct aiol__context *context)
{
    (void)context;
}

static inline void aiol__context_switch(struct aiol__context *from, struct aiol__context *to)
{
    aiol__machine_switch(&from->machine, &to->machine);
}

static inline void aiol__context_exit(struct aiol__context *from, struct aiol__context *to)
{
    aiol__machine_switch(&from->machine, &to->machine);
}
#endif

#endif
