/* SPDX-License-Identifier: MIT
 *
 * Files that go: the file thread moves each from its directory to the trash, the reclaimer frees it. Behind what was
 * submitted to the file thread before, so a name that goes may be given anew by a later job.
 *
 * What an identity on the disk still names must not go before another one is written (history_identity.c). Then
 * the removals are gathered, and submitted or forgotten when that is known.
 *
 * Thread: thread 0.
 */
#ifndef RELAY_STORE_REMOVAL_H
#define RELAY_STORE_REMOVAL_H

#include <stdint.h>

struct file_thread;
struct reclaimer;
struct removal;

/* Who removes. NULL: who asks, at once. */
struct remover {
    struct file_thread *files;
    struct reclaimer *reclaimer;
};

/* Gathered. All zeros: none. */
struct removals {
    struct removal *first;
};

/* `name` in the directory, which stays open until the file thread has been drained; it takes about `bytes` on the
 * disk. A file that is not there is no error. Into `gathered`, or NULL: now. */
void removal_ask(const struct remover *remover, int directory, const char *name, uint64_t bytes,
                 struct removals *gathered);

/* All that was gathered goes; or stays. */
void removals_submit(struct removals *gathered);
void removals_forget(struct removals *gathered);

#endif
