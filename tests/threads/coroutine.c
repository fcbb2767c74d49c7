/* Of the library only the machine's part of a context is used: what the sanitizers must be told is
 * another matter in a program that runs more than one of these on a thread. */
#include "coroutine.h"
#include "task/context.h"

#include <stdlib.h>

#ifdef AIOL__ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef AIOL__TSAN
#include <sanitizer/tsan_interface.h>
#endif

#define STACK_BYTES (256 * 1024)

struct side {
    struct aiol__machine machine;
    struct aiol__stack_area stack;
    void *fiber;
    void *fake_stack;
};

struct coroutine {
    struct side own;
    struct side resumer;
    unsigned stack_number;
    void (*body)(void *arg);
    void *arg;
};

/* The address sanitizer says which stack was left: where the thread's own is, only it knows. */
static void arrive(struct side *here, struct aiol__stack_area *ret_left)
{
#ifdef AIOL__ASAN
    const void *low;

    __sanitizer_finish_switch_fiber(here->fake_stack, &low, &ret_left->size_bytes);
    ret_left->low = (void *)low;
#endif
    (void)here;
    (void)ret_left;
}

/* Not instrumented: between telling the thread sanitizer and the switch no function may be entered
 * or left that it counts. */
#ifdef AIOL__TSAN
__attribute__((no_sanitize("thread")))
#endif
static void
switch_machine(struct side *from, struct side *to)
{
#ifdef AIOL__TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
    aiol__machine_switch(&from->machine, &to->machine);
}

static void switch_sides(struct side *from, struct side *to)
{
#ifdef AIOL__ASAN
    __sanitizer_start_switch_fiber(&from->fake_stack, to->stack.low, to->stack.size_bytes);
#endif
    switch_machine(from, to);
    arrive(from, &to->stack);
}

static void enter(void *data)
{
    struct coroutine *coroutine = data;

    arrive(&coroutine->own, &coroutine->resumer.stack);
    coroutine->body(coroutine->arg);
    abort();
}

struct coroutine *coroutine_new(void (*body)(void *arg), void *arg)
{
    struct coroutine *coroutine = calloc(1, sizeof *coroutine);

    if (!coroutine)
        return NULL;
    coroutine->body = body;
    coroutine->arg = arg;
    coroutine->own.stack = (struct aiol__stack_area){malloc(STACK_BYTES), STACK_BYTES};
    if (!coroutine->own.stack.low) {
        free(coroutine);
        return NULL;
    }
    coroutine->stack_number = aiol__stack_announce(coroutine->own.stack);
    coroutine->own.fiber = aiol__fiber_new();
#ifdef AIOL__TSAN
    coroutine->resumer.fiber = __tsan_get_current_fiber();
#endif
    aiol__machine_prepare(&coroutine->own.machine, coroutine->own.stack.low, STACK_BYTES, enter,
                          coroutine);
    return coroutine;
}

void coroutine_free(struct coroutine *coroutine)
{
    if (!coroutine)
        return;
    aiol__stack_retract(coroutine->own.stack, coroutine->stack_number);
    aiol__fiber_free(coroutine->own.fiber);
    free(coroutine->own.stack.low);
    free(coroutine);
}

void coroutine_resume(struct coroutine *coroutine)
{
    switch_sides(&coroutine->resumer, &coroutine->own);
}

void coroutine_pause(struct coroutine *coroutine)
{
    switch_sides(&coroutine->own, &coroutine->resumer);
}
