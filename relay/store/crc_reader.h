/* SPDX-License-Identifier: MIT
 *
 * Reads RDB files for the CRC-64 of their first bytes, behind everybody's back: a verifier of its own
 * (verifier.h), so that what a relay waits for that wants the rest of an RDB does not wait for the proof of the
 * backlog. One file at a time; who finds it busy asks again when it is done.
 *
 * What has been read is remembered, for a few: the next question about the same snapshot goes on from there. So a
 * transfer that is cut a hundred times costs one reading of the RDB.
 *
 * Owner: the store. Thread: thread 0; the reading is on a thread of the verifier.
 */
#ifndef RELAY_STORE_CRC_READER_H
#define RELAY_STORE_CRC_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/check.h"

struct crc_reader;

enum crc_reading {
    CRC_READING_NONE,   /* not read */
    CRC_READING_DONE,   /* *crc */
    CRC_READING_FAILED, /* the disk cannot read it, or the file is shorter */
};

/* NULL: no thread or no memory. */
MUST_CHECK struct crc_reader *crc_reader_start(void);
void crc_reader_stop(struct crc_reader **reader);

/* As verifier_on_done. */
void crc_reader_on_done(struct crc_reader *reader, void (*fn)(void *arg), void *arg);

/* The CRC-64 of the first `bytes` of what `number` names (snapshot_number), as far as that is remembered. */
enum crc_reading crc_reader_find(const struct crc_reader *reader, uint64_t number, uint64_t bytes,
                                 uint64_t *crc);

/* Begins to read it, unless it is busy or knows it; `file` is used with a descriptor of our own. */
void crc_reader_begin(struct crc_reader *reader, uint64_t number, int file, uint64_t bytes);

/* Each turn: True: a reading has been done. */
bool crc_reader_take(struct crc_reader *reader);

/* Forgets what is said of `number`, and gives up what is read of it. */
void crc_reader_forget(struct crc_reader *reader, uint64_t number);

/* How much has been read of what is being read. */
uint64_t crc_reader_bytes(const struct crc_reader *reader);

#endif
