/* SPDX-License-Identifier: MIT
 *
 * What a client is, and what the files that make it work offer to each other:
 *
 *     client_list      accepts clients, keeps them, closes those whose time is over
 *     client_turn      a client's turn: receive, run, send
 *     client_commands  from bytes to handlers
 *     client_replica   PSYNC, SYNC, REPLCONF
 *     client_close     the end
 *     client           what the handlers of commands see (relay/downstream/client.h)
 *
 * Owner: downstream.c. Thread: thread 0.
 */
#ifndef RELAY_DOWNSTREAM_CLIENT_PRIVATE_H
#define RELAY_DOWNSTREAM_CLIENT_PRIVATE_H

#include "inbox.h"
#include "outbox.h"
#include "relay/base/queue.h"
#include "relay/downstream/client.h"
#include "relay/net/conn.h"
#include "relay/net/loop.h"
#include "relay/resp/reader.h"

struct client_list;

enum { CLIENT_COMMAND_NAME_MAX = 32 };

struct client {
    TAILQ_ENTRY(client) entry;
    struct client_list *list;
    struct conn
        *conn; /* NULL: closed, or given to a replica; the client is freed at the end of the turn */
    uint64_t id;
    bool is_delayed; /* it has come to a port of [delayed] */
    int64_t connected_ms;
    int64_t active_ms;          /* of the last command */
    int64_t taken_ms;           /* when the peer last took output, or there was none for it, */
    uint64_t taken_bytes;       /* and how much it had taken by then */
    int64_t unauthenticated_ms; /* since when it could log in; 0: the connection is not up yet */
    int64_t finish_ms;          /* when client_finish was called; 0: it was not */
    enum close_reason finished; /* with finish_ms: why */
    bool is_running;    /* a command runs: `input` and `output` are used further up the stack */
    bool has_input;     /* bytes have come, and are read in its next turn */
    bool has_commands;  /* there may be whole commands in `input` */
    struct chore chore; /* its place in the queue for turns */
    bool is_blocked;    /* its last command is answered later, */
    bool is_muted;      /* and CLIENT REPLY drops that answer */
    bool will_settle;   /* at the end of this turn */
    bool is_refused;    /* it has asked to replicate, which it may not */
    int64_t paused_until_ms; /* nothing is sent, read or run before that; 0: not paused */

    struct reader reader;
    struct inbox input;

    struct outbox output;
    struct writer writer;
    struct text pushed; /* while a command runs: messages that follow its reply */

    void *kept; /* client_keep */
    client_gone_fn *gone;

    struct client_session session;
    struct replica_terms terms;
    char last_command[CLIENT_COMMAND_NAME_MAX];
};

/* --- client_commands.c --- */

/* It must log in, and has not. */
bool client_is_unauthenticated(const struct client *client);

/* More output waits than a client may have: it is not read from, and no command of it is run. */
bool client_has_much_output(const struct client *client);

/* Its next command may be run now. */
bool client_may_run(const struct client *client);

/* Runs the commands that have come, for a bounded time. The client may be closed, or a replica, afterwards. */
void client_run_commands(struct client *client);

/* --- client_turn.c --- */

/* After commands have run: sends what it can, and chooses the events that are to come. May close the
 * client. */
void client_settle(struct client *client);

/* The same at the end of this turn. */
void client_settle_later(struct client *client);
conn_event_fn client_on_conn;

/* --- client_close.c --- */

/* Logs and counts the end of the connection, which is still there. */
void client_account(struct client *client, enum close_reason reason);

/* Takes the client off the list. Its memory stays until the end of the turn: a command of it may be running. */
void client_unlist(struct client *client);

#endif
