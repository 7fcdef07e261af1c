/* SPDX-License-Identifier: MIT
 *
 * A downstream connection that speaks commands: everyone begins as one, and who says PSYNC or SYNC
 * stops being one (replica.h). A client reads commands, hands each to the one door that the
 * composition gave the component (relay/commands has the table of commands), and sends what was written as reply.
 * What it makes us hold is bounded (base/bounds.h): COMMAND_LENGTH_MAX of input; it is not read from while
 * more than CLIENT_OUTPUT_MAX of output waits. One that must authenticate and has not is an unauthenticated client, may
 * make us hold less, and is closed when its time is over.
 *
 * A command may answer later (client_hold), and a client may be sent what it has not asked for in this
 * moment (client_push). Neither closes anybody before the end of the turn, so that both may be done while
 * clients are walked over.
 *
 * Owner: the downstream component. Thread: thread 0.
 */
#ifndef RELAY_DOWNSTREAM_CLIENT_H
#define RELAY_DOWNSTREAM_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/bounds.h"
#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/rdb_part.h"
#include "relay/downstream/reasons.h"
#include "relay/resp/reader.h"
#include "relay/resp/writer.h"

struct client;

enum { CLIENT_NAME_MAX = 64 };

/* What a replica says of itself before PSYNC, by REPLCONF. */
struct replica_terms {
    bool capa_eof;
    bool capa_psync2;
    bool capa_lz4;
    bool capa_zstd;
    bool may_take_frames; /* ours, not said by it: zstd frames are what we are set to send */
    bool
        takes_frames; /* `compression <level>`: zstd frames without an envelope, and we have agreed */
    bool is_relay;    /* a relay, which keeps any RDB; its version is that of its replicas */
    bool rdb_only;    /* wants the RDB and no stream */
    bool filter_empty; /* `rdb-filter-only ""`: wants the stream and an empty RDB */
    bool has_part;     /* a relay that has the beginning of an RDB, and wants the rest */
    struct rdb_part part;
    uint64_t rdb_from; /* a relay, to which an RDB of an earlier offset is of no use; 0: any is */
    uint16_t listening_port;
    char address[256]; /* `ip-address`; "" : that of the connection */
    char version[32];  /* `version`, or "" */
};

/* Room on a client for what the command table needs to know of it. Plain values, written by relay/commands; the
 * replies that the last two suppress are taken back by the client. */
struct client_session {
    char user[CLIENT_NAME_MAX];     /* who has logged in; "": nobody has */
    int role;                       /* that of the user: enum user_role of relay/commands */
    int protocol;                   /* 2 or 3 */
    char name[CLIENT_NAME_MAX];     /* CLIENT SETNAME */
    char lib_name[CLIENT_NAME_MAX]; /* CLIENT SETINFO */
    char lib_version[CLIENT_NAME_MAX];
    bool reply_off;       /* CLIENT REPLY OFF */
    bool reply_skip_next; /* CLIENT REPLY SKIP: set by it, for the command after */
    bool is_listener;     /* waits for messages: `timeout` does not concern it */
};

/* A command that has arrived; not called for empty lines. The handler writes its reply, or takes the
 * client away with one of the functions below. `command` points into the client's input. */
typedef void client_command_fn(struct client *client, const struct command *command, void *arg);

uint64_t client_id(const struct client *client);
struct client_session *client_session(struct client *client);
const char *client_peer(const struct client *client);     /* "address:port" */
const char *client_local(const struct client *client);    /* our side, "address:port" */
int64_t client_connected_ms(const struct client *client); /* clock_ms */
int64_t client_active_ms(const struct client *client);    /* of the last command */
const char *
client_last_command(const struct client *client); /* its name, "NULL" before the first */
void client_set_last_command(struct client *client, const char *name);

/* Where the reply goes; its protocol is that of client_session at the time of the call. */
struct writer *client_writer(struct client *client);

/* The command that runs is answered later: until client_resume no further command of the client is run,
 * and `timeout` does not concern it. CLIENT REPLY mutes the later answer as it does others. */
void client_hold(struct client *client);
void client_resume(struct client *client, struct bytes reply);
bool client_is_blocked(const struct client *client);

/* Sends a whole message that is no reply; it comes after the reply of the command that runs. A client
 * that does not read (more than CLIENT_OUTPUT_MAX waits) is closed with CLOSE_OVERFLOW. */
void client_push(struct client *client, struct bytes message);

/* One thing more that somebody keeps for the client. `gone` is called with it when the client leaves, for any
 * reason, and when it becomes a replica; not after client_keep(client, NULL, NULL). */
typedef void client_gone_fn(void *thing);
void client_keep(struct client *client, void *thing, client_gone_fn *gone);
void *client_kept(const struct client *client); /* NULL: nothing is kept */

/* Closes once the replies written so far are sent. No further command is read. */
void client_finish(struct client *client, enum close_reason reason);

/* "PSYNC <id> <offset>": decides what this replica gets and takes the connection over; the client is
 * gone when it returns true. False: an error reply was written. */
bool client_psync(struct client *client, const struct command *command);

/* "SYNC": an RDB and the stream, without offsets (docs/protocol.md 1.5). */
void client_sync(struct client *client);

/* "REPLCONF option value ...": applies the options left to right and writes the reply, as servers do
 * (docs/protocol.md 1.2): stops at the first one that it does not know. */
void client_replconf(struct client *client, const struct command *command);

/* How long the answer to a replica waits that may not replicate, and up to a second more until that is looked
 * at: it gives up on an answer after five seconds. */
enum { CLIENT_PAUSE_MS = 500 };

/* It has said PSYNC, SYNC or REPLCONF and may not: the reply is written. Such a replica comes back at once, hundreds
 * of times a second: the reply is sent, and its next command run, after a pause. Told in the log once for an address,
 * with `cause`, which says what to set. Of REPLCONFs only the first waits. */
void client_refuse_replica(struct client *client, const char *cause, bool is_replconf);

#endif
