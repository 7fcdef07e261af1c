/* SPDX-License-Identifier: MIT
 *
 * The first bytes of an RDB, as two relays speak of them: whose snapshot it is, how much of it is there, and
 * the CRC-64 of that. It is said in one word, on the wire (docs/protocol.md 2.7) and in the note in the data
 * directory (relay/store/partial_rdb.h):
 *
 *     <replid>:<X>:<length>:<bytes>:<crc>     numbers in decimal, the CRC as 16 hexadecimal digits
 *
 * Plain values. Pure. Any thread.
 */
#ifndef RELAY_BASE_RDB_PART_H
#define RELAY_BASE_RDB_PART_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/replid.h"
#include "relay/base/text.h"

enum {
    RDB_PART_BYTES_MIN = 64, /* of less nothing is kept */
    RDB_PART_WORD_MAX = 128, /* of the word, without its end */
};

struct rdb_part {
    struct replid replid;
    uint64_t offset; /* X */
    uint64_t length; /* of the whole RDB; 0: not known, since it comes with an end mark */
    uint64_t
        bytes; /* that are there: at least RDB_PART_BYTES_MIN, at most `length` where that is known */
    uint64_t crc; /* of these bytes */
};

/* May it be spoken of at all? */
bool rdb_part_is_valid(const struct rdb_part *part);

/* Appends the word; of a valid one. */
void rdb_part_format(const struct rdb_part *part, struct text *out);

/* False: it is not such a word, as rdb_part_format writes it, to the last byte; *out is not touched. */
MUST_CHECK bool rdb_part_parse(struct bytes word, struct rdb_part *out);

/* Are they parts of what may be the same RDB? By id, X, and length where both know it. */
bool rdb_part_is_of(const struct rdb_part *part, const struct replid *replid, uint64_t offset,
                    uint64_t length);

#endif
