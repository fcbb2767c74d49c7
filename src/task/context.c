/*
 * What the tools must be told of contexts. The address sanitizer wants the bounds of the stack that
 * comes next, and keeps a fake stack for each; the bounds of the thread's own stack it tells us,
 * when the first switch away from it arrives. The thread sanitizer has a fiber for each stack.
 */
#include "task/context.h"

#if defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#endif
#endif

#ifdef AIOL__ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef AIOL__TSAN
#include <sanitizer/tsan_interface.h>
#endif

unsigned aiol__stack_announce(struct aiol__stack_area area)
{
#ifdef VALGRIND_STACK_REGISTER
    return VALGRIND_STACK_REGISTER(area.low, (char *)area.low + area.size_bytes);
#else
    (void)area;
    return 0;
#endif
}

void aiol__stack_retract(struct aiol__stack_area area, unsigned number)
{
#ifdef VALGRIND_STACK_REGISTER
    VALGRIND_STACK_DEREGISTER(number);
#endif
#ifdef AIOL__ASAN
    /* Frames that were never returned from are still marked, for whoever gets these addresses next.
     */
    __asan_unpoison_memory_region(area.low, area.size_bytes);
#endif
    (void)area;
    (void)number;
}

void aiol__stack_revive(struct aiol__stack_area area)
{
#ifdef VALGRIND_MAKE_MEM_DEFINED
    VALGRIND_MAKE_MEM_DEFINED(area.low, area.size_bytes);
#endif
    (void)area;
}

#ifdef AIOL__TSAN
void *aiol__fiber_new(void)
{
    return __tsan_create_fiber(0);
}

void aiol__fiber_free(void *fiber)
{
    if (fiber)
        __tsan_destroy_fiber(fiber);
}
#endif

void aiol__context_init_current(struct aiol__context *context)
{
#ifdef AIOL__TSAN
    context->fiber = __tsan_get_current_fiber();
#endif
    (void)context;
}

#ifdef AIOL__ASAN
static void finish_switch(struct aiol__context *context)
{
    const void *low;
    size_t size_bytes;

    __sanitizer_finish_switch_fiber(context->fake_stack, &low, &size_bytes);
    /* Learns the bounds of the thread's own stack; for the others it says what is known. */
    context->came_from->area = (struct aiol__stack_area){(void *)low, size_bytes};
}
#endif

#if defined(AIOL__ASAN) || defined(AIOL__TSAN)
/* Not instrumented: between telling the thread sanitizer and the switch no function may be entered
 * or left that it counts. */
#if defined(__clang__) || defined(AIOL__TSAN)
__attribute__((no_sanitize("thread")))
#endif
static inline void
switch_machine(struct aiol__context *from, struct aiol__context *to)
{
#ifdef AIOL__TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
    aiol__machine_switch(&from->machine, &to->machine);
}

void aiol__context_entered(struct aiol__context *context)
{
#ifdef AIOL__ASAN
    finish_switch(context);
#endif
    (void)context;
}

void aiol__context_switch(struct aiol__context *from, struct aiol__context *to)
{
#ifdef AIOL__ASAN
    to->came_from = from;
    __sanitizer_start_switch_fiber(&from->fake_stack, to->area.low, to->area.size_bytes);
#endif
    switch_machine(from, to);
#ifdef AIOL__ASAN
    finish_switch(from);
#endif
}

void aiol__context_exit(struct aiol__context *from, struct aiol__context *to)
{
#ifdef AIOL__ASAN
    to->came_from = from;
    __sanitizer_start_switch_fiber(NULL, to->area.low, to->area.size_bytes);
#endif
    switch_machine(from, to);
}
#endif
