/* SPDX-License-Identifier: MIT
 *
 * Where a history is cut off, and where it goes on under another id. Thread 0 does both in memory, and goes on when
 * the disk has them:
 *
 *     cut    1  readers stop at the cut; jobs of the syncer of before claim nothing; snapshots beyond it go out of use
 *            2  the identity of the rest is written (history_identity.c): a kill finds the history as it was, or cut
 *            3  the files of what is beyond it go; bytes may come under the same id
 *            4  the syncer makes it durable (syncer_cut): bytes may come under another id
 *
 *     id     1  the newest segment ends; snapshots beyond the end go out of use
 *            2  the identity with the new id is written: a kill finds the old id and no byte of the new one, or both
 *            3  replicas learn it, and bytes may come
 *
 * In between no byte comes, and neither of the two begins once more: the link waits with it (history_is_settling).
 * A cut that the disk has no room for gives up the oldest of what stays, and when nothing is left to give up it waits
 * for room, however long that takes (history_awaits_room): the history is served meanwhile, and goes on afterwards. A
 * disk that fails is the end of the history: on the disk it is what it was, in memory it is cut, and no byte may come to
 * either. It is served until another one takes its place. The same holds for a cut that still waits when the relay
 * ends: no file is touched, and the next start finds the history as it was.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <unistd.h>

#include "history_state_private.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/store/history.h"

enum {
    CUT_PAUSE_MS = 20,      /* while files are being freed */
    CUT_ROOM_PAUSE_MS = 250 /* while somebody else has to make room */
};

bool history_is_settling(const struct history *history)
{
    return history->change != CHANGE_NONE;
}

bool history_awaits_room(const struct history *history)
{
    return history->change == CHANGE_CUT && history->awaits_room;
}

bool history_is_lost(const struct history *history)
{
    return history->is_lost;
}

enum history_cut history_cut(const struct history *history)
{
    if (history->change == CHANGE_CUT ||
        atomic_load_explicit(&history->claim.cuts, memory_order_acquire) < history->cuts)
        return HISTORY_CUT_PENDING;
    return history->is_lost ||
                   atomic_load_explicit(&history->claim.has_failed_cut, memory_order_relaxed)
               ? HISTORY_CUT_FAILED
               : HISTORY_CUT_DONE;
}

/* ------------------------------------------------------------------ cut */

bool history_rewind(struct history *history, uint64_t offset, struct text *why)
{
    CHECK(!history_is_settling(history));
    CHECK(!history->is_lost);
    history->cut_place = syncer_reserve();
    if (history->cut_place == NULL) {
        text_format(why, "out of memory");
        return false;
    }
    branches_begin(&history->branches, offset);
    uint64_t durable = syncer_cut_claim(history->dependencies.syncer, &history->claim, offset);
    bool good = backlog_begin_cut(history->backlog, offset, why);
    time_log_cut(history->times, offset);
    /* What was durable before the cut still is. What the syncer was at has claimed nothing: once more. */
    if (history->submitted > offset)
        history->submitted = offset;
    if (history->submitted > durable)
        history->submitted = durable;
    if (!good) {
        syncer_unreserve(history->cut_place);
        history->cut_place = NULL;
        return false;
    }
    history->cut_offset = offset;
    history->change = CHANGE_CUT;
    history_drop_beyond(history, offset);
    history_ask_saving(history);
    return true;
}

static void history_note_room(struct history *history)
{
    if (history->awaits_room)
        log_info("store: history-%" PRIu64 ": the disk has room: it ends at offset %" PRIu64 " now",
                 history->number, history->cut_offset);
    history->awaits_room = false;
}

static void finish_cut(struct history *history)
{
    const struct syncer_cut job = {history->directory, history->tail, history->cut_offset,
                                   history->dependencies.files, &history->claim};
    struct syncer_place *place = history->cut_place;
    history->cut_place = NULL;
    history->change = CHANGE_NONE;
    history_note_room(history);
    removals_submit(&history->beyond);
    backlog_end_cut(history->backlog);
    history->has_jobs = true;
    history->cuts++;
    syncer_submit_cut(history->dependencies.syncer, place, &job);
}

void history_lose_cut(struct history *history)
{
    syncer_unreserve(history->cut_place);
    history->cut_place = NULL;
    history->change = CHANGE_NONE;
    history->is_lost = true;
    removals_forget(&history->beyond);
    backlog_lose_cut(history->backlog);
}

/* Nothing is left to give up: told once, and for as long as it lasts by backlog_error. */
static void await_room(struct history *history)
{
    history->save_not_before_ms = clock_ms() + CUT_ROOM_PAUSE_MS;
    if (history->awaits_room)
        return;
    history->awaits_room = true;
    backlog_note_awaited_cut(history->backlog, history->save_error.text);
    log_warnx("store: history-%" PRIu64
              ": the disk has no room to write that it ends at offset %" PRIu64
              " now: it is served and goes on when there is room: %s",
              history->number, history->cut_offset, history->save_error.text);
}

/* The disk is full: the oldest of what stays goes, for the identity of the rest. */
static bool tries_again(struct history *history)
{
    if (history->save_error.kind != ERROR_FULL)
        return false;
    enum snapshot_space space =
        history->dependencies.make_space(history, history->dependencies.arg);
    history->save_not_before_ms = space == SNAPSHOT_SPACE_MADE ? 0 : clock_ms() + CUT_PAUSE_MS;
    if (space == SNAPSHOT_SPACE_NONE)
        await_room(history);
    return true;
}

static void fail_cut(struct history *history)
{
    log_error("store: history-%" PRIu64 ": cannot write that it ends at offset %" PRIu64
              " now, so it cannot go on: %s",
              history->number, history->cut_offset, history->save_error.text);
    history_lose_cut(history);
}

/* ------------------------------------------------------------------ another id */

void history_rename_identity(const struct history *history, struct identity *identity)
{
    identity_rename(identity, &history->next_replid, history->rename_end);
    if (identity->snapshot.offset > history->rename_end)
        identity->snapshot.exists = false;
}

/* False: out of memory, `why`. */
static bool begin_rename(struct history *history, const struct replid *replid, struct text *why)
{
    uint64_t end = backlog_end(history->backlog);
    CHECK(history_boundary(history) == end);
    CHECK(history_cut(history) == HISTORY_CUT_DONE);
    CHECK(!history_is_settling(history));
    bool good = backlog_begin_replid(history->backlog, why);
    history->next_replid = *replid;
    history->rename_end = end;
    if (good)
        history->change = CHANGE_RENAME;
    /* What the primary before this one had at the X of such a snapshot, nobody has got any more. */
    history_drop_beyond(history, end);
    branches_begin(&history->branches, end);
    if (good)
        history_ask_saving(history);
    else
        removals_submit(&history->beyond);
    return good;
}

enum disk_step history_rename(struct history *history, const struct replid *replid,
                              struct text *why)
{
    bool is_begun = replid_equal(replid, &history->next_replid) &&
                    (history->change == CHANGE_RENAME || history->rename_error.kind != ERROR_NONE);
    if (!is_begun && !replid_equal(replid, &history->identity.replid) &&
        !begin_rename(history, replid, why))
        return DISK_STEP_FAILED;
    history_take_saved(history);
    if (history->change == CHANGE_RENAME)
        return DISK_STEP_PENDING;
    if (replid_equal(replid, &history->identity.replid))
        return DISK_STEP_DONE;
    text_append_string(why, history->rename_error.text);
    history->rename_error.kind = ERROR_NONE; /* it is told: the next call begins anew */
    return DISK_STEP_FAILED;
}

static void finish_rename(struct history *history)
{
    history_rename_identity(history, &history->identity);
    /* If it cannot be submitted, it goes with the first bytes that come under the new id. */
    history->has_jobs = true;
    (void)!syncer_submit_names(history->dependencies.syncer, history->directory, &history->claim);
}

/* ------------------------------------------------------------------ written, or not */

void history_end_change(struct history *history, bool is_good)
{
    if (history->change == CHANGE_RENAME) {
        if (is_good)
            finish_rename(history);
        else
            history->rename_error = history->save_error;
        history->change = CHANGE_NONE;
        backlog_end_replid(history->backlog);
        removals_submit(&history->beyond); /* also when it has failed: they are of a lost branch */
    } else if (is_good) {
        finish_cut(history);
    } else if (!tries_again(history)) {
        fail_cut(history);
    }
    history->changed = true;
}
