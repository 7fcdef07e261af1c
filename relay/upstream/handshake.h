/* SPDX-License-Identifier: MIT
 *
 * The handshake of a replica, as a list of steps rather than states (docs/protocol.md 1): each step is
 * a row that says when it is needed, what is sent, and how the answer is judged. One command, one
 * answer, then the next; PSYNC goes alone. Optional REPLCONF options have a command each, since servers
 * stop at the first one that they do not know.
 *
 * Used by the link and by the fetch of a snapshot. Pure: bytes in, text out. Thread: the owner's.
 *
 *     handshake_start(&handshake, &terms, out);                send out
 *     for each input:  handshake_feed(&handshake, &input, out);   send out, look at the result
 */
#ifndef RELAY_UPSTREAM_HANDSHAKE_H
#define RELAY_UPSTREAM_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "compression_use.h"
#include "primary_info.h"
#include "relay/base/bytes.h"
#include "relay/base/rdb_part.h"
#include "relay/base/text.h"
#include "relay/codec/decompressor.h"
#include "relay/resp/psync.h"
#include "relay/upstream/renames.h"

/* Who we are and what we ask for. Strings live as long as the handshake. */
struct handshake_terms {
    const char *user;
    const char *password;
    const char *announce_ip;
    const struct renames *renames; /* NULL: none */
    uint16_t announce_port;
    bool asks_limits;          /* also for client-output-buffer-limit, and who was closed for it */
    uint32_t announce_version; /* SERVER_VERSION; 0: none */
    const struct compression_use *compression; /* NULL: none */
    bool rdb_only;    /* a refresh: the RDB and no stream (Redis 6.2; older ones do not know it) */
    bool has_history; /* ask to continue at `offset` of `replid`, else for a full sync */
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

enum handshake_result {
    HANDSHAKE_MORE,   /* goes on with the next input */
    HANDSHAKE_DONE,   /* PSYNC was answered: handshake.reply */
    HANDSHAKE_PASSED, /* it is a server, but not one to follow: handshake.error */
    HANDSHAKE_FAILED, /* the connection is of no use: handshake.error */
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
    struct psync_reply reply;
    char error[HANDSHAKE_ERROR_MAX]; /* what was said, and to which command */
};

void handshake_init(struct handshake *handshake);
void handshake_fini(struct handshake *handshake);

/* Has PSYNC been written? From when it is sent on, the server may do what it asks for. */
bool handshake_has_asked(const struct handshake *handshake);

/* Begins anew: writes the first command. */
void handshake_start(struct handshake *handshake, const struct handshake_terms *terms,
                     struct text *out);

/* Takes the answers in `input` and shortens it by them; writes the next command. With HANDSHAKE_DONE,
 * what is left of the input is what follows the PSYNC reply: RDB or stream. */
enum handshake_result handshake_feed(struct handshake *handshake, struct bytes *input,
                                     struct text *out);

/* How to read a payload of that kind behind it. For one that has asked for compression. */
struct decompressor_options handshake_decompression(const struct handshake *handshake,
                                                    enum envelope_kind kind);

/* The command whose answer is awaited: "REPLCONF capa". Constant. */
const char *handshake_step(const struct handshake *handshake);

#endif
