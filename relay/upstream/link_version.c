/* SPDX-License-Identifier: MIT
 *
 * Which version is announced to the primary for our replicas' sake, and when an RDB of another is fetched.
 */
#include "link_private.h"
#include "primary_choice.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"

static int64_t wall_ms(void)
{
    return clock_wall_us() / 1000;
}

uint32_t link_version_now(const struct link *link)
{
    return announced_version_now(&link->announced, wall_ms());
}

void link_note_replica(struct link *link, uint32_t version)
{
    uint32_t before = link_version_now(link);
    if (!announced_version_note(&link->announced, version, wall_ms()))
        return;
    announced_version_keep(link->store, &link->announced);
    uint32_t now = link_version_now(link);
    char shown[SERVER_VERSION_MAX];
    if (now != before)
        log_info("upstream: version %s is announced to the primary from now on, so that all "
                 "replicas can "
                 "read its RDB",
                 server_version_format(now, shown));
}

/* Would the RDB that the primary writes now be another one, and one that this replica can read? */
static bool helps(const struct link *link, uint32_t version)
{
    uint32_t now = link_version_now(link);
    return primary_choice_of(&link->server_conn.handshake).may_choose &&
           now != link->announced.tried &&
           rdb_version_reading(rdb_version_newest(now), version) == RDB_READABLE;
}

void link_note_unreadable(struct link *link, uint32_t version)
{
    link_note_replica(link, version);
    if (!helps(link, version != 0 ? version : ANNOUNCED_DEFAULT))
        return;
    refresh_schedule_wish_other(&link->refresh_schedule);
    link_consider_refresh(link);
}
