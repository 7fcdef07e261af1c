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

enum { RDB_HELD_PAUSE_MS = 20 }; /* until files are freed */

struct snapshot *link_arriving(const struct link *link)
{
    return link_state(link) == LINK_LOADING ? link->rdb_receiver.snapshot : NULL;
}

void link_begin_loading(struct link *link)
{
    connect_race_drop_all(&link->race);
}

static void finish_loading(struct link *link, struct text *why, struct link_outcome *outcome)
{
    if (!store_promote(link->store, why)) {
        link->callbacks.on_news(LINK_NEWS_WITHDRAWN, link->callbacks.arg);
        link_fail(link, outcome, "rdb", text_string(why));
        return;
    }
    link->must_start_anew = false;
    link->stream_heard_ms = clock_ms();
    candidates_current_row(&link->candidates)->full_failures = 0;
    link->announced.tried = link->server_conn.handshake.terms.announce_version;
    const struct snapshot *snapshot = history_snapshot(store_current(link->store));
    link->callbacks.on_news(LINK_NEWS_REPLACED, link->callbacks.arg);
    link_enter(outcome, LINK_STREAMING, "rdb_complete bytes=%" PRIu64 " proof=%s",
               snapshot_received(snapshot),
               snapshot_is_verified(snapshot) ? "crc64" : "length_and_mark");
}

void link_take_rdb(struct link *link, struct link_outcome *outcome)
{
    struct server_conn *server_conn = &link->server_conn;
    struct text why;
    text_init(&why, LINK_WHY_MAX);
    if (server_conn->is_paused)
        server_conn_pause(server_conn, false);
    bool receives = server_conn->pending.length == 0 &&
                    !rdb_receiver_has_more(&link->rdb_receiver) &&
                    !snapshot_owes(link->rdb_receiver.snapshot);
    if (receives && !server_conn_receive(server_conn, &why)) {
        link_fail_cut_off(link, outcome, text_string(&why));
    } else {
        switch (rdb_receiver_feed(&link->rdb_receiver, &server_conn->pending, &why)) {
        case RDB_RECEIVER_MORE:
            break;
        case RDB_RECEIVER_HELD:
            server_conn_pause(server_conn, true);
            timer_arm(link->timer, RDB_HELD_PAUSE_MS);
            break;
        case RDB_RECEIVER_BUSY:
            timer_arm(link->timer, 0);
            break;
        case RDB_RECEIVER_DONE:
            finish_loading(link, &why, outcome);
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
