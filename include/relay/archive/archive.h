/* SPDX-License-Identifier: MIT
 *
 * Ships the history away: every byte of the stream, in pieces, and RDBs, each by a command of the operator's, one at a time, in
 * order. Who has the archive restores any moment of it, also when the disk of the relay is gone (`psync-relay restore`).
 *
 *     published          this thread sees what is there, and what is archived
 *     |  pinned          a cursor at `archived` keeps what is not archived yet, up to repl-backlog-max-size; beyond that
 *     |                  it goes, which leaves a gap, or nothing is read from the primary any more (on-full)
 *     v  shipped         by the archiver's thread (relay/archive/shipment.h, with the order and what a kill leaves)
 *     archived           the note says so; the cursor moves
 *
 * A piece ends when segment-size bytes are there, or `timeout` after the first of them came. Only what would survive
 * a power failure is shipped, so an archive has no bytes that the relay may come to see otherwise (with fsync = no it may).
 *
 * A *timeline* is one unbroken run of bytes in the archive. Another one begins with another history, where a failover has cut
 * off bytes that are archived already, and behind a gap. So what is lost is never read as a part of what went on.
 *
 * Thread: thread 0. It never waits.
 */
#ifndef RELAY_ARCHIVE_ARCHIVE_H
#define RELAY_ARCHIVE_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/archive/object_name.h"
#include "relay/base/check.h"
#include "relay/base/error.h"

struct archive;
struct loop;
struct store;

enum archive_full { ARCHIVE_FULL_DROP, ARCHIVE_FULL_STOP };

struct archive_options {
    const char *data_dir; /* that of the store */
    const char *command;  /* "": nothing is archived */
    int64_t timeout_ms;   /* 0: pieces end with segment-size alone */
    int64_t command_timeout_ms;
    int64_t
        snapshot_every_ms; /* 0: every snapshot that is complete, and none is fetched for the archive */
    enum archive_full on_full;
    uint64_t piece_bytes;
    bool waits_for_fsync; /* the store fsyncs: only durable bytes are shipped */
};

struct archive_callbacks {
    /* The archive wants a newer snapshot than the one that it has. False: none can be fetched now. */
    bool (*want_snapshot)(void *arg);
    void *arg;
};

/* NULL: out of memory, descriptors or threads. `options->data_dir` lives longer. */
MUST_CHECK struct archive *archive_open(struct loop *loop, struct store *store,
                                        const struct archive_options *options,
                                        const struct archive_callbacks *callbacks);

/* A command that runs is ended; the next start runs it again. Before the store is closed. */
void archive_close(struct archive **archive);

/* The settings may have changed. */
void archive_change(struct archive *archive, const struct archive_options *options);

/* At the end of each turn, and every second. */
void archive_turn_end(struct archive *archive);
void archive_tick(struct archive *archive);

enum archive_activity {
    ARCHIVE_OFF,
    ARCHIVE_STARTING, /* reads how far it is, or waits until the store has verified what it needs */
    ARCHIVE_IDLE,     /* waits for bytes */
    ARCHIVE_SHIPPING,
    ARCHIVE_RETRYING, /* the last attempt has failed */
};

struct archive_status {
    enum archive_activity activity;
    const char *activity_name;
    struct archive_system system; /* "": not known yet */
    uint64_t timeline;            /* 0: none yet */
    uint64_t archived;            /* offset */
    uint64_t waiting_bytes;       /* received, and not archived */
    int64_t waiting_ms;           /* since the first of them came */
    uint64_t files;               /* shipped since the start, without manifests */
    uint64_t bytes;
    uint64_t failures; /* of the command, or of the disk, since the start */
    int64_t
        failing_ms; /* for how long nothing has succeeded since the first failure; 0: it does not fail */
    const char *error;      /* of the last failure that is not over; "" */
    int64_t running_ms;     /* of the command that runs; 0: none does */
    uint64_t gaps;          /* since the start */
    uint64_t gap_bytes;     /* that are not in the archive */
    int64_t last_shipped_s; /* since 1970; 0: nothing since the start */
    bool has_snapshot;
    uint64_t snapshot_offset;
    int64_t snapshot_s; /* since 1970: when it was shipped */
    bool stops_stream;  /* on-full = stop */
};

void archive_status(const struct archive *archive, struct archive_status *out);

#endif
