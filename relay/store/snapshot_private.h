/* SPDX-License-Identifier: MIT
 *
 * The making of snapshots, for history.c. Thread: thread 0.
 */
#ifndef RELAY_STORE_SNAPSHOT_PRIVATE_H
#define RELAY_STORE_SNAPSHOT_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "rdb_edges.h"
#include "relay/base/check.h"
#include "relay/base/error.h"
#include "relay/base/rdb_part.h"
#include "relay/base/text.h"
#include "relay/store/identity.h"

struct files_pace;
struct removals;
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

/* One that is to arrive, in three steps: its place in memory (NULL: that is out); its file `<X>.rdb.part`, made by any
 * thread that alone does that (false: `error`); and that it is there, or that it cannot be made, which every write
 * says from then on. What is written before its file is there is owed. */
MUST_CHECK struct snapshot *snapshot_reserve(uint64_t offset, snapshot_space_fn *make_space,
                                             void *arg);
MUST_CHECK bool snapshot_make_file(struct snapshot *snapshot, int directory, struct error *error);
void snapshot_note_made(struct snapshot *snapshot);
void snapshot_refuse(struct snapshot *snapshot, const struct error *error);
bool snapshot_is_made(const struct snapshot *snapshot);
bool snapshot_is_refused(const struct snapshot *snapshot);

/* One that the identity names: its length and its CRC-64 are compared. NULL: `error`. */
MUST_CHECK struct snapshot *snapshot_load(int directory, const struct identity_snapshot *row,
                                          const struct files_pace *pace, struct error *error);

/* One that nobody names, by what it says itself: its checksum, or where that is off, and `is_this_boot`, its
 * name, which it got when it was whole. NULL: `error`. */
MUST_CHECK struct snapshot *snapshot_adopt(int directory, uint64_t offset, bool is_this_boot,
                                           const struct files_pace *pace, struct error *error);

/* Who removes its file; who lets go of it last has the reclaimer of that close it. */
void snapshot_set_remover(struct snapshot *snapshot, const struct remover *remover);

/* Everything was received, in three steps: is it whole (false: `why`); its name, given by any thread that alone does
 * that (false: `error`); and then readers see SNAPSHOT_COMPLETE, and its last bytes. */
MUST_CHECK bool snapshot_prove(struct snapshot *snapshot, struct text *why);
MUST_CHECK bool snapshot_give_name(const struct snapshot *snapshot, int directory,
                                   struct error *error);
void snapshot_complete(struct snapshot *snapshot);

/* Readers see SNAPSHOT_FAILED; the file goes. -1: its directory is not known, and goes as a whole. */
void snapshot_fail(struct snapshot *snapshot, int directory);

/* Takes the file of a complete one off the disk, now or with those that are gathered; who has it reads on. */
void snapshot_unlink(struct snapshot *snapshot, int directory, struct removals *gathered);

/* The beginning of an RDB that is here. The id of its history is not filled in by a snapshot. */
struct snapshot_beginning {
    struct rdb_part part; /* no bytes: what is here cannot be said now */
    struct rdb_edges edges;
    int file; /* O_RDWR */
};

/* What is here of one that arrives, and the file that has it: its own, or the one that will be. */
void snapshot_note_beginning(const struct snapshot *snapshot, struct snapshot_beginning *out);

/* Does its file have another name, beside those that are its own (partial_rdb.h)? Then closing it frees nothing. */
void snapshot_keep_file(struct snapshot *snapshot, bool is_kept);

/* For one that has just been reserved: the file of the beginning, which is the snapshot's from now on, will take the
 * place of its own, and it goes on behind the bytes that are there. It must be made (once more): snapshot_link_part. */
void snapshot_take_beginning(struct snapshot *snapshot, const struct snapshot_beginning *beginning);
bool snapshot_has_part(const struct snapshot *snapshot);

/* As snapshot_make_file: that file gets the name of its own. */
MUST_CHECK bool snapshot_link_part(struct snapshot *snapshot, int directory, struct error *error);

/* What the disk said to what failed last; "" */
const char *snapshot_error(const struct snapshot *snapshot);

/* The row for the identity; of a complete one. */
struct identity_snapshot snapshot_row(const struct snapshot *snapshot);

#endif
