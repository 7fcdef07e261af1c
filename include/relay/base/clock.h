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

/* How long nothing has been heard of a peer that was last heard at `since_ms`, as far as this thread could
 * have heard it: time before the thread last went on after it had stood still does not count. Who judges a
 * peer by its silence asks this and not clock_ms: a relay that was stopped (SIGSTOP, a paused container, a
 * snapshot of its machine) for longer than repl-timeout must first read what has come meanwhile. Suspended
 * machines: CLOCK_MONOTONIC does not count that time. */
int64_t clock_silence_ms(int64_t since_ms);

/* This thread goes on after it has stood still for a while. For net/timer, which sees that it is late. */
void clock_note_standstill(void);

/* Microseconds since 1970 UTC: for people and for TIME. */
int64_t clock_wall_us(void);

#endif
