/* SPDX-License-Identifier: MIT
 *
 * What a clean stop leaves in a history's directory: what each file was that was proven by then, so that the next
 * start need not read it again. A file counts as what it was while its inode, its length and the time of its
 * last change are the same; whatever writes to it in between is noticed by that, bytes that the disk alters
 * under the file system are not (`psync-relay --verify` reads them all).
 *
 *     psync-relay clean 1
 *     segment 4711 1835 65536 1790000000123456789      first offset, inode, length, ns since 1970
 *     snapshot 4000 1840 8400123 1790000000123456789   X, ...
 *     sum 02b7cf4e2d8a9c11
 *
 * It is written when all of it is on the disk for good, and taken off before anything is written by the next
 * process. One that comes back after a power failure does no harm: files that were written to since are others.
 *
 * Thread: any, one at a time.
 */
#ifndef RELAY_STORE_CLEAN_MARK_H
#define RELAY_STORE_CLEAN_MARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "files.h"
#include "relay/base/check.h"
#include "relay/base/text.h"

#define CLEAN_MARK_NAME "clean"

enum clean_kind { CLEAN_SEGMENT, CLEAN_SNAPSHOT };

struct clean_entry {
    enum clean_kind kind;
    uint64_t offset; /* its first, or X */
    struct files_key key;
};

struct clean_mark {
    size_t count;
    struct clean_entry *entries;
};

/* Empty where there is none, or it is not as it was written. */
void clean_mark_read(struct clean_mark *mark, int directory);
void clean_mark_fini(struct clean_mark *mark);

/* NULL: it does not tell of it. */
const struct files_key *clean_mark_find(const struct clean_mark *mark, enum clean_kind kind,
                                        uint64_t offset);

/* Adds a file of the folder `directory`. False: out of memory, or errno says why it cannot be looked at. */
MUST_CHECK bool clean_mark_add(struct clean_mark *mark, enum clean_kind kind, uint64_t offset,
                               int directory, const char *name);

/* Durable on return. False: `why`. */
MUST_CHECK bool clean_mark_write(const struct clean_mark *mark, int directory, struct text *why);

/* Takes it off. */
void clean_mark_remove(int directory);

#endif
