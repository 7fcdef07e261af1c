/* SPDX-License-Identifier: MIT
 *
 * A system that refuses. A test program that includes this header goes through here with each allocation, open,
 * preallocation, mapping, write, fsync, rename, link, and directory it makes; the Nth of them fails, or all from the
 * Nth on. The syncer's calls count as well.
 *
 *     for (unsigned n = 1; ; n++) {
 *         fault_begin(&(struct fault){.nth = n, .disk_error = EIO});
 *         live();
 *         if (fault_lift() == 0)
 *             break;                       a whole life without a fault: done
 *     }
 *
 * Thread: fault_* any.
 */
#ifndef TESTS_SUPPORT_FAULT_H
#define TESTS_SUPPORT_FAULT_H

#include <stdbool.h>

struct fault {
    unsigned nth;   /* the first call that fails, from 1; 0: none does */
    bool stays;     /* so do all that follow, until fault_lift */
    int disk_error; /* of preallocations, writes, fsyncs, renames: ENOSPC, EIO */
    int open_error; /* of opens: EMFILE, ENFILE */
    bool kills;     /* nothing fails: the process is killed (SIGKILL) instead of the call */
};

void fault_begin(const struct fault *fault);

/* The cause is over; nothing fails any more. How many calls have failed since fault_begin. */
unsigned fault_lift(void);

/* How many calls have failed since fault_begin; how many there were; the name of the first that failed. */
unsigned fault_count(void);
unsigned fault_calls(void);
const char *fault_first(void);

/* From now on a preallocation reserves nothing, as on ZFS, NFS and btrfs with compression: a full disk is
 * noticed by who writes. */
void fault_reserve_nothing(bool on);

/* Has the file or directory of that path been fsynced since fault_begin? */
bool fault_was_synced(const char *path);

/* The disk does not answer: fsyncs wait until it does, and so does what frees a file of the stream or an
 * RDB (taking its name off, or closing it when that is gone). Those of the calling thread are counted
 * instead, and come back at once. */
void fault_hold_disk(void);
void fault_release_disk(void);
unsigned fault_own_fsyncs(void);
unsigned fault_waiting_fsyncs(void);
unsigned fault_own_frees(void);

#endif
