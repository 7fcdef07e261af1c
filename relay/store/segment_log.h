/* SPDX-License-Identifier: MIT
 *
 * The segments that were sealed since the identity was written, so that to seal one costs the same however
 * many there are: one line in the file `segments.<n>`, which goes behind the identity with `base n`:
 *
 *     psync-relay segments 1 since 12
 *     segment 65536 131072 4f1c09be22a01733 131001 9d0c55aa8e7f1b42     the row, and a sum of it
 *
 * Once in a while, and whenever anything else of it changes, the identity is written whole, with the next
 * number; its lines go into a file of their own then. The one before it stays until the syncer has made the
 * new identity durable (identity.kept), since after a power failure that copy may be all there is:
 *
 *     identity.kept, base 12     segments.12   segments.13   segments.14     identity, base 14
 *
 * A reader of base n applies the files from n on, each row that begins where the last one ended. `since`: the
 * oldest base for which the rows of a file are good. It is the number of the last cut or new id; what a copy of
 * before that says is followed no further.
 *
 * Order, for a kill: the new file without a line; the identity, which has all rows; then lines into the new file.
 * While the two are being made no line is written (history_identity.c). For a power failure: the
 * syncer fsyncs the files before it claims what they speak of. A torn line has a wrong sum, and is the end.
 *
 * Owner: a history. Thread: thread 0; segment_log_sync is the syncer's.
 */
#ifndef RELAY_STORE_SEGMENT_LOG_H
#define RELAY_STORE_SEGMENT_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/error.h"
#include "relay/base/text.h"
#include "relay/store/identity.h"

struct segment_log {
    int directory; /* the history's; not owned */
    int file;      /* -1: no identity was written yet */
    uint64_t base;
    uint64_t since;
    uint64_t length;
    size_t rows;
};

void segment_log_init(struct segment_log *log, int directory);
void segment_log_fini(struct segment_log *log);

/* The file behind the next identity. It is made before that is written, so that a row never waits for it. */
struct segment_log_file {
    uint64_t base;
    uint64_t since;
    uint64_t length;
    int file; /* -1: not made */
};

/* `is_cut`: what an older identity says of the rows to come is not true. */
struct segment_log_file segment_log_next(const struct segment_log *log, bool is_cut);

/* Makes it, or makes it anew. False: `error`. Any thread. */
MUST_CHECK bool segment_log_make_file(int directory, struct segment_log_file *next,
                                      struct error *error);
void segment_log_close_file(struct segment_log_file *next);

/* The identity of its base was written: rows go into it, which is the log's now. */
void segment_log_follow(struct segment_log *log, const struct segment_log_file *next);

/* Was an identity written that it goes behind? Before, nothing can be added. */
bool segment_log_is_open(const struct segment_log *log);

/* Adds a row. False: errno and `why`; nothing was added. */
MUST_CHECK bool segment_log_add(struct segment_log *log, const struct identity_segment *row,
                                struct text *why);

/* Adds the rows behind an identity that was read, and drops the oldest whose files are gone: for a segment that
 * is given up the identity is not written. *newest: the largest base there is, of files and identity. False: errno and `why`; the system did not let us look. */
MUST_CHECK bool segment_log_apply(int directory, struct identity *identity, uint64_t *newest,
                                  struct text *why);

/* fsyncs all of them. False: errno. */
MUST_CHECK bool segment_log_sync(int directory);

/* Removes those that go behind a base before `base`. */
void segment_log_remove_before(int directory, uint64_t base);

#endif
