/* The first frame of a context that context_x86_64_switch.S switches to. */
#include "task/context.h"

#include <stdint.h>

/* Where a new context begins; calls entry(arg). */
void aiol__machine_entry(void);

/* What a parked context has on its stack, from its stack pointer up: what aiol__machine_switch()
 * pushes. */
struct frame {
    uint32_t mxcsr;
    uint16_t x87_control;
    uint16_t unused;
    void *r15, *r14;
    void *arg;             /* r13 */
    void (*entry)(void *); /* r12 */
    void *rbx, *rbp;
    void (*resume)(void);
};

void aiol__machine_prepare(struct aiol__machine *machine, struct aiol__stack_area area,
                           void (*entry)(void *), void *arg)
{
    uintptr_t top = ((uintptr_t)area.low + area.size_bytes) & ~(uintptr_t)15;
    struct frame *frame = (struct frame *)(top - sizeof *frame);

    /* The control words that the ABI says a program begins with. */
    *frame = (struct frame){.mxcsr = 0x1f80,
                            .x87_control = 0x037f,
                            .arg = arg,
                            .entry = entry,
                            .resume = aiol__machine_entry};
    machine->stack_pointer = frame;
}
