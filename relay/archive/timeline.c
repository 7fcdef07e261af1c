/* SPDX-License-Identifier: MIT
 *
 * Where the archive goes on. It goes on in its timeline as long as the bytes before `archived` are those of the
 * history that is there; else another timeline begins:
 *
 *     another history               without a parent, at the offset of its snapshot; what is left of the old one is
 *                                   shipped first
 *     a cut before `archived`       the timeline before is the parent, up to the cut
 *     the backlog has given it up   a gap: without a parent
 *
 * After a start the replication id and the offset say which of these it is, as they do for a replica (history_may_continue);
 * while it runs, the branches of the history do.
 */
#include <inttypes.h>

#include "archive_private.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/store/history.h"

/* ------------------------------------------------------------------ begun */

/* The offset of the newest snapshot that the stream has reached, so that a restore can begin with the timeline. */
static uint64_t first_of(const struct history *history)
{
    const struct snapshot *snapshot = history_snapshot(history);
    uint64_t first = history_first(history);
    if (snapshot == NULL)
        return first;
    uint64_t offset = snapshot_offset(snapshot);
    return offset >= first && offset <= history_published(history) ? offset : first;
}

/* `parent`: has the bytes before `begin`; 0: none has. */
static void begin_timeline(struct archive *archive, const struct history *history, uint64_t parent,
                           uint64_t begin, const char *cause)
{
    struct archive_state state = archive->note;
    state.timeline++;
    state.history = history_number(history);
    state.replid = history_identity(history)->replid;
    state.root = (struct timeline_root){.begin = begin, .parent = parent};
    state.archived = begin;
    state.has_snapshot =
        parent != 0 && archive->note.has_snapshot && archive->note.snapshot_offset <= begin;
    log_info("archive: timeline %" PRIu64 " begins at offset %" PRIu64 " parent=%" PRIu64
             " cause=%s",
             state.timeline, begin, parent, cause);
    cursor_detach(&archive->pin);
    *archive->shipment = (struct shipment){.file = -1, .note = state};
    archive_begin(archive, SHIPMENT_SAVE);
}

static void pin_at_archived(struct archive *archive, struct history *history)
{
    struct cursor before = archive->pin;
    archive->pin.segment = NULL;
    if (history_attach(history, &archive->pin, archive->note.archived)) {
        archive->history = history_number(history);
        archive->branch = history_branches(history)->current;
        archive->ids = *history_identity(history);
    }
    cursor_detach(&before);
}

static void begin_behind_gap(struct archive *archive, const struct history *history)
{
    uint64_t begin = first_of(history);
    uint64_t missing = begin > archive->note.archived ? begin - archive->note.archived : 0;
    archive->gaps++;
    archive->gap_bytes += missing;
    log_warnx("archive: offsets %" PRIu64 " to %" PRIu64
              " are missing: the backlog has given them up before they were archived",
              archive->note.archived, begin);
    begin_timeline(archive, history, 0, begin, "gap");
}

void archive_take_timeline(struct archive *archive, struct history *history)
{
    archive->note = archive->shipment->note;
    archive->has_lost_file = false;
    archive->since_ms = 0;
    archive->idle_since_ms = 0;
    time_index_fini(&archive->times);
    if (history != NULL && history_number(history) == archive->note.history)
        pin_at_archived(archive, history);
}

/* ------------------------------------------------------------------ after a start */

/* The history knows the id up to an offset that is before `archived`: what is beyond was cut off. */
static void follow_other_id(struct archive *archive, const struct history *history)
{
    const struct identity *identity = history_identity(history);
    for (size_t i = 0; i < identity->earlier_count; i++) {
        const struct identity_earlier *earlier = &identity->earlier[i];
        bool is_common = replid_equal(&earlier->replid, &archive->note.replid) &&
                         earlier->limit >= archive->note.root.begin &&
                         earlier->limit >= history_first(history);
        if (!is_common)
            continue;
        begin_timeline(archive, history, archive->note.timeline, earlier->limit, "failover");
        return;
    }
    begin_timeline(archive, history, 0, first_of(history), "history");
}

static void import_times(struct archive *archive, const struct history *history)
{
    const struct time_index *times = history_times(history);
    const struct time_entry *entries = time_index_oldest(times);
    time_index_fini(&archive->times);
    for (size_t i = 0; i < times->count; i++) {
        if (entries[i].offset > archive->note.archived)
            (void)!time_index_add(&archive->times, entries[i]);
    }
}

static void find_place(struct archive *archive, struct history *history)
{
    const struct archive_state *state = &archive->note;
    bool is_proving = history_is_proving(history) || history_is_proving_snapshot(history);
    bool is_other = state->timeline == 0 || state->history != history_number(history);
    if (is_other && is_proving)
        return;
    if (is_other) {
        begin_timeline(archive, history, 0, first_of(history),
                       state->timeline == 0 ? "start" : "history");
        return;
    }
    switch (history_may_continue(history, &state->replid, state->archived)) {
    case CONTINUITY_YES:
        if (archive->has_lost_file) {
            begin_timeline(archive, history, state->timeline, state->archived, "lost-file");
        } else {
            pin_at_archived(archive, history);
            import_times(archive, history);
        }
        break;
    case CONTINUITY_AHEAD:
    case CONTINUITY_UNPROVEN:
        break; /* they will come, or be verified */
    case CONTINUITY_GONE:
        if (!is_proving)
            begin_behind_gap(archive, history);
        break;
    case CONTINUITY_STRANGE:
        if (!is_proving)
            follow_other_id(archive, history);
        break;
    }
}

/* ------------------------------------------------------------------ while it runs */

void archive_move_pin(struct archive *archive)
{
    struct bytes view;
    while (archive->pin.segment != NULL && archive->pin.offset < archive->note.archived &&
           cursor_peek(&archive->pin, &view) == CURSOR_BYTES) {
        uint64_t left = archive->note.archived - archive->pin.offset;
        cursor_advance(&archive->pin, left < view.length ? (size_t)left : view.length);
    }
    time_index_trim(&archive->times, archive->note.archived + 1);
}

/* Of the history that another one has replaced, the rest is shipped: what came before a primary lost its data. */
static bool follow_old(struct archive *archive, const struct history *history)
{
    struct bytes view;
    if (cursor_peek(&archive->pin, &view) == CURSOR_BYTES)
        return true;
    if (history == NULL || history_is_proving_snapshot(history))
        return false;
    begin_timeline(archive, history, 0, first_of(history), "history");
    return false;
}

static bool follow_current(struct archive *archive, struct history *history)
{
    const struct branches *branches = history_branches(history);
    struct bytes view;
    uint64_t common = branches_common_end(branches, archive->branch);
    if (common < archive->note.archived) {
        begin_timeline(archive, history, archive->note.timeline, common, "failover");
        return false;
    }
    archive->branch = branches->current;
    switch (cursor_peek(&archive->pin, &view)) {
    case CURSOR_BYTES:
    case CURSOR_AT_END:
        return true;
    case CURSOR_RENAMED:
    case CURSOR_REWOUND:
        pin_at_archived(archive, history);
        return archive->pin.segment != NULL;
    case CURSOR_LAGGED:
    case CURSOR_DISK_FULL:
    case CURSOR_UNREADABLE:
        begin_behind_gap(archive, history);
        return false;
    }
    UNREACHABLE("no such view");
}

bool archive_follow(struct archive *archive, struct history *history)
{
    bool is_current = history != NULL && history_number(history) == archive->history;
    if (archive->pin.segment != NULL && !is_current)
        return follow_old(archive, history);
    if (history == NULL || history_is_settling(history))
        return false;
    if (archive->pin.segment != NULL)
        return follow_current(archive, history);
    find_place(archive, history);
    return archive->pin.segment != NULL;
}
