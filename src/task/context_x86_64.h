/*
 * The context switch for x86-64, System V ABI. Included by context.h.
 *
 * It is part of the function that switches, which so saves no more registers than it needs: to the
 * compiler all are lost but the stack and frame pointers. The control words of SSE and x87 belong
 * to the callee too, so that each context has its own.
 *
 * There is no call and no ret: the processor expects each ret to go back to the latest call, and
 * would find the calls of the context that is left. As it is, a function that switches returns
 * where it is expected to, if it was called from the same place as the one that had switched there.
 */
#ifndef AIOL__TASK_CONTEXT_X86_64_H
#define AIOL__TASK_CONTEXT_X86_64_H

#include <stdint.h>

struct aiol__machine {
    void *stack_pointer;
    void *frame_pointer;
    void *resume; /* where to go on */
    uint32_t mxcsr;
    uint16_t x87_control;
    uint16_t unused;
};

/* The outermost frame of a stack. */
struct aiol__machine_start {
    void *return_address; /* NULL: backtraces end here */
    void (*entry)(void *arg);
    void *arg;
};

#ifdef __AVX512F__
#define AIOL__AVX512_REGISTERS \
    , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", \
        "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", \
        "k7"
#else
#define AIOL__AVX512_REGISTERS
#endif

static inline __attribute__((always_inline)) void aiol__machine_switch(struct aiol__machine *from,
                                                                       struct aiol__machine *to)
{
    __asm__ volatile(
        "leaq 3f(%%rip), %%rax\n\t"
        "movq %%rsp, (%%rdi)\n\t"
        "movq %%rbp, 8(%%rdi)\n\t"
        "movq %%rax, 16(%%rdi)\n\t"
        "stmxcsr 24(%%rdi)\n\t"
        "fnstcw 28(%%rdi)\n\t"
        /* Loading control words is slow, and they rarely differ. Bits 0-5 of mxcsr are status. */
        "movl 24(%%rdi), %%eax\n\t"
        "xorl 24(%%rsi), %%eax\n\t"
        "testl $0xffc0, %%eax\n\t"
        "je 1f\n\t"
        "ldmxcsr 24(%%rsi)\n"
        "1:\n\t"
        "movzwl 28(%%rdi), %%eax\n\t"
        "cmpw 28(%%rsi), %%ax\n\t"
        "je 2f\n\t"
        "fldcw 28(%%rsi)\n"
        "2:\n\t"
        "movq (%%rsi), %%rsp\n\t"
        "movq 8(%%rsi), %%rbp\n\t"
        "jmpq *16(%%rsi)\n"
        "3:\n\t"
        "endbr64" /* a no-op to processors without branch tracking */
        : "+D"(from), "+S"(to)
        :
        : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0",
          "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
          "xmm12", "xmm13", "xmm14", "xmm15", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)",
          "st(6)", "st(7)", "cc", "memory" AIOL__AVX512_REGISTERS);
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

    /* Aligned as after a call: the return address lies 8 bytes below a multiple of 16. */
    *start = (struct aiol__machine_start){.entry = entry, .arg = arg};
    /* The control words that the ABI says a program begins with. */
    *machine = (struct aiol__machine){.stack_pointer = start,
                                      .resume = (void *)(uintptr_t)aiol__machine_begin,
                                      .mxcsr = 0x1f80,
                                      .x87_control = 0x037f};
}

#endif
