/* SPDX-License-Identifier: MIT */
#include "relay/admin/admin.h"

#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "relay/base/clock.h"
#include "relay/base/random.h"
#include "request.h"

enum {
    NAME_SHOWN_MAX = 128
}; /* of what a client sent, in an error reply, as redis-server has it */

struct admin *admin_open(struct store *store, struct link *link, struct downstream *downstream,
                         const struct admin_options *options, const struct admin_doors *doors)
{
    CHECK(store != NULL && link != NULL && downstream != NULL);
    CHECK(doors->shut_down != NULL && doors->each_setting != NULL);
    struct admin *admin = calloc(1, sizeof(*admin));
    if (admin == NULL)
        return NULL;
    admin->store = store;
    admin->link = link;
    admin->downstream = downstream;
    admin->options = *options;
    admin->doors = *doors;
    random_hex(admin->run_id, RUN_ID_DIGITS);
    admin->started_ms = clock_ms();
    admin->started_wall_us = clock_wall_us();
    return admin;
}

void admin_close(struct admin **admin)
{
    free(*admin);
    *admin = NULL;
}

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
    struct link_status origin;
    char name[NAME_SHOWN_MAX + 1];
    link_status(request->admin->link, &origin);
    switch (kind) {
    case DATA_COMMAND_NONE:
        refuse_unknown(request);
        break;
    case DATA_COMMAND_READ:
        write_error(request->writer,
                    "ERR this is psync-relay: it holds no data, ask the primary %s:%u or one of "
                    "its replicas",
                    origin.host, origin.port);
        break;
    case DATA_COMMAND_WRITE:
        write_error(request->writer,
                    "READONLY this is psync-relay: it holds no data, write to the primary %s:%u",
                    origin.host, origin.port);
        break;
    case DATA_COMMAND_OTHER:
        write_error(request->writer,
                    "ERR this is psync-relay: it does not offer '%s', ask the primary %s:%u or "
                    "one of its replicas",
                    bytes_printable(argument(request, 0), name, sizeof(name)), origin.host,
                    origin.port);
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
    request->row = command_find(commands(), argument(request, 0));
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

/* The order of the checks and their words are redis-server's: existence, arity, authentication. */
static void run(struct request *request)
{
    enum data_command data = DATA_COMMAND_NONE;
    if (!find_row(request, &data))
        return;
    const struct command_row *row = request->row;
    if (row != NULL && !command_accepts(row, argument_count(request))) {
        write_error(request->writer, "ERR wrong number of arguments for '%s' command", row->name);
        return;
    }
    bool is_open_to_all = row != NULL && (row->flags & COMMAND_NO_AUTH) != 0;
    if (!is_open_to_all && !is_authenticated(request->admin, request->session)) {
        write_error(request->writer, "NOAUTH Authentication required.");
        return;
    }
    if (row == NULL) {
        refuse_data(request, data);
        return;
    }
    CHECK(row->handler != NULL); /* a container without one has an arity of -2 */
    client_set_last_command(request->client, row->name);
    row->handler(request);
}

/* Counts a reply that turned out to be an error, for INFO. */
static void count_error(struct admin *admin, struct bytes reply)
{
    if (reply.length == 0 || reply.data[0] != '-')
        return;
    char code[ERROR_CODE_MAX];
    size_t length = bytes_find(reply, ' ');
    if (length > ERROR_CODE_MAX)
        length = ERROR_CODE_MAX;
    bytes_printable(bytes_skip(bytes_first(reply, length), 1), code, sizeof(code));
    admin->error_replies++;
    for (unsigned i = 0; i < admin->error_kinds; i++) {
        if (strcmp(admin->errors[i].code, code) == 0) {
            admin->errors[i].count++;
            return;
        }
    }
    if (admin->error_kinds == ERROR_KINDS_MAX)
        return; /* all code words are ours, and there are fewer of them */
    struct error_count *kind = &admin->errors[admin->error_kinds++];
    memcpy(kind->code, code, sizeof(code));
    kind->count = 1;
}

void admin_on_command(struct client *client, const struct command *command, void *arg)
{
    CHECK(command->argument_count > 0);
    struct admin *admin = arg;
    struct writer *writer = client_writer(client);
    struct request request = {
        .admin = admin,
        .client = client,
        .session = client_session(client),
        .command = command,
        .writer = writer,
    };
    size_t before = writer->out->length;
    run(&request);
    if (request.client != NULL && writer->out->length > before)
        count_error(admin, bytes_skip(text_bytes(writer->out), before));
}
