/*
 * The context switch for AArch64, AAPCS64. Included by context.h.
 *
 * As on x86-64 (context_x86_64.h) it is part of the function that switches. To the compiler all
 * registers are lost but the stack and frame pointers, and x18 where that is the platform's. The
 * floating-point control register belongs to the callee, so that each context has its own.
 */
#ifndef AIOL__TASK_CONTEXT_AARCH64_H
#define AIOL__TASK_CONTEXT_AARCH64_H

#include <stdint.h>

struct aiol__machine {
    void *stack_pointer;
    void *resume; /* where to go on */
    void *frame_pointer;
    void *link; /* the return address of a new one */
    uint64_t fpcr;
};

/* The outermost frame of a stack. */
struct aiol__machine_start {
    void (*entry)(void *arg);
    void *arg;
};

#ifdef __APPLE__
#define AIOL__PLATFORM_REGISTER
#else
#define AIOL__PLATFORM_REGISTER , "x18"
#endif
#ifdef __ARM_FEATURE_SVE
#define AIOL__SVE_REGISTERS \
    , "p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10", "p11", "p12", "p13", \
        "p14", "p15", "ffr"
#else
#define AIOL__SVE_REGISTERS
#endif

static inline __attribute__((always_inline)) void aiol__machine_switch(struct aiol__machine *from,
                                                                       struct aiol__machine *to)
{
    register struct aiol__machine *from_in_x0 __asm__("x0") = from;
    register struct aiol__machine *to_in_x1 __asm__("x1") = to;

    __asm__ volatile("adr x10, 2f\n\t"
                     "mov x9, sp\n\t"
                     "stp x9, x10, [x0]\n\t"
                     "stp x29, x30, [x0, #16]\n\t"
                     "mrs x9, fpcr\n\t"
                     "str x9, [x0, #32]\n\t"
                     /* Writing the control register is slow, and it rarely differs. */
                     "ldr x10, [x1, #32]\n\t"
                     "cmp x9, x10\n\t"
                     "b.eq 1f\n\t"
                     "msr fpcr, x10\n"
                     "1:\n\t"
                     "ldp x9, x16, [x1]\n\t"
                     "ldp x29, x30, [x1, #16]\n\t"
                     "mov sp, x9\n\t"
                     "br x16\n"
                     "2:\n\t"
                     "hint #36" /* bti j; a no-op to processors without it */
                     : "+r"(from_in_x0), "+r"(to_in_x1)
                     :
                     : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
                       "x14", "x15", "x16", "x17", "x19", "x20", "x21", "x22", "x23", "x24", "x25",
                       "x26", "x27", "x28", "x30", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7",
                       "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18",
                       "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29",
                       "v30", "v31", "cc", "memory" AIOL__PLATFORM_REGISTER AIOL__SVE_REGISTERS);
}

static inline void aiol__machine_prefetch(const struct aiol__machine *machine)
{
    __builtin_prefetch(machine->stack_pointer);
    __builtin_prefetch((const char *)machine->stack_pointer + 64);
}

/* Where a new context begins, with the operands of the switch as arguments. */
static inline void aiol__machine_begin(struct aiol__machine *from, struct aiol__machine *self)
{
    const struct aiol__machine_start *start = self->stack_pointer;

    (void)from;
    start->entry(start->arg);
}

static inline void aiol__machine_prepare(struct aiol__machine *machine, void *low,
                                         size_t size_bytes, void (*entry)(void *), void *arg)
{
    uintptr_t top = ((uintptr_t)low + size_bytes) & ~(uintptr_t)15;
    struct aiol__machine_start *start = (struct aiol__machine_start *)(top - sizeof *start);

    *start = (struct aiol__machine_start){.entry = entry, .arg = arg};
    /* Neither a frame nor a return address: backtraces end here. An fpcr of zero is what a program
     * begins with: round to nearest, no traps. */
    *machine = (struct aiol__machine){.stack_pointer = start,
                                      .resume = (void *)(uintptr_t)aiol__machine_begin};
}

#endif
