/* SPDX-License-Identifier: MIT
 *
 * libevent's calls as the relay uses them, on the descriptors and the clock of the simulation. What is ready
 * in a turn is called in an order that is drawn. */
#ifndef TESTS_SIM_EVENT_LOOP_H
#define TESTS_SIM_EVENT_LOOP_H

#include "process.h"

/* Something that its loops may wait for has happened. */
void event_loops_poke(struct process *process);
/* Its monotonic clock has stood still for so long: what its loops wait for comes later. */
void event_loops_delay(struct process *process, int64_t by_us);
/* The process is gone. */
void event_loops_forget(struct process *process);

#endif
