/* SPDX-License-Identifier: MIT
 *
 * The making of snapshots, for history.c. Thread: thread 0.
 */
#ifndef RELAY_STORE_SNAPSHOT_PRIVATE_H
#define RELAY_STORE_SNAPSHOT_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/rdb_part.h"
#include "relay/base/text.h"
#include "relay/store/identity.h"

struct files_pace;
struct remover;
struct snapshot;

enum { SNAPSHOT_NAME_MAX = 40 };
void snapshot_name(uint64_t offset, char name[SNAPSHOT_NAME_MAX]);

/* The number that a file name like "4711.rdb" or "4711.rdb.part" tells. False: not such a name. */
MUST_CHECK bool snapshot_parse_name(const char *name, uint64_t *offset);

/* The disk is full: makes some space on it. */
enum snapshot_space {
    SNAPSHOT_SPACE_MADE, /* try again */
    SNAPSHOT_SPACE_SOON, /* files are being freed: try again when some are */
    SNAPSHOT_SPACE_NONE, /* there is none to be made */
};
typedef enum snapshot_space snapshot_space_fn(void *arg);

/* A file `<X>.rdb.part` to receive into. NULL: errno and `why`. */
MUST_CHECK struct snapshot *snapshot_create(int directory, uint64_t offset,
                                            snapshot_space_fn *make_space, void *arg,
                                            struct text *why);

/* One that the identity names: its length and its CRC-64 are compared. NULL: errno and `why`. */
MUST_CHECK struct snapshot *snapshot_load(int directory, const struct identity_snapshot *row,
                                          const struct files_pace *pace, struct text *why);

/* One that nobody names, by what it says itself: its checksum, or where that is off, and `is_this_boot`, its
 * name, which it got when it was whole. NULL: errno and `why`. */
MUST_CHECK struct snapshot *snapshot_adopt(int directory, uint64_t offset, bool is_this_boot,
                                           const struct files_pace *pace, struct text *why);

/* Who removes its file; who lets go of it last has the reclaimer of that close it. */
void snapshot_set_remover(struct snapshot *snapshot, const struct remover *remover);

/* Everything was received: proves it and gives it its name. False: it is not whole, `why`; it has
 * failed then. */
MUST_CHECK bool snapshot_complete(struct snapshot *snapshot, int directory, struct text *why);

/* Readers see SNAPSHOT_FAILED; the file goes. */
void snapshot_fail(struct snapshot *snapshot, int directory);

/* Takes the file of a complete one off the disk; who has it reads on. */
void snapshot_unlink(struct snapshot *snapshot, int directory);

/* What of it is here, but for the id of its history; no bytes: that cannot be said now. */
void snapshot_note_part(const struct snapshot *snapshot, struct rdb_part *part);

/* Does its file have another name, beside those that are its own (partial_rdb.h)? Then closing it frees nothing. */
void snapshot_keep_file(struct snapshot *snapshot, bool is_kept);

/* For one that has just been created: `file` (O_RDWR) takes the place of its own, with its name, and it goes on
 * behind the first bytes of that. False: `why`; it must be given up. */
MUST_CHECK bool snapshot_take_part(struct snapshot *snapshot, int directory, int file,
                                   const struct rdb_part *part, struct text *why);

/* What the disk said to the last write that failed; "" */
const char *snapshot_error(const struct snapshot *snapshot);

/* The row for the identity; of a complete one. */
struct identity_snapshot snapshot_row(const struct snapshot *snapshot);

#endif
