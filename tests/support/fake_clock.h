/* SPDX-License-Identifier: MIT
 *
 * Stands in for base/clock: time stands still until the test moves it. fake_loop_pass moves it, too.
 */
#ifndef TESTS_SUPPORT_FAKE_CLOCK_H
#define TESTS_SUPPORT_FAKE_CLOCK_H

#include <stdint.h>

/* Sets clock_ms; clock_wall_us follows from a fixed day on. Never back. */
void fake_clock_set(int64_t now_ms);
void fake_clock_advance(int64_t by_ms);

/* Somebody sets the wall clock, forward or back. */
void fake_clock_step(int64_t by_ms);

#endif
