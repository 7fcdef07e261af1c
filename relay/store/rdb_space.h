/* SPDX-License-Identifier: MIT
 *
 * Whether an RDB would find room on the disk, before the primary is asked for one: each costs it a fork. What
 * one takes is known of the last one that came whole, and of one that found no room: that took more than had
 * come of it. Data sets shrink, and a length that is not known is a guess, so one is tried all the same after
 * RDB_SPACE_PATIENCE_MS, and again after as long.
 *
 * Pure. Owner: the store.
 */
#ifndef RELAY_STORE_RDB_SPACE_H
#define RELAY_STORE_RDB_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/check.h"

enum { RDB_SPACE_PATIENCE_MS = 10 * 60 * 1000 };

/* All zeros: nothing is known. */
struct rdb_space {
    uint64_t refused_bytes; /* one that takes so much has found no room; 0: none has */
    int64_t refused_ms;     /* when; one that came whole later refutes it */
    int64_t waits_since_ms; /* none is asked for, for want of room; 0: that is not so */
};

/* One found no room. It takes `bytes`; or that is what had come of it. */
void rdb_space_note_refused(struct rdb_space *room, uint64_t bytes, bool is_whole, int64_t now_ms);

/* What it would take, as far as that is known of one that was refused; 0: none was since `last_ms`, when one came
 * whole (0: none has). */
uint64_t rdb_space_refused(const struct rdb_space *room, int64_t last_ms);

/* May one that takes `expected` be asked for, where `available` is there for it? */
MUST_CHECK bool rdb_space_allows(struct rdb_space *room, uint64_t expected, uint64_t available,
                                 int64_t now_ms);

#endif
