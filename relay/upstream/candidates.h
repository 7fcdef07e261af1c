/* SPDX-License-Identifier: MIT
 *
 * Whose turn it is among the servers that may be the origin. They are tried in rounds; the one that was
 * good is tried first when its link breaks. A primary with another history is accepted only when a whole
 * round in which everybody answered has found nobody who can go on with ours; one who did not answer may
 * be the one who could, and is given CANDIDATES_ROUNDS_MAX rounds to come back. Pure. Thread: the owner's.
 */
#ifndef RELAY_UPSTREAM_CANDIDATES_H
#define RELAY_UPSTREAM_CANDIDATES_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/upstream/origin.h"

enum { CANDIDATES_ROUNDS_MAX = 10 };

struct candidates {
    struct origin_candidates list;
    size_t index;         /* whose turn it is */
    size_t tried;         /* in this round, without success */
    bool met_stranger;    /* in this round: a primary with another history */
    bool met_silence;     /* in this round: one that did not say what it is */
    unsigned rounds;      /* with a stranger and with silence, one after the other */
    bool accept_stranger; /* in this round */
};

void candidates_init(struct candidates *candidates, const struct origin_candidates *list);

/* NULL: there is none. */
const struct origin_address *candidates_current(const struct candidates *candidates);

/* Is there a choice? A single one is followed whatever it is: also a replica, as in a chain. */
bool candidates_have_choice(const struct candidates *candidates);

/* The current one did not say what it is: dead, silent, loading, wants another password. */
void candidates_note_silence(struct candidates *candidates);

/* The current one was of no use: the next one's turn. True: that was a whole round, rest. */
bool candidates_pass(struct candidates *candidates);

/* The current one is good: it begins the next round. */
void candidates_settle(struct candidates *candidates);

#endif
