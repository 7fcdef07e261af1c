/* SPDX-License-Identifier: MIT
 *
 * What an RDB says of where it was taken: servers from Redis 4 on write the replication id and the offset
 * into its first fields (AUX), for a replica that asked. Pure. Any thread.
 */
#ifndef RELAY_STORE_RDB_AUX_H
#define RELAY_STORE_RDB_AUX_H

#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/replid.h"

enum { RDB_AUX_HEAD = 4096 }; /* so much of an RDB is enough to read it from */

struct rdb_aux {
    struct replid replid;
    uint64_t offset;
};

/* False: the head does not say both. */
MUST_CHECK bool rdb_aux_read(struct bytes head, struct rdb_aux *out);

/* The database that is selected in the stream where the RDB was taken: `repl-stream-db` (docs/protocol.md 2.5). False:
 * the head does not say it, as those of servers before Redis 4 and of a plain BGSAVE. */
MUST_CHECK bool rdb_aux_stream_db(struct bytes head, uint64_t *out);

#endif
