/* SPDX-License-Identifier: MIT */
#include "relay/store/status.h"

#include <inttypes.h>

static const char *const uses[] = {
#define ROW(upper, lower) #lower,
    SNAPSHOT_USES(ROW)
#undef ROW
};

const char *snapshot_use_name(enum snapshot_use use)
{
    return uses[use];
}

static const char *proof_of(const struct snapshot_status *snapshot)
{
    if (!snapshot->is_complete)
        return "not_yet";
    return snapshot->is_verified ? "crc64" : "length_and_mark";
}

/* A line for each snapshot: "snapshot0:offset=4711,bytes=8400123,..." */
static void report_line(struct report *report, const struct snapshot_status *snapshot,
                        const char *name)
{
    report_text(report, name,
                "offset=%" PRIu64 ",bytes=%" PRIu64 ",age=%" PRIi64
                ",state=%s,proof=%s,durable=%s,usable=%s,reason=%s",
                snapshot->offset, snapshot->bytes, snapshot->age_ms / 1000,
                snapshot->is_complete ? "complete" : "arriving", proof_of(snapshot),
                snapshot->is_durable ? "yes" : "no",
                snapshot->use == SNAPSHOT_USE_NOW ? "yes" : "no", uses[snapshot->use]);
}

static void report_snapshots(struct report *report, const struct store_status *status)
{
    const struct snapshot_status *served = &status->snapshots[0];
    report_text(report, "snapshot_state", "%s", uses[status->served_use]);
    if (status->has_served) {
        report_u64(report, "snapshot_offset", served->offset);
        report_u64(report, "snapshot_bytes", served->bytes);
        report_text(report, "snapshot_proof", "%s", proof_of(served));
        report_i64(report, "snapshot_age_seconds", served->age_ms / 1000);
    }
    for (size_t i = 0; i < status->snapshot_count; i++) {
        char name[] = "snapshot0";
        name[sizeof(name) - 2] = (char)('0' + i);
        report_line(report, &status->snapshots[i], name);
    }
    report_u64(report, "snapshots", status->snapshot_count);
}

static void report_window(struct report *report, const struct store_status *status)
{
    report_u64(report, "window_first_offset", status->first);
    report_u64(report, "window_end_offset", status->published);
    report_u64(report, "window_bytes", status->published - status->first);
    report_u64(report, "window_boundary", status->boundary);
    report_u64(report, "proof_in_progress", status->is_proving);
    report_u64(report, "proof_total_bytes", status->proof_bytes);
    report_u64(report, "proof_left_bytes", status->proof_bytes_left);
    progress_view_report(&status->proof_progress, "proof_progress", report);
    report_u64(report, "window_unproven_first_offset", status->unproven_first);
    report_u64(report, "segments", status->segments);
    report_u64(report, "segment_disk_bytes", status->segment_disk_bytes);
    report_u64(report, "pinned_bytes", status->pinned_bytes);
    report_u64(report, "durable_offset", status->durable);
}

static const char *const part_states[] = {
    [STORE_PART_NONE] = "none",
    [STORE_PART_UNPROVEN] = "unproven",
    [STORE_PART_READY] = "ready",
};

static void report_parts(struct report *report, const struct parts_status *parts)
{
    report_text(report, "partial_rdb_state", "%s", part_states[parts->standing]);
    report_u64(report, "partial_rdb_bytes",
               parts->standing != STORE_PART_NONE ? parts->part.bytes : 0);
    report_u64(report, "rdbs_resumed", parts->resumed);
    report_u64(report, "rdbs_resumed_bytes", parts->resumed_bytes);
    report_u64(report, "kept_snapshots", parts->kept);
    report_u64(report, "kept_snapshot_bytes", parts->kept_bytes);
}

/* The moments that `psync-relay restore` can go back to. */
static void report_restore(struct report *report, const struct store_status *status)
{
    report_i64(report, "restore_oldest_time", status->restore_oldest_s);
    report_i64(report, "restore_newest_time", status->restore_newest_s);
}

void store_report(const struct store *store, struct report *report)
{
    struct store_status status;
    store_status(store, &status);
    report_section(report, "Store");
    report_text(report, "history", "%s",
                status.is_served ? "current"
                : status.exists  ? "arriving"
                                 : "none");
    if (status.exists) {
        report_u64(report, "history_number", status.number);
        report_window(report, &status);
        report_snapshots(report, &status);
        report_restore(report, &status);
    }
    if (status.has_next) {
        report_u64(report, "next_history_number", status.next_number);
        report_line(report, &status.next, "next_history_snapshot");
    }
    report_parts(report, &status.parts);
    if (status.has_disk)
        report_u64(report, "disk_free_bytes", status.disk_free_bytes);
    if (status.has_disk)
        report_u64(report, "disk_total_bytes", status.disk_bytes);
    report_u64(report, "disk_freeing_bytes", status.freeing_bytes);
    report_text(report, "fsync", "%s", status.fsync);
    report_u64(report, "fsync_in_progress", status.is_syncing);
    report_u64(report, "fsync_failures", status.fsync_failures);
    report_text(report, "store_last_error", "%s", status.error);
}
