/* SPDX-License-Identifier: MIT
 *
 * What a history needs before bytes can come, made by the file thread: the directories and the first segment of a new
 * one, and the file of each RDB that is to arrive.
 *
 *     1  thread 0 has it all in memory: the history, an empty segment, a snapshot
 *     2  the file thread makes directories, tail, segment, and `<X>.rdb.part`, in this order
 *     3  thread 0 learns of it. Until then what comes of the RDB is owed, so that its connection is paused
 *
 * A kill in between leaves a history without an identity, which the next start removes, or half an RDB, which it
 * removes as well. A full disk: room is made, and all that is not there yet is made again.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "history_state_private.h"
#include "relay/base/clock.h"
#include "relay/store/history.h"
#include "relay/store/snapshot.h"
#include "segment.h"

enum { MAKING_PAUSE_MS = 20 }; /* while files are being freed */

static struct history *history_of_making(struct file_job *job)
{
    return (void *)((uint8_t *)job - offsetof(struct history, making));
}

/* A reader finds the end of nothing: an empty segment at its first offset. */
static bool mark_beginning(struct tail *tail, uint64_t first, struct text *why)
{
    const struct tail_mark mark = {.segment_first = first, .end = first, .boundary = first};
    if (tail_set_live(tail, mark))
        return true;
    text_format(why, "tail: cannot write: %s", strerror(errno));
    return false;
}

/* On the file thread, which alone has the directories until history_note_made. */
static bool make_directories(struct history *history, struct error *error)
{
    struct segment *first = history->first_segment;
    if (first == NULL || first->file != -1)
        return true;
    struct text why;
    text_init(&why, HISTORY_WHY_MAX);
    bool good = history_open_directories(history, &why) &&
                mark_beginning(history->tail, first->first, &why) &&
                segment_make_file(first, history->backlog_dir, &why);
    if (!good)
        (void)files_error(error, errno, &why);
    text_fini(&why);
    return good;
}

static bool make_in_turn(struct file_job *job, struct error *error)
{
    struct history *history = history_of_making(job);
    struct snapshot *snapshot = history->made_snapshot;
    if (!make_directories(history, error))
        return false;
    return history->links_part ? snapshot_link_part(snapshot, history->snapshot_dir, error)
                               : snapshot_make_file(snapshot, history->snapshot_dir, error);
}

static void begin_making(struct history *history)
{
    history->wants_making = false;
    history->made_snapshot = history->snapshot_set.arriving;
    history->links_part = snapshot_has_part(history->made_snapshot);
    snapshot_retain(history->made_snapshot);
    history->making.work = make_in_turn;
    file_job_begin(&history->making, history->dependencies.files);
}

static void history_note_made(struct history *history)
{
    if (history->is_made)
        return;
    history_note_place(history);
    history->first_segment = NULL; /* it may go before the history does */
    backlog_set_place(history->backlog, history->backlog_dir, history->tail);
}

/* The file of the arriving RDB could not be made. */
static void refuse_making(struct history *history, const struct error *error)
{
    enum snapshot_space space = SNAPSHOT_SPACE_NONE;
    if (error->kind == ERROR_FULL)
        space = history->dependencies.make_space(history, history->dependencies.arg);
    if (space == SNAPSHOT_SPACE_NONE) {
        snapshot_refuse(history->snapshot_set.arriving, error);
        text_clear(&history->error);
        text_append_string(&history->error, error->text);
        return;
    }
    history->wants_making = true;
    history->making_not_before_ms = space == SNAPSHOT_SPACE_MADE ? 0 : clock_ms() + MAKING_PAUSE_MS;
}

/* One that was given up meanwhile needs nothing: its file is removed behind this job. */
static void take_making(struct history *history)
{
    struct snapshot *made = history->made_snapshot;
    /* What has been taken up meanwhile is made in another round (history_take_beginning). */
    bool is_wanted =
        made == history->snapshot_set.arriving && history->links_part == snapshot_has_part(made);
    history->made_snapshot = NULL;
    if (history->making.is_good) {
        history_note_made(history);
        if (is_wanted)
            snapshot_note_made(made);
    } else if (is_wanted) {
        refuse_making(history, &history->making.error);
    }
    snapshot_release(&made);
}

void history_take_made(struct history *history)
{
    for (;;) {
        if (file_job_take(&history->making))
            take_making(history);
        bool may_begin = history->wants_making && !history->making.is_under_way &&
                         clock_ms() >= history->making_not_before_ms;
        if (!may_begin)
            return;
        if (history->snapshot_set.arriving == NULL) {
            history->wants_making = false;
            return;
        }
        begin_making(history);
    }
}

void history_ask_making(struct history *history)
{
    history->wants_making = true;
    history->making_not_before_ms = 0;
    history_take_made(history);
}
