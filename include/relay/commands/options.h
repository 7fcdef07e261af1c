/* SPDX-License-Identifier: MIT
 *
 * What the component `commands` is given: its options, and callbacks for what only the composition can do.
 *
 * Thread: thread 0.
 */
#ifndef RELAY_COMMANDS_OPTIONS_H
#define RELAY_COMMANDS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/text.h"

struct archive;
struct tls_certificates;
struct users;

/* One setting as CONFIG GET shows it: secrets are empty there, as in redis-server. */
typedef void commands_setting_fn(const char *name, const char *value, void *arg);

/* One setting of CONFIG SET. */
struct setting_pair {
    const char *name;
    const char *value;
};

/* What has become of a CONFIG REWRITE. */
enum commands_rewrite {
    COMMANDS_REWRITE_NOT_NEEDED, /* the ini says it already */
    COMMANDS_REWRITE_REFUSED,    /* `why` */
    COMMANDS_REWRITE_NEEDED,     /* and it may not begin */
    COMMANDS_REWRITE_BEGUN, /* commands_on_rewritten is called when it has ended, in a later turn */
};

struct commands_options {
    const struct users *users; /* see commands_on_users_changed */
    const char *config_file;   /* "" without one */
    uint64_t backlog_bytes;    /* repl-backlog-size, for INFO */
    unsigned clients_max;
    bool replica_announced; /* Sentinels tell clients about this relay */
};

/* All are set. Where they take `why` false means: `why` is an error reply without its dash. */
struct commands_callbacks {
    void (*shut_down)(void *arg);
    /* REPLICAOF: follows another primary, and remembers it over a restart. */
    bool (*follow)(const char *host, uint16_t port, struct text *why, void *arg);
    /* CONFIG SET: changes all of the settings, or none. */
    bool (*set)(const struct setting_pair *pairs, size_t count, struct text *why, void *arg);
    /* CONFIG REWRITE: writes to the ini what CONFIG SET has changed. Not called while one is under way. `may_begin`
     * false: only looks whether something would have to be written. */
    enum commands_rewrite (*rewrite)(bool may_begin, struct text *why, void *arg);
    /* A client is blocked in WAIT, or none is any more: whether commands_on_acknowledged is to be called. */
    void (*watch_acknowledged)(bool watch, void *arg);
    void (*each_setting)(commands_setting_fn *fn, void *fn_arg, void *arg);
    const struct tls_certificates *certificates; /* those in use, for INFO; NULL: none */
    const struct archive *archive;               /* for INFO; NULL: none */
    void *arg;
};

#endif
