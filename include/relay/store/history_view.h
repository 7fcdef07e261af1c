/* SPDX-License-Identifier: MIT
 *
 * A history as its files tell it, for one who only reads: offline, or beside the relay that uses the data directory.
 * Nothing is locked, made or changed, and no lock is waited for.
 *
 * What a view tells is of one moment: identity, the rows behind it, and the tail are read until they fit together,
 * and every file is open before the view counts. The relay may give up segments and snapshots afterwards: it
 * never writes to what is below the end of a view, so they are read on. Bytes are handed out as they are read, and
 * are proven when the function that reads returns true. Who keeps them gives them no final name before.
 *
 * Owner: the caller. Thread: any, one at a time.
 */
#ifndef RELAY_STORE_HISTORY_VIEW_H
#define RELAY_STORE_HISTORY_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/error.h"
#include "relay/store/identity.h"
#include "relay/store/time_index.h"

enum {
    HISTORY_VIEW_SNAPSHOTS_MAX = 256, /* a data directory has a few, an archive many */
    HISTORY_VIEW_NAME_MAX = 80,
};

struct history_view_snapshot {
    uint64_t offset;
    uint64_t length;
    bool is_named; /* by the identity, which tells its checksum; else it must prove itself */
    uint64_t crc;  /* named: of the whole file */
    int file;
};

/* Opens the files of a snapshot (NULL: none) and of the stream from..until, where they are not open. */
typedef bool history_view_fetch_fn(void *arg, const struct history_view_snapshot *snapshot,
                                   uint64_t from, uint64_t until, struct error *error);

struct history_view {
    uint64_t number;
    char name[HISTORY_VIEW_NAME_MAX]; /* for people */
    history_view_fetch_fn *fetch;     /* NULL: all is open */
    void *fetch_arg;
    struct identity
        identity;   /* the newest segment, which is written to, is the last of its segments */
    int *files;     /* of the segments */
    uint64_t first; /* of the stream; where there is none: first == end */
    uint64_t end;
    uint64_t boundary;     /* the last command boundary; <= end */
    size_t snapshot_count; /* newest first; each in first..boundary */
    struct history_view_snapshot snapshots[HISTORY_VIEW_SNAPSHOTS_MAX];
    struct time_index times;
};

/* The numbers of the histories in a data directory, newest first; to be freed. False: `error`. */
MUST_CHECK bool history_view_list(const char *data_dir, uint64_t **numbers, size_t *count,
                                  struct error *error);

/* False: `error`; nothing is open. ERROR_MISSING: it has no identity, since its RDB is still arriving. */
MUST_CHECK bool history_view_open(struct history_view *view, const char *data_dir, uint64_t number,
                                  struct error *error);
void history_view_close(struct history_view *view);

/* Before anything of it is read: has what is needed. False: `error`. */
MUST_CHECK bool history_view_fetch(const struct history_view *view,
                                   const struct history_view_snapshot *snapshot, uint64_t from,
                                   uint64_t until, struct error *error);

/* Bytes of a file, at `position` in it. */
struct history_view_piece {
    struct bytes bytes;
    uint64_t position;
    int file;
};

/* False: stop. `error` is the reader's, and is set then. */
typedef bool history_view_fn(const struct history_view_piece *piece, void *arg,
                             struct error *error);

/* Reads a whole snapshot. False: `error`; it is not what it should be, or `fn` said so. */
MUST_CHECK bool history_view_read_snapshot(const struct history_view *view,
                                           const struct history_view_snapshot *snapshot,
                                           history_view_fn *fn, void *arg, struct error *error);

/* Reads the stream from..until, where first <= from <= until <= end; a position is an offset of the stream. Whole
 * segments are read for their checksums; `fn` is given what was asked for. `read`, where it is not NULL, is told
 * of all bytes that are read: for progress. */
typedef void history_view_read_fn(uint64_t bytes, void *arg);
MUST_CHECK bool history_view_read_stream(const struct history_view *view, uint64_t from,
                                         uint64_t until, history_view_fn *fn,
                                         history_view_read_fn *read, void *arg,
                                         struct error *error);

/* How many bytes history_view_read_stream reads for that. */
uint64_t history_view_stream_bytes(const struct history_view *view, uint64_t from, uint64_t until);

/* The database that is selected at the snapshot's offset, as its RDB says. False: it does not say. */
MUST_CHECK bool history_view_stream_db(const struct history_view_snapshot *snapshot, uint64_t *db);

#endif
