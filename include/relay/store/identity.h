/* SPDX-License-Identifier: MIT
 *
 * What a history says of itself: the ids under which its bytes are known, where they are on disk and
 * how each file is proven. A plain value; the file `identity` is its text, replaced as a whole, with
 * a checksum of itself as its last line, so that a cut or altered file is known for what it is:
 *
 *     psync-relay identity 2
 *     replid 8e7f... 
 *     base 14                               counted up with each identity that is written (segment_log.h)
 *     earlier 51ab... 90210                 an id before that one, valid up to an offset
 *     segment 0 65536 4f1c09be22a01733 65501   sealed: first offset, end, CRC-64 of its bytes, and
 *                                           the boundary when it was sealed
 *     snapshot 4711 8400123 0000000000000000 verified      X, length, CRC-64 of the file
 *     sum 02b7cf4e2d8a9c11
 *
 * Only what is complete is in it; segments that were sealed since it was written are in files beside it
 * (segment_log.h). The segment that is still written to, and how far it is good, is
 * told by the file `tail` beside it (tail.h). Pure. Any thread.
 */
#ifndef RELAY_STORE_IDENTITY_H
#define RELAY_STORE_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/replid.h"
#include "relay/base/text.h"

enum { IDENTITY_EARLIER_MAX = 16 };

struct identity_earlier {
    struct replid replid;
    uint64_t limit; /* bytes up to this offset are known under the id, too */
};

struct identity_segment {
    uint64_t first;
    uint64_t end;
    uint64_t crc;
    uint64_t boundary; /* of the stream when it was sealed; <= end, may be before `first` */
};

struct identity_snapshot {
    bool exists;
    bool
        verified; /* by its own checksum; else by length or mark: the primary has `rdbchecksum no` */
    uint64_t offset; /* X */
    uint64_t length;
    uint64_t crc; /* of the whole file; 0 for a verified one, by the nature of its footer */
};

struct identity {
    struct replid replid;
    uint64_t base;        /* 0: of a version before there was one */
    size_t earlier_count; /* newest first */
    struct identity_earlier earlier[IDENTITY_EARLIER_MAX];
    size_t segment_count; /* oldest first, without holes */
    struct identity_segment *segments;
    size_t segment_capacity;
    struct identity_segment *allocated; /* `segments` is in it: behind those that were dropped */
    struct identity_snapshot snapshot;
};

void identity_init(struct identity *identity, const struct replid *replid);
void identity_fini(struct identity *identity);

/* A second one with the same content. False: out of memory, *out is not initialised. */
MUST_CHECK bool identity_copy(const struct identity *identity, struct identity *out);

/* False: out of memory, nothing has changed. */
MUST_CHECK bool identity_add_segment(struct identity *identity, struct identity_segment segment);

/* Does one of the sealed segments begin there? */
bool identity_has_segment(const struct identity *identity, uint64_t first);

/* Forgets the `count` oldest sealed segments; count <= segment_count. */
void identity_drop_oldest(struct identity *identity, size_t count);

/* Forgets the newest sealed segment, and nothing else; there is one. */
void identity_drop_newest(struct identity *identity);

/* The history goes on under a new id from `limit` on; the one it had is kept among the earlier ones,
 * and those that were valid for longer are cut back to `limit`. */
void identity_rename(struct identity *identity, const struct replid *replid, uint64_t limit);

/* Bytes from `offset` on are forgotten: earlier ids are valid no further, segments that reach beyond
 * it are gone (the caller adds the part before it again), and so is a snapshot with X > offset. */
void identity_rewind(struct identity *identity, uint64_t offset);

/* The row as in the file, without an end of line; and back. False: it is none. */
void identity_format_segment(const struct identity_segment *segment, struct text *out);
MUST_CHECK bool identity_parse_segment(struct bytes line, struct identity_segment *out);

/* The base, of the first lines of a file. 0: they do not tell. */
uint64_t identity_peek_base(struct bytes head);

void identity_format(const struct identity *identity, struct text *out);

/* Reads a whole file. False: `why` says what is wrong; *out is not initialised then. errno is set where
 * the file is not to blame: ENOMEM, or EPROTONOSUPPORT for one that a newer version wrote. */
MUST_CHECK bool identity_parse(struct bytes file, struct identity *out, struct text *why);

enum continuity {
    CONTINUITY_YES,   /* the replica's bytes are ours: go on behind them */
    CONTINUITY_AHEAD, /* ours, too, but it has more of them than we: wait until we have caught up */
    CONTINUITY_GONE,  /* ours, but the window begins behind them */
    CONTINUITY_UNPROVEN, /* ours, in a part of the window that is being proven: wait (history_may_continue) */
    CONTINUITY_STRANGE /* another history */
};

/* May a replica that has `offset` bytes of `replid` go on with this history, of which the bytes
 * first..end are held? (docs/protocol.md 4.) */
enum continuity identity_may_continue(const struct identity *identity, uint64_t first, uint64_t end,
                                      const struct replid *replid, uint64_t offset);

#endif
