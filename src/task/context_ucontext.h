/*
 * Contexts by the C library's ucontext: for processors without a switch of their own, and on
 * request. Slower by far, since swapcontext() saves the signal mask by a system call each time.
 * Included by context.h.
 */
#ifndef AIOL__TASK_CONTEXT_UCONTEXT_H
#define AIOL__TASK_CONTEXT_UCONTEXT_H

#include <stdint.h>
#include <ucontext.h>

struct aiol__machine {
    ucontext_t ucontext;
};

/* makecontext() passes ints only, so a pointer goes in two halves. */
static inline void aiol__machine_begin(unsigned entry_high, unsigned entry_low, unsigned arg_high,
                                       unsigned arg_low)
{
    uint64_t entry = (uint64_t)entry_high << 32 | entry_low;
    uint64_t arg = (uint64_t)arg_high << 32 | arg_low;

    ((void (*)(void *))(uintptr_t)entry)((void *)(uintptr_t)arg);
}

static inline void aiol__machine_prepare(struct aiol__machine *machine, void *low,
                                         size_t size_bytes, void (*entry)(void *), void *arg)
{
    uint64_t entry_number = (uintptr_t)entry;
    uint64_t arg_number = (uintptr_t)arg;

    getcontext(&machine->ucontext);
    machine->ucontext.uc_stack.ss_sp = low;
    machine->ucontext.uc_stack.ss_size = size_bytes;
    machine->ucontext.uc_link = NULL;
    makecontext(&machine->ucontext, (void (*)(void))aiol__machine_begin, 4,
                (unsigned)(entry_number >> 32), (unsigned)entry_number,
                (unsigned)(arg_number >> 32), (unsigned)arg_number);
}

static inline void aiol__machine_prefetch(const struct aiol__machine *machine)
{
    __builtin_prefetch(machine); /* where its stack pointer lies in there is the library's matter */
}

static inline void aiol__machine_switch(struct aiol__machine *from, struct aiol__machine *to)
{
    swapcontext(&from->ucontext, &to->ucontext);
}

#endif
