/* SPDX-License-Identifier: MIT
 *
 * Settings that change while the relay runs: by CONFIG SET, or by the ini read again on SIGHUP. A change takes
 * effect as a whole or not at all.
 */
#include <stddef.h>

#include "fit.h"
#include "relay/base/bytes.h"
#include "relay/config/config.h"
#include "relay/config/descriptors.h"
#include "settings.h"

enum { SHOWN_MAX = 128, VALUE_MAX = 64 * 1024 };

/* ---------------------------------------------------------------- two configs compared */

void config_compare(const struct config *before, const struct config *after,
                    config_difference_fn *fn, void *arg)
{
    for (size_t i = 0; i < settings_count(); i++) {
        const struct setting *setting = setting_at(i);
        if (setting_is_equal(setting, before, after))
            continue;
        struct text from;
        struct text to;
        text_init(&from, VALUE_MAX);
        text_init(&to, VALUE_MAX);
        setting->kind->print(setting->kind, setting_value(setting, before), VALUE_INI, &from);
        setting->kind->print(setting->kind, setting_value(setting, after), VALUE_INI, &to);
        const struct config_difference difference = {
            .section = setting->section,
            .key = setting->key,
            .before = text_string(&from),
            .after = text_string(&to),
            .is_live = (setting->flags & SETTING_LIVE) != 0,
            .is_access = (setting->flags & SETTING_ACCESS) != 0,
        };
        fn(&difference, arg);
        text_fini(&from);
        text_fini(&to);
    }
}

/* ---------------------------------------------------------------- CONFIG SET */

/* In the words of redis-server. */
static bool change_refuse(struct text *why, const char *name, const char *reason, const char *what)
{
    text_format(why, "ERR CONFIG SET failed (possibly related to argument '%s') - %s%s", name,
                reason, what);
    return false;
}

/* A copy of the config with changed values. Unchanged values that own memory are shared with the original. */
struct change {
    struct config config;
    bool is_own[SETTINGS_MAX];
    struct text *why;
    const struct config_watcher *watcher;
};

static bool owns_memory(const struct setting *setting)
{
    return setting->kind->fini != NULL;
}

static bool change_one(struct change *change, const struct setting *setting, const char *name,
                       const char *value)
{
    void *place = setting_place(setting, &change->config);
    bool *is_own = &change->is_own[setting_index(setting)];
    /* Parsing frees what was there before, and that is the config's in use. */
    if (owns_memory(setting) && !*is_own)
        *(const char **)place = NULL;
    *is_own = true;
    return setting->kind->parse(setting->kind, value, place) ||
           change_refuse(change->why, name, "expected ", setting->kind->expected);
}

static bool change_by_name(struct change *change, const struct setting_pair *pair)
{
    const struct setting *setting = setting_find_shown(pair->name);
    if (setting == NULL) {
        text_format(change->why, "ERR Unknown option or number of arguments for CONFIG SET - '%s'",
                    pair->name);
        return false;
    }
    if ((setting->flags & SETTING_PROTECTED) != 0)
        return change_refuse(change->why, pair->name, "can't set protected config", "");
    if ((setting->flags & SETTING_LIVE) == 0)
        return change_refuse(change->why, pair->name, "can't set immutable config", "");
    return change_one(change, setting, pair->name, pair->value);
}

/* The new value conflicts with another setting, which was not given. */
static void tell_how(struct change *change, const struct setting *setting)
{
    struct text value;
    text_init(&value, VALUE_MAX);
    setting->kind->print(setting->kind, setting_value(setting, &change->config), VALUE_INI, &value);
    text_format(change->why, "; that is %s: set both in one CONFIG SET", text_string(&value));
    text_fini(&value);
}

static void note_misfit(const void *place, const char *reason, void *arg)
{
    struct change *change = arg;
    size_t at = 0;
    if (change->why->length > 0)
        return; /* one is enough */
    while (setting_value(setting_at(at), &change->config) != place)
        at++;
    struct text name;
    text_init(&name, SHOWN_MAX);
    setting_append_shown_name(setting_at(at), &name);
    change_refuse(change->why, text_string(&name), reason, "");
    if (!change->is_own[at])
        tell_how(change, setting_at(at));
    text_fini(&name);
}

static bool fits(struct change *change, const struct config *before)
{
    fit_look(&change->config, note_misfit, change);
    if (change->why->length > 0)
        return false;
    struct text reason;
    text_init(&reason, VALUE_MAX);
    const char *name = NULL;
    bool good = descriptors_extend(before, &change->config, &name, &reason) ||
                change_refuse(change->why, name, text_string(&reason), "");
    text_fini(&reason);
    return good;
}

/* Frees the values of the config that is not used any more: the old one, or the rejected copy. */
static void free_own(const struct change *change, struct config *config)
{
    for (size_t i = 0; i < settings_count(); i++) {
        if (change->is_own[i] && owns_memory(setting_at(i)))
            setting_at(i)->kind->fini(setting_place(setting_at(i), config));
    }
}

static bool may_be(const struct change *change)
{
    const struct config_watcher *watcher = change->watcher;
    return watcher->may == NULL || watcher->may(&change->config, change->why, watcher->arg);
}

/* Applies the change if all values are valid and fit together. */
static bool end_change(struct change *change, struct config *config, bool good)
{
    const struct config_watcher *watcher = change->watcher;
    /* The outside is asked last (files, which may be read only once they are all named), and shown what the config would
     * be in full. */
    good = good && fits(change, config);
    if (good)
        fit_settle(&change->config);
    good = good && may_be(change);
    if (good)
        config_compare(config, &change->config, watcher->tell, watcher->arg);
    /* Of the strings that differ one is left over: the old one, or the new one. All others are shared. */
    free_own(change, good ? config : &change->config);
    if (!good)
        return false;
    *config = change->config;
    return true;
}

bool config_set(struct config *config, const struct setting_pair *pairs, size_t count,
                const struct config_watcher *watcher, struct text *why)
{
    struct change change = {.config = *config, .why = why, .watcher = watcher};
    bool good = true;
    for (size_t i = 0; i < count && good; i++)
        good = change_by_name(&change, &pairs[i]);
    return end_change(&change, config, good);
}

/* ---------------------------------------------------------------- the ini once more */

bool config_load_again(const struct config *config, struct config *fresh, const struct bytes *ini,
                       struct text *errors)
{
    if (!config_load_from(fresh, &config->source, ini, errors))
        return false;
    /* maxclients is lowered to what the system allows, as at the start. */
    if (descriptors_provide(fresh, errors))
        return true;
    config_fini(fresh);
    return false;
}

bool config_adopt(struct config *config, const struct config *fresh,
                  const struct config_watcher *watcher, struct text *why)
{
    struct change change = {.config = *config, .why = why, .watcher = watcher};
    bool good = true;
    for (size_t i = 0; i < settings_count() && good; i++) {
        const struct setting *setting = setting_at(i);
        if ((setting->flags & SETTING_LIVE) == 0 || setting_is_equal(setting, config, fresh))
            continue;
        struct text value;
        text_init(&value, VALUE_MAX);
        setting_append_value(setting, fresh, &value);
        good = change_one(&change, setting, setting->key, text_string(&value));
        text_fini(&value);
    }
    /* The new values may conflict with settings that need a restart and keep their old values. */
    return end_change(&change, config, good);
}
