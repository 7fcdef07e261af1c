/* SPDX-License-Identifier: MIT
 *
 * What a table of commands is: which commands exist, how many arguments each takes, who may use it, the handler that
 * runs it, and what COMMAND INFO and COMMAND DOCS say about it. Subcommands are tables of the same kind. The table itself
 * is data (command_rows.c); the dispatcher and the commands about commands read it.
 *
 * Pure.
 */
#ifndef RELAY_COMMANDS_COMMAND_TABLE_H
#define RELAY_COMMANDS_COMMAND_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/bytes.h"
#include "relay/commands/users.h"

struct request;

typedef void command_fn(struct request *request);

/* In the order in which redis-server lists them. */
enum command_flag {
    COMMAND_READONLY = 1 << 0,
    COMMAND_ADMIN = 1 << 1,
    COMMAND_NOSCRIPT = 1 << 2,
    COMMAND_BLOCKING = 1 << 3,
    COMMAND_LOADING = 1 << 4,
    COMMAND_STALE = 1 << 5,
    COMMAND_FAST = 1 << 6,
    COMMAND_NO_AUTH = 1 << 7, /* allowed before AUTH */
    COMMAND_NO_MULTI = 1 << 8,
    COMMAND_ALLOW_BUSY = 1 << 9,
    /* No flag of COMMAND INFO, but an ACL category that does not follow from the others. */
    COMMAND_DANGEROUS = 1 << 10,
    COMMAND_PUBSUB = 1 << 11,
    /* Nothing that COMMAND INFO tells. */
    COMMAND_IMMEDIATE = 1 << 12,  /* never queued between MULTI and EXEC */
    COMMAND_SUBSCRIBED = 1 << 13, /* allowed to a subscriber in RESP2 */
    /* Which role is enough besides admin, which always is. */
    COMMAND_FOR_REPLICAS = 1 << 14,
    COMMAND_FOR_MONITORS = 1 << 15,
    /* Sent by a replica before it is attached: REPLCONF, PSYNC, SYNC. */
    COMMAND_HANDSHAKE = 1 << 16,
};

struct command_table {
    const struct command_row *rows; /* sorted by name */
    size_t count;
};

struct command_row {
    const char *name; /* lower case; of a subcommand "container|name" */
    int arity;        /* words, the name included; negative: at least so many */
    unsigned flags;   /* enum command_flag */
    command_fn *handler;
    const char *since; /* the version of redis-server or Valkey that had it first */
    const char *group;
    const char *complexity;
    const char *summary;
    const char *syntax;                   /* of the arguments, as syntax.c reads it; "" for none */
    const struct command_table *children; /* NULL: none; else `handler` serves the bare name, or
                                             is NULL where a subcommand must follow */
};

/* The row of a table, letter case ignored; NULL: none. In a table of subcommands the name
 * is what follows the '|'. */
const struct command_row *command_find(const struct command_table *table, struct bytes name);

/* "ping", or "client|list": as COMMAND INFO and COMMAND DOCS are asked. */
const struct command_row *command_find_path(const struct command_table *all, struct bytes path);

/* What a user types for the row: the part after the '|' of a subcommand. */
const char *command_word(const struct command_row *row);

/* Every command and subcommand has a number of its own, 0 to command_count - 1. `row` is of the table `all`. */
size_t command_number(const struct command_table *all, const struct command_row *row);
size_t command_count(const struct command_table *all);

/* Calls `fn` for every command and subcommand, in the order of the table. */
typedef void command_each_fn(const struct command_row *row, void *arg);
void command_each(const struct command_table *all, command_each_fn *fn, void *arg);

bool command_accepts(const struct command_row *row, size_t words);

/* May a user of this role use it? */
bool command_is_for(const struct command_row *row, enum user_role role);

#endif
