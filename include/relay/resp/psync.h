/* SPDX-License-Identifier: MIT
 *
 * The words of the PSYNC dialogue, both sides of it. On the wire PSYNC asks for the *first byte
 * wanted*; everywhere else in the relay an offset is the number of bytes *before* a place. The one
 * is the other plus one, and this file is where it is added. Pure. Any thread. docs/protocol.md 1.4, 4.
 */
#ifndef RELAY_RESP_PSYNC_H
#define RELAY_RESP_PSYNC_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/replid.h"
#include "relay/base/text.h"
#include "relay/resp/reader.h"

enum psync_verdict {
    PSYNC_FULLRESYNC, /* "+FULLRESYNC <replid> <X> [resume <bytes>]": all but has_replid are set */
    PSYNC_CONTINUE,   /* "+CONTINUE [<replid>]": has_replid tells whether replid is set */
    PSYNC_RDB_CHANNEL, /* "+RDBCHANNELSYNC <client id>" of a Redis (docs/protocol.md 7.2): client_id */
    PSYNC_DUAL_CHANNEL, /* "+DUALCHANNELSYNC" of a Valkey (docs/protocol.md 7.1) */
    PSYNC_LATER,        /* "-NOMASTERLINK", "-LOADING", "-BUSY", "-MASTERDOWN": passes by itself */
    PSYNC_DENIED,       /* "-NOAUTH", "-NOPERM": somebody must change a setting */
    PSYNC_REFUSED,      /* any other error */
    PSYNC_NONSENSE,     /* not a PSYNC reply at all, or one with bad fields */
};

struct psync_reply {
    enum psync_verdict verdict;
    bool has_replid;
    struct replid replid;
    uint64_t offset;    /* X */
    uint64_t client_id; /* of the connection that the server speaks of */
    uint64_t
        rdb_begin; /* bytes of the RDB that are not sent, since we have them: docs/protocol.md 2.7 */
};

/* Judges one reply line, without its line end. */
struct psync_reply psync_reply_parse(struct bytes line);

/* The same for what a Valkey says on the RDB's connection instead of a reply (docs/protocol.md 7.1): "$ENDOFF:<X>
 * <replid> <db> <client id>" is PSYNC_FULLRESYNC with all four but the db, which is checked to be a number. */
struct psync_reply psync_endoff_parse(struct bytes line);

struct psync_request {
    bool has_replid; /* false for "?" and for anything that is no replication id */
    bool failover;   /* "PSYNC id offset FAILOVER" (docs/protocol.md 1.6) */
    struct replid replid;
    uint64_t offset; /* bytes the replica has: what it asked for, minus one */
};

/* Reads "PSYNC <replid> <first byte wanted> [FAILOVER]". False: the offset is no integer. An id that
 * is not one of ours by form, and an offset of -1 or 0, give has_replid = false: a full sync. */
MUST_CHECK bool psync_request_parse(const struct command *command, struct psync_request *out);

/* The two arguments of PSYNC for one who has `offset` bytes of `replid`; replid NULL asks for a full
 * sync with "? -1". `id` takes REPLID_DIGITS + 1 bytes, `first_wanted` 24. */
void psync_request_format(const struct replid *replid, uint64_t offset, char *id,
                          char *first_wanted);

/* "+FULLRESYNC <replid> <X>\r\n". With `rdb_begin` > 0, only to a relay that has asked for it:
 * "+FULLRESYNC <replid> <X> resume <rdb_begin>\r\n". */
void psync_format_fullresync(struct text *out, const struct replid *replid, uint64_t offset,
                             uint64_t rdb_begin);

/* "+CONTINUE <replid>\r\n", or the bare "+CONTINUE\r\n" to a replica without `capa psync2`. */
void psync_format_continue(struct text *out, const struct replid *replid, bool psync2);

#endif
