/* SPDX-License-Identifier: MIT */
#include "candidates.h"

#include <string.h>

#include "relay/base/check.h"

void candidates_init(struct candidates *candidates, const struct origin_candidates *list)
{
    CHECK(list->count <= ORIGIN_CANDIDATES_MAX);
    memset(candidates, 0, sizeof(*candidates));
    candidates->list = *list;
}

const struct origin_address *candidates_current(const struct candidates *candidates)
{
    return candidates->list.count == 0 ? NULL : &candidates->list.at[candidates->index];
}

bool candidates_have_choice(const struct candidates *candidates)
{
    return candidates->list.count > 1;
}

void candidates_note_silence(struct candidates *candidates)
{
    candidates->met_silence = true;
}

bool candidates_pass(struct candidates *candidates)
{
    CHECK(candidates->list.count > 0);
    candidates->index = (candidates->index + 1) % candidates->list.count;
    candidates->tried++;
    if (candidates->tried < candidates->list.count)
        return false;
    candidates->tried = 0;
    bool waits = candidates->met_stranger && candidates->met_silence;
    candidates->rounds = waits ? candidates->rounds + 1 : 0;
    candidates->accept_stranger =
        candidates->met_stranger && (!waits || candidates->rounds >= CANDIDATES_ROUNDS_MAX);
    candidates->met_stranger = false;
    candidates->met_silence = false;
    return true;
}

void candidates_settle(struct candidates *candidates)
{
    candidates->tried = 0;
    candidates->met_stranger = false;
    candidates->met_silence = false;
    candidates->rounds = 0;
    candidates->accept_stranger = false;
}
