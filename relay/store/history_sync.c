/* SPDX-License-Identifier: MIT
 *
 * What of a history is given to the syncer, and when.
 */
#include <stdatomic.h>

#include "history_state_private.h"
#include "relay/store/history.h"
#include "segment.h"

enum {
    SYNC_SEGMENTS_MAX = 256, /* at once: each takes a descriptor meanwhile */
};

struct sync_run {
    struct history *history;
    struct tail_mark mark; /* of the newest segment */
    unsigned count;
    uint64_t submitted; /* up to here */
    bool full;          /* the rest next time */
};

/* The RDB that the history begins with comes before the stream, since no offset is durable without it. Those
 * that take its place come behind the stream, which is waited for. */
static bool has_durable_snapshot(const struct history *history)
{
    return atomic_load_explicit(&history->claim.snapshot, memory_order_acquire) != 0;
}

/* Sealed segments are fsynced on the way; the newest one's job carries the mark. The identity and the
 * names go with each that was not submitted before. */
static void submit_segment(struct segment *segment, void *arg)
{
    struct sync_run *run = arg;
    struct history *history = run->history;
    bool newest = segment == backlog_newest(history->backlog);
    struct syncer_job job = {
        .segment = segment,
        .directory = newest && segment->first >= history->submitted ? history->directory : -1,
        .tail = newest ? history->tail : NULL,
        .mark = run->mark,
        .after_snapshot = history->snapshot_set.complete != NULL || history_search_goes_on(history),
        .held_from = backlog_first(history->backlog),
        .claim = &history->claim,
    };
    if (newest && job.after_snapshot && !has_durable_snapshot(history))
        history->has_unclaimed = true;
    run->full = run->full || run->count++ == SYNC_SEGMENTS_MAX ||
                !syncer_submit(history->dependencies.syncer, &job);
    if (!run->full)
        run->submitted = segment->written;
}

static void sync_stream(struct history *history)
{
    struct sync_run run = {.history = history, .mark = backlog_mark(history->backlog)};
    /* What was given to the syncer while the RDB was still being proven counts from now on, also if no more comes. */
    bool must_claim = history->has_unclaimed && has_durable_snapshot(history);
    if (run.mark.end == history->submitted && !must_claim)
        return;
    run.submitted = history->submitted;
    backlog_each_from(history->backlog, history->submitted, submit_segment, &run);
    history->submitted = run.submitted;
    if (must_claim && !run.full)
        history->has_unclaimed = false;
}

void history_sync(struct history *history)
{
    if (syncer_is_busy(history->dependencies.syncer))
        return;
    history->has_jobs = true;
    if (!has_durable_snapshot(history) && !history_sync_snapshot(history))
        return; /* memory or descriptors are out: the next time */
    sync_stream(history);
    (void)history_sync_snapshot(history);
}
