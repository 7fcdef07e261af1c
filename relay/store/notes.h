/* SPDX-License-Identifier: MIT
 *
 * The notes of others that are kept in the data directory (relay/store/store_notes.h names them), each a small file
 * that is replaced as a whole. Thread 0 never waits for them:
 *
 *     1  the content is taken over, and is what notes_read gives from now on
 *     2  the file thread writes it beside the old file and renames it over that; or removes the file
 *     3  where it is to be durable: the syncer fsyncs it, and its name
 *
 * A kill before 2 finds the note before; who must not go on before that asks notes_are_pending. Of several
 * contents that come while one is being written, the newest is written.
 *
 * Owner: the store. Thread: thread 0.
 */
#ifndef RELAY_STORE_NOTES_H
#define RELAY_STORE_NOTES_H

#include <stdbool.h>

#include "file_job.h"
#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/text.h"

enum { NOTES_COUNT = 4 };

struct file_thread;
struct notes;
struct syncer;

struct note {
    struct file_job job; /* first: the job is the note */
    const struct notes *notes;
    const char *name;
    struct text writing; /* the file thread's while it is at it; empty: the file goes */
    struct text next;
    bool has_next;
    bool is_durable; /* of `writing`, and of `next` */
    bool next_is_durable;
};

struct notes {
    int directory;
    struct file_thread *files;
    struct syncer *syncer;
    struct note rows[NOTES_COUNT];
};

/* Is it a name that a note may have? */
bool notes_is_name(const char *name);

/* What a kill in the middle of replacing one may leave: its name with ".new" behind. */
bool notes_is_half(const char *name);

/* All that is given outlives it. */
void notes_init(struct notes *notes, int directory, struct file_thread *files,
                struct syncer *syncer);

/* Waits until all that was kept is written. */
void notes_fini(struct notes *notes);

/* Empty content: the file goes. False: out of memory, `why`. What the disk says later is told in the log. */
MUST_CHECK bool notes_keep(struct notes *notes, const char *name, struct bytes content,
                           bool is_durable, struct text *why);

/* Appends the content that was kept last to `out`. False: `why`. */
MUST_CHECK bool notes_read(const struct notes *notes, const char *name, struct text *out,
                           struct text *why);

/* Is a content of that note on its way to the disk? */
bool notes_are_pending(const struct notes *notes, const char *name);

/* Takes what the file thread has done, and has it do what has come meanwhile. Each turn. */
void notes_take(struct notes *notes);

#endif
