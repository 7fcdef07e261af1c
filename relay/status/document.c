/* SPDX-License-Identifier: MIT */
#include "document.h"

#include <inttypes.h>

#include "findings.h"
#include "json.h"
#include "readiness.h"

/* --- parts --- */

static void write_relay(struct json *json, const struct picture *picture)
{
    char why[READINESS_WHY_MAX];
    bool is_ready = readiness_look(picture, picture->max_silence_ms, why);
    json_open_object(json, "relay");
    json_string(json, "version", RELAY_VERSION);
    json_seconds(json, "time", picture->wall_us / 1000);
    json_seconds(json, "started", picture->wall_us / 1000 - picture->uptime_ms);
    json_seconds(json, "uptime_seconds", picture->uptime_ms);
    json_u64(json, "port", picture->port);
    json_u64(json, "tls_port", picture->tls_port);
    json_bool(json, "ready", is_ready);
    json_string(json, "not_ready_because", why);
    json_close_object(json);
}

static void write_finding(const struct finding *finding, void *arg)
{
    struct json *json = arg;
    json_open_object(json, NULL);
    json_string(json, "name", finding->name);
    json_string(json, "severity", severity_name(finding->severity));
    json_string(json, "what", finding->what);
    json_string(json, "advice", finding->advice);
    json_close_object(json);
}

/* How far something is that takes long; null: it is not under way. */
static void write_progress(struct json *json, const char *name, const struct progress_view *view)
{
    if (!view->is_active) {
        json_null(json, name);
        return;
    }
    json_open_object(json, name);
    json_u64(json, "bytes", view->bytes);
    if (view->total != 0)
        json_u64(json, "total_bytes", view->total);
    else
        json_null(json, "total_bytes");
    json_bool(json, "estimated", view->is_estimate);
    json_thousandths(json, "percent", view->percent < 0 ? -1 : (int64_t)(view->percent * 1000));
    json_u64(json, "rate", view->rate);
    json_seconds(json, "seconds_left", view->left_ms);
    json_seconds(json, "seconds_taken", view->taken_ms);
    json_close_object(json);
}

static void write_sync(struct json *json, const struct link_status *link)
{
    if (!link->sync_in_progress) {
        json_null(json, "sync");
        return;
    }
    json_open_object(json, "sync");
    json_u64(json, "read_bytes", link->sync_read_bytes);
    json_u64(json, "total_bytes", link->sync_total_bytes);
    write_progress(json, "progress", &link->sync_progress);
    json_close_object(json);
}

static void write_refreshes(struct json *json, const struct picture *picture)
{
    const struct link_status *link = &picture->link;
    json_open_array(json, "last_refreshes");
    for (size_t i = 0; i < link->last_refresh_count; i++) {
        const struct link_refresh_report *one = &link->last_refreshes[i];
        json_open_object(json, NULL);
        json_seconds(json, "age_seconds", picture->now_ms - one->began_ms);
        json_string(json, "cause", one->cause);
        json_string(json, "outcome", one->outcome);
        json_u64(json, "offset", one->offset);
        json_string(json, "from", one->is_from_replica ? "replica" : "upstream");
        json_close_object(json);
    }
    json_close_array(json);
}

/* -1: it never happened. */
static int64_t document_age_ms(const struct picture *picture, int64_t then_ms)
{
    int64_t age = picture->now_ms - then_ms;
    if (then_ms == 0)
        return -1;
    return age > 0 ? age : 0;
}

static void write_other_history(struct json *json, const struct link_wait *wait)
{
    if (!wait->is_waiting) {
        json_null(json, "other_history");
        return;
    }
    json_open_object(json, "other_history");
    json_string(json, "host", wait->host);
    json_u64(json, "port", wait->port);
    json_string(json, "replid", wait->replid);
    json_seconds(json, "seconds_left", wait->left_ms);
    json_close_object(json);
}

static void document_write_hops(struct json *json, const struct hops *hops)
{
    json_open_array(json, "hops");
    for (size_t i = 0; i < hops->count; i++) {
        const struct hop *hop = &hops->at[i];
        json_open_object(json, NULL);
        json_string(json, "host", hop->to.host);
        json_u64(json, "port", hop->to.port);
        json_string(json, "link", hop_link_name(hop->link));
        json_seconds(json, "silence_seconds", hop->silence_ms);
        json_close_object(json);
    }
    json_close_array(json);
}

static void write_primary(struct json *json, const struct picture *picture)
{
    const struct link_status *link = &picture->link;
    bool is_valkey = link->valkey_version[0] != '\0';
    struct text ack;
    text_init(&ack, 64);
    ack_rule_format(picture->ack, &ack);
    json_open_object(json, "upstream");
    json_string(json, "host", link->host);
    json_u64(json, "port", link->port);
    json_u64(json, "candidates", link->candidates);
    json_string(json, "software", is_valkey ? "Valkey" : "Redis");
    json_string(json, "software_version", is_valkey ? link->valkey_version : link->server_version);
    json_string(json, "carrier", link->carrier != NULL ? link->carrier : "");
    json_bool(json, "up", link->is_up);
    json_string(json, "state", link->state_name);
    json_seconds(json, "up_seconds",
                 link->is_up ? document_age_ms(picture, link->up_since_ms) : -1);
    json_seconds(json, "down_seconds",
                 link->is_up ? -1 : document_age_ms(picture, link->down_since_ms));
    json_seconds(json, "old_history_seconds", picture->old_history_ms);
    /* As in INFO: what was tried meanwhile is no life of the link. */
    json_seconds(json, "last_io_seconds",
                 link->is_up ? document_age_ms(picture, link->last_io_ms) : -1);
    json_seconds(json, "silence_seconds", picture->silence_ms);
    json_seconds(json, "root_silence_seconds", picture->root_silence_ms);
    json_seconds(json, "ping_period_seconds", link->ping_period_ms);
    document_write_hops(json, &picture->hops);
    json_string(json, "last_error", link->last_error);
    write_other_history(json, &link->wait);
    write_sync(json, link);
    json_u64(json, "received_bytes", link->received_bytes);
    json_string(json, "ack", text_string(&ack));
    json_u64(json, "acknowledged_offset", link->acknowledged);
    json_u64(json, "attempts", link->attempts);
    json_u64(json, "full_syncs", link->full_syncs);
    json_u64(json, "partial_syncs", link->partial_syncs);
    json_u64(json, "refreshes", link->refreshes);
    json_u64(json, "refresh_failures", link->refresh_failures);
    json_string(json, "refresh_error", link->refresh_error);
    write_refreshes(json, picture);
    write_progress(json, "refresh_progress", &link->refresh_progress);
    json_close_object(json);
    text_fini(&ack);
}

static void write_snapshot(struct json *json, const char *name,
                           const struct snapshot_status *snapshot)
{
    json_open_object(json, name);
    json_u64(json, "offset", snapshot->offset);
    json_u64(json, "bytes", snapshot->bytes);
    json_u64(json, "bytes_expected", snapshot->bytes_expected);
    json_string(json, "state", snapshot->is_complete ? "complete" : "arriving");
    json_seconds(json, "age_seconds", snapshot->is_complete ? snapshot->age_ms : -1);
    json_bool(json, "verified", snapshot->is_verified);
    json_bool(json, "durable", snapshot->is_durable);
    json_bool(json, "usable", snapshot->use == SNAPSHOT_USE_NOW);
    json_string(json, "reason", snapshot_use_name(snapshot->use));
    json_close_object(json);
}

/* Those that hold most of what is kept beyond repl-backlog-size. */
static void write_holders(struct json *json, const struct holders *holders)
{
    json_u64(json, "holders", holders->count);
    json_u64(json, "holders_loading", holders->loading);
    json_open_array(json, "held_by");
    for (size_t i = 0; i < holders->listed; i++) {
        const struct holder *one = &holders->most[i];
        json_open_object(json, NULL);
        json_u64(json, "id", one->id);
        json_string(json, "address", one->address);
        json_u64(json, "port", one->port);
        json_string(json, "state", one->is_loading ? "loading" : "online");
        json_u64(json, "offset", one->offset);
        json_u64(json, "bytes", one->bytes);
        json_close_object(json);
    }
    json_close_array(json);
}

static void write_store(struct json *json, const struct picture *picture)
{
    const struct store_status *store = &picture->store;
    json_open_object(json, "store");
    json_string(json, "history",
                store->is_served ? "current"
                : store->exists  ? "arriving"
                                 : "none");
    json_string(json, "replid", store->replid.hex);
    json_u64(json, "first_offset", store->first);
    json_u64(json, "end_offset", store->published);
    json_u64(json, "boundary_offset", store->boundary);
    json_u64(json, "durable_offset", store->durable);
    json_u64(json, "window_bytes", store->published - store->first);
    json_u64(json, "repl_backlog_size", store->window_bytes);
    json_u64(json, "repl_backlog_max_size", store->window_bytes_max);
    json_bool(json, "proof_in_progress", store->is_proving);
    json_u64(json, "proof_total_bytes", store->proof_bytes);
    json_u64(json, "proof_left_bytes", store->proof_bytes_left);
    write_progress(json, "proof_progress", &store->proof_progress);
    json_u64(json, "segments", store->segments);
    json_u64(json, "segment_disk_bytes", store->segment_disk_bytes);
    json_u64(json, "pinned_bytes", store->pinned_bytes);
    write_holders(json, &picture->holders);
    json_open_array(json, "snapshots");
    for (size_t i = 0; i < store->snapshot_count; i++)
        write_snapshot(json, NULL, &store->snapshots[i]);
    json_close_array(json);
    if (store->is_restorable) {
        json_open_object(json, "restore");
        json_i64(json, "oldest_time", store->restore_oldest_s);
        json_i64(json, "newest_time", store->restore_newest_s);
        json_close_object(json);
    } else {
        json_null(json, "restore");
    }
    if (store->has_next)
        write_snapshot(json, "next_history", &store->next);
    else
        json_null(json, "next_history");
    json_u64(json, "disk_free_bytes", store->disk_free_bytes);
    json_u64(json, "disk_freeing_bytes", store->freeing_bytes);
    json_u64(json, "disk_bytes", store->disk_bytes);
    json_u64(json, "fsync_failures", store->fsync_failures);
    json_string(json, "last_error", store->error);
    json_close_object(json);
}

static void write_archive(struct json *json, const struct archive_status *archive)
{
    json_open_object(json, "archive");
    json_string(json, "state", archive->activity_name);
    json_string(json, "system", archive->system.id);
    json_u64(json, "timeline", archive->timeline);
    json_u64(json, "offset", archive->archived);
    json_u64(json, "waiting_bytes", archive->waiting_bytes);
    json_i64(json, "waiting_seconds", archive->waiting_ms / 1000);
    json_u64(json, "files", archive->files);
    json_u64(json, "bytes", archive->bytes);
    json_i64(json, "last_time", archive->last_shipped_s);
    json_i64(json, "snapshot_time", archive->snapshot_s);
    json_i64(json, "command_seconds", archive->running_ms / 1000);
    json_u64(json, "failures", archive->failures);
    json_i64(json, "failing_seconds", archive->failing_ms / 1000);
    json_u64(json, "gaps", archive->gaps);
    json_u64(json, "gap_bytes", archive->gap_bytes);
    json_string(json, "last_error", archive->error);
    json_close_object(json);
}

static void write_row(struct json *json, const struct row *row)
{
    bool has_lag = row->state == ROW_ONLINE && row->acknowledges;
    json_open_object(json, NULL);
    json_u64(json, "id", row->id);
    json_string(json, "address", row->address);
    json_u64(json, "port", row->port);
    json_string(json, "version", row->version);
    json_string(json, "carrier", row->carrier != NULL ? row->carrier : "");
    json_string(json, "state", row_state_name(row->state));
    json_bool(json, "acknowledges", row->acknowledges);
    json_u64(json, "offset", row->offset);
    if (has_lag)
        json_u64(json, "lag_bytes", row->lag_bytes);
    else
        json_null(json, "lag_bytes");
    json_seconds(json, "lag_seconds", has_lag ? row->lag_ms : -1);
    json_seconds(json, "heard_seconds", has_lag ? row->heard_ms : -1);
    json_seconds(json, "connected_seconds", row->connected_ms);
    json_seconds(json, "delayed_seconds", row->delayed_ms);
    json_u64(json, "stream_missing_rate", row->stream_missing);
    json_bool(json, "held", row->is_held);
    json_bool(json, "runs_behind", row->runs_behind);
    json_u64(json, "delay_bytes", row->delay_bytes);
    json_string(json, "paused", hold_kind_name(row->hold));
    write_progress(json, "full_sync", &row->full_sync);
    json_u64(json, "sent_bytes", row->sent_bytes);
    json_close_object(json);
}

static void document_write_replicas(struct json *json, const struct picture *picture)
{
    json_open_object(json, "replicas");
    for (size_t i = 0; i < ROW_STATE_COUNT; i++)
        json_u64(json, row_state_name((enum row_state)i), picture->states[i]);
    json_u64(json, "lag_bytes_max", picture->lag_bytes_max);
    json_seconds(json, "lag_seconds_max", picture->latest.lag_ms);
    json_u64(json, "full_syncs", picture->counts.full_syncs);
    json_u64(json, "full_syncs_held", picture->counts.full_syncs_held);
    json_u64(json, "delayed", picture->delayed);
    json_u64(json, "cannot_load", picture->failing);
    json_u64(json, "not_listed", picture->rows_left_out);
    json_open_array(json, "list");
    for (size_t i = 0; i < picture->row_count; i++)
        write_row(json, &picture->rows[i]);
    json_close_array(json);
    json_close_object(json);
}

static void write_traffic(struct json *json, const struct picture *picture)
{
    const struct downstream_counts *counts = &picture->counts;
    json_open_object(json, "traffic");
    json_u64(json, "clients", counts->clients);
    json_u64(json, "maxclients", picture->clients_max);
    json_u64(json, "connections_received", counts->connections_received);
    json_u64(json, "connections_rejected", counts->connections_rejected);
    json_u64(json, "replicas_refused", counts->replicas_refused);
    json_u64(json, "commands", counts->commands);
    json_u64(json, "full_syncs", counts->sync_full);
    json_u64(json, "partial_syncs", counts->sync_partial_ok);
    json_u64(json, "partial_sync_refusals", counts->sync_partial_err);
    json_u64(json, "full_syncs_unacknowledged", counts->sync_full_unacknowledged);
    json_u64(json, "sent_bytes", counts->sent_bytes);
    json_u64(json, "replica_sent_bytes", counts->replica_sent_bytes);
    json_u64(json, "received_bytes", counts->received_bytes);
    json_open_object(json, "closed");
    for (size_t i = 0; i < CLOSE_REASON_COUNT; i++)
        json_u64(json, close_reason_name((enum close_reason)i), counts->closed[i]);
    json_close_object(json);
    json_close_object(json);
}

static void document_write_certificates(struct json *json, const struct picture *picture)
{
    json_open_array(json, "certificates");
    for (size_t i = 0; i < picture->certificates->count; i++) {
        const struct tls_certificate *one = &picture->certificates->at[i];
        json_open_object(json, NULL);
        json_string(json, "section", one->section);
        json_string(json, "setting", one->setting);
        json_string(json, "subject", one->subject);
        json_string(json, "serial", one->serial);
        json_u64(json, "count", one->count);
        json_i64(json, "expires", one->expires_s);
        json_i64(json, "expires_in_seconds", tls_certificate_left_s(one, picture->wall_us));
        json_close_object(json);
    }
    json_close_array(json);
}

/* --- the whole --- */

void document_write(const struct picture *picture, struct text *out)
{
    struct json json = {.out = out};
    json_open_object(&json, NULL);
    json_u64(&json, "version", DOCUMENT_VERSION);
    write_relay(&json, picture);
    json_open_array(&json, "findings");
    findings_each(picture, write_finding, &json);
    json_close_array(&json);
    write_primary(&json, picture);
    write_store(&json, picture);
    write_archive(&json, &picture->archive);
    document_write_replicas(&json, picture);
    write_traffic(&json, picture);
    document_write_certificates(&json, picture);
}

/* Bytes a second between a sample and the one before it; 0 for the first. */
static uint64_t rate(const struct sample *earlier, const struct sample *later, uint64_t before,
                     uint64_t after)
{
    int64_t ms = later->at_ms - earlier->at_ms;
    return ms > 0 && after > before ? (after - before) * 1000 / (uint64_t)ms : 0;
}

/* "[time,received,sent,lag_bytes,lag_seconds]" */
static void write_sample(const struct samples *samples, uint64_t number, int64_t now_ms,
                         int64_t wall_us, struct text *out)
{
    const struct sample *sample = samples_at(samples, number);
    const struct sample *earlier =
        number > samples_oldest(samples) ? samples_at(samples, number - 1) : sample;
    int64_t at_ms = wall_us / 1000 - (now_ms - sample->at_ms);
    text_format(
        out,
        "[%" PRId64 ".%03" PRId64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRId64 ".%03" PRId64 "]",
        at_ms / 1000, at_ms % 1000, rate(earlier, sample, earlier->received, sample->received),
        rate(earlier, sample, earlier->sent, sample->sent), sample->lag_bytes,
        sample->lag_ms / 1000, sample->lag_ms % 1000);
}

void document_write_samples(const struct samples *samples, uint64_t since, int64_t now_ms,
                            int64_t wall_us, struct text *out)
{
    uint64_t first = samples_oldest(samples);
    /* Beyond the newest: it was told by a relay that ran before this one. */
    if (since >= first && since <= samples->count)
        first = since + 1;
    text_format(out,
                ",\"samples\":{\"newest\":%" PRIu64 ",\"fields\":[\"time\",\"received_rate\","
                "\"sent_rate\",\"lag_bytes\",\"lag_seconds\"],\"list\":[",
                samples->count);
    for (uint64_t number = first; number <= samples->count; number++) {
        text_append_string(out, number > first ? "," : "");
        write_sample(samples, number, now_ms, wall_us, out);
    }
    text_append_string(out, "]}}\n");
}
