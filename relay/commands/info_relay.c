/* SPDX-License-Identifier: MIT */
#include "info_sections.h"

#include <inttypes.h>
#include <stdio.h>

#include "component.h"
#include "info_moment.h"
#include "relay/base/report.h"
#include "relay/downstream/delayed.h"
#include "relay/downstream/known.h"
#include "relay/resp/rdb_version.h"
#include "relay/store/status.h"
#include "relay/store/store.h"

enum { HOP_LINE_MAX = 512 };

/* The last snapshots that were fetched on a second connection, a line for each, the newest first. */
static void report_refreshes(struct report *report, const struct info_moment *moment)
{
    const struct link_status *upstream = &moment->link;
    for (size_t i = 0; i < upstream->last_refresh_count; i++) {
        const struct link_refresh_report *one = &upstream->last_refreshes[i];
        char name[48];
        snprintf(name, sizeof(name), "upstream_refresh%zu", i);
        report_text(report, name, "age=%" PRIi64 ",outcome=%s,offset=%" PRIu64 ",from=%s,cause=%s",
                    info_moment_seconds_since(moment, one->began_ms), one->outcome, one->offset,
                    one->is_from_replica ? "replica" : "upstream", one->cause);
    }
    report_u64(report, "snapshot_source_fallbacks", upstream->refresh_fallbacks);
    report_u64(report, "snapshot_source_missing", upstream->refresh_lacks_source);
    report_text(report, "upstream_refresh_last_error", "%s", upstream->refresh_error);
}

/* A server has another history, which is not taken, or not yet. */
static void report_wait(struct report *report, const struct link_wait *wait)
{
    report_u64(report, "upstream_other_history", wait->is_waiting);
    if (!wait->is_waiting)
        return;
    report_text(report, "upstream_other_history_host", "%s", wait->host);
    report_u64(report, "upstream_other_history_port", wait->port);
    report_text(report, "upstream_other_history_replid", "%s", wait->replid);
    report_i64(report, "upstream_other_history_seconds_left",
               wait->left_ms < 0 ? -1 : (wait->left_ms + 999) / 1000);
}

/* Our link, and those above it: a line for each, which the relays below read (upstream/hop.h). */
static void report_hops(struct report *report, const struct link *link)
{
    struct hops hops;
    link_hops(link, &hops);
    report_u64(report, "upstream_hops", hops.count);
    for (size_t i = 0; i < hops.count; i++) {
        char name[48];
        struct text line;
        text_init(&line, HOP_LINE_MAX);
        hop_format(&hops.at[i], &line);
        snprintf(name, sizeof(name), "upstream_hop%zu", i);
        report_text(report, name, "%s", text_string(&line));
        text_fini(&line);
    }
    report_i64(report, "upstream_root_silence_seconds", hops_silence_ms(&hops) / 1000);
}

/* Whom `ack = all` waits for: those that are known, of which some may be away, and after a start those of
 * whom nothing is known. */
static void report_known(struct report *report, const struct commands *commands)
{
    struct known_counts known;
    known_count(downstream_known(commands->downstream), &known);
    report_u64(report, "replicas_known", known.attached + known.away);
    report_u64(report, "replicas_away", known.away);
    report_i64(report, "replicas_unsure_seconds", (known.unsure_ms + 999) / 1000);
}

/* Of replicas that run behind: how far that is now, apart from any lag. */
static void report_delayed(struct report *report, const struct info_moment *moment)
{
    struct delayed_status delayed;
    uint64_t published = moment->store.published;
    downstream_delayed(moment->commands->downstream, &delayed);
    report_i64(report, "delayed_seconds", delayed.is_on ? delayed.delay_ms / 1000 : 0);
    report_u64(report, "delayed_replicas", delayed.replicas);
    report_u64(report, "delayed_paused", delayed.holds);
    report_i64(report, "delayed_offset", delayed.has_due ? (int64_t)delayed.due : -1);
    report_u64(report, "delayed_bytes",
               delayed.is_on && published > delayed.due ? published - delayed.due : 0);
}

/* How many times as long it was before. */
static double compression_ratio(uint64_t compressed, uint64_t uncompressed)
{
    return compressed > 0 ? (double)uncompressed / (double)compressed : 1;
}

/* What came compressed from the primary, and what went so to replicas. */
static void report_compression(struct report *report, const struct info_moment *moment)
{
    const struct link_status *upstream = &moment->link;
    const struct downstream_counts *counts = &moment->counts;
    report_text(report, "upstream_carrier", "%s", upstream->carrier);
    report_text(report, "upstream_compression", "%s", codec_name(upstream->compression));
    report_u64(report, "upstream_compressed_bytes", upstream->compressed_bytes);
    report_u64(report, "upstream_uncompressed_bytes", upstream->uncompressed_bytes);
    report_text(report, "upstream_compression_ratio", "%.2f",
                compression_ratio(upstream->compressed_bytes, upstream->uncompressed_bytes));
    report_u64(report, "upstream_compression_errors", upstream->compression_errors);
    report_u64(report, "replicas_compressed_bytes", counts->compressed_bytes);
    report_u64(report, "replicas_uncompressed_bytes", counts->uncompressed_bytes);
    report_text(report, "replicas_compression_ratio", "%.2f",
                compression_ratio(counts->compressed_bytes, counts->uncompressed_bytes));
}

/* What an operator of a relay wants to know and no server has a field for. */
void info_relay(const struct info_moment *moment, struct report *report)
{
    const struct link_status *upstream = &moment->link;
    struct text rule;
    char version[SERVER_VERSION_MAX];
    text_init(&rule, 64);
    ack_rule_format(link_ack(moment->commands->link), &rule);
    report_section(report, "Relay");
    report_text(report, "upstream_state", "%s", upstream->state_name);
    report_u64(report, "upstream_attempts", upstream->attempts);
    report_u64(report, "upstream_full_syncs", upstream->full_syncs);
    report_u64(report, "upstream_partial_syncs", upstream->partial_syncs);
    report_u64(report, "upstream_rdb_channel", upstream->has_rdb_channel);
    report_u64(report, "upstream_rdb_channel_syncs", upstream->rdb_channel_syncs);
    report_u64(report, "upstream_rdb_channel_refusals", upstream->rdb_channel_refusals);
    report_u64(report, "upstream_refreshes", upstream->refreshes);
    report_u64(report, "upstream_refresh_failures", upstream->refresh_failures);
    report_refreshes(report, moment);
    progress_view_report(&upstream->sync_progress, "upstream_sync_progress", report);
    progress_view_report(&upstream->refresh_progress, "upstream_refresh_progress", report);
    report_text(report, "upstream_announced_version", "%s",
                server_version_format(upstream->announced_version, version));
    report_u64(report, "upstream_received_bytes", upstream->received_bytes);
    report_compression(report, moment);
    report_text(report, "ack", "%s", text_string(&rule));
    report_u64(report, "upstream_acknowledged_offset", upstream->acknowledged);
    report_text(report, "upstream_last_error", "%s", upstream->last_error);
    report_wait(report, &upstream->wait);
    report_i64(report, "upstream_stream_silence_seconds",
               info_moment_seconds_since(moment, upstream->stream_heard_ms != 0
                                                     ? upstream->stream_heard_ms
                                                     : moment->commands->started_ms));
    report_i64(report, "upstream_ping_period_seconds", (upstream->ping_period_ms + 500) / 1000);
    report_hops(report, moment->commands->link);
    report_u64(report, "serving_old_history", upstream->old_history_since_ms != 0);
    if (upstream->old_history_since_ms != 0)
        report_i64(report, "serving_old_history_since_seconds",
                   info_moment_seconds_since(moment, upstream->old_history_since_ms));
    report_u64(report, "replicas_waiting", moment->counts.replicas_waiting);
    report_u64(report, "full_syncs_in_progress", moment->counts.full_syncs);
    report_u64(report, "full_syncs_held", moment->counts.full_syncs_held);
    text_append(report->out, text_bytes(&moment->full_sync_lines));
    report_delayed(report, moment);
    report_known(report, moment->commands);
    text_fini(&rule);
}

/* Who makes the window larger than repl-backlog-size: a line for each of those that hold most of it. */
static void report_holders(const struct info_moment *moment, struct report *report)
{
    const struct holders *holders = &moment->holders;
    report_u64(report, "window_holders", holders->count);
    report_u64(report, "window_holders_loading", holders->loading);
    for (size_t i = 0; i < holders->listed; i++) {
        const struct holder *one = &holders->most[i];
        char name[40];
        char address[INFO_ADDRESS_MAX];
        snprintf(name, sizeof(name), "window_holder%zu", i);
        report_text(report, name,
                    "id=%" PRIu64 ",ip=%s,port=%u,state=%s,offset=%" PRIu64 ",bytes=%" PRIu64,
                    one->id, info_plain_address(one->address, address), (unsigned)one->port,
                    one->is_loading ? "send_bulk" : "online", one->offset, one->bytes);
    }
}

void info_store(const struct info_moment *moment, struct report *report)
{
    store_report(moment->commands->store, report);
    report_holders(moment, report);
}
