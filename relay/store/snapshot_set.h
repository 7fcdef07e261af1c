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
 * What `complete` has replaced stays on the disk, with its name, until snapshot_set_settle is told that what came
 * after it is safe (history_snapshots.c).
 *
 * Owner: a history. Thread: thread 0.
 */
#ifndef RELAY_STORE_SNAPSHOT_SET_H
#define RELAY_STORE_SNAPSHOT_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "snapshot_private.h"

enum { SNAPSHOT_SET_REPLACED_MAX = 2 };

/* NULL: none. */
struct snapshot_set {
    struct snapshot *complete;
    struct snapshot *ahead;
    struct snapshot *arriving;
    /* The oldest first: that one was safe. Of those between it and `complete` one is kept. */
    struct snapshot *replaced[SNAPSHOT_SET_REPLACED_MAX];
};

void snapshot_set_fini(struct snapshot_set *snapshot_set);

/* A complete one that the window, which begins at `first`, covers; else the one that will come next. */
struct snapshot *snapshot_set_usable(const struct snapshot_set *snapshot_set, uint64_t first);

/* The newest that is whole. */
struct snapshot *snapshot_set_newest(const struct snapshot_set *snapshot_set);

/* The arriving one is whole: it takes its place before a window of first..published. */
void snapshot_set_put(struct snapshot_set *snapshot_set, int directory, uint64_t first,
                      uint64_t published);

/* The stream has come to `published`. True: what was ahead is `complete` now. */
bool snapshot_set_advance(struct snapshot_set *snapshot_set, int directory, uint64_t published);

/* What is whole and stands beyond `offset` goes; where that was the complete one, the newest that it has
 * replaced, and that is still there, is the complete one again. `arriving` is not touched. The files are `gathered`. */
void snapshot_set_cut(struct snapshot_set *snapshot_set, int directory, uint64_t offset,
                      struct removals *gathered);

/* Has one of those that are whole the same X as `snapshot`, and so the same name? */
bool snapshot_set_has_namesake(const struct snapshot_set *snapshot_set,
                               const struct snapshot *snapshot);

/* The complete one goes, and the newest that it has replaced, if that is still there, takes its place. */
void snapshot_set_drop_complete(struct snapshot_set *snapshot_set, int directory);

/* Takes the oldest that was replaced, and is at or behind `first`, out of the set; its file stays, and the
 * reference is the caller's. NULL: there is none. */
struct snapshot *snapshot_set_take_replaced(struct snapshot_set *snapshot_set, uint64_t first);

bool snapshot_set_has_replaced(const struct snapshot_set *snapshot_set);

/* The identity on the disk names `complete`: what that has replaced goes, all but the oldest. `is_safe`: that
 * goes as well. True: something went. */
bool snapshot_set_settle(struct snapshot_set *snapshot_set, int directory, bool is_safe);

#endif
