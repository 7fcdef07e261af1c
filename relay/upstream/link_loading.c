/* SPDX-License-Identifier: MIT
 *
 * A full sync: the RDB on its way into the history that is to become the current one.
 */
#include "link_private.h"

#include <inttypes.h>

#include "relay/base/clock.h"
#include "relay/base/text.h"
#include "relay/net/loop.h"
#include "relay/store/store.h"

enum { RDB_HELD_PAUSE_MS = 20 }; /* until files are freed, or made */

struct snapshot *link_arriving(const struct link *link)
{
    if (link->two_channel.phase != TWO_CHANNEL_OFF)
        return rdb_channel_snapshot(&link->two_channel.rdb_channel);
    return link_state(link) == LINK_LOADING ? link->rdb_receiver.snapshot : NULL;
}

const struct rdb_receiver *link_rdb_receiver(const struct link *link)
{
    return link->two_channel.phase != TWO_CHANNEL_OFF ? &link->two_channel.rdb_channel.rdb_receiver
                                                      : &link->rdb_receiver;
}

void link_begin_loading(struct link *link)
{
    connect_race_drop_all(&link->race);
    if (link->two_channel.phase != TWO_CHANNEL_OFF)
        link_open_rdb_channel(link);
}

/* Nothing is read until the store has it. */
static void hold_loading(struct link *link)
{
    server_conn_pause(&link->server_conn, true);
    timer_arm(link->timer, RDB_HELD_PAUSE_MS);
}

static void note_promoted(struct link *link, struct link_outcome *outcome)
{
    link->must_start_anew = false;
    link_forget_refusal(link);
    link->stream_heard_ms = clock_ms();
    candidates_current_row(&link->candidates)->full_failures = 0;
    link->announced.tried = link->server_conn.handshake.terms.announce_version;
    const struct snapshot *snapshot = history_snapshot(store_current(link->store));
    link->callbacks.on_news(LINK_NEWS_REPLACED, link->callbacks.arg);
    link_enter(outcome, LINK_STREAMING, "rdb_complete bytes=%" PRIu64 " proof=%s",
               snapshot_received(snapshot),
               snapshot_is_verified(snapshot) ? "crc64" : "length_and_mark");
}

bool link_promote(struct link *link, struct link_outcome *outcome)
{
    struct text why;
    text_init(&why, LINK_WHY_MAX);
    enum disk_step step = store_promote(link->store, &why);
    link->is_promoting = step == DISK_STEP_PENDING;
    switch (step) {
    case DISK_STEP_PENDING:
        break;
    case DISK_STEP_FAILED:
        link->callbacks.on_news(LINK_NEWS_WITHDRAWN, link->callbacks.arg);
        link_fail(link, outcome, "rdb", text_string(&why));
        break;
    case DISK_STEP_DONE:
        note_promoted(link, outcome);
        break;
    }
    text_fini(&why);
    return step == DISK_STEP_DONE;
}

/* The directory of the new history could not be made. */
static bool link_loading_is_refused(const struct link *link, struct text *why)
{
    const struct history *arriving = store_arriving(link->store);
    return arriving != NULL && history_is_refused(arriving, why);
}

bool link_loading_goes_on(const struct link *link)
{
    struct text why;
    text_init(&why, LINK_WHY_MAX);
    bool is_over = link_loading_is_refused(link, &why) ||
                   (link->is_promoting && !store_awaits_disk(link->store));
    text_fini(&why);
    return is_over;
}

void link_take_rdb(struct link *link, struct link_outcome *outcome)
{
    struct server_conn *server_conn = &link->server_conn;
    struct text why;
    text_init(&why, LINK_WHY_MAX);
    if (server_conn->is_paused && !link->is_promoting)
        server_conn_pause(server_conn, false);
    bool receives = !link->is_promoting && server_conn->pending.length == 0 &&
                    !rdb_receiver_has_more(&link->rdb_receiver) &&
                    !snapshot_owes(link->rdb_receiver.snapshot);
    if (link_loading_is_refused(link, &why)) {
        link_fail_store(outcome, text_string(&why));
    } else if (receives && !server_conn_receive(server_conn, &why)) {
        link_fail_cut_off(link, outcome, text_string(&why));
    } else {
        switch (rdb_receiver_feed(&link->rdb_receiver, &server_conn->pending, &why)) {
        case RDB_RECEIVER_MORE:
            break;
        case RDB_RECEIVER_HELD:
            hold_loading(link);
            break;
        case RDB_RECEIVER_BUSY:
            timer_arm(link->timer, 0);
            break;
        case RDB_RECEIVER_DONE:
            if (!link_promote(link, outcome) && link->is_promoting)
                hold_loading(link);
            break;
        case RDB_RECEIVER_FAILED:
            if (link->rdb_receiver.is_garbled)
                compression_use_note_fault(&link->compression);
            store_abandon(link->store); /* nothing of it is kept */
            link_fail(link, outcome, "rdb", text_string(&why));
            break;
        }
    }
    text_fini(&why);
}
