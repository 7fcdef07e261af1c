/* SPDX-License-Identifier: MIT */
#include "fake_store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "relay/base/check.h"
#include "relay/base/clock.h"

struct snapshot {
    struct snapshot *next;
    uint8_t magic[SNAPSHOT_MAGIC_LENGTH];
    unsigned references;
    enum snapshot_state state;
    uint64_t offset;
    uint64_t length;
    bool has_length;
    uint64_t estimate;
    uint64_t readable;
    int file;
    bool is_unreadable; /* it was said to be */
};

struct backlog {
    uint64_t first;
    uint64_t published;
    uint64_t base; /* offset of data[0] */
    uint8_t *data;
    size_t length;
    int file;
    enum cursor_view fate; /* CURSOR_BYTES: none */
    size_t piece_max;
    size_t cursors;
    bool is_unreadable; /* it was said to be */
};

/* A cursor holds "its segment": here the backlog. */
struct segment {
    struct backlog backlog;
};

struct history {
    struct history *next;
    bool is_settling;
    bool awaits_room;
    struct segment segment; /* of which there is one */
    uint64_t number;
    uint64_t boundary;
    struct identity identity;
    struct snapshot *complete;
    struct snapshot *arriving;
    struct branches branches;
    struct time_index times;
};

struct store fake_store;
static struct history *histories;
static struct snapshot *snapshots;

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);
    CHECK(memory != NULL);
    return memory;
}

static int new_file(void)
{
    int file = memfd_create("fake_store", MFD_CLOEXEC);
    CHECK(file != -1);
    return file;
}

static void write_file(int file, struct bytes bytes, uint64_t position)
{
    CHECK(pwrite(file, bytes.data, bytes.length, (off_t)position) == (ssize_t)bytes.length);
}

void fake_store_reset(void)
{
    while (histories != NULL) {
        struct history *history = histories;
        histories = history->next;
        CHECK(history->segment.backlog.cursors == 0);
        close(history->segment.backlog.file);
        free(history->segment.backlog.data);
        identity_fini(&history->identity);
        time_index_fini(&history->times);
        free(history);
    }
    while (snapshots != NULL) {
        struct snapshot *snapshot = snapshots;
        snapshots = snapshot->next;
        CHECK(snapshot->references == 1);
        close(snapshot->file);
        free(snapshot);
    }
    fake_store = (struct store){.current = NULL};
}

/* ---- histories ---- */

struct history *fake_history_new(uint64_t number, const char *replid, uint64_t first)
{
    struct history *history = allocate(sizeof(*history));
    struct replid id;
    CHECK(replid_parse(bytes_of(replid), &id));
    identity_init(&history->identity, &id);
    history->number = number;
    history->boundary = first;
    history->segment.backlog = (struct backlog){
        .first = first,
        .published = first,
        .base = first,
        .file = new_file(),
        .fate = CURSOR_BYTES,
        .piece_max = SIZE_MAX,
    };
    time_index_init(&history->times);
    history->next = histories;
    histories = history;
    return history;
}

void fake_history_append(struct history *history, struct bytes bytes)
{
    struct backlog *backlog = &history->segment.backlog;
    CHECK(backlog->published == backlog->base + backlog->length);
    backlog->data = realloc(backlog->data, backlog->length + bytes.length);
    CHECK(backlog->data != NULL);
    memcpy(backlog->data + backlog->length, bytes.data, bytes.length);
    write_file(backlog->file, bytes, backlog->length);
    backlog->length += bytes.length;
    backlog->published += bytes.length;
    history->boundary = backlog->published;
}

void fake_history_set_settling(struct history *history, bool is_settling)
{
    history->is_settling = is_settling;
}

void fake_history_set_awaits_room(struct history *history, bool awaits_room)
{
    history->awaits_room = awaits_room;
}

void fake_history_set_first(struct history *history, uint64_t first)
{
    history->segment.backlog.first = first;
}

void fake_history_rename(struct history *history, const char *replid)
{
    struct replid id;
    CHECK(replid_parse(bytes_of(replid), &id));
    identity_rename(&history->identity, &id, history->segment.backlog.published);
}

void fake_history_note_time(struct history *history)
{
    const struct time_entry entry = {.offset = history->segment.backlog.published,
                                     .wall_us = clock_wall_us()};
    CHECK(time_index_add(&history->times, entry));
}

bool history_offset_at(const struct history *history, int64_t wall_us, struct time_answer *out)
{
    return time_index_find(&history->times, wall_us, out);
}

void fake_history_rewind(struct history *history, uint64_t offset)
{
    struct backlog *backlog = &history->segment.backlog;
    CHECK(offset >= backlog->base && offset <= backlog->published);
    backlog->published = offset;
    backlog->length = (size_t)(offset - backlog->base);
    history->boundary = offset;
    time_index_cut(&history->times, offset);
    branches_begin(&history->branches, offset);
}

struct snapshot *history_aged_snapshot(const struct history *history, uint64_t offset)
{
    struct snapshot *snapshot = history->complete;
    bool is_usable = snapshot != NULL && snapshot->state == SNAPSHOT_COMPLETE &&
                     snapshot->offset <= offset &&
                     snapshot->offset >= history->segment.backlog.first;
    return is_usable ? snapshot : NULL;
}

void fake_history_set_snapshots(struct history *history, struct snapshot *complete,
                                struct snapshot *arriving)
{
    history->complete = complete;
    history->arriving = arriving;
}

void fake_history_set_fate(struct history *history, enum cursor_view fate)
{
    history->segment.backlog.fate = fate;
}

void fake_history_set_piece_max(struct history *history, size_t length)
{
    history->segment.backlog.piece_max = length;
}

size_t fake_history_cursor_count(const struct history *history)
{
    return history->segment.backlog.cursors;
}

enum part_match store_match_part(const struct store *store, const struct rdb_part *part,
                                 bool needs_stream, struct history **history,
                                 struct snapshot **snapshot)
{
    (void)needs_stream;
    *history = store->part_history;
    *snapshot = store->part_snapshot;
    bool is_asked = rdb_part_is_of(part, &store->part.replid, store->part.offset, 0) &&
                    part->bytes == store->part.bytes && part->crc == store->part.crc;
    return is_asked ? store->part_match : PART_OTHER;
}

void store_compare_part(struct store *store, const struct rdb_part *part)
{
    store->compared++;
    store->last_compared = *part;
}

void store_keep_fetched(struct store *store, uint64_t number, struct snapshot **snapshot,
                        struct cursor *cursor, int64_t keep_ms)
{
    (void)number;
    (void)keep_ms;
    store->kept++;
    snapshot_release(snapshot);
    cursor_detach(cursor);
}

struct history *store_current(const struct store *store)
{
    return store->current;
}

struct history *store_arriving(const struct store *store)
{
    return store->arriving;
}

const struct branches *history_branches(const struct history *history)
{
    return &history->branches;
}

uint64_t history_number(const struct history *history)
{
    return history->number;
}

const struct identity *history_identity(const struct history *history)
{
    return &history->identity;
}

uint64_t history_boundary(const struct history *history)
{
    return history->boundary;
}

void history_set_boundary(struct history *history, uint64_t boundary)
{
    history->boundary = boundary;
}

enum continuity history_may_continue(const struct history *history, const struct replid *replid,
                                     uint64_t offset)
{
    const struct backlog *backlog = &history->segment.backlog;
    return identity_may_continue(&history->identity, backlog->first, backlog->published, replid,
                                 offset);
}

struct snapshot *history_usable_snapshot(const struct history *history)
{
    uint64_t first = history->segment.backlog.first;
    if (history->complete != NULL && history->complete->offset >= first)
        return history->complete;
    if (history->arriving != NULL && history->arriving->offset >= first)
        return history->arriving;
    return NULL;
}

bool history_is_settling(const struct history *history)
{
    return history->is_settling;
}

bool history_awaits_room(const struct history *history)
{
    return history->awaits_room;
}

bool history_is_proving_snapshot(const struct history *history)
{
    (void)history;
    return false;
}

struct snapshot *history_snapshot(const struct history *history)
{
    return history->complete;
}

struct snapshot *history_arriving_snapshot(const struct history *history)
{
    return history->arriving;
}

/* ---- backlog and cursors ---- */

uint64_t history_first(const struct history *history)
{
    return history->segment.backlog.first;
}

uint64_t history_published(const struct history *history)
{
    return history->segment.backlog.published;
}

bool history_attach(struct history *history, struct cursor *cursor, uint64_t offset)
{
    struct backlog *backlog = &history->segment.backlog;
    if (offset < backlog->first || offset > backlog->published)
        return false;
    CHECK(cursor->segment == NULL);
    cursor->segment = &history->segment;
    cursor->offset = offset;
    backlog->cursors++;
    return true;
}

enum cursor_view cursor_peek(struct cursor *cursor, struct bytes *view)
{
    CHECK(cursor->segment != NULL);
    const struct backlog *backlog = &cursor->segment->backlog;
    if (backlog->fate != CURSOR_BYTES)
        return backlog->fate;
    if (cursor->offset == backlog->published)
        return CURSOR_AT_END;
    size_t position = (size_t)(cursor->offset - backlog->base);
    CHECK(position < backlog->length);
    *view = bytes_at(backlog->data + position, backlog->length - position);
    if (view->length > backlog->piece_max)
        view->length = backlog->piece_max;
    return CURSOR_BYTES;
}

int cursor_file(const struct cursor *cursor, uint64_t *position)
{
    *position = cursor->offset - cursor->segment->backlog.base;
    return cursor->segment->backlog.file;
}

/* A history has one. */
uint64_t cursor_segment_number(const struct cursor *cursor)
{
    return (uint64_t)(uintptr_t)cursor->segment;
}

bool cursor_read(const struct cursor *cursor, uint8_t *into, size_t length)
{
    const struct backlog *backlog = &cursor->segment->backlog;
    memcpy(into, backlog->data + (cursor->offset - backlog->base), length);
    return true;
}

void cursor_note_unreadable(const struct cursor *cursor)
{
    cursor->segment->backlog.is_unreadable = true;
}

void cursor_advance(struct cursor *cursor, size_t length)
{
    cursor->offset += length;
    CHECK(cursor->offset <= cursor->segment->backlog.published);
}

void cursor_detach(struct cursor *cursor)
{
    if (cursor->segment != NULL)
        cursor->segment->backlog.cursors--;
    cursor->segment = NULL;
}

/* ---- snapshots ---- */

struct snapshot *fake_snapshot_new(uint64_t offset, struct bytes rdb)
{
    struct snapshot *snapshot = allocate(sizeof(*snapshot));
    snapshot->references = 1;
    snapshot->offset = offset;
    snapshot->length = rdb.length;
    snapshot->file = new_file();
    write_file(snapshot->file, rdb, 0);
    if (rdb.length >= sizeof(snapshot->magic))
        memcpy(snapshot->magic, rdb.data, sizeof(snapshot->magic));
    snapshot->next = snapshots;
    snapshots = snapshot;
    return snapshot;
}

void fake_snapshot_announce_length(struct snapshot *snapshot)
{
    snapshot->has_length = true;
}

void fake_snapshot_set_readable(struct snapshot *snapshot, uint64_t readable)
{
    CHECK(readable <= snapshot->length);
    snapshot->readable = readable;
}

void fake_snapshot_set_state(struct snapshot *snapshot, enum snapshot_state state)
{
    snapshot->state = state;
    if (state != SNAPSHOT_COMPLETE)
        return;
    snapshot->readable = snapshot->length;
    snapshot->has_length = true;
}

unsigned fake_snapshot_references(const struct snapshot *snapshot)
{
    return snapshot->references;
}

struct bytes snapshot_magic(const struct snapshot *snapshot)
{
    return bytes_at(snapshot->magic,
                    snapshot->readable >= sizeof(snapshot->magic) ? sizeof(snapshot->magic) : 0);
}

void snapshot_retain(struct snapshot *snapshot)
{
    snapshot->references++;
}

void snapshot_release(struct snapshot **where)
{
    struct snapshot *snapshot = *where;
    *where = NULL;
    if (snapshot == NULL)
        return;
    CHECK(snapshot->references > 1);
    snapshot->references--;
}

uint64_t snapshot_offset(const struct snapshot *snapshot)
{
    return snapshot->offset;
}

enum snapshot_state snapshot_state(const struct snapshot *snapshot)
{
    return snapshot->state;
}

bool snapshot_length(const struct snapshot *snapshot, uint64_t *length)
{
    if (snapshot->has_length)
        *length = snapshot->length;
    return snapshot->has_length;
}

void snapshot_set_estimate(struct snapshot *snapshot, uint64_t length)
{
    snapshot->estimate = length;
}

uint64_t snapshot_estimate(const struct snapshot *snapshot)
{
    return snapshot->estimate;
}

uint64_t snapshot_readable(const struct snapshot *snapshot)
{
    return snapshot->readable;
}

uint64_t snapshot_received(const struct snapshot *snapshot)
{
    return snapshot->readable;
}

void snapshot_note_unreadable(struct snapshot *snapshot)
{
    snapshot->is_unreadable = true;
}

bool snapshot_is_unreadable(const struct snapshot *snapshot)
{
    return snapshot->is_unreadable;
}

int snapshot_file(const struct snapshot *snapshot)
{
    return snapshot->file;
}
