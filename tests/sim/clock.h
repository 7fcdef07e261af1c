/* SPDX-License-Identifier: MIT
 *
 * The clocks of the hosts. The time of the simulation (sim_now_us) only goes on; a host's wall clock can be set, and
 * its monotonic clock stands while it is suspended (CLOCK_BOOTTIME goes on).
 */
#ifndef TESTS_SIM_CLOCK_H
#define TESTS_SIM_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

int64_t host_wall_us(unsigned host); /* since 1970 */
int64_t host_monotonic_us(unsigned host);
/* When its monotonic clock shows that, as a time of the simulation, if it is not suspended before. */
int64_t host_monotonic_to_sim_us(unsigned host, int64_t monotonic_us);

/* Somebody sets the wall clock, by so much. */
void host_step_wall(unsigned host, int64_t by_us);
/* It was suspended for that long, until now. */
void host_note_suspended(unsigned host, int64_t length_us);

/* Has its wall clock shown this time at a moment that was not before `from_us` (of the simulation)? */
bool host_has_shown(unsigned host, int64_t wall_us, int64_t from_us);

#endif
