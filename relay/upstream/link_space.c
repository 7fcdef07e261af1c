/* SPDX-License-Identifier: MIT
 *
 * A full sync has come to nothing since the disk had no room for the RDB: whose it was is not asked again
 * before there is, since each attempt costs it a fork. Others may be, and REPLICAOF ends the wait.
 */
#include "link_private.h"

#include <inttypes.h>
#include <stdio.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/text.h"
#include "relay/net/loop.h"
#include "relay/store/store.h"

enum { LOOK_MS = 1000 };

static void tell(struct link *link, const char *why)
{
    char sum[LOG_REPEAT_SUM_MAX];
    const struct primary_address *primary = link_primary(link);
    snprintf(link->last_error, sizeof(link->last_error), "room: %s", why);
    if (log_repeat_note(&link->trouble, "no room for the RDB", clock_ms(), sum))
        log_warnx("upstream: %s:%" PRIu16 " is not asked for an RDB until there is room%s: %s",
                  primary->host, primary->port, sum, why);
}

bool link_waits_for_room(struct link *link)
{
    const struct candidate *row = candidates_current_row(&link->candidates);
    struct text why;
    text_init(&why, LINK_WHY_MAX);
    bool waits = row->full_failures > 0 && !store_expects_space(link->store, false, &why);
    if (waits) {
        tell(link, text_string(&why));
        candidates_note_full_failure(&link->candidates, clock_ms(), LOOK_MS);
        int64_t pause_ms = candidates_skip_backing_off(&link->candidates, clock_ms());
        bool is_other = candidates_current_row(&link->candidates) != row;
        timer_arm(link->timer, is_other ? pause_ms : LOOK_MS);
    }
    text_fini(&why);
    return waits;
}
