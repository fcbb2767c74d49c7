/*
 * Context switch for AArch64, AAPCS64: x19-x30, sp, the lower halves of v8-v15 (d8-d15) and the
 * floating-point control register belong to the callee; the rest is the caller's, who has saved
 * what it needs. x18 belongs to the platform and is left alone.
 *
 * It leaves by ret, although the processor predicts wrongly where that goes: with branch target
 * identification any other jump needs a landing pad, and there is none behind a call.
 */
#include "task/context_symbol.h"

    .text

/* void aiol__machine_switch(struct aiol__machine *from, struct aiol__machine *to) */
    .globl SYMBOL(aiol__machine_switch)
    HIDDEN SYMBOL(aiol__machine_switch)
    .p2align 4
SYMBOL(aiol__machine_switch):
    .cfi_startproc
    hint #34 /* bti c; a no-op to processors without it */
    sub sp, sp, #176
    .cfi_def_cfa_offset 176
    mrs x9, fpcr
    str x9, [sp]
    stp d8, d9, [sp, #16]
    .cfi_rel_offset d8, 16
    .cfi_rel_offset d9, 24
    stp d10, d11, [sp, #32]
    .cfi_rel_offset d10, 32
    .cfi_rel_offset d11, 40
    stp d12, d13, [sp, #48]
    .cfi_rel_offset d12, 48
    .cfi_rel_offset d13, 56
    stp d14, d15, [sp, #64]
    .cfi_rel_offset d14, 64
    .cfi_rel_offset d15, 72
    stp x19, x20, [sp, #80]
    .cfi_rel_offset x19, 80
    .cfi_rel_offset x20, 88
    stp x21, x22, [sp, #96]
    .cfi_rel_offset x21, 96
    .cfi_rel_offset x22, 104
    stp x23, x24, [sp, #112]
    .cfi_rel_offset x23, 112
    .cfi_rel_offset x24, 120
    stp x25, x26, [sp, #128]
    .cfi_rel_offset x25, 128
    .cfi_rel_offset x26, 136
    stp x27, x28, [sp, #144]
    .cfi_rel_offset x27, 144
    .cfi_rel_offset x28, 152
    stp x29, x30, [sp, #160]
    .cfi_rel_offset x29, 160
    .cfi_rel_offset x30, 168

    /* From here on the other stack, which has the same layout. */
    mov x10, sp
    str x10, [x0]
    ldr x10, [x1]
    mov sp, x10

    /* Writing the control register is slow, and it rarely differs. */
    ldr x10, [sp]
    cmp x9, x10
    b.eq 1f
    msr fpcr, x10
1:
    ldp d8, d9, [sp, #16]
    ldp d10, d11, [sp, #32]
    ldp d12, d13, [sp, #48]
    ldp d14, d15, [sp, #64]
    ldp x19, x20, [sp, #80]
    ldp x21, x22, [sp, #96]
    ldp x23, x24, [sp, #112]
    ldp x25, x26, [sp, #128]
    ldp x27, x28, [sp, #144]
    ldp x29, x30, [sp, #160]
    add sp, sp, #176
    .cfi_def_cfa_offset 0
    .cfi_restore d8
    .cfi_restore d9
    .cfi_restore d10
    .cfi_restore d11
    .cfi_restore d12
    .cfi_restore d13
    .cfi_restore d14
    .cfi_restore d15
    .cfi_restore x19
    .cfi_restore x20
    .cfi_restore x21
    .cfi_restore x22
    .cfi_restore x23
    .cfi_restore x24
    .cfi_restore x25
    .cfi_restore x26
    .cfi_restore x27
    .cfi_restore x28
    .cfi_restore x29
    .cfi_restore x30
    ret
    .cfi_endproc
8:

/* Where a new context begins. Its caller is undefined: backtraces end here. */
    .globl SYMBOL(aiol__machine_entry)
    HIDDEN SYMBOL(aiol__machine_entry)
    .p2align 4
SYMBOL(aiol__machine_entry):
    .cfi_startproc
    .cfi_undefined x30
    mov x0, x20
    blr x19
    brk #1
    .cfi_endproc
9:

#ifdef __ELF__
    .type aiol__machine_switch, %function
    .size aiol__machine_switch, 8b - aiol__machine_switch
    .type aiol__machine_entry, %function
    .size aiol__machine_entry, 9b - aiol__machine_entry

    .section .note.GNU-stack, "", %progbits

/* All indirect branches land on a bti: ELF for the Arm 64-bit Architecture, "Program Property". */
    .section .note.gnu.property, "a"
    .p2align 3
    .word 4          /* size of the owner's name */
    .word 16         /* size of the properties */
    .word 5          /* NT_GNU_PROPERTY_TYPE_0 */
    .asciz "GNU"
    .word 0xc0000000 /* GNU_PROPERTY_AARCH64_FEATURE_1_AND */
    .word 4
    .word 1          /* BTI */
    .word 0
#endif
