/* SPDX-License-Identifier: MIT
 *
 * Stands in for net/loop (with its timers and notifier), without a socket and without waiting. The test
 * turns it and moves its time:
 *
 *     struct loop *loop = loop_new(&error);
 *     ... make the thing under test ...
 *     fake_loop_turn(loop);          notifier that were rung, then the turn's end
 *     fake_loop_pass(loop, 1000);    a second goes by: timers in the order in which they are due
 *
 * Links with fake_clock. One thread.
 */
#ifndef TESTS_SUPPORT_FAKE_LOOP_H
#define TESTS_SUPPORT_FAKE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/net/loop.h"

/* Runs the notifier that were rung, then the hook, then what was deferred; again while that rang a notifier. */
void fake_loop_turn(struct loop *loop);

/* The hook, chores, and what was deferred; fake_conn calls it after each event. */
void fake_loop_end_turn(struct loop *loop);

/* How many chores a turn has time for; all that are there at first. */
void fake_loop_set_chores_max(struct loop *loop, size_t chores_max);
bool fake_loop_has_chores(const struct loop *loop);

/* Lets time go by; each timer that comes due has its own turn, at its own time. Timers that are due
 * at the same time fire in the order in which they were armed. */
void fake_loop_pass(struct loop *loop, int64_t by_ms);

/* How long until the next timer; -1 when none is armed. */
int64_t fake_loop_next_timer_ms(const struct loop *loop);

uint64_t fake_loop_turns(const struct loop *loop);

#endif
