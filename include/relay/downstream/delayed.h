/* SPDX-License-Identifier: MIT
 *
 * What can be asked of replicas that run behind, and done to them: RELAY PAUSE and RELAY RESUME
 * (relay/downstream/holds.h says what they mean).
 *
 * Thread: thread 0.
 */
#ifndef RELAY_DOWNSTREAM_DELAYED_H
#define RELAY_DOWNSTREAM_DELAYED_H

#include <stdint.h>

#include "relay/downstream/hold_status.h"

struct downstream;
struct known_who;

/* RELAY PAUSE, of one that runs behind; RELAY RESUME, of one that is here (by its id) or not, with `until` up to that
 * offset of the current history only. NULL: done; else an error reply without its dash. */
const char *downstream_pause(struct downstream *downstream, uint64_t id);
const char *downstream_resume(struct downstream *downstream, const struct known_who *who,
                              const uint64_t *until);

/* Those that were stopped by these, in no order. `fn` closes nobody. */
typedef void hold_fn(const struct hold_status *status, void *arg);
void downstream_each_hold(const struct downstream *downstream, hold_fn *fn, void *arg);

/* How it is with replicas that run behind. */
void downstream_delayed(const struct downstream *downstream, struct delayed_status *out);

#endif
