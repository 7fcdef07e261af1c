/* SPDX-License-Identifier: MIT
 *
 * RDBs that go on where they broke: relay/store/rdb_parts.h.
 */
#include "relay/store/rdb_parts.h"

#include <inttypes.h>

#include "backlog.h"
#include "crc_reader.h"
#include "history_private.h"
#include "partial_rdb.h"
#include "reclaimer.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "store_private.h"

enum { BEGINNING_KEEP_MS = 60 * 1000 };

/* ------------------------------------------------------------------ received */

enum store_part store_part(const struct store *store, struct rdb_part *out)
{
    return partial_rdb_state(store->partial, out);
}

/* When its file is there, which it is before a byte is in it. */
static void track_awaited_part(struct store *store)
{
    struct history *const both[] = {store->arriving, store->current};
    for (size_t i = 0; i < LENGTH_OF(both) && store->awaited_part != 0; i++) {
        struct snapshot *arriving = both[i] != NULL ? history_arriving_snapshot(both[i]) : NULL;
        if (arriving == NULL || snapshot_number(arriving) != store->awaited_part)
            continue;
        if (!snapshot_is_made(arriving))
            return;
        partial_rdb_track(store->partial, arriving, &history_identity(both[i])->replid);
        break;
    }
    store->awaited_part = 0;
}

void store_track_part(struct store *store, const struct history *history)
{
    store->awaited_part = snapshot_number(history_arriving_snapshot(history));
    track_awaited_part(store);
}

bool store_resume_part(struct store *store, struct history *history, const struct rdb_part *asked,
                       struct text *why)
{
    struct rdb_part now;
    if (store_part(store, &now) != STORE_PART_READY || now.bytes != asked->bytes ||
        !rdb_part_is_of(&now, &asked->replid, asked->offset, asked->length)) {
        text_format(why, "what was here of %" PRIu64 ".rdb is not any more", asked->offset);
        return false;
    }
    history_take_beginning(history, partial_rdb_beginning(store->partial));
    store->resumed++;
    store->resumed_bytes += now.bytes;
    log_info("store: history-%" PRIu64 ": %" PRIu64 ".rdb goes on behind its first %" PRIu64
             " bytes",
             history_number(history), now.offset, now.bytes);
    partial_rdb_resumed(store->partial, history_arriving_snapshot(history));
    return true;
}

bool store_keep_part(struct store *store)
{
    return partial_rdb_keep(store->partial);
}

void store_drop_part(struct store *store)
{
    partial_rdb_drop(store->partial);
}

/* Another RDB of this history is here that is as new, or its stream has gone: the rest is of no use. */
static void drop_outlived_part(struct store *store)
{
    struct rdb_part part;
    const struct history *current = store->current;
    if (current == NULL || store_part(store, &part) == STORE_PART_NONE ||
        !replid_equal(&part.replid, &history_identity(current)->replid))
        return;
    const struct snapshot *newest = history_snapshot(current);
    bool is_outlived = newest != NULL && snapshot_offset(newest) >= part.offset;
    if (!is_outlived && part.offset >= history_window_first(current))
        return;
    log_info("store: the rest of %" PRIu64 ".rdb is of no use any more: what is here of it goes",
             part.offset);
    store_drop_part(store);
}

/* ------------------------------------------------------------------ sent */

enum { CANDIDATES_MAX = 2 * (HISTORY_SNAPSHOTS_MAX + KEPT_SNAPSHOTS_MAX) };

/* Which snapshots may be the one that a part is of: two may have the same X. */
struct part_candidates {
    size_t count;
    struct {
        struct history *history;
        struct snapshot *snapshot;
    } at[CANDIDATES_MAX];
};

static void add_part_candidate(struct part_candidates *candidates, struct history *history,
                               struct snapshot *snapshot, const struct rdb_part *part)
{
    uint64_t length = 0;
    if (!snapshot_length(snapshot, &length))
        length = 0;
    if (snapshot_state(snapshot) == SNAPSHOT_FAILED ||
        !rdb_part_is_of(part, &history_identity(history)->replid, snapshot_offset(snapshot),
                        length))
        return;
    CHECK(candidates->count < CANDIDATES_MAX);
    candidates->at[candidates->count].history = history;
    candidates->at[candidates->count++].snapshot = snapshot;
}

static void find_in_history(const struct store *store, struct history *history,
                            const struct rdb_part *part, struct part_candidates *candidates)
{
    struct snapshot *own[HISTORY_SNAPSHOTS_MAX];
    size_t count = history_snapshots(history, own);
    for (size_t i = 0; i < count; i++)
        add_part_candidate(candidates, history, own[i], part);
    for (size_t i = 0; i < KEPT_SNAPSHOTS_MAX; i++) {
        const struct kept_snapshot *kept = &store->kept.at[i];
        if (kept->snapshot != NULL && kept->number == history_number(history))
            add_part_candidate(candidates, history, kept->snapshot, part);
    }
}

static void find_candidates(const struct store *store, const struct rdb_part *part,
                            bool needs_stream, struct part_candidates *candidates)
{
    struct history *const in_order[] = {store->current, store->arriving};
    candidates->count = 0;
    for (size_t i = 0; i < LENGTH_OF(in_order); i++) {
        struct history *history = in_order[i];
        if (history != NULL && part->offset <= history_published(history) &&
            (part->offset >= history_first(history) || !needs_stream))
            find_in_history(store, history, part, candidates);
    }
}

/* What is not there yet may come; what is whole will not get longer. */
static enum part_match match_bytes(const struct store *store, const struct rdb_part *part,
                                   const struct snapshot *snapshot)
{
    bool is_whole = snapshot_state(snapshot) == SNAPSHOT_COMPLETE;
    uint64_t crc = 0;
    if (snapshot_readable(snapshot) < part->bytes)
        return is_whole ? PART_OTHER : PART_WAITS;
    switch (crc_reader_find(store->crc_reader, snapshot_number(snapshot), part->bytes, &crc)) {
    case CRC_READING_NONE:
        return PART_UNREAD;
    case CRC_READING_FAILED:
        return PART_OTHER;
    case CRC_READING_DONE:
        return crc == part->crc ? PART_MATCHES : PART_OTHER;
    }
    UNREACHABLE("a reading without a case");
}

enum part_match store_match_part(const struct store *store, const struct rdb_part *part,
                                 bool needs_stream, struct history **history,
                                 struct snapshot **snapshot)
{
    struct part_candidates candidates;
    enum part_match best = PART_OTHER;
    find_candidates(store, part, needs_stream, &candidates);
    for (size_t i = 0; i < candidates.count && best != PART_MATCHES; i++) {
        enum part_match match = match_bytes(store, part, candidates.at[i].snapshot);
        if (match <= best)
            continue;
        best = match;
        *history = candidates.at[i].history;
        *snapshot = candidates.at[i].snapshot;
    }
    return best;
}

void store_compare_part(struct store *store, const struct rdb_part *part)
{
    struct history *history;
    struct snapshot *snapshot;
    if (store_match_part(store, part, false, &history, &snapshot) == PART_UNREAD)
        crc_reader_begin(store->crc_reader, snapshot_number(snapshot), snapshot_file(snapshot),
                         part->bytes);
}

static struct history *store_history(const struct store *store, uint64_t number)
{
    struct history *const both[] = {store->current, store->arriving};
    for (size_t i = 0; i < LENGTH_OF(both); i++) {
        if (both[i] != NULL && history_number(both[i]) == number)
            return both[i];
    }
    return NULL;
}

void store_keep_fetched(struct store *store, uint64_t number, struct snapshot **snapshot,
                        struct cursor *cursor, int64_t keep_ms)
{
    uint64_t offset = snapshot_offset(*snapshot);
    /* It has gone on from X: the stream from there on is kept, if it is still there. */
    if (cursor->segment != NULL && cursor->offset != offset) {
        cursor_detach(cursor);
        struct history *history = store_history(store, number);
        if (history != NULL)
            (void)!history_attach(history, cursor, offset);
    }
    kept_snapshots_add(&store->kept, number, snapshot, cursor, clock_ms() + keep_ms);
}

/* ------------------------------------------------------------------ the store's */

void store_parts_keep_beginning(struct store *store)
{
    struct history *history = store->current;
    struct snapshot *snapshot = history_snapshot(history);
    struct cursor cursor;
    if (snapshot == NULL || history_end(history) == snapshot_offset(snapshot) ||
        !history_attach(history, &cursor, snapshot_offset(snapshot)))
        return;
    snapshot_retain(snapshot);
    kept_snapshots_add(&store->kept, history_number(history), &snapshot, &cursor,
                       clock_ms() + BEGINNING_KEEP_MS);
}

bool store_parts_open(struct store *store)
{
    store->crc_reader = crc_reader_start();
    if (store->crc_reader == NULL)
        return false;
    const struct partial_rdb_dependencies dependencies = {
        .data_dir = store->data_dir.directory,
        .options = &store->options,
        .remover = {.files = store->files, .reclaimer = store->reclaimer},
        .reader = store->crc_reader,
    };
    store->partial = partial_rdb_open(&dependencies);
    return store->partial != NULL;
}

void store_parts_close(struct store *store)
{
    (void)kept_snapshots_drop(&store->kept);
    partial_rdb_close(&store->partial);
    crc_reader_stop(&store->crc_reader);
}

bool store_parts_take(struct store *store)
{
    track_awaited_part(store);
    bool news = crc_reader_take(store->crc_reader);
    return partial_rdb_take(store->partial) || news;
}

void store_parts_tick(struct store *store)
{
    kept_snapshots_tick(&store->kept, clock_ms());
    partial_rdb_tick(store->partial);
    drop_outlived_part(store);
}

bool store_parts_give_space(struct store *store)
{
    struct rdb_part part;
    if (store->partial == NULL) /* the store is being closed */
        return kept_snapshots_drop(&store->kept);
    bool has_part = store_part(store, &part) != STORE_PART_NONE;
    if (has_part)
        log_warnx("store: the disk is full: what is here of %" PRIu64 ".rdb goes", part.offset);
    store_drop_part(store);
    return kept_snapshots_drop(&store->kept) || has_part;
}

/* A snapshot that is kept and that a history has as well gives nothing back. */
static bool is_kept_alone(const struct store *store, const struct kept_snapshot *kept)
{
    const struct history *const both[] = {store->current, store->arriving};
    for (size_t i = 0; i < LENGTH_OF(both); i++) {
        struct snapshot *own[HISTORY_SNAPSHOTS_MAX];
        size_t count = both[i] != NULL ? history_snapshots(both[i], own) : 0;
        for (size_t k = 0; k < count; k++) {
            if (own[k] == kept->snapshot)
                return false;
        }
    }
    return true;
}

static void count_kept(const struct store *store, struct parts_status *out)
{
    for (size_t i = 0; i < KEPT_SNAPSHOTS_MAX; i++) {
        const struct kept_snapshot *kept = &store->kept.at[i];
        if (kept->snapshot == NULL)
            continue;
        out->kept++;
        if (is_kept_alone(store, kept))
            out->kept_bytes += snapshot_received(kept->snapshot);
    }
}

void store_parts_status(const struct store *store, struct parts_status *out)
{
    *out = (struct parts_status){
        .resumed = store->resumed,
        .resumed_bytes = store->resumed_bytes,
    };
    out->standing = store_part(store, &out->part);
    count_kept(store, out);
}

uint64_t store_parts_spare_bytes(const struct store *store)
{
    struct parts_status status;
    store_parts_status(store, &status);
    return status.kept_bytes + (status.standing != STORE_PART_NONE ? status.part.bytes : 0);
}
