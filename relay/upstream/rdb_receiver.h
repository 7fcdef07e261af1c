/* SPDX-License-Identifier: MIT
 *
 * An RDB on its way from a connection into a snapshot: the framing is taken off (resp/payload.h), the
 * bytes are written and summed. Where compression was asked for the RDB may be compressed (docs/protocol.md 7.5): then
 * it is decompressed, a bounded amount in each call, and where the primary has left the CRC-64 at its end to the
 * checksum of the frame, we write it. Used by the link for a full sync, and by the fetch of a snapshot.
 * Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_RDB_RECEIVER_H
#define RELAY_UPSTREAM_RDB_RECEIVER_H

#include <stdbool.h>

#include "compression_use.h"
#include "relay/base/bytes.h"
#include "relay/base/text.h"
#include "relay/codec/decompressor.h"
#include "relay/resp/payload.h"
#include "relay/store/snapshot.h"

enum {
    RDB_RECEIVER_OUT = 128 * 1024,
    RDB_RECEIVER_OUTS = 8, /* that many are decompressed in one call */
    RDB_RECEIVER_ENDING = 8,
};

struct handshake;

struct rdb_receiver {
    struct payload payload;
    struct snapshot *snapshot; /* the store's; it must be arriving as long as this is fed */

    struct decompressor *decompressor; /* NULL: plain */
    struct compression_use *use;
    bool is_safe;         /* what comes over this connection has been checked: TLS */
    bool has_told_length; /* to the snapshot, where it is plain and its length is known */
    bool is_filled;       /* the last output: there may be more */
    bool is_finished;     /* its end has been written */
    bool is_out_of_memory;
    bool is_garbled;      /* what came cannot be decompressed */
    struct bytes left[2]; /* not decompressed yet: views of the payload and of the input */
    uint8_t *out;         /* RDB_RECEIVER_OUT bytes */
    uint8_t ending[RDB_RECEIVER_ENDING]; /* the last bytes, which are the footer if no more come */
    unsigned ending_length;
};

enum rdb_receiver_result {
    RDB_RECEIVER_MORE,
    RDB_RECEIVER_DONE, /* all bytes are in the snapshot; whether they are an RDB is the store's to prove */
    RDB_RECEIVER_HELD, /* the disk is full until files are freed: read no more, and feed again very soon */
    RDB_RECEIVER_BUSY, /* as RDB_RECEIVER_HELD, and feed again in the next turn: there is more to decompress */
    RDB_RECEIVER_FAILED, /* `why` */
};

/* The snapshot may have the first bytes already: then the rest is to come. */
void rdb_receiver_begin(struct rdb_receiver *rdb_receiver, struct snapshot *snapshot);

/* After it has begun: where the handshake has asked for compression, the RDB may be compressed. `is_safe`: the
 * connection itself notices a changed byte, so that a frame needs no checksum. Out of memory: the next feed fails. */
void rdb_receiver_decompress(struct rdb_receiver *rdb_receiver, const struct handshake *handshake,
                             struct compression_use *use, bool is_safe);

/* Frees what it has for that. Also of one that never began. */
void rdb_receiver_end(struct rdb_receiver *rdb_receiver);

/* Does it hold views of its last input? Then nothing may be received into that before it has been fed again. */
bool rdb_receiver_has_more(const struct rdb_receiver *rdb_receiver);

/* Takes what belongs to the RDB from `input`, which may be empty, and shortens it by that. */
enum rdb_receiver_result rdb_receiver_feed(struct rdb_receiver *rdb_receiver, struct bytes *input,
                                           struct text *why);

/* Did the primary end the RDB by a mark? Then it waits for our first ACK (docs/protocol.md 2.2). */
bool rdb_receiver_had_mark(const struct rdb_receiver *rdb_receiver);

#endif
