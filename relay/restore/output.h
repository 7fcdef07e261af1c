/* SPDX-License-Identifier: MIT
 *
 * The files that a restore writes. They grow in TARGET/psync-relay-restore.part, which another restore may not use
 * meanwhile (flock), and get their final name by one rename, after all of them are on the disk:
 *
 *     aof           TARGET/appendonlydir/             base RDB, incremental file, manifest: Redis 7 and Valkey
 *     aof-legacy    TARGET/appendonly.aof             an RDB and the commands behind it: Redis 4.0 to 6.2
 *     rdb-and-log   TARGET/rdb-and-log/               dump.rdb and stream.log as they came
 *
 * Nothing that is there is overwritten. What a kill has left in the .part folder is removed by the next restore.
 *
 * Owner: the caller.
 */
#ifndef RELAY_RESTORE_OUTPUT_H
#define RELAY_RESTORE_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/error.h"
#include "relay/store/history_view.h"

enum output_format { OUTPUT_AOF, OUTPUT_AOF_LEGACY, OUTPUT_RDB_AND_LOG };

/* False: no such format. */
MUST_CHECK bool output_parse_format(const char *name, enum output_format *out);

struct output {
    enum output_format format;
    const char *target;
    int directory;  /* TARGET */
    int part;       /* the folder in it */
    int file;       /* that is written; -1: none */
    int written[3]; /* files that are whole, and may not be on the disk yet */
    size_t written_count;
    uint64_t flushed; /* of the file: the disk was asked to take it */
    uint64_t length;  /* of it, so far */
    uint64_t stream;  /* of which the RDB in front of the stream is */
    bool has_made_target;
    bool is_finished;
    bool is_copying; /* the kernel copies between the two file systems */
};

/* Makes TARGET where it is missing. False: `error`; nothing is left of it. */
MUST_CHECK bool output_open(struct output *output, const char *target, enum output_format format,
                            struct error *error);

/* The RDB begins, and ends; the stream begins, and ends with the first `length` of its bytes. */
MUST_CHECK bool output_begin_rdb(struct output *output, struct error *error);
void output_end_rdb(struct output *output);
MUST_CHECK bool output_begin_stream(struct output *output, struct error *error);
MUST_CHECK bool output_end_stream(struct output *output, uint64_t length, struct error *error);

/* Appends bytes; those of a piece are shared with its file where the file system can. */
MUST_CHECK bool output_write(struct output *output, struct bytes bytes, struct error *error);
MUST_CHECK bool output_copy(struct output *output, const struct history_view_piece *piece,
                            struct error *error);

/* What is whole gets its final name. False: `error`, and output_close removes it. */
MUST_CHECK bool output_finish(struct output *output, struct error *error);

/* Removes what did not get its final name. */
void output_close(struct output *output);

/* The final name, relative to TARGET. */
const char *output_name(enum output_format format);

#endif
