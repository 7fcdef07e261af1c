/* SPDX-License-Identifier: MIT */
#include "sync_progress.h"

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/store/history.h"
#include "relay/store/snapshot.h"
#include "relay/store/store.h"

enum { LINE_MAX = 256 };

/* Which RDB came last, of whatever history: 0: none has. */
static uint64_t last_rdb_bytes(const struct store *store)
{
    const struct history *current = store_current(store);
    const struct snapshot *last = current != NULL ? history_snapshot(current) : NULL;
    return last != NULL ? snapshot_received(last) : 0;
}

static void sync_progress_begin(struct progress_meter *progress, struct snapshot *arriving,
                                const struct store *store, uint64_t dataset_bytes)
{
    uint64_t last = last_rdb_bytes(store);
    uint64_t length;
    progress_meter_begin(progress, clock_ms(), snapshot_received(arriving));
    if (!snapshot_length(arriving, &length))
        snapshot_set_estimate(arriving, last != 0 ? last : dataset_bytes);
}

static void sync_progress_note(struct progress_meter *progress, const struct snapshot *arriving)
{
    uint64_t length;
    if (snapshot_length(arriving, &length))
        progress_meter_expect(progress, length, false);
    else
        progress_meter_expect(progress, snapshot_estimate(arriving), true);
    progress_meter_note(progress, clock_ms(), snapshot_received(arriving));
}

void sync_progress_tick(struct progress_meter *progress, struct snapshot *arriving,
                        const struct store *store, uint64_t dataset_bytes, const char *what)
{
    if (arriving == NULL || snapshot_received(arriving) == 0) {
        progress_meter_end(progress);
        return;
    }
    if (snapshot_received(arriving) < progress->bytes)
        progress_meter_end(progress); /* that was of another one */
    if (progress->began_ms == 0)
        sync_progress_begin(progress, arriving, store, dataset_bytes);
    sync_progress_note(progress, arriving);
    if (!progress_meter_take_log_turn(progress, clock_ms()))
        return;
    struct progress_view view = progress_meter_view(progress, clock_ms());
    struct text line;
    text_init(&line, LINE_MAX);
    progress_view_format(&view, ' ', &line);
    log_info("upstream: %s in progress %s", what, text_string(&line));
    text_fini(&line);
}

struct progress_view sync_progress_view(const struct progress_meter *progress,
                                        const struct snapshot *arriving)
{
    struct progress_meter now = *progress;
    if (arriving != NULL)
        sync_progress_note(&now, arriving);
    return progress_meter_view(&now, clock_ms());
}
