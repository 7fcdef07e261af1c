/* SPDX-License-Identifier: MIT
 *
 * What a handshake asks for, and how far it is (handshake.h). Thread: the owner's.
 */
#ifndef RELAY_UPSTREAM_HANDSHAKE_STATE_H
#define RELAY_UPSTREAM_HANDSHAKE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compression_use.h"
#include "primary_info.h"
#include "relay/base/rdb_part.h"
#include "relay/base/text.h"
#include "relay/resp/psync.h"
#include "relay/upstream/renames.h"

/* Whom it makes of the connection. In a sync over two connections (docs/protocol.md 7.1, 7.2) the one for the RDB has a
 * handshake of its own, and with a Valkey the main connection a second one. */
enum handshake_kind {
    HANDSHAKE_REPLICA,        /* a replica, or a refresh */
    HANDSHAKE_REDIS_CHANNEL,  /* the RDB's connection, at a Redis: ends with "+FULLRESYNC" */
    HANDSHAKE_VALKEY_CHANNEL, /* the same at a Valkey: ends with "$ENDOFF" */
    HANDSHAKE_VALKEY_JOIN,    /* the main connection, when X is known: ends with "+CONTINUE" */
};

/* Who we are and what we ask for. Strings live as long as the handshake. */
struct handshake_terms {
    enum handshake_kind kind;
    const char *user;
    const char *password;
    const char *announce_ip;
    const struct renames *renames; /* NULL: none */
    uint16_t announce_port;
    bool asks_limits;          /* also for client-output-buffer-limit, and who was closed for it */
    uint32_t announce_version; /* SERVER_VERSION; 0: none */
    const struct compression_use *compression; /* NULL: none */
    bool offers_rdb_channel;                   /* says that we can sync over two connections */
    uint64_t client_id; /* at a Redis that of our main connection; at a Valkey that of the RDB's */
    bool rdb_only;     /* a refresh: the RDB and no stream (Redis 6.2; older ones do not know it) */
    uint64_t rdb_from; /* of a refresh from a relay: an RDB of an earlier offset is of no use */
    bool has_history;  /* ask to continue at `offset` of `replid`, else for a full sync */
    struct replid replid;
    uint64_t offset;
    uint64_t offset_min; /* the window's first: where a rewind may go */
    bool has_part;       /* the beginning of an RDB is here: a relay is asked for the rest of it */
    struct rdb_part part;
    /* Asked once the server has said what it is: why it is not to be followed, or NULL. NULL: always. */
    const char *(*veto)(const struct primary_info *info, void *arg);
    /* Asked before that: must it be known whether it has keys? NULL: never. */
    bool (*wants_keys)(const struct primary_info *info, void *arg);
    void *veto_arg;
};

enum {
    HANDSHAKE_LINE_MAX = 1024,
    HANDSHAKE_BULK_MAX = 64 * 1024 * 1024, /* of an INFO, of which a line is held at a time */
    HANDSHAKE_ERROR_MAX = 256,
    HANDSHAKE_ITEMS_MAX = 64, /* of an array */
};

struct handshake {
    struct handshake_terms terms;
    size_t step;
    bool asks_keys; /* INFO keyspace is needed */
    unsigned items; /* of an array: how many bulk strings are to come, with the one that comes */
    bool in_bulk;   /* the answer is a bulk string: `awaited` bytes of it are to come */
    uint64_t awaited;
    size_t line_length;
    char line[HANDSHAKE_LINE_MAX];
    struct text bulk_line;
    struct primary_info info; /* outlasts the connection, until a server answers again */
    bool took_part; /* it is a relay that knows `REPLCONF rdb-resume`, and may answer to it */
    struct compression asked; /* for compression; CODEC_NONE: it was not */
    int frames_level; /* it has agreed to send zstd frames of this level: the dialect of Redis; 0: no */
    int other_level;   /* it would agree to this one; 0: it has not said so */
    bool took_version; /* it knows `REPLCONF version`: a Valkey of 8.0 or later, or a relay */
    unsigned denied;   /* PRIMARY_RIGHT_*: what our user may not do, by the answers so far */
    struct psync_reply reply;        /* also of "$ENDOFF", as if it were "+FULLRESYNC" */
    char error[HANDSHAKE_ERROR_MAX]; /* what was said, and to which command */
};

#endif
