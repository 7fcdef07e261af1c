/* SPDX-License-Identifier: MIT */
#include "metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"
#include "findings.h"
#include "readiness.h"
#include "relay/base/check.h"

/* --- values that have no label: a table --- */

enum metric_type { GAUGE, COUNTER };

struct value {
    double number;
    bool is_known; /* else there is no sample */
};

typedef struct value value_fn(const struct picture *picture);

static struct value known(double number)
{
    return (struct value){number, true};
}

static struct value known_if(bool is_known, double number)
{
    return (struct value){number, is_known};
}

static struct value metrics_since(const struct picture *picture, int64_t then_ms)
{
    return known_if(then_ms > 0, (double)(picture->now_ms - then_ms) / 1000);
}

/* What full syncs are served from. */
static const struct snapshot_status *served(const struct picture *picture)
{
    return picture->store.has_served ? &picture->store.snapshots[0] : NULL;
}

#define VALUE(name, expression)                                                                    \
    static struct value name(const struct picture *picture)                                        \
    {                                                                                              \
        return expression;                                                                         \
    }

static struct value total_of(const struct progress_view *view)
{
    return known_if(view->total != 0, (double)view->total);
}

static struct value left_of(const struct progress_view *view)
{
    return known_if(view->is_active && view->left_ms >= 0, (double)view->left_ms / 1000);
}

VALUE(start_time, known((double)(picture->wall_us / 1000 - picture->uptime_ms) / 1000))
VALUE(cpu, known(picture->cpu_seconds))
VALUE(resident, known((double)picture->memory.resident))
static struct value ready(const struct picture *picture)
{
    char why[READINESS_WHY_MAX];
    return known(readiness_look(picture, picture->max_silence_ms, why));
}

VALUE(allocated, known((double)picture->memory.used))

VALUE(link_up, known(picture->link.is_up))
VALUE(link_silence, metrics_since(picture, picture->link.is_up ? picture->link.last_io_ms : 0))
VALUE(stream_silence, known((double)picture->silence_ms / 1000))
VALUE(root_silence, known((double)picture->root_silence_ms / 1000))
VALUE(hops_down, known((double)findings_hops_down(&picture->hops)))
VALUE(ping_period, known((double)picture->link.ping_period_ms / 1000))
VALUE(old_history, known(picture->old_history_ms > 0 ? (double)picture->old_history_ms / 1000 : 0))
VALUE(link_received, known((double)picture->link.received_bytes))
VALUE(link_compressed, known((double)picture->link.compressed_bytes))
VALUE(link_uncompressed, known((double)picture->link.uncompressed_bytes))
VALUE(link_compression_errors, known((double)picture->link.compression_errors))
VALUE(link_attempts, known((double)picture->link.attempts))
VALUE(link_full_syncs, known((double)picture->link.full_syncs))
VALUE(link_partial_syncs, known((double)picture->link.partial_syncs))
VALUE(link_acknowledged, known((double)picture->link.acknowledged))
VALUE(other_history, known(picture->link.wait.is_waiting))
VALUE(sync_in_progress, known(picture->link.sync_in_progress))
VALUE(sync_bytes,
      known_if(picture->link.sync_progress.is_active, (double)picture->link.sync_progress.bytes))
VALUE(sync_total, total_of(&picture->link.sync_progress))
VALUE(sync_left, left_of(&picture->link.sync_progress))
VALUE(refresh_bytes, known_if(picture->link.refresh_progress.is_active,
                              (double)picture->link.refresh_progress.bytes))
VALUE(refresh_total, total_of(&picture->link.refresh_progress))
VALUE(refresh_left, left_of(&picture->link.refresh_progress))
VALUE(refreshes, known((double)picture->link.refreshes))
VALUE(refresh_failures, known((double)picture->link.refresh_failures))

VALUE(window_first, known((double)picture->store.first))
VALUE(window_end, known((double)picture->store.published))
VALUE(window_held, known((double)(picture->store.published - picture->store.first)))
VALUE(window_size, known((double)picture->store.window_bytes))
VALUE(window_max, known((double)picture->store.window_bytes_max))
VALUE(proof_left_bytes, known((double)picture->store.proof_bytes_left))
VALUE(proof_left, left_of(&picture->store.proof_progress))
VALUE(undurable, known(picture->store.published > picture->store.durable
                           ? (double)(picture->store.published - picture->store.durable)
                           : 0))
VALUE(segments, known((double)picture->store.segments))
VALUE(segment_bytes, known((double)picture->store.segment_disk_bytes))
VALUE(pinned, known((double)picture->store.pinned_bytes))
VALUE(restore_oldest,
      known_if(picture->store.is_restorable, (double)picture->store.restore_oldest_s))
VALUE(restore_newest,
      known_if(picture->store.is_restorable, (double)picture->store.restore_newest_s))
VALUE(holders, known((double)picture->holders.count))
VALUE(disk_free, known_if(picture->store.has_disk, (double)picture->store.disk_free_bytes))
VALUE(disk_freeing, known((double)picture->store.freeing_bytes))
VALUE(disk_size, known_if(picture->store.has_disk, (double)picture->store.disk_bytes))
VALUE(fsync_failures, known((double)picture->store.fsync_failures))
VALUE(store_failing, known(picture->store.error[0] != '\0'))

static struct value archived(const struct picture *picture, double value)
{
    return known_if(picture->archive.activity != ARCHIVE_OFF, value);
}

VALUE(archive_offset, archived(picture, (double)picture->archive.archived))
VALUE(archive_waiting, archived(picture, (double)picture->archive.waiting_bytes))
VALUE(archive_waiting_time, archived(picture, (double)picture->archive.waiting_ms / 1000))
VALUE(archive_files, archived(picture, (double)picture->archive.files))
VALUE(archive_bytes, archived(picture, (double)picture->archive.bytes))
VALUE(archive_failures, archived(picture, (double)picture->archive.failures))
VALUE(archive_failing, archived(picture, (double)picture->archive.failing_ms / 1000))
VALUE(archive_running, archived(picture, (double)picture->archive.running_ms / 1000))
VALUE(archive_gaps, archived(picture, (double)picture->archive.gaps))
VALUE(archive_gap_bytes, archived(picture, (double)picture->archive.gap_bytes))
VALUE(archive_snapshot,
      known_if(picture->archive.has_snapshot, (double)picture->archive.snapshot_s))

VALUE(rdb_usable, known(served(picture) != NULL && served(picture)->use == SNAPSHOT_USE_NOW))
VALUE(rdb_bytes, known_if(served(picture) != NULL,
                          served(picture) != NULL ? (double)served(picture)->bytes : 0))
VALUE(rdb_age, known_if(served(picture) != NULL,
                        served(picture) != NULL ? (double)served(picture)->age_ms / 1000 : 0))
VALUE(rdb_offset, known_if(served(picture) != NULL,
                           served(picture) != NULL ? (double)served(picture)->offset : 0))

VALUE(lag_bytes_max, known((double)picture->lag_bytes_max))
VALUE(lag_seconds_max, known((double)picture->latest.lag_ms / 1000))
VALUE(silence_max, known((double)picture->silentest.heard_ms / 1000))
VALUE(stream_short, known((double)picture->stream_short))
VALUE(left_out, known((double)picture->rows_left_out))
VALUE(replicas_sent, known((double)picture->counts.replica_sent_bytes))
VALUE(replicas_compressed, known((double)picture->counts.compressed_bytes))
VALUE(replicas_uncompressed, known((double)picture->counts.uncompressed_bytes))
VALUE(full_syncs_now, known((double)picture->counts.full_syncs))
VALUE(full_syncs_held, known((double)picture->counts.full_syncs_held))
VALUE(full_syncs, known((double)picture->counts.sync_full))
VALUE(partial_syncs, known((double)picture->counts.sync_partial_ok))
VALUE(refusals, known((double)picture->counts.sync_partial_err))
VALUE(unacknowledged, known((double)picture->counts.sync_full_unacknowledged))
VALUE(failing, known((double)picture->failing))
VALUE(clients, known((double)picture->counts.clients))
VALUE(connections_max, known((double)picture->clients_max))
VALUE(connections, known((double)picture->counts.connections_received))
VALUE(rejected, known((double)picture->counts.connections_rejected))
VALUE(replicas_refused, known((double)picture->counts.replicas_refused))
VALUE(commands, known((double)picture->counts.commands))
VALUE(sent, known((double)picture->counts.sent_bytes))
VALUE(received, known((double)picture->counts.received_bytes))

static const struct metric {
    const char *name;
    enum metric_type type;
    const char *help;
    value_fn *value;
} metrics[] = {
    /* Those that every process has, under the names that every exporter gives them. */
    {"process_start_time_seconds", GAUGE, "Start time since the epoch.", start_time},
    {"process_cpu_seconds_total", COUNTER, "CPU time of all threads.", cpu},
    {"process_resident_memory_bytes", GAUGE,
     "Resident memory; pages of the mapped window are in it.", resident},

    {"psync_relay_ready", GAUGE, "Whether replicas can be served (as /readyz says).", ready},
    {"psync_relay_allocated_bytes", GAUGE, "Memory allocated, without mapped files.", allocated},

    {"psync_relay_link_up", GAUGE, "Whether the link to the primary is up.", link_up},
    {"psync_relay_link_silence_seconds", GAUGE,
     "Since the last byte from the primary, while the link is up.", link_silence},
    {"psync_relay_stream_silence_seconds", GAUGE,
     "Since the last byte of the stream, whether the link is up or not.", stream_silence},
    {"psync_relay_ping_period_seconds", GAUGE, "How often the primary is to be heard at least.",
     ping_period},
    {"psync_relay_root_silence_seconds", GAUGE,
     "The same, or longer: since the relay above that has heard nothing for the longest heard "
     "something.",
     root_silence},
    {"psync_relay_hops_down", GAUGE, "Links of relays above this one that are down.", hops_down},
    {"psync_relay_old_history_seconds", GAUGE,
     "For how long the primary has had another history than the one that is served; 0: it has not.",
     old_history},
    {"psync_relay_link_received_bytes_total", COUNTER, "Bytes received from the primary.",
     link_received},
    {"psync_relay_link_compressed_bytes_total", COUNTER,
     "Bytes of RDBs and streams that came compressed, as they came.", link_compressed},
    {"psync_relay_link_uncompressed_bytes_total", COUNTER, "The same, decompressed.",
     link_uncompressed},
    {"psync_relay_link_compression_errors_total", COUNTER,
     "Connections ended by what could not be decompressed.", link_compression_errors},
    {"psync_relay_link_attempts_total", COUNTER, "Connections to the primary tried.",
     link_attempts},
    {"psync_relay_link_full_syncs_total", COUNTER, "Full syncs of the relay with the primary.",
     link_full_syncs},
    {"psync_relay_link_partial_syncs_total", COUNTER,
     "Partial resyncs of the relay with the primary.", link_partial_syncs},
    {"psync_relay_link_acknowledged_offset_bytes", GAUGE,
     "Offset that was acknowledged to the primary.", link_acknowledged},
    {"psync_relay_link_sync_in_progress", GAUGE, "Whether a full sync with the primary runs.",
     sync_in_progress},
    {"psync_relay_link_sync_bytes", GAUGE, "Bytes of its RDB that have come.", sync_bytes},
    {"psync_relay_link_sync_expected_bytes", GAUGE,
     "Length of that RDB, or an estimate where the primary does not tell it.", sync_total},
    {"psync_relay_link_sync_left_seconds", GAUGE,
     "Until it is here, at the rate of the last seconds.", sync_left},
    {"psync_relay_link_other_history", GAUGE,
     "Whether a server has another history, which is not taken, or not yet.", other_history},
    {"psync_relay_snapshot_refreshes_total", COUNTER,
     "RDBs fetched from the primary on a second connection.", refreshes},
    {"psync_relay_snapshot_refresh_failures_total", COUNTER, "Those that came to nothing.",
     refresh_failures},

    {"psync_relay_snapshot_refresh_bytes", GAUGE, "Bytes that have come of one that is fetched.",
     refresh_bytes},
    {"psync_relay_snapshot_refresh_expected_bytes", GAUGE, "Its length, or an estimate.",
     refresh_total},
    {"psync_relay_snapshot_refresh_left_seconds", GAUGE,
     "Until it is here, at the rate of the last seconds.", refresh_left},

    {"psync_relay_window_first_offset_bytes", GAUGE, "First offset of the window.", window_first},
    {"psync_relay_window_end_offset_bytes", GAUGE,
     "End of the window: the offset that replicas can have.", window_end},
    {"psync_relay_window_bytes", GAUGE, "Length of the window.", window_held},
    {"psync_relay_window_limit_bytes", GAUGE, "What is kept anyway (repl-backlog-size).",
     window_size},
    {"psync_relay_window_max_bytes", GAUGE,
     "What is kept for replicas that are behind (repl-backlog-max-size).", window_max},
    {"psync_relay_store_proof_left_bytes", GAUGE,
     "Found at the start, and still to be verified in the background.", proof_left_bytes},
    {"psync_relay_store_proof_left_seconds", GAUGE,
     "Until that is verified, at the rate of the last seconds.", proof_left},
    {"psync_relay_store_not_durable_bytes", GAUGE, "End of the window that is not fsynced yet.",
     undurable},
    {"psync_relay_store_segments", GAUGE, "Files of the window.", segments},
    {"psync_relay_store_segments_bytes", GAUGE, "What they take on the disk.", segment_bytes},
    {"psync_relay_store_pinned_bytes", GAUGE,
     "The part kept beyond repl-backlog-size, for replicas that are behind or take an RDB.",
     pinned},
    {"psync_relay_store_window_holders", GAUGE, "Replicas for which it is kept.", holders},
    {"psync_relay_store_restore_oldest_timestamp_seconds", GAUGE,
     "The oldest moment that can be restored.", restore_oldest},
    {"psync_relay_store_restore_newest_timestamp_seconds", GAUGE,
     "The newest moment that can be restored.", restore_newest},
    {"psync_relay_store_disk_free_bytes", GAUGE, "Free on the disk of data-dir.", disk_free},
    {"psync_relay_store_disk_freeing_bytes", GAUGE, "Of removed files that are not freed yet.",
     disk_freeing},
    {"psync_relay_store_disk_size_bytes", GAUGE, "Size of that disk.", disk_size},
    {"psync_relay_store_fsync_failures_total", COUNTER, "Calls of fsync that failed.",
     fsync_failures},
    {"psync_relay_store_failing", GAUGE, "Whether the disk refuses what the store writes.",
     store_failing},

    {"psync_relay_archive_offset_bytes", GAUGE, "All before this offset is in the archive.",
     archive_offset},
    {"psync_relay_archive_waiting_bytes", GAUGE, "Received, and not in the archive yet.",
     archive_waiting},
    {"psync_relay_archive_waiting_seconds", GAUGE, "Since the first of these bytes came.",
     archive_waiting_time},
    {"psync_relay_archive_files_total", COUNTER, "Files shipped, without their manifests.",
     archive_files},
    {"psync_relay_archive_bytes_total", COUNTER, "Length of these files.", archive_bytes},
    {"psync_relay_archive_failures_total", COUNTER, "Attempts to ship a file that failed.",
     archive_failures},
    {"psync_relay_archive_failing_seconds", GAUGE, "For how long every attempt has failed.",
     archive_failing},
    {"psync_relay_archive_command_seconds", GAUGE, "For how long the command has been running.",
     archive_running},
    {"psync_relay_archive_gaps_total", COUNTER,
     "Times that the backlog gave up bytes before they were archived.", archive_gaps},
    {"psync_relay_archive_gap_bytes_total", COUNTER, "Bytes that are missing in the archive.",
     archive_gap_bytes},
    {"psync_relay_archive_snapshot_timestamp_seconds", GAUGE,
     "When the last RDB was put into the archive.", archive_snapshot},

    {"psync_relay_snapshot_usable", GAUGE, "Whether a full sync can be served from the RDB.",
     rdb_usable},
    {"psync_relay_snapshot_bytes", GAUGE, "Length of the RDB.", rdb_bytes},
    {"psync_relay_snapshot_age_seconds", GAUGE, "Since the RDB was complete.", rdb_age},
    {"psync_relay_snapshot_offset_bytes", GAUGE, "Offset at which the RDB was taken.", rdb_offset},

    {"psync_relay_replicas_lag_max_bytes", GAUGE, "Bytes that the replica most behind lacks.",
     lag_bytes_max},
    {"psync_relay_replicas_lag_max_seconds", GAUGE,
     "For how long the replica most behind has lacked them.", lag_seconds_max},
    {"psync_relay_replicas_silence_max_seconds", GAUGE,
     "Since the replica that is silent longest was heard.", silence_max},
    {"psync_relay_replicas_link_too_small", GAUGE,
     "Replicas for whose link the stream is too much (repl-stream-rate-warning).", stream_short},
    {"psync_relay_replicas_not_listed", GAUGE, "Replicas that have no series of their own below.",
     left_out},
    {"psync_relay_replicas_sent_bytes_total", COUNTER, "Bytes sent to replicas.", replicas_sent},
    {"psync_relay_replicas_compressed_bytes_total", COUNTER,
     "Bytes sent to replicas that were compressed, as they were sent.", replicas_compressed},
    {"psync_relay_replicas_uncompressed_bytes_total", COUNTER, "The same, before.",
     replicas_uncompressed},
    {"psync_relay_replicas_full_syncs_total", COUNTER, "Full syncs served.", full_syncs},
    {"psync_relay_replicas_full_syncs_in_progress", GAUGE, "Full syncs that are being served.",
     full_syncs_now},
    {"psync_relay_replicas_full_syncs_held", GAUGE,
     "Replicas whose full sync is held, since repl-max-full-syncs are being served.",
     full_syncs_held},
    {"psync_relay_replicas_partial_syncs_total", COUNTER, "Partial resyncs served.", partial_syncs},
    {"psync_relay_replicas_partial_sync_refusals_total", COUNTER,
     "Partial resyncs that were asked for and could not be served.", refusals},
    {"psync_relay_replicas_full_syncs_unacknowledged_total", COUNTER,
     "Full syncs whose replica left without acknowledging one.", unacknowledged},
    {"psync_relay_replicas_cannot_load", GAUGE,
     "Replicas that take full syncs and acknowledge none, or cannot read the RDB's version.",
     failing},
    {"psync_relay_clients", GAUGE, "Connections that are no replicas.", clients},
    {"psync_relay_connections_max", GAUGE, "Connections allowed, replicas included (maxclients).",
     connections_max},
    {"psync_relay_connections_received_total", COUNTER, "Connections accepted.", connections},
    {"psync_relay_connections_rejected_total", COUNTER, "Connections sent away at the door.",
     rejected},
    {"psync_relay_replicas_refused_total", COUNTER,
     "Connections that wanted to replicate without the password or the role.", replicas_refused},
    {"psync_relay_commands_total", COUNTER, "Commands of clients.", commands},
    {"psync_relay_sent_bytes_total", COUNTER, "Bytes sent to replicas and clients.", sent},
    {"psync_relay_received_bytes_total", COUNTER, "Bytes received from replicas and clients.",
     received},
};

static void metrics_write_head(struct text *out, const char *name, enum metric_type type,
                               const char *help)
{
    text_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
                type == COUNTER ? "counter" : "gauge");
}

/* Whole numbers to the last digit: an offset is one. */
static void metrics_write_number(struct text *out, double number)
{
    bool is_whole = number > -9007199254740992.0 && number < 9007199254740992.0 &&
                    number == (double)(int64_t)number;
    if (is_whole)
        text_format(out, " %" PRId64 "\n", (int64_t)number);
    else
        text_format(out, " %.3f\n", number);
}

static void metrics_write_plain(const struct picture *picture, struct text *out)
{
    for (size_t i = 0; i < LENGTH_OF(metrics); i++) {
        struct value value = metrics[i].value(picture);
        if (!value.is_known) /* a family without a sample is left out whole */
            continue;
        metrics_write_head(out, metrics[i].name, metrics[i].type, metrics[i].help);
        text_append_string(out, metrics[i].name);
        metrics_write_number(out, value.number);
    }
}

/* --- values with a label --- */

static void write_labelled(struct text *out, const char *name, const char *label, const char *value,
                           double number)
{
    text_format(out, "%s{%s=\"", name, label);
    escape_label(out, value);
    text_append_string(out, "\"}");
    metrics_write_number(out, number);
}

static void write_states(const struct picture *picture, struct text *out)
{
    static const char *const states[] = {
        [LINK_IDLE] = "idle",           [LINK_CONNECTING] = "connecting",
        [LINK_HANDSHAKE] = "handshake", [LINK_LOADING] = "loading",
        [LINK_REWINDING] = "rewinding", [LINK_STREAMING] = "streaming",
        [LINK_RETRYING] = "retrying",   [LINK_STOPPED] = "stopped",
    };
    metrics_write_head(out, "psync_relay_build_info", GAUGE, "The version, as a label.");
    write_labelled(out, "psync_relay_build_info", "version", RELAY_VERSION, 1);
    metrics_write_head(out, "psync_relay_link_state", GAUGE,
                       "1 for the state that the link is in.");
    for (size_t i = 0; i < LENGTH_OF(states); i++)
        write_labelled(out, "psync_relay_link_state", "state", states[i],
                       picture->link.state == (enum link_state)i);
    metrics_write_head(out, "psync_relay_replicas", GAUGE, "Replicas by their state.");
    for (size_t i = 0; i < ROW_STATE_COUNT; i++)
        write_labelled(out, "psync_relay_replicas", "state", row_state_name((enum row_state)i),
                       (double)picture->states[i]);
    metrics_write_head(out, "psync_relay_connections_closed_total", COUNTER,
                       "Connections of replicas and clients that have ended, by their reason.");
    for (size_t i = 0; i < CLOSE_REASON_COUNT; i++)
        write_labelled(out, "psync_relay_connections_closed_total", "reason",
                       close_reason_name((enum close_reason)i), (double)picture->counts.closed[i]);
}

/* --- certificates: by the setting that names them --- */

static void metrics_write_certificates(const struct picture *picture, struct text *out)
{
    static const char name[] = "psync_relay_tls_certificate_expires_in_seconds";
    metrics_write_head(
        out, name, GAUGE,
        "Until the certificate expires; negative: since. Of several in a file, the first.");
    for (size_t i = 0; i < picture->certificates->count; i++) {
        const struct tls_certificate *one = &picture->certificates->at[i];
        text_format(out, "%s{section=\"%s\",setting=\"%s\",subject=\"", name, one->section,
                    one->setting);
        escape_label(out, one->subject);
        text_append_string(out, "\"}");
        metrics_write_number(out, (double)tls_certificate_left_s(one, picture->wall_us));
    }
}

/* --- the links above us: by their place in the chain, 0 is our own --- */

static void write_hop(struct text *out, const char *name, size_t place, const struct hop *hop,
                      double number)
{
    text_format(out, "%s{hop=\"%zu\",to=\"", name, place);
    escape_label(out, hop->to.host);
    text_format(out, ":%u\"}", (unsigned)hop->to.port);
    metrics_write_number(out, number);
}

static void metrics_write_hops(const struct hops *hops, struct text *out)
{
    static const char up[] = "psync_relay_hop_up";
    static const char silence[] = "psync_relay_hop_silence_seconds";
    metrics_write_head(out, up, GAUGE,
                       "Whether the link is up: hop 0 is ours, 1 that of the relay above.");
    for (size_t i = 0; i < hops->count; i++)
        write_hop(out, up, i, &hops->at[i], hops->at[i].link == HOP_UP);
    metrics_write_head(out, silence, GAUGE,
                       "Since the last byte of the stream came over the link.");
    for (size_t i = 0; i < hops->count; i++)
        write_hop(out, silence, i, &hops->at[i], (double)hops->at[i].silence_ms / 1000);
}

/* --- replicas --- */

static double row_online(const struct row *row)
{
    return row->state == ROW_ONLINE;
}

static double row_offset(const struct row *row)
{
    return (double)row->offset;
}

static double row_lag_bytes(const struct row *row)
{
    return (double)row->lag_bytes;
}

static double row_lag_seconds(const struct row *row)
{
    return (double)row->lag_ms / 1000;
}

static double row_sent(const struct row *row)
{
    return (double)row->sent_bytes;
}

static double row_sync_bytes(const struct row *row)
{
    return (double)row->full_sync.bytes;
}

static double row_sync_total(const struct row *row)
{
    return (double)row->full_sync.total;
}

static double row_sync_left(const struct row *row)
{
    return (double)row->full_sync.left_ms / 1000;
}

/* Which rows have a series. */
static bool row_is_any(const struct row *row)
{
    (void)row;
    return true;
}

/* It tells what it has. */
static bool row_has_lag(const struct row *row)
{
    return row->state == ROW_ONLINE && row->acknowledges;
}

static bool row_has_sync(const struct row *row)
{
    return row->full_sync.is_active;
}

static bool row_has_sync_total(const struct row *row)
{
    return row->full_sync.total != 0;
}

static bool row_has_sync_left(const struct row *row)
{
    return row->full_sync.is_active && row->full_sync.left_ms >= 0;
}

static const struct {
    const char *name;
    enum metric_type type;
    const char *help;
    double (*value)(const struct row *row);
    bool (*is_of)(const struct row *row);
} replica_metrics[] = {
    {"psync_relay_replica_online", GAUGE, "Whether the replica follows the stream.", row_online,
     row_is_any},
    {"psync_relay_replica_offset_bytes", GAUGE, "Offset that the replica has acknowledged.",
     row_offset, row_has_lag},
    {"psync_relay_replica_lag_bytes", GAUGE, "Bytes of the stream that the replica lacks.",
     row_lag_bytes, row_has_lag},
    {"psync_relay_replica_lag_seconds", GAUGE, "For how long it has lacked the first of them.",
     row_lag_seconds, row_has_lag},
    {"psync_relay_replica_sent_bytes_total", COUNTER, "Bytes sent on its connection.", row_sent,
     row_is_any},
    {"psync_relay_replica_full_sync_bytes", GAUGE, "Bytes sent of the RDB of its full sync.",
     row_sync_bytes, row_has_sync},
    {"psync_relay_replica_full_sync_expected_bytes", GAUGE,
     "Length of that RDB, or an estimate where it is not known.", row_sync_total,
     row_has_sync_total},
    {"psync_relay_replica_full_sync_left_seconds", GAUGE,
     "Until it is sent, at the rate of the last seconds.", row_sync_left, row_has_sync_left},
};

/* By address and port, and of one that is there twice the younger connection first. */
static int compare(const void *left, const void *right)
{
    const struct row *a = left;
    const struct row *b = right;
    int by_address = strcmp(a->address, b->address);
    if (by_address != 0)
        return by_address;
    if (a->port != b->port)
        return a->port < b->port ? -1 : 1;
    return a->id > b->id ? -1 : a->id < b->id;
}

/* Replicas alone: what only refreshes an RDB has no port that it would be known by. */
static void settle_rows(struct picture *picture)
{
    size_t kept = 0;
    qsort(picture->rows, picture->row_count, sizeof(picture->rows[0]), compare);
    for (size_t i = 0; i < picture->row_count; i++) {
        const struct row *row = &picture->rows[i];
        const struct row *before = kept > 0 ? &picture->rows[kept - 1] : NULL;
        bool is_known = before != NULL && before->port == row->port &&
                        strcmp(before->address, row->address) == 0;
        if (row->port == 0 || is_known)
            continue;
        if (kept != i)
            picture->rows[kept] = *row;
        kept++;
    }
    picture->rows_left_out += picture->row_count - kept;
    picture->row_count = kept;
}

static void metrics_write_replicas(const struct picture *picture, struct text *out)
{
    for (size_t i = 0; i < LENGTH_OF(replica_metrics); i++) {
        const char *name = replica_metrics[i].name;
        bool has_head = false; /* a family without a sample is left out whole */
        for (size_t at = 0; at < picture->row_count; at++) {
            const struct row *row = &picture->rows[at];
            if (!replica_metrics[i].is_of(row))
                continue;
            if (!has_head)
                metrics_write_head(out, name, replica_metrics[i].type, replica_metrics[i].help);
            has_head = true;
            bool is_ipv6 = strchr(row->address, ':') != NULL;
            text_format(out, "%s{replica=\"%s", name, is_ipv6 ? "[" : "");
            escape_label(out, row->address);
            text_format(out, "%s:%u\"}", is_ipv6 ? "]" : "", (unsigned)row->port);
            metrics_write_number(out, replica_metrics[i].value(row));
        }
    }
}

void metrics_write(struct picture *picture, struct text *out)
{
    settle_rows(picture);
    metrics_write_plain(picture, out);
    write_states(picture, out);
    metrics_write_certificates(picture, out);
    metrics_write_hops(&picture->hops, out);
    metrics_write_replicas(picture, out);
}
