/* SPDX-License-Identifier: MIT
 *
 * The servers that may be the primary: whose turn it is, and who is followed where the best does not answer.
 *
 * They are asked in rounds. A round begins with the one that was good last, then follows the list. A primary that
 * goes on with our history is followed at its turn. While one does not answer to the connection, others may have
 * their turn before it (candidates_turn_to); it is asked later in the same round. When all have been asked, the round
 * chooses among what else it has found:
 *
 *  1. a replica that can go on with our history: the one that was good first, then in the order of the list;
 *  2. a history that an operator has accepted;
 *  3. another history, by candidates_rule: at once where all have answered and nobody has ours; after `grace_ms`
 *     where one that has ours may only be silent. One that existed beside ours is never taken so.
 *
 * Who is chosen has the next turn, at once. A round that has found nobody to choose ends without those that do
 * not answer to the connection. A full sync that failed has cost the primary a fork, so that candidate, and no other,
 * is left out for a time that grows with each failure.
 *
 * Pure. Owner: the link.
 */
#ifndef RELAY_UPSTREAM_CANDIDATES_H
#define RELAY_UPSTREAM_CANDIDATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/replid.h"
#include "relay/upstream/primary_address.h"

/* With `grace_ms` 0: so many rounds are given to one who is silent. */
enum { CANDIDATES_ROUNDS_MAX = 10 };

/* What one was when it was asked last. */
enum candidate_answer {
    CANDIDATE_SILENT,    /* did not say what it is: dead, silent, loading, wants another password */
    CANDIDATE_USELESS,   /* a replica that has nothing for us */
    CANDIDATE_KEEPER,    /* has our history, and cannot give it now: a replica without its link */
    CANDIDATE_REPLICA,   /* a replica that can go on with our history */
    CANDIDATE_UNRELATED, /* has another history */
    CANDIDATE_FOREIGN,   /* the same, and was there beside ours: another group's, or left behind */
};

struct candidate {
    enum candidate_answer answer;
    struct replid replid;       /* of an unrelated or a foreign one; none where it did not tell */
    bool had_turn;              /* in this round, without success */
    bool is_accepted;           /* an operator takes its history, whatever it is */
    bool was_declined;          /* it began a full sync that was not wanted */
    unsigned full_failures;     /* full syncs that came to nothing, since one was complete */
    int64_t full_not_before_ms; /* it is not asked earlier; 0: at any time */
};

struct candidates_rule {
    int64_t grace_ms; /* 0: a few rounds; negative: never without being told */
    bool is_list;     /* somebody named several; else a single one that a Sentinel told of */
    bool
        waits_for_sentinels; /* nothing of the kind is taken for now: the Sentinels are being asked */
};

enum candidates_turn {
    CANDIDATES_NEXT,    /* the next one's */
    CANDIDATES_CHOSEN,  /* the round is over, and somebody was chosen: his, at once */
    CANDIDATES_BACKOFF, /* the round is over: the next begins after a backoff */
};

struct candidates {
    struct primary_candidates list;
    struct candidate at[PRIMARY_CANDIDATES_MAX];
    size_t first;   /* it began this round */
    size_t index;   /* whose turn it is */
    bool is_chosen; /* the one whose turn it is, for what `chosen_for` says */
    enum candidate_answer chosen_for;
    unsigned rounds;        /* with an unrelated one and with silence, one after the other */
    int64_t waits_since_ms; /* another history could be taken, and is not; 0: no */
};

void candidates_init(struct candidates *candidates, const struct primary_candidates *list);

/* NULL: there is none. */
const struct primary_address *candidates_current(const struct candidates *candidates);
struct candidate *candidates_current_row(struct candidates *candidates);

/* Is there a choice? A single one is followed whatever it is: also a replica, as in a chain. */
bool candidates_have_choice(const struct candidates *candidates);

/* The current one, whose `answer` is set, was of no use. `hanging` has a bit for each candidate whose connection
 * does not come up: the others go first, and a round that has found nobody to choose ends without them. */
enum candidates_turn candidates_pass(struct candidates *candidates,
                                     const struct candidates_rule *rule, uint32_t hanging,
                                     int64_t now_ms);

/* The first, in the order of the round, that has had no turn yet and may be asked now, without those of the
 * mask; SIZE_MAX: none. */
size_t candidates_next(const struct candidates *candidates, uint32_t without, int64_t now_ms);

/* This one's turn comes before that of the current one, which stays without one: it was connected first. */
void candidates_turn_to(struct candidates *candidates, size_t which);

/* Before a turn after a rest: leaves out those who are not to be asked yet. Returns how long nobody is. */
int64_t candidates_skip_backing_off(struct candidates *candidates, int64_t now_ms);

/* The current one is good: it begins the next round. */
void candidates_settle(struct candidates *candidates);

/* A full sync with the current one came to nothing: it is not asked again for `pause_ms`. */
void candidates_note_full_failure(struct candidates *candidates, int64_t now_ms, int64_t pause_ms);

/* Its history is taken, whatever it is, when the round is over and nobody has ours. */
void candidates_accept(struct candidates *candidates, size_t which);

/* That all of them may be asked at any time. */
void candidates_forget_full_failures(struct candidates *candidates);

bool candidate_has_other_history(const struct candidate *candidate);

/* The first one whose history waits to be taken; SIZE_MAX: none. */
size_t candidates_waiting(const struct candidates *candidates);

#endif
