/* SPDX-License-Identifier: MIT
 *
 * The table of commands: what exists, how many arguments it takes, who may use it, who does it, and
 * what COMMAND INFO and COMMAND DOCS say of it. Sub-commands are tables of the same kind. The
 * dispatcher and the commands that talk about commands read it; nothing else knows which there are.
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
    /* Whose role is enough; that of an admin always is. */
    COMMAND_FOR_REPLICAS = 1 << 14,
    COMMAND_FOR_MONITORS = 1 << 15,
};

struct command_table {
    const struct command_row *rows; /* sorted by name */
    size_t count;
};

struct command_row {
    const char *name; /* lower case; of a sub-command "container|name" */
    int arity;        /* words, the name included; negative: at least so many */
    unsigned flags;   /* enum command_flag */
    command_fn *handler;
    const char *since; /* the version of redis-server or Valkey that had it first */
    const char *group;
    const char *complexity;
    const char *summary;
    const char *syntax;                   /* of the arguments, as docs.c reads it; "" for none */
    const struct command_table *children; /* NULL: none; else `handler` serves the bare name, or
                                             is NULL where a sub-command must follow */
};

const struct command_table *all_commands(void);

/* The row of a table, letter case ignored; NULL: none. In a table of sub-commands the name
 * is what follows the '|'. */
const struct command_row *command_find(const struct command_table *table, struct bytes name);

/* "ping", or "client|list": as COMMAND INFO and COMMAND DOCS are asked. */
const struct command_row *command_find_path(struct bytes path);

/* What a user types for the row: the part after the '|' of a sub-command. */
const char *command_word(const struct command_row *row);

/* Every command and sub-command has a number of its own, 0 to command_count() - 1. */
size_t command_number(const struct command_row *row);
size_t command_count(void);

/* Calls `fn` for every command and sub-command, in the order of the table. */
typedef void command_each_fn(const struct command_row *row, void *arg);
void command_each(command_each_fn *fn, void *arg);

bool command_accepts(const struct command_row *row, size_t words);

/* May somebody of this role use it? */
bool command_is_for(const struct command_row *row, enum user_role role);

/* Why a command that is in no table is refused, if it is one that servers with data have. */
enum data_command {
    DATA_COMMAND_NONE,   /* nonsense, or newer than this list */
    DATA_COMMAND_READ,   /* needs data */
    DATA_COMMAND_WRITE,  /* changes data */
    DATA_COMMAND_OTHER,  /* something else that only a server with data offers */
    DATA_COMMAND_CLUSTER /* asks for cluster mode */
};
enum data_command data_command_find(struct bytes name);

/* commands/cmd_acl.c */
command_fn on_acl_list, on_acl_users, on_acl_whoami;

/* commands/cmd_client.c */
command_fn on_client_capa, on_client_getname, on_client_getredir, on_client_id, on_client_info;
command_fn on_client_kill, on_client_list, on_client_no_evict, on_client_no_touch, on_client_reply;
command_fn on_client_setinfo, on_client_setname, on_client_unblock;

/* commands/cmd_connection.c */
command_fn on_echo, on_ping, on_quit, on_reset, on_select;

/* commands/cmd_command.c */
command_fn on_command_all, on_command_count, on_command_docs, on_command_getkeys, on_command_info;
command_fn on_command_list, on_help;

/* commands/cmd_info.c */
command_fn on_info;

/* commands/login.c */
command_fn on_auth, on_hello;

/* commands/cmd_multi.c */
command_fn on_discard, on_exec, on_multi, on_unwatch, on_watch;

/* commands/cmd_pubsub.c */
command_fn on_psubscribe, on_publish, on_pubsub_channels, on_pubsub_numpat, on_pubsub_numsub;
command_fn on_punsubscribe, on_subscribe, on_unsubscribe;

/* commands/cmd_relay.c */
command_fn on_relay_accept, on_relay_drop, on_relay_replicas, on_relay_snapshot, on_relay_store;
command_fn on_relay_accept, on_relay_away, on_relay_replicas, on_relay_snapshot, on_relay_store;
command_fn on_relay_accept, on_relay_forget, on_relay_replicas, on_relay_snapshot, on_relay_store;

/* commands/cmd_replication.c */
command_fn on_failover, on_psync, on_replconf, on_replicaof, on_role, on_sync;

/* commands/cmd_server.c */
command_fn on_dbsize, on_lastsave, on_latency_doctor, on_latency_histogram, on_latency_reset;
command_fn on_empty_list, on_memory_doctor, on_memory_malloc_stats, on_memory_purge;
command_fn on_memory_stats, on_memory_usage, on_shutdown, on_slowlog_get, on_slowlog_len;
command_fn on_slowlog_reset, on_time;

/* commands/cmd_config.c */
command_fn on_config_get, on_config_resetstat, on_config_rewrite, on_config_set;

/* commands/waiter.c */
command_fn on_wait, on_waitaof;

#endif
