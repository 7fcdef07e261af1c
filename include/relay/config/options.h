/* SPDX-License-Identifier: MIT
 *
 * All settings as values: the options of all components in one struct. The one table of settings
 * (settings.c) says for each its key in the ini, how it is read, its default and when a change takes effect.
 * Components never see the ini. How they are loaded and changed: config.h.
 */
#ifndef RELAY_CONFIG_OPTIONS_H
#define RELAY_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/archive/archive.h"
#include "relay/base/log.h"
#include "relay/commands/commands.h"
#include "relay/commands/users.h"
#include "relay/downstream/downstream.h"
#include "relay/net/tls.h"
#include "relay/status/status.h"
#include "relay/store/store.h"
#include "relay/upstream/link.h"
#include "relay/upstream/sentinel.h"

enum { CONFIG_ERRORS_MAX = 20 };

enum config_switch { CONFIG_NO, CONFIG_YES };

enum config_snapshot { CONFIG_SNAPSHOT_ALWAYS_READY, CONFIG_SNAPSHOT_ON_DEMAND };

/* Where a config came from: as config_load was told it, and the caller's for as long as it is used. */
struct config_source {
    const char *file; /* NULL: none */
    const char *const *overrides;
    size_t override_count;
};

/* [users], as it stands there: see relay/config/user_settings.h. */
struct user_settings {
    struct user_setting *all;
    size_t count;
};

struct config {
    struct link_options upstream;
    struct sentinel_options sentinel;
    struct downstream_options downstream;
    struct tls_options upstream_tls;
    struct tls_options downstream_tls; /* with downstream.tls_port */
    struct tls_options http_tls; /* with status.tls_port; what it lacks is that of downstream_tls */
    enum config_switch upstream_has_tls;
    enum config_switch sentinel_has_tls;        /* with upstream_tls */
    enum config_switch snapshot_source_has_tls; /* with upstream_tls */
    struct store_options store;
    struct archive_options archive;
    const char *restore_command;
    const char *list_command;
    const char *remove_command;
    struct commands_options commands;
    struct status_options status;
    const char *log_file; /* "": stderr */
    enum log_level log_level;
    enum log_format log_format;
    const char *user;  /* to become when started as root; "": none */
    const char *group; /* "": the user's own */
    enum config_switch set_dumpable;
    bool file_has_secrets; /* a password stands in the ini itself */

    /* Settings that several components need, or one in another form: config_load computes the options
     * of the components out of them. */
    const char *masterauth;
    const char *masterauth_file;
    const char *requirepass; /* "***", once config_load has taken its digest */
    const char *requirepass_file;
    const char *http_requirepass; /* the same; its digest is in status.password */
    const char *http_requirepass_file;
    enum config_switch protected_mode;
    enum config_snapshot snapshot;
    enum config_switch replica_announced;
    enum config_switch rdb_channel; /* CONFIG_YES: auto */
    enum config_switch serve_old_history;
    struct user_settings user_settings;
    struct users users; /* of requirepass and [users]; commands.users points here */

    struct config_source source;
};

#endif
