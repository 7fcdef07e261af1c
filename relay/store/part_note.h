/* SPDX-License-Identifier: MIT
 *
 * The note about the beginning of an RDB that is here (partial_rdb.h): what the file holds at least, written
 * after the bytes that it speaks of are safe. Four lines and the CRC-64 of them:
 *
 *     psync-relay partial 1
 *     rdb <word>                       relay/base/rdb_part.h
 *     boot <boot id>                   of the machine when it was written; "-": it has none
 *     synced <yes or no>               were the bytes fsynced before? Else they outlive a kill, and no power failure
 *     sum <16 hexadecimal digits>
 *
 * Pure. Any thread.
 */
#ifndef RELAY_STORE_PART_NOTE_H
#define RELAY_STORE_PART_NOTE_H

#include <stdbool.h>

#include "files.h"
#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/rdb_part.h"
#include "relay/base/text.h"

enum { PART_NOTE_LENGTH_MAX = 512 };

struct part_note {
    struct rdb_part part;
    char boot_id[FILES_BOOT_ID_CAPACITY]; /* "": none */
    bool is_synced;
};

void part_note_format(const struct part_note *note, struct text *out);

/* False: it is not such a note, to the last byte; *out is not touched. */
MUST_CHECK bool part_note_parse(struct bytes content, struct part_note *out);

/* Was it written since the machine was booted? Then the file has all that was written to it. */
bool part_note_is_of_boot(const struct part_note *note, const char *boot_id);

/* Does the file hold what it says, as far as the order of writing can tell? */
bool part_note_counts(const struct part_note *note, const char *boot_id);

#endif
