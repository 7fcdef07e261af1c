/* SPDX-License-Identifier: MIT */
#include "reload.h"

#include <string.h>

#include "components.h"
#include "relay/base/log.h"
#include "relay/config/config.h"
#include "relay/config/congestion.h"
#include "relay/config/ini_rewriter.h"
#include "relay/store/store.h"

enum { ERRORS_MAX = 64 * 1024 };

/* All of what may change is told, changed or not. */
static void tell_components(struct components *components)
{
    const struct config *config = components->config;
    log_set_level(config->log_level);
    log_set_format(config->log_format);
    store_change(components->store, &config->store);
    downstream_change(components->downstream, &config->downstream);
    link_change(components->link, &config->upstream);
    if (components->sentinel != NULL)
        sentinel_set_proxy(components->sentinel, config->upstream.proxy);
    link_set_credentials(components->link, config->upstream.user, config->upstream.password);
    archive_change(components->archive, &config->archive);
    commands_change(components->commands, &config->commands);
    if (components->status != NULL) {
        const struct status_sources sources = wiring_status_sources(components);
        status_change(components->status, &sources);
    }
    wiring_lend_tls(components);
    wiring_watch_acknowledged(components);
}

/* Who wants settings to change, and why. */
struct change {
    struct components *components;
    const char *cause;
    const char *refusal;       /* what `why` begins with, when certificates do not fit, */
    const char *refusal_plain; /* and when something else does not */
};

static void log_change(const struct config_difference *difference, void *arg)
{
    const struct change *change = arg;
    log_info("relay: [%s] %s = %s before=%s cause=%s", difference->section, difference->key,
             difference->after, difference->before, change->cause);
}

/* The kernel must have the congestion controls that the settings name now, and the certificates must be such that
 * somebody could be met with them. */
static bool may_change(const struct config *wanted, struct text *why, void *arg)
{
    const struct change *change = arg;
    struct text reason;
    text_init(&reason, ERRORS_MAX);
    if (!congestion_may(wanted, change->components->config, &reason)) {
        text_format(why, "%s%s", change->refusal_plain, text_string(&reason));
        text_fini(&reason);
        return false;
    }
    bool good = tls_sides_follow(&change->components->tls, wanted, &reason);
    if (!good)
        text_format(why, "%s%s", change->refusal, text_string(&reason));
    text_fini(&reason);
    return good;
}

static struct config_watcher watcher_of(struct change *change)
{
    return (struct config_watcher){.tell = log_change, .may = may_change, .arg = change};
}

bool reload_set(const struct setting_pair *pairs, size_t count, struct text *why, void *arg)
{
    struct components *components = arg;
    struct change change = {
        components, "CONFIG SET",
        "ERR CONFIG SET failed - Unable to update TLS configuration: ", "ERR CONFIG SET failed - "};
    const struct config_watcher watcher = watcher_of(&change);
    /* The config first, as a whole: a component reads its options in it and may look at those of others. */
    if (!config_set(components->config, pairs, count, &watcher, why))
        return false;
    tell_components(components);
    return true;
}

enum commands_rewrite reload_rewrite(bool may_begin, struct text *why, void *arg)
{
    const struct components *components = arg;
    return ini_rewriter_begin(components->ini_rewriter, components->config, may_begin, why);
}

/* --- SIGHUP --- */

static void log_errors(const char *errors)
{
    while (*errors != '\0') {
        int length = (int)strcspn(errors, "\n");
        log_errorx("relay: cause=SIGHUP %.*s", length, errors);
        errors += length;
        errors += *errors == '\n';
    }
    log_errorx("relay: cause=SIGHUP reload failed; the running settings are unchanged: correct "
               "that, then send SIGHUP again");
}

static void log_rest(const struct config_difference *difference, void *arg)
{
    if (difference->is_access)
        log_change(difference, arg);
    else if (!difference->is_live) /* that has been told, or there is no ini and it stays */
        log_warnx(
            "relay: [%s] %s = %s takes effect after a restart; until then %s is used cause=SIGHUP",
            difference->section, difference->key, difference->after, difference->before);
}

/* What changes only with a restart is told; who may come in has changed with it. */
static void take_over_access(struct components *components, struct config *fresh,
                             struct change *change)
{
    config_compare(components->config, fresh, log_rest, change);
    config_adopt_access(components->config, fresh);
    tell_components(components);
    commands_on_users_changed(components->commands);
    log_info("relay: users and passwords reloaded users=%zu cause=SIGHUP",
             components->config->users.count);
}

void reload_ini(struct components *components)
{
    struct config *config = components->config;
    struct config fresh;
    struct text why;
    struct change change = {components, "SIGHUP", "", ""};
    const struct config_watcher watcher = watcher_of(&change);
    text_init(&why, ERRORS_MAX);
    if (!config_load_again(config, &fresh, NULL, &why)) {
        log_errors(text_string(&why));
    } else {
        /* Without an ini what CONFIG SET has changed stays; files with passwords may have changed. */
        if (config->source.file == NULL || config_adopt(config, &fresh, &watcher, &why)) {
            take_over_access(components, &fresh, &change);
            log_info("relay: %s cause=SIGHUP", config->source.file != NULL
                                                   ? "configuration reloaded"
                                                   : "there is no configuration file to reload");
        } else {
            log_errors(text_string(&why));
        }
        config_fini(&fresh);
    }
    text_fini(&why);
}
