/* SPDX-License-Identifier: MIT
 *
 * Everything that clients, Sentinels and monitors can ask a relay: the one table of commands (name, number of arguments,
 * role, handler, documentation) with INFO, ROLE, CONFIG, CLIENT, publish/subscribe, transactions and WAIT behind it. It
 * reads the status of the other components and acts through their functions. Commands that need data get an error that
 * names the primary.
 *
 *     commands.h      opened and closed here; options.h: what it is given
 *     dispatch        from a command that has arrived to its handler
 *     command_rows    the table, as data; command_table: how it is searched
 *     cmd_*.c         the handlers, a file for each family
 *     below these     nouns that know no command: users, login, pubsub, waiter, transaction, client_state, *_stats
 *
 * Thread: thread 0.
 */
#ifndef RELAY_COMMANDS_COMMANDS_H
#define RELAY_COMMANDS_COMMANDS_H

#include "relay/base/check.h"
#include "relay/commands/options.h"
#include "relay/downstream/client.h"

struct commands;
struct downstream;
struct link;
struct loop;
struct store;

/* The strings and users of `options` live longer than the component; all callbacks are set. NULL: out of memory. */
MUST_CHECK struct commands *commands_open(struct loop *loop, struct store *store, struct link *link,
                                          struct downstream *downstream,
                                          const struct commands_options *options,
                                          const struct commands_callbacks *callbacks);

/* Before downstream_close: the state of all clients ends here. */
void commands_close(struct commands **commands);

/* Takes the options that may change while the relay runs: those that INFO shows. */
void commands_change(struct commands *commands, const struct commands_options *options);

/* The identity of this process, forty digits: run_id in INFO. */
const char *commands_run_id(const struct commands *commands);

/* Replicas have acknowledged something: answers those WAITs that it satisfies. */
void commands_on_acknowledged(struct commands *commands);

/* The CONFIG REWRITE that was begun has ended. `why` NULL: the ini is in place; else an error reply without its
 * dash. */
void commands_on_rewritten(struct commands *commands, const char *why);

/* Every second: takes a sample for the rates of INFO. */
void commands_tick(struct commands *commands);

/* The users in options.users have changed: closes the connections, those of replicas included, whose user is gone or no
 * longer has the role that they need. A new password applies to new logins. */
void commands_on_users_changed(struct commands *commands);

/* For downstream_callbacks.on_command: finds the command, checks number of arguments, login and role, and runs its
 * handler. `arg` is the struct commands. */
client_command_fn commands_on_command;

#endif
