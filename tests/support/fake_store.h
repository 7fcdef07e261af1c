/* SPDX-License-Identifier: MIT
 *
 * Stands in for the store as its readers see it: histories whose stream bytes, ends and snapshots the
 * test sets as it likes. No directory, no crash rules; files are anonymous. What may continue is
 * decided by the real identity.c.
 *
 *     struct history *history = fake_history_new(1, replid, 100);    window 100..100
 *     fake_history_append(history, bytes);                           published at once
 *     struct snapshot *snapshot = fake_snapshot_new(100, rdb);       arriving, nothing readable
 *     fake_snapshot_set_readable(snapshot, 7);
 *     fake_snapshot_set_state(snapshot, SNAPSHOT_COMPLETE);          all readable, length known
 *     fake_store.current = history;
 *     ...
 *     fake_store_reset();                                            at the end of each test
 *
 * Links with store/identity, base/replid, base/text and what they need. One thread.
 */
#ifndef TESTS_SUPPORT_FAKE_STORE_H
#define TESTS_SUPPORT_FAKE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/store/cursor.h"
#include "relay/store/rdb_parts.h"
#include "relay/store/store.h"

struct store {
    struct history *current;
    struct history *arriving;
    /* What is said of this part; of every other that it is none of ours. */
    struct rdb_part part;
    enum part_match part_match;
    struct history *part_history;
    struct snapshot *part_snapshot;
    unsigned compared; /* how often that was asked for, */
    struct rdb_part last_compared;
    unsigned kept; /* and how many were left by a relay */
};

/* The one store. */
extern struct store fake_store;

/* Frees histories and the references that the test has; CHECKs that nobody else holds one. */
void fake_store_reset(void);

struct history *fake_history_new(uint64_t number, const char *replid, uint64_t first);
void fake_history_append(struct history *history, struct bytes bytes);

void fake_history_set_settling(struct history *history, bool is_settling);
void fake_history_set_awaits_room(struct history *history, bool awaits_room);

/* Bytes before `first` are given up. */
void fake_history_set_first(struct history *history, uint64_t first);

/* The history goes on under `replid` from its published end on. */
void fake_history_rename(struct history *history, const char *replid);

/* All that it has has come by now (clock_wall_us), as the time index says. */
void fake_history_note_time(struct history *history);

/* The history ends at `offset`, and another branch begins there. */
void fake_history_rewind(struct history *history, uint64_t offset);

/* Which snapshots it has; they stay the test's. */
void fake_history_set_snapshots(struct history *history, struct snapshot *complete,
                                struct snapshot *arriving);

/* What peeks of a history's cursors say from now on, where they have something to say. */
void fake_history_set_fate(struct history *history, enum cursor_view fate);

/* The longest piece that one peek shows. */
void fake_history_set_piece_max(struct history *history, size_t length);

/* How many cursors are attached. */
size_t fake_history_cursor_count(const struct history *history);

struct snapshot *fake_snapshot_new(uint64_t offset, struct bytes rdb);
void fake_snapshot_announce_length(struct snapshot *snapshot);
void fake_snapshot_set_readable(struct snapshot *snapshot, uint64_t readable);
void fake_snapshot_set_state(struct snapshot *snapshot, enum snapshot_state state);
unsigned fake_snapshot_references(const struct snapshot *snapshot); /* the test's included */

#endif
