/* SPDX-License-Identifier: MIT
 *
 * What the cards of all replicas say together: who has acknowledged how much, and who is there. Only
 * replicas that are online and acknowledge count: not those that wait or load, and not SYNC.
 *
 * Thread: thread 0; the cards' atomics may change meanwhile, and only forward.
 */
#ifndef RELAY_DOWNSTREAM_CARDS_H
#define RELAY_DOWNSTREAM_CARDS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "card.h"
#include "relay/base/check.h"
#include "relay/downstream/downstream.h"

TAILQ_HEAD(cards, card);

/* As downstream_acknowledged, downstream_count_acknowledged and downstream_has_replica. */
MUST_CHECK bool cards_acknowledged(const struct cards *cards, unsigned rank, uint64_t *offset);
unsigned cards_count_acknowledged(const struct cards *cards, uint64_t offset);
bool cards_have(const struct cards *cards, const char *address, uint16_t port);

#endif
