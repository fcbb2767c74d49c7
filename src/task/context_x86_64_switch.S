/*
 * Context switch for x86-64, System V ABI: rbx, rbp, r12-r15, rsp and the control words of SSE and
 * x87 belong to the callee; the rest is the caller's, who has saved what it needs.
 *
 * It leaves by a jump, not by ret: the processor predicts that a ret goes back to the latest call,
 * which is the one of the task that is left, and would be wrong each time. For a control-flow
 * guard the jump says notrack; no shadow stack is supported, and no note claims so.
 */
    .text

/* void aiol__machine_switch(struct aiol__machine *from, struct aiol__machine *to) */
    .globl aiol__machine_switch
    .hidden aiol__machine_switch
    .type aiol__machine_switch, @function
    .p2align 4
aiol__machine_switch:
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
    .size aiol__machine_switch, . - aiol__machine_switch

/* Where a new context begins. Its caller is undefined: backtraces end here. */
    .globl aiol__machine_entry
    .hidden aiol__machine_entry
    .type aiol__machine_entry, @function
    .p2align 4
aiol__machine_entry:
    .cfi_startproc
    .cfi_undefined %rip
    endbr64
    xorl %ebp, %ebp
    movq %r13, %rdi
    callq *%r12
    ud2
    .cfi_endproc
    .size aiol__machine_entry, . - aiol__machine_entry

    .section .note.GNU-stack, "", @progbits
