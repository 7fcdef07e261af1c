/* SPDX-License-Identifier: MIT
 *
 * From the bytes that a client has sent to the handler of each command.
 */
#include "client_list.h"
#include "client_private.h"
#include "relay/base/clock.h"

bool client_is_unauthenticated(const struct client *client)
{
    return client->list->must_authenticate && client->session.user[0] == '\0';
}

bool client_has_much_output(const struct client *client)
{
    /* The replies of one command may go beyond it, up to CLIENT_REPLIES_MAX: no further one is run then. */
    size_t most =
        client_is_unauthenticated(client) ? UNAUTHENTICATED_OUTPUT_MAX : CLIENT_OUTPUT_MAX;
    return outbox_left(&client->output) > most;
}

bool client_may_run(const struct client *client)
{
    return client->conn != NULL && client->finish_ms == 0 && !client->is_blocked &&
           client->paused_until_ms == 0 && !client->output.text.failed &&
           !client_has_much_output(client);
}

static void client_run(struct client *client, const struct command *command)
{
    struct client_list *list = client->list;
    struct client_session *session = &client->session;
    list->commands++;
    client->active_ms = clock_ms();
    /* Taken before it runs: CLIENT REPLY SKIP sets it for the command after itself. */
    bool is_skipped = session->reply_skip_next;
    session->reply_skip_next = false;
    size_t length = client->output.text.length;

    client->is_running = true;
    list->on_command(client, command, list->on_command_arg);
    client->is_running = false;
    /* PSYNC: it is a replica now, and its output has gone with it. */
    if (client->conn == NULL)
        return;
    bool is_muted = is_skipped || session->reply_off;
    if (is_muted)
        outbox_take_back(&client->output, length);
    client->is_muted = is_muted && client->is_blocked;
    client->output.text.failed |= client->pushed.failed;
    text_append(&client->output.text, text_bytes(&client->pushed));
    text_fini(&client->pushed);
}

void client_hold(struct client *client)
{
    CHECK(client->is_running && !client->is_blocked);
    client->is_blocked = true;
}

/* A browser, or an attacker through one: what follows would be commands of its choice. Servers of this
 * protocol look for the same two words. */
static bool is_http(const struct command *command)
{
    return bytes_is(command->argument[0], "post") || bytes_is(command->argument[0], "host:");
}

/* Runs one command. False: there is no whole command, or no client any more. */
static bool client_run_next(struct client *client)
{
    struct command command;
    struct inbox *input = &client->input;
    /* For each command: AUTH or HELLO in the same pipeline has changed it. */
    reader_set_unauthenticated(&client->reader, client_is_unauthenticated(client));
    switch (reader_next(&client->reader, input->bytes + input->taken, input->length - input->taken,
                        &command)) {
    case READER_MORE:
        return false;
    case READER_ERROR:
        write_error(client_writer(client), "ERR %s", client->reader.error);
        client_finish(client, CLOSE_PROTOCOL);
        return false;
    case READER_COMMAND:
        client->input.taken += command.length;
        if (command.argument_count == 0)
            return true;
        if (is_http(&command)) {
            client_close(client, CLOSE_PROTOCOL);
            return false;
        }
        client_run(client, &command);
        return true;
    }
    UNREACHABLE("no such result");
}

void client_run_commands(struct client *client)
{
    bool has_more = client->input.length > 0;
    int64_t until_us = clock_us() + CLIENT_GO_US_MAX;
    for (int i = 0; i < CLIENT_GO_COMMANDS_MAX && has_more && client_may_run(client); i++) {
        has_more = client_run_next(client) && client->input.taken < client->input.length;
        /* After each command, so that at least one is run: a client always gets on. */
        if (clock_us() >= until_us)
            break;
    }
    if (client->conn == NULL)
        return;
    /* A blocked one is asked again by client_resume. */
    client->has_commands = has_more && client->finish_ms == 0 && !client->is_blocked;
    inbox_drop_taken(&client->input);
}
