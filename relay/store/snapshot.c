/* SPDX-License-Identifier: MIT */
#include "relay/store/snapshot.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "reclaimer.h"
#include "relay/base/clock.h"
#include "relay/base/crc64.h"
#include "relay/base/error.h"
#include "removal.h"
#include "snapshot_state_private.h"

static_assert((int)SNAPSHOT_MAGIC_LENGTH == (int)RDB_EDGES_MAGIC_LENGTH, "both are of one format");

void snapshot_name(uint64_t offset, char name[SNAPSHOT_NAME_MAX])
{
    snprintf(name, SNAPSHOT_NAME_MAX, "%" PRIu64 ".rdb", offset);
}

static void part_name(uint64_t offset, char name[SNAPSHOT_NAME_MAX])
{
    snprintf(name, SNAPSHOT_NAME_MAX, "%" PRIu64 ".rdb.part", offset);
}

bool snapshot_parse_name(const char *name, uint64_t *offset)
{
    struct bytes view = bytes_of(name);
    size_t digits = bytes_find(view, '.');
    return bytes_to_u64(bytes_first(view, digits), offset) &&
           (strcmp(name + digits, ".rdb") == 0 || strcmp(name + digits, ".rdb.part") == 0);
}

/* ------------------------------------------------------------------ any thread */

void snapshot_retain(struct snapshot *snapshot)
{
    unsigned before = atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
    CHECK(before > 0);
}

static void close_in_turn(struct reclaim_job *job)
{
    struct snapshot *it = (void *)((uint8_t *)job - offsetof(struct snapshot, job));
    if (it->file != -1)
        close(it->file);
    if (it->part_file != -1)
        close(it->part_file);
    free(it->owed);
    free(it);
}

void snapshot_release(struct snapshot **snapshot)
{
    struct snapshot *it = *snapshot;
    *snapshot = NULL;
    if (it == NULL || atomic_fetch_sub_explicit(&it->references, 1, memory_order_acq_rel) > 1)
        return;
    it->job.work = close_in_turn;
    it->job.bytes = it->is_removed && !it->is_kept ? it->received : 0;
    reclaimer_take(it->remover.reclaimer, &it->job);
}

uint64_t snapshot_offset(const struct snapshot *snapshot)
{
    return snapshot->offset;
}

enum snapshot_state snapshot_state(const struct snapshot *snapshot)
{
    return atomic_load_explicit(&snapshot->state, memory_order_acquire);
}

bool snapshot_length(const struct snapshot *snapshot, uint64_t *length)
{
    uint64_t value = atomic_load_explicit(&snapshot->length, memory_order_acquire);
    if (value == SNAPSHOT_LENGTH_UNKNOWN)
        return false;
    *length = value;
    return true;
}

void snapshot_set_estimate(struct snapshot *snapshot, uint64_t length)
{
    atomic_store_explicit(&snapshot->estimate, length, memory_order_relaxed);
}

uint64_t snapshot_estimate(const struct snapshot *snapshot)
{
    return atomic_load_explicit(&snapshot->estimate, memory_order_relaxed);
}

uint64_t snapshot_readable(const struct snapshot *snapshot)
{
    return atomic_load_explicit(&snapshot->readable, memory_order_acquire);
}

void snapshot_note_unreadable(struct snapshot *snapshot)
{
    atomic_store_explicit(&snapshot->is_unreadable, true, memory_order_relaxed);
}

bool snapshot_is_unreadable(const struct snapshot *snapshot)
{
    return atomic_load_explicit(&snapshot->is_unreadable, memory_order_relaxed);
}

int snapshot_file(const struct snapshot *snapshot)
{
    return snapshot->file;
}

/* ------------------------------------------------------------------ thread 0 */

struct snapshot *snapshot_new(uint64_t offset, int file)
{
    struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
    if (snapshot == NULL)
        return NULL;
    atomic_init(&snapshot->references, 1);
    atomic_init(&snapshot->state, SNAPSHOT_ARRIVING);
    atomic_init(&snapshot->length, SNAPSHOT_LENGTH_UNKNOWN);
    static _Atomic uint64_t numbers;
    snapshot->number = atomic_fetch_add_explicit(&numbers, 1, memory_order_relaxed) + 1;
    snapshot->offset = offset;
    snapshot->file = file;
    snapshot->part_file = -1;
    return snapshot;
}

struct snapshot *snapshot_reserve(uint64_t offset, snapshot_space_fn *make_space, void *arg)
{
    struct snapshot *snapshot = snapshot_new(offset, -1);
    if (snapshot == NULL)
        return NULL;
    snapshot->make_space = make_space;
    snapshot->arg = arg;
    return snapshot;
}

bool snapshot_make_file(struct snapshot *snapshot, int directory, struct error *error)
{
    char name[SNAPSHOT_NAME_MAX];
    part_name(snapshot->offset, name);
    unlinkat(directory, name, 0);
    snapshot->file = openat(directory, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return snapshot->file != -1 || error_set_system(error, errno, "%s: cannot create", name);
}

bool snapshot_has_part(const struct snapshot *snapshot)
{
    return snapshot->part_file != -1;
}

bool snapshot_link_part(struct snapshot *snapshot, int directory, struct error *error)
{
    char name[SNAPSHOT_NAME_MAX];
    part_name(snapshot->offset, name);
    bool has_room = unlinkat(directory, name, 0) == 0 || errno == ENOENT;
    if (has_room && snapshot->file != -1) {
        close(snapshot->file); /* that is empty, and has no name any more */
        snapshot->file = -1;
    }
    return (has_room && files_link(snapshot->part_file, directory, name)) ||
           error_set_system(error, errno, "%s: cannot go on with what is here of it", name);
}

/* Not while the file of a part is on its way to its place: what is read until then is an empty one. */
static void show_written(struct snapshot *snapshot)
{
    if (snapshot->is_made && snapshot->received > SNAPSHOT_HELD_BACK)
        /* Release: the bytes are in the file before anybody is sent to read them. */
        atomic_store_explicit(&snapshot->readable, snapshot->received - SNAPSHOT_HELD_BACK,
                              memory_order_release);
}

void snapshot_note_made(struct snapshot *snapshot)
{
    if (snapshot->part_file != -1) {
        snapshot->file = snapshot->part_file;
        snapshot->part_file = -1;
    }
    CHECK(snapshot->file != -1);
    snapshot->is_made = true;
    show_written(snapshot);
}

void snapshot_refuse(struct snapshot *snapshot, const struct error *error)
{
    snapshot->error = *error;
}

bool snapshot_is_made(const struct snapshot *snapshot)
{
    return snapshot->is_made;
}

bool snapshot_is_refused(const struct snapshot *snapshot)
{
    return snapshot->error.kind != ERROR_NONE;
}

void snapshot_set_remover(struct snapshot *snapshot, const struct remover *remover)
{
    snapshot->remover = *remover;
}

void snapshot_expect(struct snapshot *snapshot, uint64_t length)
{
    CHECK(snapshot->received <= length);
    atomic_store_explicit(&snapshot->length, length, memory_order_release);
}

static bool refuse_write(struct snapshot *snapshot, int number, struct text *why)
{
    (void)error_set_system(&snapshot->error, number, "%" PRIu64 ".rdb.part: cannot write",
                           snapshot->offset);
    text_append_string(why, snapshot->error.text);
    return false;
}

/* The file could not be made. */
static bool snapshot_tell_refused(const struct snapshot *snapshot, struct text *why)
{
    text_append_string(why, snapshot->error.text);
    return false;
}

/* Shortens the view by what the file has taken: all of it; none before the file is there; or as much as there is
 * space for until files that are being freed are. False: the disk refused, errno. */
static bool write_piece(struct snapshot *snapshot, struct bytes *view)
{
    while (view->length > 0 && snapshot->is_made) {
        ssize_t written =
            pwrite(snapshot->file, view->data, view->length, (off_t)snapshot->received);
        if (written >= 0) {
            snapshot->received += (uint64_t)written;
            *view = bytes_skip(*view, (size_t)written);
            continue;
        }
        int error = errno;
        if (error == EINTR)
            continue;
        enum snapshot_space space =
            files_is_full(error) ? snapshot->make_space(snapshot->arg) : SNAPSHOT_SPACE_NONE;
        errno = error;
        if (space != SNAPSHOT_SPACE_MADE)
            return space == SNAPSHOT_SPACE_SOON;
    }
    return true;
}

/* Adds to what is owed. False: out of memory. */
static bool owe(struct snapshot *snapshot, struct bytes view)
{
    uint8_t *owed = realloc(snapshot->owed, snapshot->owed_length + view.length);
    if (owed == NULL)
        return false;
    memcpy(owed + snapshot->owed_length, view.data, view.length);
    snapshot->owed = owed;
    snapshot->owed_length += view.length;
    return true;
}

bool snapshot_write(struct snapshot *snapshot, struct bytes view, struct text *why)
{
    CHECK(snapshot_state(snapshot) == SNAPSHOT_ARRIVING);
    if (snapshot_is_refused(snapshot))
        return snapshot_tell_refused(snapshot, why);
    rdb_edges_feed(&snapshot->edges, snapshot->received + snapshot->owed_length, view);
    snapshot->crc = crc64(snapshot->crc, view.data, view.length);
    if (!snapshot_owes(snapshot) && !write_piece(snapshot, &view))
        return refuse_write(snapshot, errno, why);
    show_written(snapshot);
    return view.length == 0 || owe(snapshot, view) || refuse_write(snapshot, ENOMEM, why);
}

bool snapshot_write_footer(struct snapshot *snapshot, struct text *why)
{
    uint8_t footer[RDB_FOOTER_LENGTH];
    for (unsigned i = 0; i < RDB_FOOTER_LENGTH; i++)
        footer[i] = (uint8_t)(snapshot->crc >> (8 * i));
    return snapshot_write(snapshot, bytes_at(footer, sizeof(footer)), why);
}

bool snapshot_owes(const struct snapshot *snapshot)
{
    return snapshot->owed_length > 0;
}

bool snapshot_write_owed(struct snapshot *snapshot, struct text *why)
{
    struct bytes left = bytes_at(snapshot->owed, snapshot->owed_length);
    if (snapshot_is_refused(snapshot))
        return snapshot_tell_refused(snapshot, why);
    if (!write_piece(snapshot, &left))
        return refuse_write(snapshot, errno, why);
    show_written(snapshot);
    if (left.length > 0) {
        memmove(snapshot->owed, left.data, left.length);
    } else {
        free(snapshot->owed);
        snapshot->owed = NULL;
    }
    snapshot->owed_length = left.length;
    return true;
}

void snapshot_note_beginning(const struct snapshot *snapshot, struct snapshot_beginning *out)
{
    *out = (struct snapshot_beginning){
        .file = snapshot->part_file != -1 ? snapshot->part_file : snapshot->file,
        .edges = snapshot->edges,
        .part.offset = snapshot->offset,
        .part.crc = snapshot->crc,
    };
    if (!snapshot_length(snapshot, &out->part.length))
        out->part.length = 0;
    /* What is owed is in the CRC, and not in the file; nor is it of use where that could not be made. */
    if (!snapshot_owes(snapshot) && (snapshot->is_made || !snapshot_is_refused(snapshot)))
        out->part.bytes = snapshot->received;
}

void snapshot_keep_file(struct snapshot *snapshot, bool is_kept)
{
    snapshot->is_kept = is_kept;
}

void snapshot_take_beginning(struct snapshot *snapshot, const struct snapshot_beginning *beginning)
{
    CHECK(snapshot->received == 0 && beginning->part.bytes >= RDB_PART_BYTES_MIN);
    snapshot->part_file = beginning->file;
    snapshot->edges = beginning->edges;
    snapshot->is_made = false;
    snapshot->received = beginning->part.bytes;
    snapshot->crc = beginning->part.crc;
    snapshot->is_kept = true;
    if (beginning->part.length > 0)
        snapshot_expect(snapshot, beginning->part.length);
}

bool snapshot_prove(struct snapshot *snapshot, struct text *why)
{
    uint64_t length;
    if (snapshot_length(snapshot, &length) && length != snapshot->received) {
        text_format(why, "%" PRIu64 " of %" PRIu64 " bytes came", snapshot->received, length);
        return false;
    }
    struct error error;
    if (!rdb_edges_are_whole(&snapshot->edges, snapshot->received, &error)) {
        text_append_string(why, error.text);
        return false;
    }
    snapshot->verified = rdb_edges_have_checksum(&snapshot->edges);
    if (snapshot->verified && snapshot->crc != 0) {
        text_format(why, "the RDB's CRC-64 does not match its %" PRIu64 " bytes",
                    snapshot->received);
        return false;
    }
    return true;
}

bool snapshot_give_name(const struct snapshot *snapshot, int directory, struct error *error)
{
    char part[SNAPSHOT_NAME_MAX];
    char name[SNAPSHOT_NAME_MAX];
    part_name(snapshot->offset, part);
    snapshot_name(snapshot->offset, name);
    return renameat(directory, part, directory, name) == 0 ||
           error_set_system(error, errno, "%s: cannot rename", part);
}

void snapshot_enter_complete(struct snapshot *snapshot)
{
    atomic_store_explicit(&snapshot->length, snapshot->received, memory_order_relaxed);
    atomic_store_explicit(&snapshot->readable, snapshot->received, memory_order_relaxed);
    atomic_store_explicit(&snapshot->state, SNAPSHOT_COMPLETE, memory_order_release);
}

void snapshot_complete(struct snapshot *snapshot)
{
    snapshot->completed_ms = clock_ms();
    snapshot_enter_complete(snapshot);
}

void snapshot_fail(struct snapshot *snapshot, int directory)
{
    char part[SNAPSHOT_NAME_MAX];
    part_name(snapshot->offset, part);
    if (directory != -1)
        removal_ask(&snapshot->remover, directory, part, snapshot->received, NULL);
    snapshot->is_removed = true;
    atomic_store_explicit(&snapshot->state, SNAPSHOT_FAILED, memory_order_release);
}

void snapshot_unlink(struct snapshot *snapshot, int directory, struct removals *gathered)
{
    char name[SNAPSHOT_NAME_MAX];
    snapshot_name(snapshot->offset, name);
    removal_ask(&snapshot->remover, directory, name, snapshot->received, gathered);
    snapshot->is_removed = true;
}

const char *snapshot_error(const struct snapshot *snapshot)
{
    return snapshot_is_refused(snapshot) ? error_reason(&snapshot->error) : "";
}

struct identity_snapshot snapshot_row(const struct snapshot *snapshot)
{
    CHECK(snapshot_state(snapshot) == SNAPSHOT_COMPLETE);
    return (struct identity_snapshot){
        .exists = true,
        .verified = snapshot->verified,
        .offset = snapshot->offset,
        .length = snapshot->received,
        .crc = snapshot->crc,
    };
}

uint64_t snapshot_number(const struct snapshot *snapshot)
{
    return snapshot->number;
}

uint64_t snapshot_received(const struct snapshot *snapshot)
{
    return snapshot->received;
}

int64_t snapshot_completed_ms(const struct snapshot *snapshot)
{
    return snapshot->completed_ms;
}

bool snapshot_is_verified(const struct snapshot *snapshot)
{
    return snapshot->verified;
}

struct bytes snapshot_magic(const struct snapshot *snapshot)
{
    bool is_there = snapshot->received >= SNAPSHOT_MAGIC_LENGTH;
    return bytes_at(snapshot->edges.magic, is_there ? SNAPSHOT_MAGIC_LENGTH : 0);
}
