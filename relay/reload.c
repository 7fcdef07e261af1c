/* SPDX-License-Identifier: MIT */
#include "reload.h"

#include <string.h>

#include "relay/base/log.h"
#include "relay/config/config.h"
#include "relay/store/store.h"
#include "rooms.h"

enum { ERRORS_MAX = 64 * 1024 };

/* All of what may change is told, changed or not. */
static void tell_rooms(struct rooms *rooms)
{
    const struct config *config = rooms->config;
    log_set_level(config->log_level);
    log_set_format(config->log_format);
    store_change(rooms->store, &config->store);
    downstream_change(rooms->downstream, &config->downstream);
    link_change(rooms->link, &config->upstream);
    admin_change(rooms->admin, &config->admin);
    doors_lend_tls(rooms);
    doors_watch_acknowledged(rooms);
}

/* Who wants settings to change, and why. */
struct change {
    struct rooms *rooms;
    const char *cause;
    const char *refusal; /* what `why` begins with, when files do not fit */
};

static void log_change(const struct config_difference *difference, void *arg)
{
    const struct change *change = arg;
    log_info("relay: [%s] %s = %s before=%s cause=%s", difference->section, difference->key,
             difference->after, difference->before, change->cause);
}

/* The certificates that the settings name now must be such that somebody could be met with them. */
static bool may_change(const struct config *wanted, struct text *why, void *arg)
{
    const struct change *change = arg;
    struct text reason;
    text_init(&reason, ERRORS_MAX);
    bool good = tls_sides_follow(&change->rooms->tls, wanted, &reason);
    if (!good)
        text_format(why, "%s%s", change->refusal, text_string(&reason));
    text_fini(&reason);
    return good;
}

static struct config_watcher watcher_of(struct change *change)
{
    return (struct config_watcher){.tell = log_change, .may = may_change, .arg = change};
}

bool reload_set(struct rooms *rooms, const struct admin_pair *pairs, size_t count, struct text *why)
{
    struct change change = {rooms, "CONFIG SET",
                            "ERR CONFIG SET failed - Unable to update TLS configuration: "};
    const struct config_watcher watcher = watcher_of(&change);
    if (!config_set(rooms->config, pairs, count, &watcher, why))
        return false;
    tell_rooms(rooms);
    return true;
}

bool reload_rewrite(struct rooms *rooms, struct text *why)
{
    size_t count = 0;
    if (!config_rewrite(rooms->config, &count, why)) {
        log_warnx("relay: CONFIG REWRITE: %s", text_string(why));
        return false;
    }
    if (count > 0)
        log_info("relay: CONFIG REWRITE has changed %zu settings in %s", count,
                 rooms->config->admin.config_file);
    return true;
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
    log_errorx("relay: cause=SIGHUP the settings stay as they are: mend that, and send it again");
}

static void log_restart(const struct config_difference *difference, void *arg)
{
    (void)arg;
    log_warnx("relay: [%s] %s = %s needs a restart: %s stays cause=SIGHUP", difference->section,
              difference->key, difference->after, difference->before);
}

void reload_ini(struct rooms *rooms)
{
    struct config *config = rooms->config;
    struct config fresh;
    struct text why;
    struct change change = {rooms, "SIGHUP", ""};
    const struct config_watcher watcher = watcher_of(&change);
    if (config->source.file == NULL) {
        log_info("relay: there is no ini to be read again cause=SIGHUP");
        return;
    }
    text_init(&why, ERRORS_MAX);
    if (!config_load_again(config, &fresh, config->source.file, &why)) {
        log_errors(text_string(&why));
    } else {
        if (config_adopt(config, &fresh, &watcher, &why)) {
            tell_rooms(rooms);
            config_compare(config, &fresh, log_restart, NULL);
            log_info("relay: the ini has been read again cause=SIGHUP");
        } else {
            log_errors(text_string(&why));
        }
        config_fini(&fresh);
    }
    text_fini(&why);
}
