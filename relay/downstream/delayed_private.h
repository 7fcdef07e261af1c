/* SPDX-License-Identifier: MIT
 *
 * Replicas that run behind, as the component has them: what it does for them each second, and when the history is cut.
 * What can be asked of them is in relay/downstream/delayed.h.
 *
 * Thread: thread 0.
 */
#ifndef RELAY_DOWNSTREAM_DELAYED_PRIVATE_H
#define RELAY_DOWNSTREAM_DELAYED_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

struct downstream;

bool delayed_has_port(const struct downstream *downstream);

/* At a start: which replicas an operator had stopped. */
void delayed_load(struct downstream *downstream);

/* Each second: what is due, and what the store keeps. */
void delayed_update(struct downstream *downstream);

/* The current history has been cut at `offset`: before a byte of the new branch comes. */
void delayed_cut(struct downstream *downstream, uint64_t offset);

#endif
