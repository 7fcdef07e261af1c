/* SPDX-License-Identifier: MIT
 *
 * The snapshots of one history, and which of them full syncs are served from:
 *
 *     arriving --- it is whole ---> ahead --- the stream has reached its X ---> complete
 *                          \                                                   /
 *                           +---- it has already, or there is nothing to lose +
 *
 * A refresh may be taken of what our stream has not brought yet (the link is slower, or rests). Until it
 * has, nobody can be served from it, so the one before it stays; and should another server become the
 * primary meanwhile, what is ahead is of a branch that has been lost.
 *
 * What `complete` has replaced stays on the disk, with its name, until shelf_settle is told that what came
 * after it is safe (history_snapshots.c).
 *
 * Owner: a history. Thread: thread 0.
 */
#ifndef RELAY_STORE_SHELF_H
#define RELAY_STORE_SHELF_H

#include <stdbool.h>
#include <stdint.h>

#include "snapshot_writer.h"

enum { SHELF_REPLACED_MAX = 2 };

/* NULL: none. */
struct shelf {
    struct snapshot *complete;
    struct snapshot *ahead;
    struct snapshot *arriving;
    /* The oldest first: that one was safe. Of those between it and `complete` one is kept. */
    struct snapshot *replaced[SHELF_REPLACED_MAX];
};

void shelf_fini(struct shelf *shelf);

/* A complete one that the window, which begins at `first`, covers; else the one that will come next. */
struct snapshot *shelf_usable(const struct shelf *shelf, uint64_t first);

/* The newest that is whole. */
struct snapshot *shelf_newest(const struct shelf *shelf);

/* The arriving one is whole: it takes its place before a window of first..published. */
void shelf_put(struct shelf *shelf, int directory, uint64_t first, uint64_t published);

/* The stream has come to `published`. True: what was ahead is `complete` now. */
bool shelf_advance(struct shelf *shelf, int directory, uint64_t published);

/* What is whole and stands beyond `offset` goes; where that was the complete one, the newest that it has
 * replaced, and that is still there, is the complete one again. `arriving` is not touched. */
void shelf_cut(struct shelf *shelf, int directory, uint64_t offset);

/* The complete one goes, and the newest that it has replaced, if that is still there, takes its place. */
void shelf_drop_complete(struct shelf *shelf, int directory);

bool shelf_has_replaced(const struct shelf *shelf);

/* The identity on the disk names `complete`: what that has replaced goes, all but the oldest. `is_safe`: that
 * goes as well. True: something went. */
bool shelf_settle(struct shelf *shelf, int directory, bool is_safe);

#endif
