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
 * Thread 0 changes what is in memory, and goes on; what lies in the data directory follows, in this order. A note never
 * claims more than the file has:
 *
 *     1  track: the note before goes, then the name before, then the file gets the name         file thread
 *     2  bytes are written                                                                      thread 0
 *     3  each second, and when it breaks: when 1 is done, fdatasync of the file                 its own thread
 *     4  the note says how many bytes there were before 3, and is fsynced, with the directory   its own thread
 *     5  it is whole, or is given up: the note goes, then the name                              file thread
 *
 * The file thread has the names because its order is needed: the file gets its second name behind its making and
 * before the name of its own goes, also where the transfer breaks at once and the disk is slow (removal.h). So what was
 * kept can be asked for from the moment at which the transfer broke, whatever of it is still to be done, and another
 * transfer may begin meanwhile: its files are made, and get their names, behind all that. Where the file cannot get
 * its name (a full disk), nothing is kept of it, and the transfer goes on; thread 0 learns that a turn later.
 *
 * Notes are not the file thread's: their fsyncs would hold up what it does for the stream. A note that is being written
 * while its removal is asked for may come behind that; whoever has written it looks once more, and removes it.
 *
 * A kill between any two: the note is older than the file, or there is none. A power failure: the same; with
 * `fsync = no` there is no step 3, and the note counts as long as the machine has not been booted since. What a note
 * says is believed only after the file has been read and has that CRC, so a name that belongs to another note is
 * noticed as well. After a kill the file may have more than the note says, all of it good: it is read, too.
 *
 * Its own thread is not the syncer's: its gigabytes would hold up the fsyncs of the stream.
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
#include "removal.h"
#include "snapshot_private.h"

struct crc_reader;
struct partial_rdb;
struct snapshot;
struct store_options;

#define PARTIAL_RDB_NAME "partial.rdb"
#define PARTIAL_RDB_NOTE "partial"

/* Is it one of these names in the data directory, or a note that a kill has left half written? */
bool partial_rdb_is_name(const char *name);

struct partial_rdb_dependencies {
    int data_dir;
    const struct store_options *options;
    struct remover remover;
    struct crc_reader *reader;
};

/* Looks what a process before us has left, and begins to read it. NULL: no thread or no memory. */
MUST_CHECK struct partial_rdb *
partial_rdb_open(const struct partial_rdb_dependencies *dependencies);

/* What is tracked is kept first. Waits until its names and the note are there. */
void partial_rdb_close(struct partial_rdb **partial);

/* As store_part, store_track_part, store_keep_part, store_drop_part. */
enum store_part partial_rdb_state(const struct partial_rdb *partial, struct rdb_part *out);
void partial_rdb_track(struct partial_rdb *partial, struct snapshot *snapshot,
                       const struct replid *replid);
bool partial_rdb_keep(struct partial_rdb *partial);
void partial_rdb_drop(struct partial_rdb *partial);

/* STORE_PART_READY: what is to go on. */
const struct snapshot_beginning *partial_rdb_beginning(const struct partial_rdb *partial);

/* It goes on, as `snapshot`, which has its file from now on. */
void partial_rdb_resumed(struct partial_rdb *partial, struct snapshot *snapshot);

/* Each turn: what has been read is taken, and that a file could not get its name. True: something changed. */
bool partial_rdb_take(struct partial_rdb *partial);

/* Each second: has noted what has come; lets go of what is whole. */
void partial_rdb_tick(struct partial_rdb *partial);

#endif
