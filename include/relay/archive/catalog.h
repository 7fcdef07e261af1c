/* SPDX-License-Identifier: MIT
 *
 * What is in an archive: its manifests, read and sorted. For a restore, and for who prunes it.
 *
 * Owner: the caller. Thread: any, one at a time; it may wait long.
 */
#ifndef RELAY_ARCHIVE_CATALOG_H
#define RELAY_ARCHIVE_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/archive/manifest.h"
#include "relay/archive/source.h"
#include "relay/base/check.h"
#include "relay/base/error.h"
#include "relay/base/text.h"

struct catalog_entry {
    struct object_name name;
    bool has_manifest;
    bool has_file;   /* its name is in the archive */
    bool is_damaged; /* there is a manifest, which cannot be read, or lies */
    /* With a manifest: what that says. */
    uint64_t end;
    uint64_t length;
    uint64_t crc;
    int64_t shipped_us;
    uint64_t history;
    struct replid replid;
    size_t earlier_count;
    struct identity_earlier earlier[IDENTITY_EARLIER_MAX];
    struct timeline_root root;
    size_t time_count;
    struct time_entry *times;
};

struct catalog {
    size_t count;
    struct catalog_entry *entries; /* in the order of their names */
};

/* Reads all manifests of `system`; NULL: of all. One that cannot be read, or lies, is told in `complaints` (a line each)
 * and left out. False: `error`; the archive cannot be read, or nothing in it is one. */
MUST_CHECK bool catalog_read(struct catalog *catalog, const struct archive_source *source,
                             const char *system, struct text *complaints, struct error *error);
void catalog_free(struct catalog *catalog);

/* The first entry of the timeline that the entry at `index` is of, and the first behind it. */
size_t catalog_timeline_begin(const struct catalog *catalog, size_t index);
size_t catalog_timeline_end(const struct catalog *catalog, size_t index);

/* Some entry of that timeline; catalog->count: there is none. */
size_t catalog_find_timeline(const struct catalog *catalog, const struct archive_system *system,
                             uint64_t timeline);

/* Where the timeline comes from; false: no manifest of it is there. */
MUST_CHECK bool catalog_timeline_root(const struct catalog *catalog, size_t index,
                                      struct timeline_root *out);

#endif
