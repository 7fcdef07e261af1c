/* SPDX-License-Identifier: MIT
 *
 * Which version is announced to the primary for our replicas' sake.
 */
#include "link_private.h"
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
