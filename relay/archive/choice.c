/* SPDX-License-Identifier: MIT
 *
 * What is shipped next: a snapshot where one is due, else a piece of the stream.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "archive_private.h"
#include "relay/base/clock.h"
#include "relay/store/history.h"

enum {
    IDLE_MS_MAX = 60 * 60 * 1000,     /* a piece with nothing but PING waits no longer */
    ASK_SNAPSHOT_MS = 10 * 60 * 1000, /* before a newer snapshot is asked for again */
    MILLISECOND_US = 1000,
};

uint64_t archive_limit(const struct archive *archive, const struct history *history)
{
    uint64_t published = history_published(history);
    uint64_t durable = history_durable(history);
    return archive->options.waits_for_fsync && durable < published ? durable : published;
}

/* All that a manifest says but of the file itself. */
static struct manifest *begin_manifest(struct archive *archive, enum object_kind kind,
                                       uint64_t offset)
{
    struct shipment *shipment = archive->shipment;
    struct manifest *manifest = &shipment->manifest;
    *shipment = (struct shipment){.file = -1, .note = archive->note};
    manifest->name = (struct object_name){.system = archive->note.system,
                                          .timeline = archive->note.timeline,
                                          .offset = offset,
                                          .kind = kind};
    manifest->shipped_us = clock_wall_us();
    manifest->history = archive->note.history;
    manifest->root = archive->note.root;
    manifest->replid = archive->ids.replid;
    manifest->earlier_count = archive->ids.earlier_count;
    memcpy(manifest->earlier, archive->ids.earlier, sizeof(manifest->earlier));
    shipment->note.replid = archive->ids.replid;
    return manifest;
}

/* ------------------------------------------------------------------ snapshots */

/* Has the last snapshot in the archive become too old? */
static bool is_snapshot_old(const struct archive *archive)
{
    int64_t age_us = clock_wall_us() - archive->note.snapshot_us;
    return !archive->note.has_snapshot || age_us < 0 ||
           age_us >= archive->options.snapshot_every_ms * MILLISECOND_US;
}

/* NULL: there is none that the archive should get now. */
static struct snapshot *snapshot_to_ship(const struct archive *archive,
                                         const struct history *history)
{
    struct snapshot *snapshot = history_snapshot(history);
    if (snapshot == NULL || !is_snapshot_old(archive))
        return NULL;
    uint64_t offset = snapshot_offset(snapshot);
    bool is_newer = !archive->note.has_snapshot || offset > archive->note.snapshot_offset;
    const struct identity_snapshot *named = &history_identity(history)->snapshot;
    bool is_named = named->exists && named->offset == offset;
    return is_newer && is_named && offset >= archive->note.root.begin &&
                   offset <= archive_limit(archive, history)
               ? snapshot
               : NULL;
}

/* When the bytes before it had come, so that a restore finds it for a moment before the first byte behind it. */
static void take_time_of_snapshot(struct manifest *manifest, const struct history *history)
{
    const struct time_entry *came = time_index_at_offset(history_times(history), manifest->end);
    manifest->times[0] = (struct time_entry){
        .offset = manifest->end, .wall_us = came != NULL ? came->wall_us : clock_wall_us()};
    manifest->time_count = 1;
}

static bool ship_snapshot(struct archive *archive, const struct history *history)
{
    const struct snapshot *snapshot = snapshot_to_ship(archive, history);
    if (snapshot == NULL)
        return false;
    const struct identity_snapshot *named = &history_identity(history)->snapshot;
    int file = fcntl(snapshot_file(snapshot), F_DUPFD_CLOEXEC, 0);
    if (file == -1)
        return false; /* the next second */
    struct manifest *manifest = begin_manifest(archive, OBJECT_SNAPSHOT, named->offset);
    manifest->end = named->offset;
    manifest->length = named->length;
    manifest->crc = named->crc;
    take_time_of_snapshot(manifest, history);
    struct archive_state *state = &archive->shipment->note;
    state->has_snapshot = true;
    state->snapshot_offset = named->offset;
    state->snapshot_us = manifest->shipped_us;
    archive->shipment->file = file;
    archive_begin(archive, SHIPMENT_SHIP);
    return true;
}

/* The one that there is has been archived long ago. */
static void ask_snapshot(struct archive *archive, const struct history *history)
{
    int64_t now_ms = clock_ms();
    bool may_ask = archive->options.snapshot_every_ms > 0 && archive->note.has_snapshot &&
                   is_snapshot_old(archive) && history_arriving_snapshot(history) == NULL;
    if (!may_ask ||
        (archive->asked_snapshot_ms != 0 && now_ms - archive->asked_snapshot_ms < ASK_SNAPSHOT_MS))
        return;
    if (archive->callbacks.want_snapshot(archive->callbacks.arg))
        archive->asked_snapshot_ms = now_ms;
}

/* ------------------------------------------------------------------ the stream */

/* `is_rest`: what comes is less than that, maybe. */
static void ship_piece(struct archive *archive, uint64_t end, bool skips_idle, bool is_rest,
                       bool is_boundary)
{
    struct manifest *manifest = begin_manifest(archive, OBJECT_SEGMENT, archive->note.archived);
    struct shipment *shipment = archive->shipment;
    manifest->end = end;
    /* What it ends with has come by now: no second need end for that. */
    const struct time_entry *newest = time_index_newest(&archive->times);
    if (is_boundary && (newest == NULL || newest->offset < end))
        (void)!time_index_add(&archive->times,
                              (struct time_entry){.offset = end, .wall_us = clock_wall_us()});
    manifest_take_times(manifest, &archive->times, archive->note.archived);
    shipment->skips_idle = skips_idle;
    shipment->is_read_to_end = is_rest;
    cursor_copy(&archive->pin, &shipment->cursor);
    archive_begin(archive, SHIPMENT_SHIP);
}

/* The end of the piece that ends because of its age: a command boundary, where there is one. */
static uint64_t end_of_aged(const struct archive *archive, const struct history *history,
                            uint64_t limit)
{
    uint64_t boundary = history_published_boundary(history);
    return boundary > archive->note.archived && boundary <= limit ? boundary : limit;
}

static void ship_stream(struct archive *archive, const struct history *history)
{
    uint64_t from = archive->note.archived;
    uint64_t limit = archive_limit(archive, history);
    int64_t now_ms = clock_ms();
    if (limit <= from)
        return;
    if (archive->since_ms == 0)
        archive->since_ms = now_ms;
    bool is_full = limit - from >= archive->options.piece_bytes;
    bool is_aged = archive->options.timeout_ms > 0 &&
                   now_ms - archive->since_ms >= archive->options.timeout_ms;
    if (!is_full && !is_aged)
        return;
    uint64_t end =
        is_full ? from + archive->options.piece_bytes : end_of_aged(archive, history, limit);
    bool skips_idle =
        !is_full && (archive->idle_since_ms == 0 || now_ms - archive->idle_since_ms < IDLE_MS_MAX);
    ship_piece(archive, end, skips_idle, false, end == history_published_boundary(history));
}

/* The rest of a history that was replaced, up to its end. */
static void ship_rest(struct archive *archive)
{
    uint64_t end = archive->note.archived + archive->options.piece_bytes;
    ship_piece(archive, end, false, true, false);
}

void archive_choose(struct archive *archive, const struct history *history)
{
    if (history == NULL || history_number(history) != archive->history) {
        ship_rest(archive);
        return;
    }
    if (ship_snapshot(archive, history))
        return;
    ask_snapshot(archive, history);
    ship_stream(archive, history);
}
