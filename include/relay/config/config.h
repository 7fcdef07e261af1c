/* SPDX-License-Identifier: MIT
 *
 * All settings: the options of the rooms, put together, and the one table (settings.c) that says for
 * each which key it has in the ini, how it is read, what it is by default, and what it means. Rooms
 * never see the ini.
 *
 *     if (!config_load(&config, file, overrides, count, &errors))
 *         tell them all, exit with status 1
 *     use config.store, config.upstream, ...
 *     config_fini(&config);
 *
 * Owner: whoever called config_load; the strings in it are the config's, so it outlives the rooms.
 * Thread: thread 0.
 */
#ifndef RELAY_CONFIG_CONFIG_H
#define RELAY_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/admin/admin.h"
#include "relay/base/check.h"
#include "relay/base/log.h"
#include "relay/base/text.h"
#include "relay/config/value.h"
#include "relay/downstream/downstream.h"
#include "relay/net/tls.h"
#include "relay/status/status.h"
#include "relay/store/store.h"
#include "relay/upstream/link.h"
#include "relay/upstream/sentinel.h"

enum { CONFIG_ERRORS_MAX = 20 };

enum config_switch { CONFIG_NO, CONFIG_YES };

enum config_snapshot { CONFIG_SNAPSHOT_ALWAYS_READY, CONFIG_SNAPSHOT_ON_DEMAND };

struct config {
    struct link_options upstream;
    struct sentinel_options sentinel;
    struct downstream_options downstream;
    struct tls_options upstream_tls;
    struct tls_options downstream_tls; /* with downstream.tls_port */
    enum config_switch upstream_has_tls;
    struct store_options store;
    struct admin_options admin;
    struct status_options status;
    const char *log_file; /* "": stderr */
    enum log_level log_level;

    /* Settings that more than one room needs, or one in another form: config_load works the options
     * of the rooms out of them. */
    const char *masterauth;
    const char *masterauth_file;
    const char *requirepass;
    const char *requirepass_file;
    enum config_switch protected_mode;
    enum config_snapshot snapshot;
};

/* Takes the defaults, then the file (NULL: none), then the overrides, each "SECTION.KEY=VALUE"; reads
 * the files with secrets; checks that all fits together. False: `errors` has a line for each error
 * (CONFIG_ERRORS_MAX at the most), and there is nothing to free. */
MUST_CHECK bool config_load(struct config *config, const char *file, const char *const *overrides,
                            size_t count, struct text *errors);

void config_fini(struct config *config);

/* What --check looks at besides: can the data directory and the log file be written? Makes neither.
 * False: `errors`, as above. */
MUST_CHECK bool config_probe(const struct config *config, struct text *errors);

/* An ini with all settings, defaults included; "***" for secrets. */
void config_format(const struct config *config, struct text *out);

/* CONFIG SET: `name` as config_each tells it. False: `why` is an error reply without its dash, and nothing
 * has changed. The rooms are told by the caller. */
MUST_CHECK bool config_set(struct config *config, const char *name, const char *value,
                           struct text *why);

/* All settings as CONFIG GET shows them. A key that two sections have is shown bare for downstream,
 * and as "upstream.repl-timeout" for the other. */
void config_each(const struct config *config, admin_setting_fn *fn, void *arg);

#endif
