/* SPDX-License-Identifier: MIT */
#include "full_sync_progress.h"

#include <inttypes.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/downstream/peer_status.h"

enum { LINE_MAX = 256 };

void full_sync_progress_begin(struct replica_stats *stats, uint64_t length, bool is_estimate)
{
    progress_meter_begin(&stats->progress, clock_ms(), stats->rdb_begin);
    progress_meter_expect(&stats->progress, length, is_estimate);
}

/* Attached, and not online yet. */
static bool full_sync_is_under_way(const struct replica_stats *stats)
{
    int state = REPLICA_STATS_GET(stats, state);
    return stats->progress.began_ms != 0 && stats->worker != NULL &&
           (state == (int)REPLICA_WAITING || state == (int)REPLICA_LOADING);
}

static void full_sync_note_progress(struct progress_meter *progress,
                                    const struct replica_stats *stats)
{
    progress_meter_expect(progress, REPLICA_STATS_GET(stats, rdb_estimate), true);
    progress_meter_expect(progress, REPLICA_STATS_GET(stats, rdb_length), false);
    progress_meter_note(progress, clock_ms(), REPLICA_STATS_GET(stats, rdb_sent));
}

struct progress_view full_sync_progress_view(const struct replica_stats *stats)
{
    if (!full_sync_is_under_way(stats))
        return (struct progress_view){.is_active = false};
    struct progress_meter now = stats->progress;
    full_sync_note_progress(&now, stats);
    return progress_meter_view(&now, clock_ms());
}

static void log_one(const struct replica_stats *stats)
{
    struct progress_view view = full_sync_progress_view(stats);
    struct text line;
    text_init(&line, LINE_MAX);
    progress_view_format(&view, ' ', &line);
    log_info("downstream: replica id=%" PRIu64 " addr=%s full sync in progress %s", stats->id,
             stats->peer, text_string(&line));
    text_fini(&line);
}

static void log_all(const struct replica_stats_list *list)
{
    unsigned told = 0;
    unsigned others = 0;
    uint64_t rate = 0;
    const struct replica_stats *stats;
    TAILQ_FOREACH(stats, list, entry)
    {
        /* One that has just begun has nothing to tell. */
        if (!full_sync_is_under_way(stats) ||
            clock_ms() - stats->progress.began_ms < PROGRESS_LOG_MS)
            continue;
        if (told < FULL_SYNC_LINES_MAX) {
            told++;
            log_one(stats);
            continue;
        }
        others++;
        rate += full_sync_progress_view(stats).rate;
    }
    if (others > 0)
        log_info("downstream: full syncs in progress of %u more replicas rate=%" PRIu64, others,
                 rate);
}

void full_sync_progress_tick(struct replica_stats_list *list, int64_t *logged_ms)
{
    struct replica_stats *stats;
    TAILQ_FOREACH(stats, list, entry)
    {
        if (full_sync_is_under_way(stats))
            full_sync_note_progress(&stats->progress, stats);
    }
    int64_t now_ms = clock_ms();
    if (now_ms - *logged_ms < PROGRESS_LOG_MS)
        return;
    *logged_ms = now_ms;
    log_all(list);
}
