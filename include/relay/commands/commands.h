/* SPDX-License-Identifier: MIT
 *
 * What we tell people and monitors: the one table of commands (name, arity, what it needs, handler,
 * documentation), and INFO, ROLE, CONFIG and CLIENT behind it. It reads the other components' reports and
 * acts through their callbacks. Data commands get a clear error: a relay holds no data.
 *
 * Thread: thread 0.
 */
#ifndef RELAY_COMMANDS_COMMANDS_H
#define RELAY_COMMANDS_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/text.h"
#include "relay/commands/users.h"
#include "relay/downstream/client.h"

struct commands;
struct downstream;
struct link;
struct loop;
struct store;
struct tls_certificates;

/* One setting as CONFIG GET shows it: secrets are empty there, as in redis-server. */
typedef void commands_setting_fn(const char *name, const char *value, void *arg);

/* What CONFIG SET is told. */
struct setting_pair {
    const char *name;
    const char *value;
};

struct commands_options {
    const struct users *users; /* see commands_on_users_changed */
    const char *config_file;   /* "" without one */
    uint64_t backlog_bytes;    /* repl-backlog-size, for INFO */
    unsigned clients_max;
    bool replica_announced; /* Sentinels show us to clients */
};

/* What the component needs from the composition, since it sits above all components but below `relay.c`. */
struct commands_callbacks {
    void (*shut_down)(void *arg);
    /* REPLICAOF: follows another primary, and remembers it over a restart. False: `why`, an error reply
     * without its dash. */
    bool (*follow)(const char *host, uint16_t port, struct text *why, void *arg);
    /* CONFIG SET of settings that may change while it runs: all, or none. False: `why`, as above. */
    bool (*set)(const struct setting_pair *pairs, size_t count, struct text *why, void *arg);
    /* CONFIG REWRITE: writes what has been set to the ini. False: `why`, as above. */
    bool (*rewrite)(struct text *why, void *arg);
    /* A client waits for acknowledgements (WAIT), or no longer: see commands_on_acknowledged. */
    void (*watch_acknowledged)(bool watch, void *arg);
    void (*each_setting)(commands_setting_fn *fn, void *fn_arg, void *arg);
    const struct tls_certificates *certificates; /* those in use, for INFO; NULL: none */
    void *arg;
};

/* The strings of `options` live longer than the component; every callback is set. NULL: out of memory. */
MUST_CHECK struct commands *commands_open(struct loop *loop, struct store *store, struct link *link,
                                          struct downstream *downstream,
                                          const struct commands_options *options,
                                          const struct commands_callbacks *callbacks);

/* Before downstream_close: it lets go of what it keeps for clients. */
void commands_close(struct commands **commands);

/* Of the options that may change while it runs: those that INFO tells. */
void commands_change(struct commands *commands, const struct commands_options *options);

/* The identity of this process, forty digits: run_id in INFO. */
const char *commands_run_id(const struct commands *commands);

/* Replicas have acknowledged something: answers those WAITs that it satisfies. */
void commands_on_acknowledged(struct commands *commands);

/* Every second: takes a sample for the rates of INFO. */
void commands_tick(struct commands *commands);

/* Other users may stand in options.users than before the last call: closes the connections, those of
 * replicas included, whose user is gone or has not the role any more that they need. A password that has
 * changed concerns who comes. */
void commands_on_users_changed(struct commands *commands);

/* The door for downstream_callbacks.on_command: looks the command up, checks arity, state and role, and
 * runs its handler. `arg` is the struct commands. */
client_command_fn commands_on_command;

#endif
