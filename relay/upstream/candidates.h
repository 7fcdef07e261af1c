/* SPDX-License-Identifier: MIT
 *
 * The servers that may be the primary: whose turn it is, and who is followed where the best does not answer.
 *
 * They are asked in rounds. A round begins with the one that was good last, then follows the list. A primary that
 * goes on with our history is followed at its turn; with PRIMARY_PREFER_FIRST and PRIMARY_PREFER_NEAREST so is a
 * replica whose link is up. With PRIMARY_PREFER_FIRST a round begins with the first of the list. While one does not
 * answer to the connection, others may have their turn before it (candidates_turn_to); it is asked later in the same
 * round. When all have been asked, the round chooses among what else it has found:
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
 * Two relays of a pair name each other before their primary. When both begin at once, each finds the other without
 * its link. So with PRIMARY_PREFER_FIRST such a relay is given a moment (`yield_ms`, once until somebody is followed)
 * before those after it have their turn: the moments differ by chance, the one whose moment ends first turns to the
 * primary, and the other follows it. A relay that receives a full sync is waited for by one that has no data.
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
    bool may_come;              /* a relay that is without its link now */
    bool is_awaited;            /* that relay receives the full sync that we need, too */
    unsigned full_failures;     /* full syncs that came to nothing, since one was complete */
    int64_t full_not_before_ms; /* it is not asked earlier; 0: at any time */
};

struct candidates_rule {
    int64_t grace_ms; /* 0: a few rounds; negative: never without being told */
    bool is_list;     /* somebody named several; else a single one that a Sentinel told of */
    bool
        waits_for_sentinels; /* nothing of the kind is taken for now: the Sentinels are being asked */
    int64_t yield_ms; /* for so long one that may come is waited for, from its first turn on */
};

enum candidates_turn {
    CANDIDATES_NEXT,    /* the next one's */
    CANDIDATES_CHOSEN,  /* the round is over, and somebody was chosen: his, at once */
    CANDIDATES_BACKOFF, /* the round is over: the next begins after a backoff */
};

struct candidates {
    struct primary_candidates list;
    struct candidate at[PRIMARY_CANDIDATES_MAX];
    size_t first; /* it began this round */
    size_t index; /* whose turn it is */
    enum primary_preference prefer;
    bool is_chosen; /* the one whose turn it is, for what `chosen_for` says */
    enum candidate_answer chosen_for;
    unsigned rounds;        /* with an unrelated one and with silence, one after the other */
    int64_t waits_since_ms; /* another history could be taken, and is not; 0: no */
    int64_t
        yields_until_ms; /* to one that may come; 0: there was none since somebody was followed */
};

void candidates_init(struct candidates *candidates, const struct primary_candidates *list,
                     enum primary_preference prefer);

/* From the next round on. */
void candidates_prefer(struct candidates *candidates, enum primary_preference prefer);

/* NULL: there is none. */
const struct primary_address *candidates_current(const struct candidates *candidates);
struct candidate *candidates_current_row(struct candidates *candidates);

/* The current one is asked now: what it is is not known. */
void candidates_begin_turn(struct candidates *candidates);

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

/* The current one is good, and is followed: it begins the next round, or the first of the list does. */
void candidates_settle(struct candidates *candidates);

/* The one that was followed is lost: a round begins, without what was found before. */
void candidates_begin_round(struct candidates *candidates);

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
