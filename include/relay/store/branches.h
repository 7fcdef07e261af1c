/* SPDX-License-Identifier: MIT
 *
 * What readers of a history still have in common with it. A history may lose its end (a rewind) and may
 * go on under another replication id (a rename). Each of the two begins a new *branch* at an offset: what
 * a reader was sent on an earlier branch is part of the history up to that offset, and beyond it may be
 * anything.
 *
 *     branch 0   ---------------------+.......      2 begins before 1 did: nothing of 0 and 1 is
 *     branch 1              |         +---.....     common with 2 beyond where 2 begins
 *     branch 2              +------------
 *
 * Numbers of branches are those of one history while the process lives; they are not kept on disk, since no
 * reader outlives the process. Pure. Thread: thread 0.
 */
#ifndef RELAY_STORE_BRANCHES_H
#define RELAY_STORE_BRANCHES_H

#include <stddef.h>
#include <stdint.h>

enum { BRANCHES_STARTS_MAX = 64 };

/* All zeros: a history that has had one branch only, number 0. */
struct branches {
    uint64_t current;
    size_t count;
    struct {
        uint64_t number;           /* of the branch that begins */
        uint64_t offset;           /* here */
    } starts[BRANCHES_STARTS_MAX]; /* those that still limit somebody; both rise strictly */
};

/* A new branch begins at `offset`. Where there are too many to tell apart, the two oldest become one: their
 * readers then have less in common than they might, never more. */
void branches_begin(struct branches *branches, uint64_t offset);

/* What was sent on `branch` is part of the history up to this offset; UINT64_MAX: all of it. */
uint64_t branches_common_end(const struct branches *branches, uint64_t branch);

/* Where the current branch begins; 0 where it is the first. */
uint64_t branches_start(const struct branches *branches);

#endif
