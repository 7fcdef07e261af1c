/* SPDX-License-Identifier: MIT
 *
 * How the link is, told.
 */
#include "link_private.h"
#include "relay/base/clock.h"
#include "relay/store/store.h"
#include "sync_progress.h"

/* A stream that nobody reads is none: what watches us is to see that. */
static bool is_stalled(const struct link *link)
{
    return link_state(link) == LINK_STREAMING && link->stalled_since_ms != 0;
}

static bool is_flowing(const struct link *link)
{
    return link_state(link) == LINK_STREAMING && link->stalled_since_ms == 0;
}

void link_hops(const struct link *link, struct hops *out)
{
    struct hops above;
    int64_t heard_ms = link->stream_heard_ms != 0 ? link->stream_heard_ms : link->opened_ms;
    parent_watch_hops(&link->parent, &above);
    out->count = 1;
    out->at[0] = (struct hop){
        .to = *link_primary(link),
        .link = is_flowing(link)                   ? HOP_UP
                : link_state(link) == LINK_LOADING ? HOP_SYNC
                                                   : HOP_DOWN,
        .silence_ms = clock_silence_ms(heard_ms),
    };
    for (size_t i = 0; i < above.count && out->count < HOPS_MAX; i++)
        out->at[out->count++] = above.at[i];
}

void link_status(const struct link *link, struct link_status *out)
{
    const struct payload *payload = &link_rdb_receiver(link)->payload;
    const struct primary_info *info = &link->server_conn.handshake.info;
    struct conn_traffic traffic = server_conn_traffic(&link->server_conn);
    conn_traffic_add(&traffic, rdb_channel_traffic(&link->two_channel.rdb_channel));
    bool loading = link_state(link) == LINK_LOADING;
    *out = (struct link_status){
        .host = link_primary(link)->host,
        .port = link_primary(link)->port,
        .candidates = link->candidates.list.count,
        .state = link_state(link),
        .state_name = is_stalled(link) ? "stalled" : state_machine_name(&link->machine),
        .is_up = is_flowing(link),
        .is_stalled = is_stalled(link),
        .sync_in_progress = loading,
        .sync_total_bytes = loading && payload->has_length ? payload->length : 0,
        .sync_read_bytes = loading ? payload->received : 0,
        .last_io_ms = link->server_conn.last_io_ms,
        .down_since_ms = is_stalled(link) ? link->stalled_since_ms : link->down_since_ms,
        .old_history_since_ms = link->old_history_since_ms,
        .up_since_ms = link->up_since_ms,
        .stream_heard_ms = link->stream_heard_ms,
        .ping_period_ms = ping_period_ms(&link->ping_period),
        .received_bytes = traffic.received_bytes,
        .carrier = link->server_conn.conn != NULL ? conn_carrier(link->server_conn.conn) : "none",
        .compression =
            link_state(link) == LINK_STREAMING ? link->compression.stream_codec : CODEC_NONE,
        .compressed_bytes = link->compression.wire_bytes,
        .uncompressed_bytes = link->compression.plain_bytes,
        .compression_errors = link->compression.faults_total,
        .reads = traffic.reads,
        .writes = traffic.writes,
        .acknowledged = link->ack_tracker.acknowledged,
        .full_syncs = link->full_syncs,
        .partial_syncs = link->partial_syncs,
        .has_rdb_channel = link->two_channel.phase != TWO_CHANNEL_OFF,
        .is_sync_backlog_full = link_is_sync_backlog_full(link),
        .rdb_channel_syncs = link->two_channel.syncs,
        .rdb_channel_refusals = link->two_channel.refusals,
        .attempts = link->attempts,
        .last_error = link->last_error,
        .server_version = info->server_version,
        .valkey_version = info->valkey_version,
    };
    out->sync_progress = sync_progress_view(&link->sync_progress, link_arriving(link));
    link_wait_status(link, &out->wait);
    out->chain = link_state(link) == LINK_STREAMING ? link->chain : "";
    out->chain_is_complete = link_state(link) == LINK_STREAMING && link->chain_is_complete;
    out->full_sync_failures = link->candidates.list.count > 0
                                  ? link->candidates.at[link->candidates.index].full_failures
                                  : 0;
    refresh_report(link->refresh_schedule.refresh, out);
    out->cut_off = link->cut_what;
    out->cut_off_advice = link->cut_advice;
    out->denied_rights = link->denied;
    out->user = link_user(link);
    out->announced_version = link_version_now(link);
    out->announce_is_fixed = link->announced.fixed != 0;
    out->replicas_version = announced_version_lowest(&link->announced, clock_wall_us() / 1000);
    out->refresh_fallbacks = link->refresh_schedule.sources.fallbacks;
    out->refresh_lacks_source = link->refresh_schedule.lacks_source;
    out->refresh_next_ms = refresh_schedule_next_ms(&link->refresh_schedule);
}
