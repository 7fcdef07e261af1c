/* SPDX-License-Identifier: MIT
 *
 * What one replica is sent, in this order, and where in it we are. There is no buffer of stream bytes
 * in it: two places, one in a snapshot and one in the backlog.
 *
 *     head      replies not sent yet, "+CONTINUE ..." or "+FULLRESYNC ...", "$<length>" or "$EOF:..."
 *     RDB       bytes of the snapshot, as far as they are there
 *     mark      the end mark once more, after `$EOF:`
 *     first ACK after a mark nothing is sent until the replica has said REPLCONF ACK (docs/protocol.md 2.2)
 *     stream    from the cursor on, for ever; nothing else is ever put into it
 *
 * Parts that a replica does not get are empty and passed over.
 *
 * Where the history goes on under another id, the feed ends there (FEED_RENAMED), and not before: RDB and
 * stream up to that place are as good under the id that the replica was told.
 *
 * No send waits for the disk. A replica that is up to date is sent what was published in the last
 * seconds, which is in the page cache. Of all else the page cache is asked first, in pieces; what it
 * does not have makes the pump return FEED_COLD, and feed_wants says what is to be read ahead
 * (readahead.h), one piece further than what is being sent.
 *
 * Thread: that of the replica.
 */
#ifndef RELAY_DOWNSTREAM_FEED_H
#define RELAY_DOWNSTREAM_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/text.h"
#include "relay/resp/payload.h"
#include "relay/store/cursor.h"
#include "relay/store/snapshot.h"

struct conn;
struct sync_rate;

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
    uint64_t sent_bytes; /* all of the above */

    bool is_at_end;          /* all that was published at the last look has been sent */
    int64_t behind_since_ms; /* else: since when that is not so */
    uint64_t
        cached_until; /* of the RDB, or an offset of the stream: the page cache has it up to here */
    int64_t cached_ms; /* when that was so */
    bool is_cold;      /* it had not the last time that it was asked */

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
    FEED_REWOUND,    /* it stands where the history was cut off */
    FEED_RENAMED,    /* what comes next is known under a new id */
    FEED_NEXT,       /* between the parts only: this one is through */
};

/* `head` is moved into the feed: replies that are not sent yet. */
void feed_init(struct feed *feed, struct text *head);

/* Lets go of snapshot and backlog. */
void feed_fini(struct feed *feed);

/* Sends what fits, at most FEED_TURN_BYTES. */
enum feed_result feed_pump(struct feed *feed, struct conn *conn);

/* Is it behind: does it get anything but what was published in the last seconds? */
bool feed_is_behind(struct feed *feed);

/* What should be read ahead now? False: nothing. */
bool feed_wants(struct feed *feed, struct feed_piece *piece);

/* The disk cannot read what comes next: the store is told. */
void feed_note_unreadable(struct feed *feed);

/* The piece is in the page cache. `was_cached`: it had been before. */
void feed_note_read(struct feed *feed, const struct feed_piece *piece, bool was_cached);

/* The rate of full syncs allows so many bytes more. */
void feed_grant(struct feed *feed, size_t bytes);

/* Sends what fits of the head alone: to one that waits. */
enum feed_result feed_flush(struct feed *feed, struct conn *conn);

/* Looks whether what is still to be sent can still be sent: FEED_IDLE, or a reason why not. For
 * replicas that are blocked, whose segments the writer may be waiting for. */
enum feed_result feed_check(struct feed *feed);

/* It has all of the RDB. */
void feed_release_snapshot(struct feed *feed);

/* The replica has said REPLCONF ACK. True: it was the one that the stream waits for. */
bool feed_acknowledge(struct feed *feed);

#endif
