/* SPDX-License-Identifier: MIT
 *
 * The real store in a directory of its own that goes when the test ends, with segments so small that a
 * few hundred bytes roll them; and RDBs to put into it. In memory (/dev/shm) where there is such a
 * place, since the store fsyncs.
 */
#ifndef TESTS_SUPPORT_TEMP_STORE_H
#define TESTS_SUPPORT_TEMP_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "instant_file_thread.h"
#include "relay/base/text.h"
#include "relay/store/cursor.h"
#include "relay/store/store.h"

enum { TEMP_SEGMENT_BYTES = 4096, TEMP_WINDOW_BYTES = 64 * 1024 };

struct temp_store {
    char path[64];
    struct store *store;
    struct store_options options; /* as it was opened: change them, then temp_store_reopen */
};

void temp_store_open(struct temp_store *temp);

/* Closes and opens again what is on disk, as a restart does. */
void temp_store_reopen(struct temp_store *temp);

void temp_store_close(struct temp_store *temp);

/* Makes a whole history with a snapshot at `offset` the current one, without a link. */
void temp_store_fill(struct temp_store *temp, const char *replid, uint64_t offset);

/* From now on the disk takes no more bytes into any file, or does so again. */
void temp_store_refuse(bool refuse);

/* Or it takes no new file, and so no further segment, while those that it has can be written. */
void temp_store_refuse_files(bool refuse);

/* An RDB with a checksum that is right: magic, `length` bytes of anything, end opcode, footer. */
void temp_store_rdb(struct text *out, size_t length);

/* All that the current history's backlog holds from `offset` on; it must be published. */
void temp_store_read(const struct temp_store *temp, uint64_t offset, struct text *out);

#endif
