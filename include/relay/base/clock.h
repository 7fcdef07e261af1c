/* SPDX-License-Identifier: MIT
 *
 * Time. The replay tests link a clock of their own with the same symbols. Any thread.
 */
#ifndef RELAY_BASE_CLOCK_H
#define RELAY_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds since an arbitrary start, never set back: for deadlines, ages and rates. */
int64_t clock_ms(void);

/* The same clock in microseconds (CLOCK_MONOTONIC), where another program compares. */
int64_t clock_us(void);

/* Microseconds since 1970 UTC: for people and for TIME. */
int64_t clock_wall_us(void);

#endif
