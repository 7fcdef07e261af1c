/* SPDX-License-Identifier: MIT
 *
 * The beginning of an RDB, kept so that the rest of it can be asked for: over a broken connection, a kill, a
 * restart and a power failure. At most one, in the data directory:
 *
 *     partial.rdb    another name for the file that the RDB arrives in (history-<n>/snapshot/<X>.rdb.part)
 *     partial        a note: which RDB it is, and how many bytes of it are proven, with their CRC-64 (part_note.h)
 *
 *     none --- track ---> arriving --- keep (it broke) ---> ready --- resume ---> arriving
 *      ^                     |                                ^
 *      +---- it is whole ----+      a start: unproven --------+ its bytes were read, and have the noted CRC
 *
 * What is durable, in this order. A note never claims more than the file has:
 *
 *     1  track: the note before goes, then the name before, then the file gets the name         thread 0
 *     2  bytes are written                                                                      thread 0
 *     3  each second, and when it breaks: fdatasync of the file                                 its own thread
 *     4  the note says how many bytes there were before 3, and is fsynced, with the directory   its own thread
 *     5  it is whole: the note goes, then the name
 *
 * A kill between any two: the note is older than the file, or there is none. A power failure: the same; with
 * `fsync = no` there is no step 3, and the note counts as long as the machine has not been booted since. What a note
 * says is believed only after the file has been read and has that CRC, so a name that belongs to another note is
 * noticed as well. After a kill the file may have more than the note says, all of it good: it is read, too.
 *
 * The thread is not the syncer's: its gigabytes would hold up the fsyncs of the stream.
 *
 * Owner: the store. Thread: thread 0.
 */
#ifndef RELAY_STORE_PARTIAL_RDB_H
#define RELAY_STORE_PARTIAL_RDB_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/rdb_part.h"
#include "relay/base/text.h"
#include "relay/store/rdb_parts.h"

struct crc_reader;
struct partial_rdb;
struct reclaimer;
struct snapshot;
struct store_options;

#define PARTIAL_RDB_NAME "partial.rdb"
#define PARTIAL_RDB_NOTE "partial"

/* Is it one of these names in the data directory, or a note that a kill has left half written? */
bool partial_rdb_is_name(const char *name);

struct partial_rdb_dependencies {
    int data_dir;
    const struct store_options *options;
    struct reclaimer *reclaimer;
    struct crc_reader *reader;
};

/* Looks what a process before us has left, and begins to read it. NULL: no thread or no memory. */
MUST_CHECK struct partial_rdb *
partial_rdb_open(const struct partial_rdb_dependencies *dependencies);

/* What is tracked is kept first. Waits until the note is written. */
void partial_rdb_close(struct partial_rdb **partial);

/* As store_part, store_track_part, store_keep_part, store_drop_part. */
enum store_part partial_rdb_state(const struct partial_rdb *partial, struct rdb_part *out);
void partial_rdb_track(struct partial_rdb *partial, struct snapshot *snapshot,
                       const struct replid *replid);
bool partial_rdb_keep(struct partial_rdb *partial);
void partial_rdb_drop(struct partial_rdb *partial);

/* STORE_PART_READY: what is to go on, and its file. */
const struct rdb_part *partial_rdb_part(const struct partial_rdb *partial);
int partial_rdb_file(const struct partial_rdb *partial);

/* It goes on, as `snapshot`. */
void partial_rdb_resumed(struct partial_rdb *partial, struct snapshot *snapshot);

/* Each turn: what has been read is taken. True: something changed. */
bool partial_rdb_take(struct partial_rdb *partial);

/* Each second: has noted what has come; lets go of what is whole. */
void partial_rdb_tick(struct partial_rdb *partial);

#endif
