/* SPDX-License-Identifier: MIT
 *
 * Connecting: to the candidate whose turn it is, and while that hangs to those after it. The first that is
 * connected has its turn at once; those that hang keep theirs, and their connections. Who is chosen does not depend
 * on it: a primary that goes on with our history is taken whenever it is asked, and everything else is weighed at
 * the end of the round (candidates.h), for which those that hang have as much time as without a race.
 *
 * With PRIMARY_PREFER_NEAREST all are connected to at once, and asked in the order in which they are connected.
 */
#include "link_private.h"

#include <inttypes.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/net/loop.h"
#include "relay/store/store.h"

enum { CHOICE_CONNECT_MS = 3000 }; /* to one address, where there are others to be asked */

static bool link_connect_is_for_nearest(const struct link *link)
{
    return link->candidates.prefer == PRIMARY_PREFER_NEAREST;
}

/* May others be connected to beside the one whose turn it is? Where there is a history, it tells who is taken; a
 * first full sync is of the first in the list that answers, or of the nearest. One that was chosen has no others
 * beside it. */
static bool has_race(const struct link *link)
{
    return candidates_have_choice(&link->candidates) && !link->candidates.is_chosen &&
           (store_current(link->store) != NULL || link_connect_is_for_nearest(link));
}

static bool connect_to(struct link *link, size_t which)
{
    bool has_choice = candidates_have_choice(&link->candidates);
    link->attempts++;
    const struct primary_address *to = &link->candidates.list.at[which];
    struct conn_options options = server_conn_conn_options(&link->server_conn, to);
    options.connect_ms_max = has_choice ? CHOICE_CONNECT_MS : 0;
    options.unanswered_ms = link->options.timeout_ms / 3;
    return connect_race_open(&link->race, which, to, &options);
}

static void link_connect_arm_race(struct link *link)
{
    size_t place = link->candidates.index;
    switch (link->race.at[place].state) {
    case CONNECT_WAITING:
        if (has_race(link))
            timer_arm(link->timer, connect_race_patience_ms(&link->race, place));
        return;
    case CONNECT_FREE: /* out of memory */
    case CONNECT_READY:
    case CONNECT_FAILED:
        timer_arm(link->timer, 0);
        return;
    }
}

/* Those whose full sync has failed wait for their turn: then it is looked whether there is room for an RDB. */
static size_t next_beside(const struct link *link)
{
    uint32_t without = connect_race_used(&link->race);
    for (size_t i = 0; i < link->candidates.list.count; i++)
        without |= link->candidates.at[i].full_failures > 0 ? UINT32_C(1) << i : 0;
    return candidates_next(&link->candidates, without, clock_ms());
}

static void link_connect_to_all(struct link *link)
{
    for (size_t next = next_beside(link); next != SIZE_MAX; next = next_beside(link)) {
        if (!connect_to(link, next)) {
            log_debug("upstream: no memory for a connection");
            return;
        }
    }
}

/* Those that are connected already go before the one whose turn it is, the first that was first. */
static void link_connect_turn_to_ready(struct link *link)
{
    struct candidates *candidates = &link->candidates;
    const struct connect_place *first = NULL;
    for (size_t i = 0; i < candidates->list.count; i++) {
        const struct connect_place *place = &link->race.at[i];
        bool is_earlier = first == NULL || place->since_ms < first->since_ms;
        if (place->state == CONNECT_READY && !candidates->at[i].had_turn && is_earlier)
            first = place;
    }
    if (first != NULL)
        candidates_turn_to(candidates, (size_t)(first - link->race.at));
}

void link_begin_connecting(struct link *link)
{
    bool is_for_nearest = has_race(link) && link_connect_is_for_nearest(link);
    if (is_for_nearest)
        link_connect_turn_to_ready(link);
    size_t place = link->candidates.index;
    candidates_begin_turn(&link->candidates);
    link->server_conn.last_io_ms = clock_ms();
    if (link->race.at[place].state == CONNECT_FREE && !connect_to(link, place))
        log_debug("upstream: no memory for a connection");
    if (is_for_nearest)
        link_connect_to_all(link);
    link_connect_arm_race(link);
}

static void connect_beside(struct link *link)
{
    size_t next = has_race(link) ? next_beside(link) : SIZE_MAX;
    if (next == SIZE_MAX)
        return;
    /* Also where there is no memory for this one: it is tried again, and then those after it. */
    timer_arm(link->timer, CONNECT_STAGGER_MS);
    if (!connect_to(link, next)) {
        log_debug("upstream: no memory for a connection");
        return;
    }
    const struct primary_address *slow = link_primary(link);
    const struct primary_address *other = &link->candidates.list.at[next];
    log_at(log_repeat_goes_on(&link->trouble) ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO,
           "upstream: %s:%" PRIu16 " has not answered yet: connecting to %s:%" PRIu16 " as well",
           slow->host, slow->port, other->host, other->port);
}

void link_look_at_race(struct link *link, struct link_outcome *outcome)
{
    size_t place = link->candidates.index;
    switch (link->race.at[place].state) {
    case CONNECT_FREE:
        link_fail(link, outcome, "unreachable", "out of memory");
        return;
    case CONNECT_READY:
        server_conn_adopt(&link->server_conn, connect_race_take(&link->race, place));
        link_enter(outcome, LINK_HANDSHAKE, "connected carrier=%s",
                   conn_carrier(link->server_conn.conn));
        return;
    case CONNECT_FAILED:
        link_fail(link, outcome, "unreachable", link->race.at[place].error);
        return;
    case CONNECT_WAITING:
        connect_beside(link);
        return;
    }
    UNREACHABLE("a state without a case");
}

void link_note_race(struct link *link, size_t place, struct link_outcome *outcome)
{
    bool is_current = place == link->candidates.index;
    if (link_state(link) != LINK_CONNECTING || (!is_current && !has_race(link)))
        return;
    if (!is_current && link->race.at[place].state == CONNECT_READY) {
        candidates_turn_to(&link->candidates, place);
        candidates_begin_turn(&link->candidates);
    }
    link_look_at_race(link, outcome);
}
