/* SPDX-License-Identifier: MIT
 *
 * The archive from inside: archive.c opens it, gives the archiver's thread its jobs and takes their outcome; timeline.c
 * decides where a timeline goes on, or begins; choice.c what is shipped next. Thread: thread 0.
 */
#ifndef RELAY_ARCHIVE_ARCHIVE_PRIVATE_H
#define RELAY_ARCHIVE_ARCHIVE_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "archiver.h"
#include "relay/archive/archive.h"
#include "relay/base/log_repeat.h"
#include "relay/store/cursor.h"
#include "relay/store/identity.h"
#include "relay/store/time_index.h"
#include "shipment.h"
#include "state.h"

struct history;

struct archive {
    struct store *store;
    struct archive_options options;
    struct archive_callbacks callbacks;
    struct notifier *done;     /* rung by the archiver */
    struct archiver *archiver; /* NULL: it is off */
    struct shipment *shipment;
    bool is_busy;     /* the archiver has the shipment */
    bool is_found;    /* `note` is that of the disk */
    bool has_waiting; /* the shipment is staged, and to be shipped */
    bool has_lost_file;
    int64_t not_before_ms;
    int64_t backoff_ms;
    struct archive_state note; /* how far the archive is */
    struct cursor pin;         /* at note.archived; without a segment: it follows no history */
    uint64_t history;          /* the number of the one that it follows */
    uint64_t branch;
    struct identity ids;     /* of it: as it was last; without segments */
    struct time_index times; /* behind `archived` */
    int64_t since_ms;        /* the first byte that is not archived has come; 0: there is none */
    int64_t idle_since_ms;   /* nothing but PING has come; 0: something has */
    int64_t asked_snapshot_ms;
    struct log_repeat trouble;
    struct error error; /* ERROR_NONE: the last shipment was good */
    int64_t failing_since_ms;
    uint64_t files;
    uint64_t bytes;
    uint64_t failures;
    uint64_t gaps;
    uint64_t gap_bytes;
    int64_t last_shipped_us;
};

/* Gives the shipment, which is filled in, to the archiver. */
void archive_begin(struct archive *archive, enum shipment_work work);

/* timeline.c: true: `archive->pin` is at note.archived, and what comes next may be chosen. Else it has begun a job, or
 * waits. `history`: the current one; NULL: none. */
MUST_CHECK bool archive_follow(struct archive *archive, struct history *history);

/* A timeline that begins was written to the disk. */
void archive_take_timeline(struct archive *archive, struct history *history);

/* The pin goes on to note.archived. */
void archive_move_pin(struct archive *archive);

/* choice.c: begins the next shipment, where there is one. */
void archive_choose(struct archive *archive, const struct history *history);

/* How far the history may be shipped. */
uint64_t archive_limit(const struct archive *archive, const struct history *history);

#endif
