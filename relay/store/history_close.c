/* SPDX-License-Identifier: MIT
 *
 * The end of a history: closed, with a mark of what is proven; or removed.
 */
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "history_state_private.h"
#include "relay/base/log.h"
#include "relay/store/history.h"
#include "relay/store/snapshot.h"
#include "segment.h"

/* All that is proven, if it is on the disk for good: see clean_mark.h. */
static bool fill_mark(const struct history *history, struct clean_mark *mark, size_t unproven,
                      bool has_newest, uint64_t newest)
{
    char name[SNAPSHOT_NAME_MAX];
    bool good = true;
    for (size_t i = unproven; i < history->identity.segment_count && good; i++) {
        uint64_t first = history->identity.segments[i].first;
        segment_name(first, name);
        good = clean_mark_add(mark, CLEAN_SEGMENT, first, history->backlog_dir, name);
    }
    segment_name(newest, name);
    if (has_newest)
        good = good && clean_mark_add(mark, CLEAN_SEGMENT, newest, history->backlog_dir, name);
    if (history_is_snapshot_durable(history)) {
        uint64_t offset = snapshot_offset(history->snapshot_set.complete);
        snapshot_name(offset, name);
        good = good && clean_mark_add(mark, CLEAN_SNAPSHOT, offset, history->snapshot_dir, name);
    }
    return good;
}

/* Closes the backlog, since that cuts the newest segment to its length. */
static void leave_mark(struct history *history)
{
    const struct backlog *backlog = history->backlog;
    const struct segment *last = backlog_newest(backlog);
    uint64_t newest = last->first;
    bool is_durable = history_durable(history) == backlog_end(backlog);
    bool has_newest = last->points[0].offset == newest && last->written > newest;
    /* What begins with a part that is not proven is read the next time. */
    size_t unproven = 0;
    while (unproven < history->identity.segment_count &&
           history->identity.segments[unproven].first < backlog_first(backlog))
        unproven++;
    struct clean_mark mark = {.count = 0};
    struct text why;
    text_init(&why, HISTORY_WHY_MAX);
    backlog_free(&history->backlog);
    if (is_durable && fill_mark(history, &mark, unproven, has_newest, newest) &&
        !clean_mark_write(&mark, history->directory, &why))
        log_warnx("store: history-%" PRIu64 ": the next start reads all that is held: %s",
                  history->number, text_string(&why));
    clean_mark_fini(&mark);
    text_fini(&why);
}

/* Nothing is served any more: what is on its way to the disk is waited for. */
static void await_saved(struct history *history)
{
    do {
        file_thread_drain(history->dependencies.files);
        history_take_saved(history);
    } while (history->saving.job.is_under_way);
}

void history_close(struct history **history)
{
    struct history *it = *history;
    if (it == NULL)
        return;
    history_end_proof(it);
    history_fail_snapshot(it);
    await_saved(it);
    if (it->change == CHANGE_CUT) /* it waits for room */
        history_lose_cut(it);
    (void)history_publish(it);
    uint64_t before;
    uint64_t snapshot_before;
    do {
        syncer_drain(it->dependencies.syncer); /* a busy one takes nothing more */
        before = it->submitted;
        snapshot_before = it->snapshot_asked;
        history_sync(it);
    } while (it->submitted != before || it->snapshot_asked != snapshot_before);
    await_saved(it);
    history_settle_snapshots(it);
    history_note_time(it);
    leave_mark(it);
    history_free(history);
}

/* Behind the syncer: what it still does for this history points here. */
static void remove_in_turn(struct reclaim_job *job)
{
    struct history *it = (void *)((uint8_t *)job - offsetof(struct history, job));
    int data_dir = reclaimer_directory(it->dependencies.reclaimer);
    uint64_t number = it->number;
    history_free(&it);
    history_erase(data_dir, number);
}

/* No start finds it from now on; what takes longer is the reclaimer's. */
static void forget_in_turn(struct thread_job *job)
{
    struct history *it = (void *)((uint8_t *)job - offsetof(struct history, forget_job));
    struct reclaimer *reclaimer = it->dependencies.reclaimer;
    history_forget(it->directory);
    it->job.work = remove_in_turn;
    reclaimer_take(reclaimer, &it->job);
    reclaimer_announced_done(reclaimer, 0);
}

void history_remove(struct history **history)
{
    struct history *it = *history;
    *history = NULL;
    if (it == NULL)
        return;
    history_end_proof(it);
    history_fail_snapshot(it);
    it->forget_job.work = forget_in_turn;
    reclaimer_announce(it->dependencies.reclaimer, 0);
    file_thread_submit(it->dependencies.files, &it->forget_job);
}
