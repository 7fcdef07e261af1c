/* SPDX-License-Identifier: MIT
 *
 * Settings that change while the relay runs: by CONFIG SET, or by the ini read again on SIGHUP; and CONFIG
 * REWRITE, which writes them to the ini. A change takes effect as a whole or not at all.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fit.h"
#include "relay/base/bytes.h"
#include "relay/base/log.h"
#include "relay/config/config.h"
#include "relay/config/descriptors.h"
#include "relay/os/file.h"
#include "rewrite.h"
#include "settings.h"

enum { SHOWN_MAX = 128, VALUE_MAX = 64 * 1024, ERRORS_MAX = 64 * 1024, INI_MAX = 1024 * 1024 };

/* ---------------------------------------------------------------- two configs compared */

/* The value in the form of the ini, secrets included, which `print` hides. */
static void append_value(const struct setting *setting, const struct config *config,
                         struct text *out)
{
    const void *place = setting_value(setting, config);
    if ((setting->flags & SETTING_SECRET) != 0)
        text_append_string(out, *(const char *const *)place);
    else
        setting->kind->print(setting->kind, place, VALUE_INI, out);
}

static bool change_is_same(const struct setting *setting, const struct config *a,
                           const struct config *b)
{
    struct text left;
    struct text right;
    text_init(&left, VALUE_MAX);
    text_init(&right, VALUE_MAX);
    append_value(setting, a, &left);
    append_value(setting, b, &right);
    bool same = bytes_equal(text_bytes(&left), text_bytes(&right));
    text_fini(&left);
    text_fini(&right);
    return same;
}

void config_compare(const struct config *before, const struct config *after,
                    config_difference_fn *fn, void *arg)
{
    for (size_t i = 0; i < settings_count(); i++) {
        const struct setting *setting = setting_at(i);
        if (change_is_same(setting, before, after))
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
    good = good && fits(change, config);
    if (good)
        fit_settle(&change->config);
    good = good && may_be(change);
    if (good)
        config_compare(config, &change->config, watcher->tell, watcher->arg);
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

bool config_load_again(const struct config *config, struct config *fresh, const char *file,
                       struct text *errors)
{
    const struct config_source *source = &config->source;
    if (!config_load(fresh, file, source->overrides, source->override_count, errors))
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
        if ((setting->flags & SETTING_LIVE) == 0 || change_is_same(setting, config, fresh))
            continue;
        struct text value;
        text_init(&value, VALUE_MAX);
        append_value(setting, fresh, &value);
        good = change_one(&change, setting, setting->key, text_string(&value));
        text_fini(&value);
    }
    /* The new values may conflict with settings that need a restart and keep their old values. */
    return end_change(&change, config, good);
}

/* ---------------------------------------------------------------- CONFIG REWRITE */

struct rewriting {
    const struct config *config;
    struct rewrite_change changes[REWRITE_CHANGES_MAX];
    struct text values[REWRITE_CHANGES_MAX];
    size_t count;
};

/* Collects the settings for which ini and --set would give another value at the next start. */
static void find_changes(struct rewriting *rewriting, const struct config *fresh)
{
    for (size_t i = 0; i < settings_count(); i++) {
        const struct setting *setting = setting_at(i);
        if ((setting->flags & SETTING_LIVE) == 0 ||
            change_is_same(setting, rewriting->config, fresh))
            continue;
        struct text *value = &rewriting->values[rewriting->count];
        text_init(value, VALUE_MAX);
        append_value(setting, rewriting->config, value);
        rewriting->changes[rewriting->count++] = (struct rewrite_change){
            .section = setting->section,
            .key = setting->key,
            .value = text_string(value),
        };
    }
}

static void say_overruled(const struct config_difference *difference, void *arg)
{
    (void)arg;
    if (difference->is_live)
        log_warnx("config: CONFIG REWRITE has written [%s] %s = %s, but the next start uses %s: "
                  "--set overrides the ini",
                  difference->section, difference->key, difference->before, difference->after);
}

/* Before the file is replaced, the new content is read as a start would read it. */
static bool check_rewritten(const char *path, void *arg, struct text *why)
{
    const struct rewriting *rewriting = arg;
    struct config fresh;
    if (!config_load_again(rewriting->config, &fresh, path, why))
        return false;
    config_compare(rewriting->config, &fresh, say_overruled, NULL);
    config_fini(&fresh);
    return true;
}

static bool rewrite(struct rewriting *rewriting, const char *path, struct text *why)
{
    struct text before;
    struct text after;
    struct error error;
    text_init(&before, INI_MAX);
    text_init(&after, 2 * INI_MAX);
    bool good = file_read(AT_FDCWD, path, &before, &error);
    if (good) {
        rewrite_ini(text_bytes(&before), rewriting->changes, rewriting->count, &after);
        CHECK(!after.failed);
        const struct file_replacement replacement = {
            .content = text_bytes(&after),
            .is_durable = true,
            .keeps_owner = true,
            .check = check_rewritten,
            .arg = rewriting,
        };
        good = file_replace(AT_FDCWD, path, &replacement, &error);
    }
    if (!good)
        text_append_string(why, error_reason(&error));
    text_fini(&before);
    text_fini(&after);
    return good;
}

static bool rewrite_changes(const struct config *config, size_t *count, struct text *why)
{
    struct config fresh;
    if (!config_load_again(config, &fresh, config->source.file, why))
        return false;
    struct rewriting rewriting = {.config = config};
    find_changes(&rewriting, &fresh);
    config_fini(&fresh);
    /* Replace the file, not a symbolic link to it. */
    bool good = rewriting.count == 0 || rewrite(&rewriting, config->commands.config_file, why);
    for (size_t i = 0; i < rewriting.count; i++)
        text_fini(&rewriting.values[i]);
    *count = rewriting.count;
    return good;
}

bool config_rewrite(const struct config *config, size_t *count, struct text *why)
{
    if (config->source.file == NULL) {
        text_append_string(why, "ERR The server is running without a config file");
        return false;
    }
    struct text reason;
    text_init(&reason, ERRORS_MAX);
    bool good = rewrite_changes(config, count, &reason);
    if (!good) {
        struct bytes line = text_bytes(&reason);
        line = bytes_first(line, bytes_find(line, '\n'));
        text_format(why, "ERR Rewriting config file: %.*s", (int)line.length,
                    (const char *)line.data);
    }
    text_fini(&reason);
    return good;
}
