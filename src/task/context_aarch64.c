/* The first frame of a context that context_aarch64_switch.S switches to. */
#include "task/context.h"

#include <stdint.h>

/* Where a new context begins; calls entry(arg). */
void aiol__machine_entry(void);

/* What a parked context has on its stack, from its stack pointer up: what aiol__machine_switch()
 * stores. */
struct frame {
    uint64_t fpcr;
    uint64_t unused;
    uint64_t d8_to_d15[8];
    void (*entry)(void *); /* x19 */
    void *arg;             /* x20 */
    uint64_t x21_to_x28[8];
    void *frame_pointer;  /* x29; NULL ends a chain of frames */
    void (*resume)(void); /* x30 */
};

void aiol__machine_prepare(struct aiol__machine *machine, struct aiol__stack_area area,
                           void (*entry)(void *), void *arg)
{
    uintptr_t top = ((uintptr_t)area.low + area.size_bytes) & ~(uintptr_t)15;
    struct frame *frame = (struct frame *)(top - sizeof *frame);

    /* An fpcr of zero is what a program begins with: round to nearest, no traps. */
    *frame = (struct frame){.entry = entry, .arg = arg, .resume = aiol__machine_entry};
    machine->stack_pointer = frame;
}
