/* SPDX-License-Identifier: MIT
 *
 * What the cards of all replicas say together: who has acknowledged how much, and who is there. Only
 * replicas that are online and acknowledge count: not those that wait or load, and not SYNC. For rank 0, the one
 * that has least, all that are known count (known.h): who waits, loads or closes has nothing yet.
 *
 * An acknowledged offset belongs to the history, and to the branch of it (store/branches.h), that the
 * replica was attached to. It counts up to where that branch is still common with the current one, and
 * not at all where another history is current. That is decided here, on thread 0, by what thread 0 itself
 * has made current: from the call on that promotes, rewinds or renames, whatever workers report later:
 *
 *     acknowledged before, read after   the limit of the card's branch is in force already
 *     parsed after, by a worker that    the same: the card's branch is the one it was attached on
 *       has not heard of it yet
 *     closed late (a paused worker)     the same, for as long as the card is there
 *     attached again                    on thread 0, on the current branch, at an offset that the identity
 *                                       has just found to be common
 *     a cursor at or before the cut     goes on into the new branch, where the id stays the same: its worker
 *                                       says so on the card (card.branch) when it has looked. What was
 *                                       acknowledged until then is before the cut, since no acknowledgement
 *                                       beyond what was sent is taken
 *
 * Thread: thread 0; the cards' atomics may change meanwhile, and only forward.
 */
#ifndef RELAY_DOWNSTREAM_CARDS_H
#define RELAY_DOWNSTREAM_CARDS_H

#include <stdbool.h>
#include <stdint.h>

#include "card.h"
#include "relay/base/check.h"
#include "relay/base/queue.h"
#include "relay/downstream/downstream.h"
#include "relay/store/branches.h"

TAILQ_HEAD(cards, card);

/* The history that is current. `branches` NULL: there is none, and nobody counts. */
struct cards_scope {
    uint64_t history_number;
    const struct branches *branches;
};

/* What the replica has acknowledged of the current history; 0 where it is attached to another. */
uint64_t cards_offset(const struct card *card, const struct cards_scope *scope);

/* As downstream_acknowledged, downstream_count_acknowledged and downstream_has_replica. */
MUST_CHECK bool cards_acknowledged(const struct cards *cards, const struct cards_scope *scope,
                                   unsigned rank, uint64_t *offset);
unsigned cards_count_acknowledged(const struct cards *cards, const struct cards_scope *scope,
                                  uint64_t offset);
bool cards_have(const struct cards *cards, const char *address, uint16_t port);

#endif
