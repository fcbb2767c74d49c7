/*
 * Time is unsigned 64-bit nanoseconds on the loop's clock: the system's monotonic clock, or a
 * virtual one that begins at 0 (aiol/sim.h). Names that hold it end in _ns. A delay is written
 * `5 * AIOL_SECOND`.
 */
#ifndef AIOL_TIME_H
#define AIOL_TIME_H

#include <aiol/base.h>

AIOL_BEGIN_DECLARATIONS

#define AIOL_NANOSECOND UINT64_C(1)
#define AIOL_MICROSECOND UINT64_C(1000)
#define AIOL_MILLISECOND UINT64_C(1000000)
#define AIOL_SECOND UINT64_C(1000000000)
#define AIOL_MINUTE (60 * AIOL_SECOND)
#define AIOL_HOUR (60 * AIOL_MINUTE)

/* As a deadline: none. As a delay: for ever. */
#define AIOL_NEVER UINT64_MAX

/*
 * The deadline `after_ns` nanoseconds from now, by the clock of the loop that this thread runs
 * (aiol_loop_now_ns()), or by the system's monotonic clock where it runs none. What would not fit
 * is AIOL_NEVER.
 *
 * Thread: any. Cannot fail.
 */
AIOL_API uint64_t aiol_deadline_after(uint64_t after_ns);

AIOL_END_DECLARATIONS

#endif
