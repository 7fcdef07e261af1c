/* SPDX-License-Identifier: MIT
 *
 * From a command that has arrived to its handler: finds it in the table, checks number of arguments, login, role and what
 * the connection is in the midst of, queues it inside a transaction or runs it, and counts it (command_stats.h).
 *
 * Thread: thread 0.
 */
#ifndef RELAY_COMMANDS_DISPATCH_H
#define RELAY_COMMANDS_DISPATCH_H

struct client;
struct command;
struct commands;
struct request;

/* Runs it for the client, which has the reply in its writer then, or is blocked, or is a replica now. */
void dispatch(struct commands *commands, struct client *client, const struct command *command);

/* EXEC: runs a command that was queued as the client of `exec`, into its writer. */
void dispatch_queued(const struct request *exec, const struct command *command);

#endif
