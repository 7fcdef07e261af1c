/* SPDX-License-Identifier: MIT
 *
 * A newer snapshot, fetched while the stream flows: wanted by a replica, by an operator, or by the window.
 */
#include "link_private.h"
#include "primary_choice.h"

void link_consider_refresh(struct link *link)
{
    if (link_state(link) != LINK_STREAMING)
        return;
    struct handshake_terms terms = link_terms(link);
    link->refresh_schedule.is_at_relay = link->server_conn.handshake.info.is_relay;
    refresh_schedule_consider(&link->refresh_schedule, link_primary(link), &terms);
}

void link_refresh(struct link *link)
{
    link_refresh_from(link, 0);
}

void link_refresh_from(struct link *link, uint64_t from)
{
    refresh_schedule_wish(&link->refresh_schedule, from);
    link_consider_refresh(link);
}

const char *link_refresh_now(struct link *link)
{
    if (link_state(link) != LINK_STREAMING)
        return link_state(link) == LINK_LOADING ? "one is being received, with a new history"
                                                : "there is no stream from the primary";
    struct handshake_terms terms = link_terms(link);
    return refresh_schedule_demand(&link->refresh_schedule, link_primary(link), &terms)
               ? NULL
               : "one is being fetched already";
}

/* Would the RDB that the primary writes now be another one, and one that this replica can read? */
static bool would_help(const struct link *link, uint32_t version)
{
    uint32_t now = link_version_now(link);
    return primary_choice_of(&link->server_conn.handshake).may_choose &&
           now != link->announced.tried &&
           rdb_version_reading(rdb_version_newest(now), version) == RDB_READABLE;
}

void link_note_unreadable(struct link *link, uint32_t version)
{
    link_note_replica(link, version);
    if (!would_help(link, version != 0 ? version : ANNOUNCED_DEFAULT))
        return;
    refresh_schedule_wish_other(&link->refresh_schedule);
    link_consider_refresh(link);
}
