/* SPDX-License-Identifier: MIT
 *
 * What a file of the archive is: a small text beside it, so that the archive says all of itself that a restore has to
 * know. It goes into the archive behind its file.
 *
 *     psync-relay archive 1
 *     name 20261128T152233Z-5f3a9c01-00000003-00000000000000004711.seg
 *     end 65536                             the offset behind its last byte; of an RDB: its own offset
 *     length 60825                          bytes of the file
 *     crc 4f1c09be22a01733                  CRC-64 of the file; zeros for an RDB that has it at its end
 *     shipped 1795879353000000              when it was written, in microseconds since 1970 UTC
 *     history 2                             the number of the history in the data directory
 *     replid 8e7f...                        the replication id, and those before it, each with the offset up to which
 *     earlier 51ab... 90210                 the bytes are known under it
 *     begin 4711                            of the timeline
 *     parent 2                              the bytes before that are those of timeline 2; without it there are none
 *     time 4800 1795879353000000            when the stream came: an offset, and microseconds since 1970 UTC
 *     sum 02b7cf4e2d8a9c11
 *
 * Pure. Any thread.
 */
#ifndef RELAY_ARCHIVE_MANIFEST_H
#define RELAY_ARCHIVE_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/archive/object_name.h"
#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/error.h"
#include "relay/base/replid.h"
#include "relay/base/text.h"
#include "relay/store/identity.h"
#include "relay/store/time_index.h"

enum { MANIFEST_TIMES_MAX = 4096, MANIFEST_LENGTH_MAX = 512 * 1024 };

/* Where a timeline comes from. */
struct timeline_root {
    uint64_t begin;
    uint64_t parent; /* the timeline that has the bytes before; 0: none has */
};

struct manifest {
    struct object_name name;
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
    struct time_entry times[MANIFEST_TIMES_MAX]; /* offsets rise, up to `end` */
};

/* Takes the entries behind `from` up to manifest->end; of too many, some are left out. */
void manifest_take_times(struct manifest *manifest, const struct time_index *times, uint64_t from);

void manifest_format(const struct manifest *manifest, struct text *out);

/* `file_name`: that of the manifest, which has to be the one of the file that it tells of. False: `error`; it is cut
 * off, altered, or says what cannot be. */
MUST_CHECK bool manifest_parse(struct bytes file, const char *file_name, struct manifest *out,
                               struct error *error);

#endif
