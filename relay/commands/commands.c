/* SPDX-License-Identifier: MIT */
#include "relay/commands/commands.h"

#include <stdlib.h>

#include "command_rows.h"
#include "component.h"
#include "dispatch.h"
#include "relay/base/clock.h"
#include "relay/os/memory.h"
#include "relay/os/random.h"
#include "relay/upstream/link.h"

/* All of them are open in part when it fails: commands_close takes that. */
static bool open_nouns(struct commands *commands)
{
    const struct waiters_dependencies needs = {
        .loop = commands->loop,
        .store = commands->store,
        .downstream = commands->downstream,
        .errors = &commands->errors,
        .watch_acknowledged = commands->callbacks.watch_acknowledged,
        .arg = commands->callbacks.arg,
    };
    pubsub_init(&commands->pubsub);
    rewrites_init(&commands->rewrites, &commands->callbacks, &commands->errors);
    client_states_init(&commands->client_states, &commands->pubsub, &commands->waiters,
                       &commands->logins, &commands->rewrites);
    bool has_waiters = waiters_open(&commands->waiters, &needs);
    bool has_logins = logins_open(&commands->logins, commands->loop, commands->options.users,
                                  &commands->errors, commands);
    return command_stats_init(&commands->stats, commands->table) && has_waiters && has_logins;
}

struct commands *commands_open(struct loop *loop, struct store *store, struct link *link,
                               struct downstream *downstream,
                               const struct commands_options *options,
                               const struct commands_callbacks *callbacks)
{
    CHECK(loop != NULL && store != NULL && link != NULL && downstream != NULL);
    CHECK(callbacks->shut_down != NULL && callbacks->each_setting != NULL);
    CHECK(callbacks->follow != NULL && callbacks->set != NULL && callbacks->rewrite != NULL);
    CHECK(callbacks->watch_acknowledged != NULL);
    struct commands *commands = calloc(1, sizeof(*commands));
    if (commands == NULL)
        return NULL;
    commands->table = &command_rows;
    commands->loop = loop;
    commands->store = store;
    commands->link = link;
    commands->downstream = downstream;
    commands->options = *options;
    commands->callbacks = *callbacks;
    random_hex(commands->run_id, RUN_ID_DIGITS);
    commands->started_ms = clock_ms();
    commands->started_wall_us = clock_wall_us();
    if (!open_nouns(commands))
        commands_close(&commands);
    return commands;
}

void commands_close(struct commands **where)
{
    struct commands *commands = *where;
    *where = NULL;
    client_states_close(&commands->client_states);
    waiters_close(&commands->waiters);
    logins_close(&commands->logins);
    command_stats_fini(&commands->stats);
    free(commands);
}

void commands_change(struct commands *commands, const struct commands_options *options)
{
    commands->options.backlog_bytes = options->backlog_bytes;
    commands->options.clients_max = options->clients_max;
    commands->options.replica_announced = options->replica_announced;
}

const char *commands_run_id(const struct commands *commands)
{
    return commands->run_id;
}

void commands_on_acknowledged(struct commands *commands)
{
    waiters_check(&commands->waiters);
}

void commands_on_rewritten(struct commands *commands, const char *why)
{
    rewrites_end(&commands->rewrites, why);
}

void commands_tick(struct commands *commands)
{
    struct link_status upstream;
    struct downstream_counts counts;
    struct memory memory;
    link_status(commands->link, &upstream);
    downstream_counts(commands->downstream, &counts);
    memory_read(&memory);
    const struct rates_sample sample = {
        .at_ms = clock_ms(),
        .commands = counts.commands,
        .input_bytes = counts.received_bytes + upstream.received_bytes,
        .output_bytes = counts.sent_bytes,
        .repl_input_bytes = upstream.received_bytes,
        .repl_output_bytes = counts.replica_sent_bytes,
    };
    rates_add(&commands->rates, &sample);
    rates_note_memory(&commands->rates, memory.used);
}

void commands_on_command(struct client *client, const struct command *command, void *arg)
{
    dispatch(arg, client, command);
}
