/*
 * Context switch for x86-64, System V ABI: rbx, rbp, r12-r15, rsp and the control words of SSE and
 * x87 belong to the callee; the rest is the caller's, who has saved what it needs.
 *
 * It leaves by a jump, not by ret: the processor predicts that a ret goes back to the latest call,
 * which is the one of the task that is left, and would be wrong each time. For a control-flow
 * guard the jump says notrack; no shadow stack is supported, and no note claims so.
 */
#include "task/context_symbol.h"

    .text

/* void aiol__machine_switch(struct aiol__machine *from, struct aiol__machine *to) */
    .globl SYMBOL(aiol__machine_switch)
    HIDDEN SYMBOL(aiol__machine_switch)
    .p2align 4
SYMBOL(aiol__machine_switch):
    .cfi_startproc
    endbr64
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    pushq %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r12, 0
    pushq %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r13, 0
    pushq %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r14, 0
    pushq %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r15, 0
    subq $8, %rsp
    .cfi_adjust_cfa_offset 8
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    movl (%rsp), %eax
    movzwl 4(%rsp), %ecx

    /* From here on the other stack, which has the same layout. */
    movq %rsp, (%rdi)
    movq (%rsi), %rsp

    /* Loading control words is slow and they rarely differ. Bits 0-5 of mxcsr are status, not
     * control. */
    xorl (%rsp), %eax
    testl $0xffc0, %eax
    jne 2f
    cmpw 4(%rsp), %cx
    jne 2f
1:
    addq $8, %rsp
    .cfi_adjust_cfa_offset -8
    popq %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r15
    popq %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r14
    popq %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r13
    popq %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r12
    popq %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    popq %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbp
    popq %rcx
    .cfi_adjust_cfa_offset -8
    .cfi_register %rip, %rcx
    notrack jmp *%rcx
2:
    .cfi_def_cfa_offset 64
    .cfi_rel_offset %r15, 8
    .cfi_rel_offset %r14, 16
    .cfi_rel_offset %r13, 24
    .cfi_rel_offset %r12, 32
    .cfi_rel_offset %rbx, 40
    .cfi_rel_offset %rbp, 48
    .cfi_rel_offset %rip, 56
    ldmxcsr (%rsp)
    fldcw 4(%rsp)
    jmp 1b
    .cfi_endproc
8:

/* Where a new context begins. Its caller is undefined: backtraces end here. */
    .globl SYMBOL(aiol__machine_entry)
    HIDDEN SYMBOL(aiol__machine_entry)
    .p2align 4
SYMBOL(aiol__machine_entry):
    .cfi_startproc
    .cfi_undefined %rip
    endbr64
    xorl %ebp, %ebp
    movq %r13, %rdi
    callq *%r12
    ud2
    .cfi_endproc
9:

#ifdef __ELF__
    .type aiol__machine_switch, @function
    .size aiol__machine_switch, 8b - aiol__machine_switch
    .type aiol__machine_entry, @function
    .size aiol__machine_entry, 9b - aiol__machine_entry

    .section .note.GNU-stack, "", @progbits
#endif
