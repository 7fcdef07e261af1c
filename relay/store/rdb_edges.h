/* SPDX-License-Identifier: MIT
 *
 * The first and the last bytes of an RDB, which tell whether it begins and ends as one: its magic, and its end opcode
 * with the checksum behind it. A file of zeros, whose CRC-64 is as good as that of a whole RDB, does not.
 *
 * Plain value. Any thread.
 */
#ifndef RELAY_STORE_RDB_EDGES_H
#define RELAY_STORE_RDB_EDGES_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/error.h"
#include "relay/base/text.h"

enum {
    RDB_EDGES_MAGIC_LENGTH = 9, /* "REDIS0011" */
    RDB_FOOTER_LENGTH = 8,      /* the CRC-64, little endian; all zeros: switched off */
    RDB_ENDING_LENGTH = RDB_FOOTER_LENGTH + 1,
};

/* All zeros: nothing has come. */
struct rdb_edges {
    uint8_t magic[RDB_EDGES_MAGIC_LENGTH];
    uint8_t ending[RDB_ENDING_LENGTH]; /* of what has come */
};

/* The next bytes, behind the first `before`. */
void rdb_edges_feed(struct rdb_edges *edges, uint64_t before, struct bytes view);

/* Those of the first `length` bytes of a file; of fewer than an RDB has nothing is read. False: `error`. */
MUST_CHECK bool rdb_edges_read(struct rdb_edges *edges, int file, uint64_t length,
                               struct error *error);

/* Has what ends here a checksum? */
bool rdb_edges_have_checksum(const struct rdb_edges *edges);

/* Does it begin and end as an RDB of `length` bytes does? False: `error`, ERROR_DAMAGED. */
MUST_CHECK bool rdb_edges_are_whole(const struct rdb_edges *edges, uint64_t length,
                                    struct error *error);

#endif
