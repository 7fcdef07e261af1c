/* SPDX-License-Identifier: MIT
 *
 * The one table of settings: for each its key in the ini, how it is read, where it is kept in struct
 * config, its default, and when a change takes effect. What it means is explained in etc/psync-relay.ini.
 * Pure: nothing here changes a config. Any thread.
 *
 *     const struct setting *setting = setting_find("store", "fsync");
 *     setting->kind->parse(setting->kind, "always", setting_place(setting, &config));
 */
#ifndef RELAY_CONFIG_SETTINGS_H
#define RELAY_CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "relay/base/text.h"
#include "relay/config/value.h"

struct config;

enum { SETTINGS_MAX = 128 };

enum setting_flag {
    SETTING_SECRET = 1, /* its value is never shown, also not in an error */
    SETTING_LIVE = 2,   /* may change while it runs: config_set */
    SETTING_ACCESS = 4, /* a string; taken over by config_adopt_access */
    SETTING_PROTECTED =
        8, /* runs programs: the ini alone may change it, as servers do with such settings */
};

struct setting {
    const char *section;
    const char *key;
    const struct value_kind *kind;
    size_t place;      /* in struct config */
    const char *value; /* by default */
    unsigned flags;    /* setting_flag */
};

/* All of them, from 0, in the order of the ini; at most SETTINGS_MAX. */
size_t settings_count(void);
const struct setting *setting_at(size_t index);
size_t setting_index(const struct setting *setting);

/* Where its value is kept. */
void *setting_place(const struct setting *setting, struct config *config);
const void *setting_value(const struct setting *setting, const struct config *config);

/* Its value in the form of the ini, secrets included, which `print` hides. */
void setting_append_value(const struct setting *setting, const struct config *config,
                          struct text *out);

/* Have the two configs the same value? */
bool setting_is_equal(const struct setting *setting, const struct config *a,
                      const struct config *b);

/* NULL: there is none. */
const struct setting *setting_find(const char *section, const char *key);

/* The first that has this key, in whatever section; NULL: there is none. */
const struct setting *setting_find_key(const char *key);

/* The one in that section whose name is nearest to `key`; NULL: there is no such section. */
const struct setting *setting_nearest(const char *section, const char *key);

/* By the name that CONFIG GET shows, letter case ignored; NULL: there is none. */
const struct setting *setting_find_shown(const char *name);

/* That name: the bare key; "upstream.repl-timeout" where [downstream] has one of the same name. */
void setting_append_shown_name(const struct setting *setting, struct text *out);

#endif
