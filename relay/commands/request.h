/* SPDX-License-Identifier: MIT
 *
 * What a handler is given: one command of one client, found in the table and checked, and the room
 * it runs in. A handler reads its arguments, acts through the callbacks of the other components, and writes
 * exactly one reply to `request->writer`; or holds the client, and answers later.
 *
 * Thread: thread 0.
 */
#ifndef RELAY_COMMANDS_REQUEST_H
#define RELAY_COMMANDS_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "client_state.h"
#include "command_stats.h"
#include "error_stats.h"
#include "login.h"
#include "rates.h"
#include "relay/base/bytes.h"
#include "relay/commands/commands.h"
#include "relay/commands/users.h"
#include "relay/downstream/client.h"
#include "relay/downstream/downstream.h"
#include "relay/net/conn.h"
#include "relay/resp/writer.h"
#include "relay/upstream/link.h"
#include "topics.h"
#include "waiter.h"

struct command_row;
struct primary_address;

enum { RUN_ID_DIGITS = 40 };

struct commands {
    struct loop *loop;
    struct store *store;
    struct link *link;
    struct downstream *downstream;
    struct commands_options options;
    struct commands_callbacks callbacks;
    char run_id[RUN_ID_DIGITS + 1];
    int64_t started_ms;      /* clock_ms */
    int64_t started_wall_us; /* clock_wall_us */
    struct topics topics;
    struct client_states client_states;
    struct waiters waiters;
    struct logins logins;
    uint64_t denied_commands; /* to those whose role is not enough */

    /* The other components count from their start. CONFIG RESETSTAT notes what their counts were. */
    struct downstream_counts downstream_at_reset;
    struct conn_traffic upstream_at_reset;

    struct rates rates;
    struct command_stats stats;
    struct error_stats errors;
};

struct request {
    struct commands *commands;
    struct client *client; /* NULL after a handler has given it away: it is a replica now */
    struct client_session *session;
    const struct command *command;
    const struct command_row *row;    /* the command, or the sub-command where there is one */
    const struct command_row *parent; /* of a sub-command; else NULL */
    struct writer *writer;            /* the client's; what CLIENT REPLY mutes, the client drops */
    bool is_queued;                   /* EXEC runs it: it is to be answered at once */
};

/* Runs a command that was queued, as the client of `exec`, into its writer. commands/commands.c */
void run_queued(const struct request *exec, const struct command *command);

static inline size_t argument_count(const struct request *request)
{
    return request->command->argument_count;
}

static inline struct bytes argument(const struct request *request, size_t index)
{
    CHECK(index < request->command->argument_count);
    return request->command->argument[index];
}

static inline bool argument_is(const struct request *request, size_t index, const char *word)
{
    return bytes_is(argument(request, index), word);
}

static inline void reply_ok(struct request *request)
{
    write_simple(request->writer, "OK");
}

static inline void reply_syntax_error(struct request *request)
{
    write_error(request->writer, "ERR syntax error");
}

/* Of who has not logged in: that of the default user, if it needs no password. */
static inline enum user_role role_of(const struct commands *commands,
                                     const struct client_session *session)
{
    return session->user[0] != '\0' ? (enum user_role)session->role
                                    : commands->options.users->open_role;
}

static inline bool is_authenticated(const struct commands *commands,
                                    const struct client_session *session)
{
    return role_of(commands, session) != ROLE_NONE;
}

/* When the snapshot that would be served became complete, in seconds since 1970. commands/cmd_server.c */
int64_t last_save_s(const struct commands *commands);

/* The host and the port that the arguments `at` and the next are. False: the error is written. */
MUST_CHECK bool read_address(struct request *request, size_t at, struct primary_address *out);

#endif
