/* SPDX-License-Identifier: MIT
 *
 * What a history keeps for replicas that run behind: the stream that they have not been sent, and the snapshots that
 * they are given a full sync from, which are as old as what they are sent.
 *
 *     X of:   base          next     ...         served
 *     --------|------|------|--------|-----------|--------- end
 *                   due
 *
 * *base* is the newest snapshot at or before `due`: a full sync takes it now. *next* is the oldest behind that: it is
 * the base once `due` has come so far. Those between *next* and the one that is served are not kept for them: a later
 * one takes their place. So there are at most two RDBs more on the disk, and the stream from the X of the base on,
 * which is at most twice the delay, and the time between two snapshots.
 *
 * Where there is no base (the oldest snapshot is not old enough yet), the stream from the X of *next* on is kept.
 * What is kept is so as what readers stand in: within repl-backlog-max-size, and while the disk is not full.
 *
 * Thread: thread 0.
 */
#include "history_state_private.h"
#include "relay/store/history.h"
#include "relay/store/snapshot.h"
#include "relay/store/store_options.h"

void history_set_need(struct history *history, const struct history_need *need)
{
    history->need = *need;
    history->need.is_known = true;
}

/* The two of the drawing, among all that are there, proven or not. UINT64_MAX: there is none. */
struct aged_pair {
    uint64_t base;
    uint64_t next;
};

static void aged_pair_note(struct aged_pair *pair, uint64_t offset, uint64_t due, uint64_t first)
{
    if (offset < first)
        return;
    if (offset <= due && (pair->base == UINT64_MAX || offset > pair->base))
        pair->base = offset;
    if (offset > due && offset < pair->next)
        pair->next = offset;
}

static struct aged_pair find_pair(const struct history *history)
{
    struct aged_pair pair = {.base = UINT64_MAX, .next = UINT64_MAX};
    uint64_t first = backlog_unproven_first(history->backlog);
    uint64_t due = history->need.due;
    struct snapshot *snapshots[HISTORY_SNAPSHOTS_MAX];
    size_t count = history_snapshots(history, snapshots);
    for (size_t i = 0; i < count; i++) {
        if (snapshot_state(snapshots[i]) == SNAPSHOT_COMPLETE)
            aged_pair_note(&pair, snapshot_offset(snapshots[i]), due, first);
    }
    for (size_t i = 0; i < history->older.count; i++)
        aged_pair_note(&pair, history->older.snapshot[i].offset, due, first);
    return pair;
}

uint64_t history_needed_from(const struct history *history)
{
    if (!history->dependencies.options->keeps_aged)
        return UINT64_MAX;
    if (!history->need.is_known)
        return 0;
    struct aged_pair pair = find_pair(history);
    uint64_t oldest = pair.base != UINT64_MAX ? pair.base : pair.next;
    return oldest < history->need.from ? oldest : history->need.from;
}

void history_trim_older(struct history *history)
{
    const struct store_options *options = history->dependencies.options;
    struct older_keep keep = {.keep = (unsigned)options->snapshot_keep};
    if (options->keeps_aged && !history->need.is_known) {
        keep.keep = OLDER_SNAPSHOTS_MAX;
    } else if (options->keeps_aged) {
        struct aged_pair pair = find_pair(history);
        keep.spared_count = OLDER_SNAPSHOTS_SPARED;
        keep.spared[0] = pair.base;
        keep.spared[1] = pair.next;
    }
    older_snapshots_trim(&history->older, backlog_unproven_first(history->backlog), &keep);
}

static void take_newer(const struct history *history, struct snapshot *snapshot, uint64_t offset,
                       struct snapshot **newest)
{
    if (snapshot == NULL || snapshot_state(snapshot) != SNAPSHOT_COMPLETE ||
        snapshot_is_unreadable(snapshot) || snapshot_offset(snapshot) > offset ||
        history_snapshot_use(history, snapshot) != SNAPSHOT_USE_NOW)
        return;
    if (*newest == NULL || snapshot_offset(snapshot) > snapshot_offset(*newest))
        *newest = snapshot;
}

struct snapshot *history_aged_snapshot(const struct history *history, uint64_t offset)
{
    struct snapshot *newest = NULL;
    struct snapshot *snapshots[HISTORY_SNAPSHOTS_MAX];
    size_t count = history_snapshots(history, snapshots);
    for (size_t i = 0; i < count; i++)
        take_newer(history, snapshots[i], offset, &newest);
    for (size_t i = 0; i < history->older.count; i++)
        take_newer(history, history->older.snapshot[i].held, offset, &newest);
    return newest;
}
