/* SPDX-License-Identifier: MIT
 *
 * What a feed (feed.h) sends compressed (docs/protocol.md 7.5): the RDB as one frame, in parts that are compressed as
 * they are sent; the stream in pieces that are shared by all replicas of the worker (piece_cache.h), behind a head of
 * the replica's own. Offsets count plain bytes: the cursor moves over a piece when that begins to be sent, and a link
 * that ends in the midst of it costs nothing, since a replica asks for what it has decoded.
 *
 * Memory of one replica: while its RDB is sent a compressor and two parts; else a piece that it is sending.
 *
 * Thread: that of the replica.
 */
#ifndef RELAY_DOWNSTREAM_FEED_COMPRESSED_H
#define RELAY_DOWNSTREAM_FEED_COMPRESSED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "feed_state.h"

struct conn;

/* To compress a byte costs about what it costs to send four: of the share of a turn. */
enum { FEED_COMPRESSION_COST = 4 };

/* Does it send this part compressed? */
bool feed_compresses_rdb(const struct feed *feed);
bool feed_compresses_stream(const struct feed *feed);

/* Steps of a feed (feed.c). */
enum feed_result feed_send_compressed_rdb(struct feed *feed, struct conn *conn, size_t *share);
enum feed_result feed_send_compressed_stream(struct feed *feed, struct conn *conn, size_t *share);

/* Is a piece on its way that has not left? The cursor is behind it already. */
bool feed_has_unsent_piece(const struct feed *feed);

void feed_compression_fini(struct feed_compression *compression);

#endif
