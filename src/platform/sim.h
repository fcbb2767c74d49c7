/* What the simulated poller offers beyond the contract; aiol/sim.h says what it means. */
#ifndef AIOL__PLATFORM_SIM_H
#define AIOL__PLATFORM_SIM_H

#include "platform/poller.h"

#include <aiol/sim.h>

int aiol__sim_stream_pair(struct aiol__poller *poller,
                          const struct aiol_sim_stream_options *options, int ret_fds[2]);
uint64_t aiol__sim_random(struct aiol__poller *poller);

#endif
