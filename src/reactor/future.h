/* A future as those who wait for it see it. */
#ifndef AIOL__REACTOR_FUTURE_H
#define AIOL__REACTOR_FUTURE_H

#include "base/waiter.h"

#include <aiol/future.h>

extern const struct aiol__waiter_source aiol__future_source;

/* True: the waiter waits now. False: the result is there, aiol_future_result(); the waiter has the
 * value in its slot. */
bool aiol__future_begin_wait(struct aiol_future *future, struct aiol__waiter *waiter);

#endif
