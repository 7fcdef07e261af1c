/* SPDX-License-Identifier: MIT
 *
 * How the store is: what it holds, what arrives, what the disk says. Thread 0.
 */
#include "backlog.h"
#include "history_private.h"
#include "reclaimer.h"
#include "relay/base/clock.h"
#include "relay/store/status.h"
#include "store_private.h"
#include "syncer.h"

enum { MICROSECONDS = 1000 * 1000 };

static void describe_snapshot(const struct history *history, const struct snapshot *snapshot,
                              struct snapshot_status *out)
{
    *out = (struct snapshot_status){
        .offset = snapshot_offset(snapshot),
        .bytes = snapshot_received(snapshot),
        .is_complete = snapshot_state(snapshot) == SNAPSHOT_COMPLETE,
        .use = history_snapshot_use(history, snapshot),
    };
    if (!snapshot_length(snapshot, &out->bytes_expected))
        out->bytes_expected = 0;
    if (!out->is_complete)
        return;
    out->is_verified = snapshot_is_verified(snapshot);
    out->age_ms = clock_ms() - snapshot_completed_ms(snapshot);
}

static void describe_snapshots(const struct history *history, struct store_status *out)
{
    const struct snapshot *served = history_served_snapshot(history);
    const struct snapshot *newest = history_snapshot(history);
    const struct snapshot *ahead = newest != served ? newest : NULL;
    const struct snapshot *const all[STORE_SNAPSHOTS_MAX] = {served, ahead,
                                                             history_arriving_snapshot(history)};
    out->served_use = served == NULL && history_is_proving_snapshot(history)
                          ? SNAPSHOT_USE_UNPROVEN
                          : history_snapshot_use(history, served);
    out->has_served = served != NULL;
    for (size_t i = 0; i < LENGTH_OF(all); i++) {
        if (all[i] == NULL)
            continue;
        struct snapshot_status *one = &out->snapshots[out->snapshot_count++];
        describe_snapshot(history, all[i], one);
        one->is_durable = all[i] == served && history_is_snapshot_durable(history);
    }
}

static void describe_history(struct history *history, struct store_status *out)
{
    const struct backlog *backlog = history_backlog(history);
    out->number = history_number(history);
    out->replid = history_identity(history)->replid;
    out->first = backlog_first(backlog);
    out->published = backlog_published(backlog);
    out->boundary = history_published_boundary(history);
    out->durable = history_durable(history);
    out->is_proving = history_is_proving(history);
    out->unproven_first = history_window_first(history);
    history_proof_status(history, &out->proof_bytes, &out->proof_bytes_left);
    out->proof_progress = history_proof_progress(history);
    out->segments = backlog_segment_count(backlog);
    out->segment_disk_bytes = backlog_disk_bytes(backlog);
    out->pinned_bytes = backlog_pinned_bytes(backlog);
    describe_snapshots(history, out);
    struct time_entry oldest;
    struct time_entry newest;
    out->is_restorable = history_restorable(history, &oldest, &newest);
    if (!out->is_restorable)
        return;
    out->restore_oldest_s = (oldest.wall_us + MICROSECONDS - 1) / MICROSECONDS;
    out->restore_newest_s = newest.wall_us / MICROSECONDS;
    if (out->restore_newest_s < out->restore_oldest_s) /* in one second */
        out->restore_newest_s = out->restore_oldest_s;
}

/* Of the history that will replace the current one: its RDB arrives, or is complete while the identity of the history
 * is written. */
static void describe_next(const struct history *next, struct store_status *out)
{
    const struct snapshot *arriving = history_arriving_snapshot(next);
    const struct snapshot *snapshot = arriving != NULL ? arriving : history_snapshot(next);
    out->next_number = history_number(next);
    if (snapshot != NULL)
        describe_snapshot(next, snapshot, &out->next);
}

/* The newest trouble that is not over. */
static const char *last_error(const struct store *store)
{
    const char *error = store->current != NULL ? history_error(store->current) : "";
    if (error[0] == '\0' && store->arriving != NULL)
        error = history_error(store->arriving);
    return error[0] != '\0' ? error : text_string(&store->error);
}

static const char *const fsyncs[] = {
    [STORE_FSYNC_NO] = "no",
    [STORE_FSYNC_EVERYSEC] = "everysec",
    [STORE_FSYNC_ALWAYS] = "always",
};

void store_status(const struct store *store, struct store_status *out)
{
    *out = (struct store_status){
        .is_served = store->current != NULL,
        .window_bytes = store->options.window_bytes,
        .window_bytes_max = store->options.window_bytes_max,
        .fsync = fsyncs[store->options.fsync],
        .is_syncing = syncer_is_busy(store->syncer),
        .fsync_failures = syncer_failures(store->syncer),
        .error = last_error(store),
        .replid = replid_none(),
    };
    store_parts_status(store, &out->parts);
    struct history *shown = store->current != NULL ? store->current : store->arriving;
    out->exists = shown != NULL;
    if (shown != NULL)
        describe_history(shown, out);
    out->has_next = store->current != NULL && store->arriving != NULL;
    if (out->has_next)
        describe_next(store->arriving, out);
    out->is_freeing = reclaimer_is_busy(store->reclaimer);
    out->freeing_bytes = reclaimer_bytes(store->reclaimer);
    out->has_disk = disk_space_read(&store->disk, &out->disk_free_bytes, &out->disk_bytes);
}
