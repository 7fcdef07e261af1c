/* SPDX-License-Identifier: MIT
 *
 * What a feed (feed.h) is made of, for the files that make it work: feed, feed_send and feed_compressed.
 * Thread: that of the replica.
 */
#ifndef RELAY_DOWNSTREAM_FEED_STATE_H
#define RELAY_DOWNSTREAM_FEED_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/text.h"
#include "relay/codec/compressor.h"
#include "relay/resp/payload.h"
#include "relay/store/cursor.h"
#include "relay/store/snapshot.h"
#include "replica_codec.h"

struct piece;
struct piece_cache;
struct rdb_frame;
struct sync_rate;

/* What of it is compressed: feed_compressed.h. */
struct feed_compression {
    struct replica_codec codec; /* plain: the rest is not used */
    struct piece_cache *cache;  /* the worker's; NULL: thread 0 has it */
    bool has_begun;             /* the stream: the head was written */
    uint8_t head[COMPRESSOR_HEAD_MAX];
    size_t head_length;
    size_t head_sent;
    struct piece *piece; /* is being sent; NULL: none */
    size_t piece_sent;
    struct rdb_frame *rdb; /* NULL: no RDB is being compressed */
    uint64_t plain_bytes;  /* of all that was compressed, */
    uint64_t wire_bytes;   /* and what it has become */
};

enum {
    FEED_TURN_BYTES = 1024 * 1024, /* sent to one replica in one go, then others have their turn */
    FEED_FILE_BYTES = 64 * 1024,   /* a piece of the stream from here on is sent from its file */
    FEED_AHEAD_BYTES =
        1024 * 1024,          /* a piece that the page cache is asked for, or that is read ahead */
    FEED_AHEAD_MS = 2 * 1000, /* so long we believe the page cache to keep it */
    FEED_NEW_MS = 5 * 1000,   /* so long it surely keeps what we have written */
};

enum feed_step { FEED_HEAD, FEED_RDB, FEED_MARK, FEED_FIRST_ACK, FEED_STREAM, FEED_STEPS };

struct feed {
    enum feed_step step;
    struct text head;
    size_t head_sent;
    struct snapshot *snapshot; /* NULL: no RDB, or an empty one that is part of the head */
    uint64_t snapshot_sent;
    bool
        holds_snapshot; /* of a relay: it may want the rest, as long as it has not said that it has all */
    bool has_mark;
    char mark[PAYLOAD_MARK_LENGTH + 1];
    size_t mark_sent;
    bool has_stream; /* false: wants the RDB only */
    struct cursor cursor;
    /* Of one that runs behind: no byte of the stream at or beyond *limit is sent (delay.h). NULL: all is. */
    const _Atomic uint64_t *limit;
    uint64_t sent_bytes; /* all of the above */

    bool is_at_end;          /* all that was published at the last look has been sent */
    int64_t behind_since_ms; /* else: since when that is not so */
    uint64_t
        cached_until; /* of the RDB, or an offset of the stream: the page cache has it up to here */
    int64_t cached_ms; /* when that was so */
    bool is_cold;      /* it had not the last time that it was asked */

    struct feed_compression compression;

    const struct sync_rate *rate; /* of full syncs; NULL: none */
    size_t granted; /* where there is one: so much of the RDB may be sent by it: feed_grant */
};

/* A piece to be read into the page cache. */
struct feed_piece {
    enum feed_step step;
    int file;
    uint64_t position;
    size_t length;
    uint64_t until; /* the feed has it up to here, then */
};

enum feed_result {
    FEED_IDLE,    /* what is there has been sent: more is told by a wake-up, or by the first ACK */
    FEED_BLOCKED, /* the connection takes no more now */
    FEED_MORE,    /* the turn's share has been sent, and there is more */
    FEED_COLD,    /* what comes next must be read from the disk first: feed_wants */
    FEED_OVER_RATE, /* the rate of full syncs allows no more of the RDB now: feed_grant */
    /* It ends here; the reasons to close (reasons.h) have the same names. */
    FEED_SERVED,     /* all that this replica wanted has been sent */
    FEED_FAILED,     /* the connection broke */
    FEED_UNREADABLE, /* the disk cannot read what comes next; the store has been told */
    FEED_SNAPSHOT,   /* the snapshot that it is sent turned out to be incomplete */
    FEED_LAGGED,     /* what comes next was given up at repl-backlog-max-size */
    FEED_DISK_FULL,  /* what comes next was given up, since the disk was full */
    FEED_MEMORY,     /* out of memory for what is to be compressed */
    FEED_REWOUND,    /* it stands where the history was cut off */
    FEED_RENAMED,    /* what comes next is known under a new id */
    FEED_NEXT,       /* between the parts only: this one is through */
};

#endif
