/* SPDX-License-Identifier: MIT
 *
 * The names of the files in an archive:
 *
 *     20261128T152233Z-5f3a9c01-00000003-00000000000000004711.seg
 *     |                         |        |                    |
 *     system                    timeline offset               seg: the stream from there on; rdb: the RDB of that offset
 *
 *     the same with .manifest behind: what is in it (manifest.h). The file is in the archive when its manifest is.
 *
 * `system` is made once for a data directory, of the time and of chance, so that relays share an archive. `timeline` counts up
 * whenever what follows does not go on where the last file ended: a new history, an end that was cut off in a failover,
 * a gap. So a name is never given twice to different bytes, and names sort in the order in which they were made.
 *
 * Pure. Any thread.
 */
#ifndef RELAY_ARCHIVE_OBJECT_NAME_H
#define RELAY_ARCHIVE_OBJECT_NAME_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"

enum {
    ARCHIVE_SYSTEM_LENGTH = 25,
    ARCHIVE_TIMELINE_MAX = 99999999,
    OBJECT_NAME_MAX = 96,
};

struct archive_system {
    char id[ARCHIVE_SYSTEM_LENGTH + 1];
};

/* `chance`: eight hexadecimal digits, lower case. */
void archive_system_make(struct archive_system *out, int64_t wall_us, const char *chance);
MUST_CHECK bool archive_system_parse(struct bytes view, struct archive_system *out);

enum object_kind { OBJECT_SEGMENT, OBJECT_SNAPSHOT };

struct object_name {
    struct archive_system system;
    uint64_t timeline; /* from 1 on */
    uint64_t offset;
    enum object_kind kind;
};

/* Returns `out`. */
const char *object_name_format(const struct object_name *name, bool is_manifest,
                               char out[OBJECT_NAME_MAX]);

/* False: it is no such name. */
MUST_CHECK bool object_name_parse(struct bytes view, struct object_name *out, bool *is_manifest);

/* In the order of their names. */
int object_name_compare(const struct object_name *a, const struct object_name *b);

#endif
