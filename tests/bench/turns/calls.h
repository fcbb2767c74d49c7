/* What a program has to write for itself where a library's wake-ups carry nothing, and several
 * become one: a list of calls. */
#ifndef BENCH_CALLS_H
#define BENCH_CALLS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct bench_call {
    struct bench_call *next;
    void (*callback)(struct bench_call *call);
};

static _Atomic(struct bench_call *) bench_calls;

/* True when the list was empty: only then a wake-up is needed. */
static inline bool bench_calls_push(struct bench_call *call)
{
    struct bench_call *first = atomic_load_explicit(&bench_calls, memory_order_relaxed);

    do
        call->next = first;
    while (!atomic_compare_exchange_weak_explicit(&bench_calls, &first, call, memory_order_release,
                                                  memory_order_relaxed));
    return first == NULL;
}

static inline void bench_calls_deliver(void)
{
    struct bench_call *call = atomic_exchange_explicit(&bench_calls, NULL, memory_order_acquire);
    struct bench_call *reversed = NULL;

    while (call) {
        struct bench_call *next = call->next;

        call->next = reversed;
        reversed = call;
        call = next;
    }
    while (reversed) {
        struct bench_call *next = reversed->next;

        reversed->callback(reversed);
        reversed = next;
    }
}

#endif
