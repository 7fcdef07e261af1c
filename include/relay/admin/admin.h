/* SPDX-License-Identifier: MIT
 *
 * What we tell people and monitors: the one table of commands (name, arity, what it needs, handler,
 * documentation), and INFO, ROLE, CONFIG and CLIENT behind it. It reads the other components' reports and
 * acts through their callbacks. Data commands get a clear error: a relay holds no data.
 *
 * Thread: thread 0.
 */
#ifndef RELAY_ADMIN_ADMIN_H
#define RELAY_ADMIN_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/admin/users.h"
#include "relay/base/check.h"
#include "relay/base/text.h"
#include "relay/downstream/client.h"

struct admin;
struct downstream;
struct link;
struct loop;
struct store;
struct tls_certificates;

/* One setting as CONFIG GET shows it: secrets are empty there, as in redis-server. */
typedef void admin_setting_fn(const char *name, const char *value, void *arg);

/* What CONFIG SET is told. */
struct admin_pair {
    const char *name;
    const char *value;
};

struct admin_options {
    const struct users *users; /* see admin_on_users_changed */
    const char *config_file;   /* "" without one */
    uint64_t backlog_bytes;    /* repl-backlog-size, for INFO */
    unsigned clients_max;
    bool replica_announced; /* Sentinels show us to clients */
};

/* What admin needs from the composition, since it sits above all components but below `relay.c`. */
struct admin_callbacks {
    void (*shut_down)(void *arg);
    /* REPLICAOF: follows another primary, and remembers it over a restart. False: `why`, an error reply
     * without its dash. */
    bool (*follow)(const char *host, uint16_t port, struct text *why, void *arg);
    /* CONFIG SET of settings that may change while it runs: all, or none. False: `why`, as above. */
    bool (*set)(const struct admin_pair *pairs, size_t count, struct text *why, void *arg);
    /* CONFIG REWRITE: writes what has been set to the ini. False: `why`, as above. */
    bool (*rewrite)(struct text *why, void *arg);
    /* A client waits for acknowledgements (WAIT), or no longer: see admin_on_acknowledged. */
    void (*watch_acknowledged)(bool watch, void *arg);
    void (*each_setting)(admin_setting_fn *fn, void *fn_arg, void *arg);
    const struct tls_certificates *certificates; /* those in use, for INFO; NULL: none */
    void *arg;
};

/* The strings of `options` live longer than the component; every callback is set. NULL: out of memory. */
MUST_CHECK struct admin *admin_open(struct loop *loop, struct store *store, struct link *link,
                                    struct downstream *downstream,
                                    const struct admin_options *options,
                                    const struct admin_callbacks *callbacks);

/* Before downstream_close: it lets go of what it keeps for clients. */
void admin_close(struct admin **admin);

/* Of the options that may change while it runs: those that INFO tells. */
void admin_change(struct admin *admin, const struct admin_options *options);

/* The identity of this process, forty digits: run_id in INFO. */
const char *admin_run_id(const struct admin *admin);

/* Replicas have acknowledged something: answers those WAITs that it satisfies. */
void admin_on_acknowledged(struct admin *admin);

/* Every second: takes a sample for the rates of INFO. */
void admin_tick(struct admin *admin);

/* Other users may stand in options.users than before the last call: closes the connections, those of
 * replicas included, whose user is gone or has not the role any more that they need. A password that has
 * changed concerns who comes. */
void admin_on_users_changed(struct admin *admin);

/* The door for downstream_callbacks.on_command: looks the command up, checks arity, state and role, and
 * runs its handler. `arg` is the admin. */
client_command_fn admin_on_command;

#endif
