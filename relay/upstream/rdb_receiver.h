/* SPDX-License-Identifier: MIT
 *
 * An RDB on its way from a connection into a snapshot: the framing is taken off (resp/payload.h), the
 * bytes are written and summed. Used by the link for a full sync, and by the fetch of a snapshot.
 * Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_RDB_RECEIVER_H
#define RELAY_UPSTREAM_RDB_RECEIVER_H

#include <stdbool.h>

#include "relay/base/bytes.h"
#include "relay/base/text.h"
#include "relay/resp/payload.h"
#include "relay/store/snapshot.h"

struct rdb_receiver {
    struct payload payload;
    struct snapshot *snapshot; /* the store's; it must be arriving as long as this is fed */
};

enum rdb_receiver_result {
    RDB_RECEIVER_MORE,
    RDB_RECEIVER_DONE, /* all bytes are in the snapshot; whether they are an RDB is the store's to prove */
    RDB_RECEIVER_HELD, /* the disk is full until files are freed: read no more, and feed again very soon */
    RDB_RECEIVER_FAILED, /* `why` */
};

/* The snapshot may have the first bytes already: then the rest is to come. */
void rdb_receiver_begin(struct rdb_receiver *rdb_receiver, struct snapshot *snapshot);

/* Takes what belongs to the RDB from `input`, which may be empty, and shortens it by that. */
enum rdb_receiver_result rdb_receiver_feed(struct rdb_receiver *rdb_receiver, struct bytes *input,
                                           struct text *why);

/* Did the primary end the RDB by a mark? Then it waits for our first ACK (docs/protocol.md 2.2). */
bool rdb_receiver_had_mark(const struct rdb_receiver *rdb_receiver);

#endif
