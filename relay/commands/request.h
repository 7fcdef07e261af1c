/* SPDX-License-Identifier: MIT
 *
 * What a handler is given: one command of one client, found in the table and checked, and the component it runs in. A
 * handler reads its arguments, acts through the other components, and writes exactly one reply to `request->writer`; or it
 * blocks the client and replies later.
 *
 * Thread: thread 0.
 */
#ifndef RELAY_COMMANDS_REQUEST_H
#define RELAY_COMMANDS_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "component.h"
#include "relay/base/bytes.h"
#include "relay/commands/users.h"
#include "relay/downstream/client.h"
#include "relay/resp/writer.h"
#include "relay/upstream/link.h"

struct command_row;
struct primary_address;

struct request {
    struct commands *commands;
    struct client *client; /* NULL after a handler has given it away: it is a replica now */
    struct client_session *session;
    const struct command *command;
    const struct command_row *row;    /* the command, or the subcommand where there is one */
    const struct command_row *parent; /* of a subcommand; otherwise NULL */
    struct writer *writer; /* of the client, which drops what CLIENT REPLY has switched off */
    bool is_queued;        /* EXEC runs it: it is answered at once */
};

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

/* A client that has not logged in has the role of the default user, if that needs no password. */
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

/* Reads host and port of a server from the arguments `at` and `at` + 1. False: the error is written. */
MUST_CHECK bool request_read_address(struct request *request, size_t at,
                                     struct primary_address *out);

#endif
