/* SPDX-License-Identifier: MIT
 *
 * The primary ends the connection in a full sync: the likely causes are told at once; the next handshake with it
 * asks for what tells them apart.
 */
#include <stdio.h>

#include "link_private.h"
#include "primary_choice.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/text.h"
#include "relay/store/store.h"

static struct cut_off cut_off_of(const struct link *link)
{
    const struct payload *payload = &link_rdb_receiver(link)->payload;
    return (struct cut_off){
        .exists =
            !link->server_conn.handshake.info.is_relay, /* there is nothing to ask a relay for */
        .is_relay = link->server_conn.handshake.info.is_relay,
        .primary = *link_primary(link),
        .x = link->server_conn.handshake.reply.offset,
        .received = payload->received,
        .total = payload->has_length ? payload->length : 0,
        .began_ms = link->full_sync_ms,
        .ended_ms = clock_ms(),
    };
}

static void fail_with_causes(struct link *link, struct link_outcome *outcome, const char *why)
{
    struct text words;
    text_init(&words, LINK_WHY_MAX);
    text_append_string(&words, why);
    cut_off_causes(&link->cut_off, true, &words);
    link->cut_what[0] = '\0';
    link_fail(link, outcome, "broken", text_string(&words));
    text_fini(&words);
}

void link_fail_cut_off(struct link *link, struct link_outcome *outcome, const char *why)
{
    const struct payload *payload = &link_rdb_receiver(link)->payload;
    CHECK(link_state(link) == LINK_LOADING);
    primary_cut_off(&link->announced, &link->server_conn.handshake, link->store);
    link->cut_off = cut_off_of(link);
    link->cut_off.phase = payload->state == PAYLOAD_HEADER ? CUT_OFF_BEFORE_RDB : CUT_OFF_IN_RDB;
    fail_with_causes(link, outcome, why);
}

void link_fail_stream(struct link *link, struct link_outcome *outcome, const char *why)
{
    bool has_flowed = history_boundary(store_current(link->store)) > link->began_offset;
    if (link->full_sync_ms == 0 || has_flowed) {
        link_fail(link, outcome, "broken", why);
        return;
    }
    link->cut_off = cut_off_of(link);
    link->cut_off.phase = CUT_OFF_BEFORE_STREAM;
    fail_with_causes(link, outcome, why);
}

void link_forget_cut_off(struct link *link)
{
    link->cut_off.exists = false;
    link->full_sync_ms = 0;
    link->cut_what[0] = '\0';
}

bool link_asks_limits(const struct link *link)
{
    return link->cut_off.exists && !link->cut_off.is_judged &&
           primary_address_equal(&link->cut_off.primary, link_primary(link));
}

void link_judge_cut_off(struct link *link)
{
    if (!link_asks_limits(link))
        return;
    const struct primary_info *info = &link->server_conn.handshake.info;
    struct text what;
    struct text advice;
    text_init(&what, CUT_OFF_WORDS_MAX - 1);
    text_init(&advice, CUT_OFF_WORDS_MAX - 1);
    bool was_limit =
        cut_off_judge(&link->cut_off, info, link->has_disconnections ? &link->disconnections : NULL,
                      clock_ms(), &what, &advice);
    link->cut_off.is_judged = true;
    link->has_disconnections = info->has_disconnections;
    link->disconnections = info->disconnections;
    snprintf(link->cut_what, sizeof(link->cut_what), "%s", text_string(&what));
    snprintf(link->cut_advice, sizeof(link->cut_advice), "%s", text_string(&advice));
    log_warnx("upstream: %s %s", link->cut_what, link->cut_advice);
    if (was_limit) { /* so it was not the version */
        link->announced.least = 0;
        announced_version_keep(link->store, &link->announced);
    }
    text_fini(&what);
    text_fini(&advice);
}
