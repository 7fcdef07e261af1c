/* SPDX-License-Identifier: MIT */
#include "dispatch.h"

#include <stdio.h>
#include <string.h>

#include "command_table.h"
#include "data_commands.h"
#include "relay/base/clock.h"
#include "request.h"

enum {
    NAME_SHOWN_MAX = 128
}; /* of what a client sent, in an error reply; as redis-server has it */

/* "unknown command 'x', with args beginning with: 'a' 'b' ", cut where redis-server cuts it. */
static void refuse_unknown(struct request *request)
{
    char name[NAME_SHOWN_MAX + 1];
    struct text arguments;
    text_init(&arguments, 2 * NAME_SHOWN_MAX);
    for (size_t i = 1; i < argument_count(request) && arguments.length < NAME_SHOWN_MAX; i++) {
        char shown[NAME_SHOWN_MAX + 1];
        size_t room = NAME_SHOWN_MAX - arguments.length;
        struct bytes whole = argument(request, i);
        struct bytes part = bytes_first(whole, whole.length < room ? whole.length : room);
        text_format(&arguments, "'%s' ", bytes_printable(part, shown, sizeof(shown)));
    }
    write_error(request->writer, "ERR unknown command '%s', with args beginning with: %s",
                bytes_printable(argument(request, 0), name, sizeof(name)), text_string(&arguments));
    text_fini(&arguments);
}

/* Data commands, and what else only a server with data has: says who we are and whom to ask. */
static void refuse_data(struct request *request, enum data_command kind)
{
    struct link_status upstream;
    char name[NAME_SHOWN_MAX + 1];
    char primary[PRIMARY_HOST_MAX + 32] = "the primary";
    link_status(request->commands->link, &upstream);
    if (upstream.port != 0) /* else it is not known yet where it is */
        snprintf(primary, sizeof(primary), "the primary %s:%u", upstream.host, upstream.port);
    switch (kind) {
    case DATA_COMMAND_NONE:
        refuse_unknown(request);
        break;
    case DATA_COMMAND_READ:
        write_error(request->writer,
                    "ERR this is psync-relay: it holds no data, ask %s or one of its replicas",
                    primary);
        break;
    case DATA_COMMAND_WRITE:
        write_error(request->writer, "READONLY this is psync-relay: it holds no data, write to %s",
                    primary);
        break;
    case DATA_COMMAND_OTHER:
        write_error(request->writer,
                    "ERR this is psync-relay: it does not support '%s', ask %s or one of its "
                    "replicas",
                    bytes_printable(argument(request, 0), name, sizeof(name)), primary);
        break;
    case DATA_COMMAND_CLUSTER:
        write_error(request->writer, "ERR This instance has cluster support disabled");
        break;
    }
}

static void refuse_subcommand(struct request *request)
{
    char word[NAME_SHOWN_MAX + 1];
    char container[NAME_SHOWN_MAX + 1];
    size_t length = strlen(request->row->name);
    CHECK(length < sizeof(container));
    for (size_t i = 0; i <= length; i++) {
        char letter = request->row->name[i];
        container[i] = letter >= 'a' && letter <= 'z' ? (char)(letter - 'a' + 'A') : letter;
    }
    write_error(request->writer, "ERR unknown subcommand '%s'. Try %s HELP.",
                bytes_printable(argument(request, 1), word, sizeof(word)), container);
}

/* Finds the row that is meant. False: there is none, and the reply says so. */
static bool find_row(struct request *request, enum data_command *data)
{
    request->row = command_find(request->commands->table, argument(request, 0));
    if (request->row == NULL) {
        *data = data_command_find(argument(request, 0));
        if (*data == DATA_COMMAND_NONE)
            refuse_unknown(request);
        return *data != DATA_COMMAND_NONE;
    }
    if (request->row->children == NULL || argument_count(request) < 2)
        return true;
    const struct command_row *child = command_find(request->row->children, argument(request, 1));
    if (child == NULL) {
        refuse_subcommand(request);
        return false;
    }
    request->parent = request->row;
    request->row = child;
    return true;
}

/* RESP2 has no pushes: what is no message would be taken for one. */
static bool may_run_while_subscribed(const struct request *request,
                                     const struct client_state *client_state)
{
    return client_state == NULL || request->session->protocol == 3 ||
           subscriber_count(&client_state->subscriber) == 0 ||
           (request->row != NULL && (request->row->flags & COMMAND_SUBSCRIBED) != 0);
}

/* The error reply is written. A replica that is refused comes back at once: the client is paused (client.h). */
static void refuse_replica(const struct request *request, const char *cause)
{
    if (request->row == NULL || request->is_queued ||
        (request->row->flags & COMMAND_HANDSHAKE) == 0)
        return;
    client_refuse_replica(request->client, cause, argument_is(request, 0, "replconf"));
}

static void refuse_unauthenticated(const struct request *request)
{
    write_error(request->writer, "NOAUTH Authentication required.");
    refuse_replica(request,
                   "it has not logged in: set masterauth on it to the password of this relay "
                   "(requirepass), or masteruser and masterauth to a user with the role replica "
                   "([users])");
}

static void refuse_role(const struct request *request, const char *user)
{
    char cause[256];
    write_error(request->writer, "NOPERM User %s has no permissions to run the '%s' command", user,
                request->row->name);
    snprintf(cause, sizeof(cause),
             "its user %s has the role %s: give it the role replica in [users], or set masteruser "
             "and masterauth on the replica to a user that has it",
             user, user_role_name(role_of(request->commands, request->session)));
    refuse_replica(request, cause);
}

/* False: the reply says why not, in the words of servers since Redis 7.2. */
static bool check_permission(struct request *request)
{
    if (command_is_for(request->row, role_of(request->commands, request->session)))
        return true;
    const char *user = request->session->user;
    request->commands->denied_commands++;
    refuse_role(request, user[0] != '\0' ? user : USER_DEFAULT);
    return false;
}

/* The order of the checks and their words are redis-server's: existence, arity, authentication, what the
 * connection is in the midst of, role. False: the reply says why not. */
static bool check_request(struct request *request, const struct client_state *client_state,
                          enum data_command data)
{
    const struct command_row *row = request->row;
    if (row != NULL && !command_accepts(row, argument_count(request))) {
        write_error(request->writer, "ERR wrong number of arguments for '%s' command", row->name);
        return false;
    }
    /* Before anything that tells what exists, but for the two checks above, whose order clients know. */
    bool is_open_to_all = row != NULL && (row->flags & COMMAND_NO_AUTH) != 0;
    if (!is_open_to_all && !is_authenticated(request->commands, request->session)) {
        refuse_unauthenticated(request);
        return false;
    }
    bool is_in_multi =
        request->is_queued || (client_state != NULL && client_state->transaction.is_open);
    if (row != NULL && is_in_multi && (row->flags & COMMAND_NO_MULTI) != 0) {
        write_error(request->writer, "ERR Command not allowed inside a transaction");
        return false;
    }
    if (row != NULL && !check_permission(request))
        return false;
    if (!may_run_while_subscribed(request, client_state)) {
        char name[NAME_SHOWN_MAX + 1];
        bytes_printable(argument(request, 0), name, sizeof(name));
        write_error(request->writer,
                    "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT "
                    "/ RESET are allowed in this context",
                    row != NULL ? row->name : name);
        return false;
    }
    if (row == NULL)
        refuse_data(request, data);
    return row != NULL;
}

/* False: the reply says why not. */
static bool accept_request(struct request *request, const struct client_state *client_state)
{
    enum data_command data = DATA_COMMAND_NONE;
    if (!find_row(request, &data))
        return false;
    if (check_request(request, client_state, data))
        return true;
    /* Names that are no command of ours are not counted: there is no end to them. */
    if (request->row != NULL)
        command_stats_note_rejected(&request->commands->stats, request->row);
    return false;
}

/* The error that has been written from `before` on refuses the transaction as a whole. */
static void spoil(const struct request *request, struct transaction *transaction, size_t before)
{
    char name[64];
    char error[TRANSACTION_REFUSAL_MAX - sizeof(name)];
    struct bytes reply = bytes_skip(text_bytes(request->writer->out), before);
    reply = bytes_first(reply, reply.length > 2 ? reply.length - 2 : 0); /* without its end */
    if (!transaction->is_spoiled)
        snprintf(transaction->refusal, sizeof(transaction->refusal), "'%s': %s",
                 bytes_printable(argument(request, 0), name, sizeof(name)),
                 bytes_printable(bytes_skip(reply, reply.length > 0), error, sizeof(error)));
    transaction->is_spoiled = true;
}

static void queue(struct request *request, struct transaction *transaction)
{
    if (transaction_add(transaction, request->command)) {
        write_simple(request->writer, "QUEUED");
        return;
    }
    size_t before = request->writer->out->length;
    write_error(request->writer, "ERR a transaction holds at most %d commands with %d bytes in all",
                TRANSACTION_COMMANDS_MAX, TRANSACTION_BYTES_MAX);
    spoil(request, transaction, before);
}

/* What has been written since the output was `before` bytes long. Nothing once the client is a replica: its output has
 * gone with it. */
static struct bytes reply_since(const struct request *request, size_t before)
{
    if (request->client == NULL)
        return bytes_at(NULL, 0);
    return bytes_skip(text_bytes(request->writer->out), before);
}

static void handle(struct request *request)
{
    CHECK(request->row->handler != NULL); /* a container without one has an arity of -2 */
    size_t before = request->writer->out->length;
    int64_t began_us = clock_us();
    request->row->handler(request);
    int64_t us = clock_us() - began_us;
    command_stats_note_call(&request->commands->stats, request->row, us > 0 ? us : 0,
                            error_stats_is_error(reply_since(request, before)));
}

static bool is_replicaof(const struct request *request)
{
    return argument_is(request, 0, "slaveof") || argument_is(request, 0, "replicaof");
}

/* Behind a REPLICAOF anything is queued that is not about the transaction itself. */
static bool is_left_for_later(const struct request *request, const struct transaction *transaction)
{
    if (transaction == NULL || !transaction->is_lenient ||
        !is_authenticated(request->commands, request->session))
        return false;
    const struct command_row *row = command_find(request->commands->table, argument(request, 0));
    return row == NULL || (row->flags & COMMAND_IMMEDIATE) == 0;
}

static void dispatch_run(struct request *request)
{
    struct client_state *client_state = client_state_find(request->client);
    struct transaction *transaction = client_state != NULL && client_state->transaction.is_open
                                          ? &client_state->transaction
                                          : NULL;
    size_t before = request->writer->out->length;
    if (transaction != NULL && is_replicaof(request))
        transaction->has_replicaof = true;
    if (is_left_for_later(request, transaction)) {
        queue(request, transaction);
        return;
    }
    if (!accept_request(request, client_state)) {
        if (transaction != NULL)
            spoil(request, transaction, before);
        return;
    }
    if (transaction != NULL && is_replicaof(request) && !transaction->is_spoiled)
        transaction->is_lenient = true;
    client_set_last_command(request->client, request->row->name);
    if (transaction != NULL && (request->row->flags & COMMAND_IMMEDIATE) == 0)
        queue(request, transaction);
    else
        handle(request);
}

void dispatch_queued(const struct request *exec, const struct command *command)
{
    struct request request = *exec;
    request.command = command;
    request.parent = NULL;
    request.is_queued = true;
    size_t before = request.writer->out->length;
    /* It was accepted when it was queued, but an AUTH may have come before it, or a REPLICAOF. */
    if (accept_request(&request, NULL))
        handle(&request);
    error_stats_note(&request.commands->errors, reply_since(&request, before));
}

void dispatch(struct commands *commands, struct client *client, const struct command *command)
{
    CHECK(command->argument_count > 0);
    struct request request = {
        .commands = commands,
        .client = client,
        .session = client_session(client),
        .command = command,
        .writer = client_writer(client),
    };
    size_t before = request.writer->out->length;
    dispatch_run(&request);
    error_stats_note(&commands->errors, reply_since(&request, before));
}
