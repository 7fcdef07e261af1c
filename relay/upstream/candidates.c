/* SPDX-License-Identifier: MIT */
#include "candidates.h"

#include <string.h>

#include "relay/base/check.h"

void candidates_init(struct candidates *candidates, const struct primary_candidates *list,
                     enum primary_preference prefer)
{
    CHECK(list->count <= PRIMARY_CANDIDATES_MAX);
    memset(candidates, 0, sizeof(*candidates));
    candidates->list = *list;
    candidates->prefer = prefer;
}

void candidates_prefer(struct candidates *candidates, enum primary_preference prefer)
{
    candidates->prefer = prefer;
}

const struct primary_address *candidates_current(const struct candidates *candidates)
{
    return candidates->list.count == 0 ? NULL : &candidates->list.at[candidates->index];
}

struct candidate *candidates_current_row(struct candidates *candidates)
{
    return &candidates->at[candidates->index];
}

void candidates_begin_turn(struct candidates *candidates)
{
    struct candidate *current = candidates_current_row(candidates);
    current->answer = CANDIDATE_SILENT;
    current->may_come = false;
    current->is_awaited = false;
}

bool candidates_have_choice(const struct candidates *candidates)
{
    return candidates->list.count > 1;
}

static void begin_round(struct candidates *candidates, size_t first)
{
    candidates->first = candidates->prefer == PRIMARY_PREFER_FIRST ? 0 : first;
    candidates->index = candidates->first;
    for (size_t i = 0; i < candidates->list.count; i++)
        candidates->at[i].had_turn = false;
}

static size_t next_of(const struct candidates *candidates, size_t index)
{
    return (index + 1) % candidates->list.count;
}

static bool is_backing_off(const struct candidate *candidate, int64_t now_ms)
{
    return candidate->full_not_before_ms > now_ms;
}

bool candidate_has_other_history(const struct candidate *candidate)
{
    return candidate->answer == CANDIDATE_UNRELATED || candidate->answer == CANDIDATE_FOREIGN;
}

/* ------------------------------------------------------------------ who is chosen after a round */

struct found {
    bool unrelated; /* by itself another history would be taken some time */
    bool foreign;
    bool silence; /* one who has ours may only be silent */
};

/* One who was silent, or only keeps our history, may still go on with it: while there is such a
 * one, another history is not taken before the grace is over. A single address is not all that
 * there is: somebody may always be there whom nobody has named. */
static struct found candidates_look(const struct candidates *candidates,
                                    const struct candidates_rule *rule)
{
    struct found found = {.silence = !rule->is_list};
    for (size_t i = 0; i < candidates->list.count; i++) {
        enum candidate_answer answer = candidates->at[i].answer;
        found.unrelated = found.unrelated || answer == CANDIDATE_UNRELATED;
        found.foreign = found.foreign || answer == CANDIDATE_FOREIGN;
        found.silence = found.silence || answer == CANDIDATE_SILENT || answer == CANDIDATE_KEEPER;
    }
    return found;
}

/* May the history of an unrelated one be taken? */
static bool may_take(const struct candidates *candidates, const struct candidates_rule *rule,
                     struct found found, int64_t now_ms)
{
    if (rule->waits_for_sentinels || rule->grace_ms < 0)
        return false;
    if (!found.silence)
        return true;
    if (rule->grace_ms == 0)
        return candidates->rounds >= CANDIDATES_ROUNDS_MAX;
    return now_ms - candidates->waits_since_ms >= rule->grace_ms;
}

/* Does the rule choose this one, for its answer? */
static bool is_eligible(const struct candidate *candidate, enum candidate_answer wanted,
                        int64_t now_ms)
{
    /* One that was only declined has not failed: when its history is wanted, it is asked. */
    return candidate->answer == wanted &&
           (!is_backing_off(candidate, now_ms) || candidate->was_declined);
}

static bool candidates_choose(struct candidates *candidates, enum candidate_answer wanted,
                              bool accepted_only, int64_t now_ms)
{
    size_t at = candidates->index;
    for (size_t i = 0; i < candidates->list.count; i++, at = next_of(candidates, at)) {
        const struct candidate *candidate = &candidates->at[at];
        if (!is_eligible(candidate, wanted, now_ms) || (accepted_only && !candidate->is_accepted))
            continue;
        candidates->index = at;
        candidates->is_chosen = true;
        candidates->chosen_for = wanted;
        return true;
    }
    return false;
}

static bool choose_other_history(struct candidates *candidates, const struct candidates_rule *rule,
                                 struct found found, int64_t now_ms)
{
    if (candidates->waits_since_ms == 0)
        candidates->waits_since_ms = now_ms;
    candidates->rounds = found.silence ? candidates->rounds + 1 : 0;
    if (candidates_choose(candidates, CANDIDATE_UNRELATED, true, now_ms) ||
        candidates_choose(candidates, CANDIDATE_FOREIGN, true, now_ms))
        return true;
    if (!may_take(candidates, rule, found, now_ms))
        return false;
    return candidates_choose(candidates, CANDIDATE_UNRELATED, false, now_ms) ||
           (rule->grace_ms == 0 && candidates_choose(candidates, CANDIDATE_FOREIGN, false, now_ms));
}

/* A replica that has our history is followed before another history is taken: nothing is lost
 * with it, and it may be promoted. */
static enum candidates_turn end_round(struct candidates *candidates,
                                      const struct candidates_rule *rule, int64_t now_ms)
{
    begin_round(candidates, candidates->first);
    struct found found = candidates_look(candidates, rule);
    if (candidates_choose(candidates, CANDIDATE_REPLICA, false, now_ms))
        return CANDIDATES_CHOSEN;
    if (found.unrelated || found.foreign)
        return choose_other_history(candidates, rule, found, now_ms) ? CANDIDATES_CHOSEN
                                                                     : CANDIDATES_BACKOFF;
    candidates->waits_since_ms = 0;
    candidates->rounds = 0;
    return CANDIDATES_BACKOFF;
}

/* ------------------------------------------------------------------ turns */

size_t candidates_next(const struct candidates *candidates, uint32_t without, int64_t now_ms)
{
    size_t at = candidates->first;
    for (size_t i = 0; i < candidates->list.count; i++, at = next_of(candidates, at)) {
        const struct candidate *candidate = &candidates->at[at];
        bool is_left_out = (without & UINT32_C(1) << at) != 0;
        if (!candidate->had_turn && !is_left_out && !is_backing_off(candidate, now_ms))
            return at;
    }
    return SIZE_MAX;
}

/* Has the round found somebody who may be chosen at its end? */
static bool has_eligible(const struct candidates *candidates)
{
    for (size_t i = 0; i < candidates->list.count; i++) {
        if (candidates->at[i].answer == CANDIDATE_REPLICA ||
            candidate_has_other_history(&candidates->at[i]))
            return true;
    }
    return false;
}

/* Is the current one waited for, before those after it are asked? */
static bool candidates_yield(struct candidates *candidates, const struct candidates_rule *rule,
                             int64_t now_ms)
{
    const struct candidate *current = candidates_current_row(candidates);
    if (candidates->prefer != PRIMARY_PREFER_FIRST || !current->may_come)
        return false;
    if (candidates->yields_until_ms == 0)
        candidates->yields_until_ms = now_ms + rule->yield_ms;
    return current->is_awaited || now_ms < candidates->yields_until_ms;
}

enum candidates_turn candidates_pass(struct candidates *candidates,
                                     const struct candidates_rule *rule, uint32_t hanging,
                                     int64_t now_ms)
{
    CHECK(candidates->list.count > 0);
    if (candidates->is_chosen) { /* a round of its own, so that there is a rest between two */
        candidates->is_chosen = false;
        begin_round(candidates, next_of(candidates, candidates->index));
        return CANDIDATES_BACKOFF;
    }
    if (candidates_yield(candidates, rule, now_ms)) {
        begin_round(candidates, candidates->first);
        return CANDIDATES_BACKOFF;
    }
    candidates_current_row(candidates)->had_turn = true;
    size_t next = candidates_next(candidates, hanging, now_ms);
    /* Before somebody is chosen who is not the best that could be, those that hang get their
     * turn, too. */
    if (next == SIZE_MAX && has_eligible(candidates))
        next = candidates_next(candidates, 0, now_ms);
    if (next == SIZE_MAX)
        return end_round(candidates, rule, now_ms);
    candidates->index = next;
    return CANDIDATES_NEXT;
}

void candidates_turn_to(struct candidates *candidates, size_t which)
{
    CHECK(which < candidates->list.count);
    CHECK(!candidates->is_chosen);
    candidates->index = which;
}

int64_t candidates_skip_backing_off(struct candidates *candidates, int64_t now_ms)
{
    if (candidates->list.count == 0 || candidates->is_chosen)
        return 0;
    size_t begin = candidates->index;
    size_t soonest = begin;
    for (size_t i = 0, at = begin; i < candidates->list.count; i++, at = next_of(candidates, at)) {
        if (!is_backing_off(&candidates->at[at], now_ms)) {
            for (size_t left = begin; left != at; left = next_of(candidates, left))
                candidates->at[left].had_turn = true; /* the round goes on without it */
            candidates->index = at;
            return 0;
        }
        if (candidates->at[at].full_not_before_ms < candidates->at[soonest].full_not_before_ms)
            soonest = at;
    }
    candidates->index = soonest;
    return candidates->at[soonest].full_not_before_ms - now_ms;
}

void candidates_begin_round(struct candidates *candidates)
{
    if (!candidates->is_chosen && candidates->list.count > 0)
        begin_round(candidates, candidates->index);
}

void candidates_settle(struct candidates *candidates)
{
    size_t followed = candidates->index;
    begin_round(candidates, followed);
    candidates->index = followed;
    candidates->is_chosen = false;
    candidates->rounds = 0;
    candidates->waits_since_ms = 0;
    candidates->yields_until_ms = 0;
    for (size_t i = 0; i < candidates->list.count; i++) {
        candidates->at[i].is_accepted = false;
        candidates->at[i].answer =
            CANDIDATE_SILENT; /* what they are in the next round is asked then */
    }
}

void candidates_accept(struct candidates *candidates, size_t which)
{
    struct candidate *candidate = &candidates->at[which];
    candidate->is_accepted = true;
    candidate->full_not_before_ms = 0;
}

void candidates_note_full_failure(struct candidates *candidates, int64_t now_ms, int64_t pause_ms)
{
    candidates_current_row(candidates)->full_not_before_ms = now_ms + pause_ms;
}

void candidates_forget_full_failures(struct candidates *candidates)
{
    for (size_t i = 0; i < candidates->list.count; i++) {
        candidates->at[i].full_failures = 0;
        candidates->at[i].full_not_before_ms = 0;
        candidates->at[i].was_declined = false;
    }
}

size_t candidates_waiting(const struct candidates *candidates)
{
    for (size_t i = 0; i < candidates->list.count; i++) {
        if (candidate_has_other_history(&candidates->at[i]))
            return i;
    }
    return SIZE_MAX;
}
