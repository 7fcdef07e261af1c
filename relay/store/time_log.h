/* SPDX-License-Identifier: MIT
 *
 * The files of a history's time index (relay/store/time_index.h):
 *
 *     history-<n>/times/0000000001.times     records, in the order in which they were written
 *     history-<n>/times/0000000002.times
 *
 * Numbers are counted up and never used twice, so the order of the names is that of the records, also after a
 * rewind. Files are only appended to. A file has TIME_LOG_RECORDS_MAX records at the most, and there are
 * TIME_LOG_FILES_MAX files at the most: 32 MB. Beyond that the oldest goes, so the oldest times are forgotten and
 * the bytes are still there. A file also goes when the backlog begins behind its last offset.
 *
 * Order. Thread 0 notes an entry in memory and never waits; a thread of the store's own ("store-times") appends,
 * fsyncs where the setting `fsync` is not `no`, and removes. It is none of the others' threads: the file thread
 * makes the next segment, and must not wait for an fsync; the syncer's fsyncs are what `ack durable` waits for.
 * While it waits for a slow disk, thread 0 keeps up to TIME_LOG_BATCH entries for it; then the newest replaces the
 * last one. A kill loses what was not written, a power failure what was not fsynced, the newest first. Nothing
 * is claimed of the records: each proves itself.
 *
 * Owner: a history. Thread: thread 0, but for time_log_free (any) and time_log_read (any).
 */
#ifndef RELAY_STORE_TIME_LOG_H
#define RELAY_STORE_TIME_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "job_thread.h"
#include "relay/base/check.h"
#include "relay/base/replid.h"
#include "relay/store/identity.h"
#include "relay/store/time_index.h"

#define TIME_LOG_FOLDER "times"

enum {
    TIME_LOG_RECORDS_MAX = 8192,
    TIME_LOG_FILES_MAX = 128,
    TIME_LOG_BATCH = 64,
    TIME_LOG_NAME_MAX = 32,
};

struct time_log;

/* The thread. NULL: no thread, or out of memory. To stop waits until all is written. Thread 0. */
MUST_CHECK struct job_thread *time_log_start_thread(void);
void time_log_stop_thread(struct job_thread **thread);

/* For the history in `directory`, which stays open until time_log_free has returned. Nothing is made on the
 * disk before the first entry. `thread` outlives it; NULL: files are written at once, for tools and tests. NULL: out of memory. */
MUST_CHECK struct time_log *time_log_new(struct job_thread *thread, int directory);

/* Waits for what was given to the thread. */
void time_log_free(struct time_log **log);

/* Takes what the files tell of this history, up to `end`. Reads up to 32 MB: at a start, before
 * anything is noted. What cannot be read is left out, with a line in the log. */
void time_log_load(struct time_log *log, const struct identity *identity, uint64_t end);

/* Notes that all bytes before `boundary` have come under that id, now; nothing where that is the newest entry
 * already. What is before `first` is no longer held. Once a second. */
void time_log_note(struct time_log *log, uint64_t boundary, const struct replid *replid,
                   uint64_t first, bool is_durable);

/* The history ends at `offset` now: forgets what it knows beyond. */
void time_log_cut(struct time_log *log, uint64_t offset);

const struct time_index *time_log_index(const struct time_log *log);

void time_log_name(uint64_t number, char name[TIME_LOG_NAME_MAX]);
/* False: not such a name. */
MUST_CHECK bool time_log_parse_name(const char *name, uint64_t *number);

struct time_log_file {
    uint64_t number;
    struct time_file_sum sum;
};

struct time_log_files {
    size_t count; /* oldest first */
    struct time_log_file file[TIME_LOG_FILES_MAX];
};

/* Reads the files in the folder of a history, and changes nothing. Of too many the newest are read. What
 * cannot be read is told in the log, and left out. */
void time_log_read(int directory, const struct identity *identity, uint64_t end,
                   struct time_index *index, struct time_log_files *files);

#endif
