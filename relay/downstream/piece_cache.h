/* SPDX-License-Identifier: MIT
 *
 * The stream in compressed pieces, each made once for all replicas of a worker that have one codec: whoever comes to
 * a place first has the piece made that begins there, the others find it. A piece can be decoded without those before
 * it (codec/compressor.h), so a replica may begin at any. All replicas of one codec are given to the same worker
 * (replicas.c), so what is sent to a hundred is compressed once.
 *
 *     offset   0       64K      128K     192K   published
 *     stream   |--------|--------|--------|--|---|
 *     pieces    behind: up to a multiple   at the end: what has been published
 *
 * A piece ends at a multiple of PIECE_BYTES, so that replicas that began at different places come to the same pieces,
 * or where the published stream does. At the end it is made at once while little is written; where much is, more is
 * waited for, for at most repl-compression-max-latency since the piece before, since small pieces compress badly.
 *
 * Bytes are known by the segment and their offset: after a rewind the same offset has other bytes in another segment.
 *
 * Memory: PIECE_CACHE_BYTES of pieces, and one for each replica that is in the midst of sending an older one.
 *
 * Owner: the worker. Thread: the worker's.
 */
#ifndef RELAY_DOWNSTREAM_PIECE_CACHE_H
#define RELAY_DOWNSTREAM_PIECE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/codec/codec.h"
#include "relay/store/cursor.h"

struct piece;
struct piece_cache;

enum {
    PIECE_BYTES = 64 * 1024,
    PIECE_CACHE_BYTES =
        16 * 1024 * 1024, /* what sockets hold: so far apart are replicas that keep up */
    PIECE_CACHE_MAX = 4096,
    PIECE_GATHER_BYTES = 8 * 1024, /* so much in repl-compression-max-latency is much */
};

/* The next piece is due in so long, in ms: then ask again. */
typedef void piece_cache_due_fn(int64_t delay_ms, void *arg);

/* NULL: out of memory. */
MUST_CHECK struct piece_cache *piece_cache_new(struct compression compression, int64_t latency_ms,
                                               piece_cache_due_fn *due, void *arg);
void piece_cache_free(struct piece_cache **cache);

/* Another level or latency from the next piece on. */
void piece_cache_change(struct piece_cache *cache, int level, int64_t latency_ms);

enum piece_result {
    PIECE_READY,      /* *piece, which the caller releases */
    PIECE_GATHERING,  /* more is waited for: `due` was told */
    PIECE_UNREADABLE, /* the disk: errno */
    PIECE_NO_MEMORY,
};

/* The piece that begins at the cursor, where `available` > 0 bytes can be read in one segment. `is_at_end`: no
 * more are published, and more may be waited for. */
enum piece_result piece_cache_get(struct piece_cache *cache, const struct cursor *cursor,
                                  size_t available, bool is_at_end, struct piece **piece);

struct bytes piece_bytes(const struct piece *piece); /* compressed */
size_t piece_plain_length(const struct piece *piece);
void piece_release(struct piece **piece);

/* How many pieces were made since it began. */
uint64_t piece_cache_made(const struct piece_cache *cache);

#endif
