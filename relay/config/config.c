/* SPDX-License-Identifier: MIT */
#include "relay/config/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "errors.h"
#include "fit.h"
#include "ini_file.h"
#include "kinds.h"
#include "probe.h"
#include "relay/base/bytes.h"
#include "relay/net/conn.h"
#include "secret.h"
#include "settings.h"
#include "user_settings.h"

/* --- names that do not exist --- */

static bool is_section(const char *section)
{
    return setting_nearest(section, "") != NULL;
}

static void complain_unknown_section(struct errors *errors, const char *where, const char *section)
{
    if (section[0] == '\0')
        complain(errors, where,
                 "a setting before the first section; the sections are relay, upstream, "
                 "downstream, delayed, store, archive, http and users");
    else
        complain(errors, where,
                 "[%s]: unknown section; the sections are relay, upstream, downstream, delayed, "
                 "store, archive, http and users",
                 section);
}

static void complain_unknown_key(struct errors *errors, const char *where, const char *section,
                                 const char *key)
{
    const struct setting *elsewhere = setting_find_key(key);
    if (elsewhere != NULL) {
        complain(errors, where, "[%s] %s: unknown setting; it belongs in [%s]", section, key,
                 elsewhere->section);
        return;
    }
    const struct setting *nearest = setting_nearest(section, key);
    complain(errors, where, "[%s] %s: unknown setting; the nearest one is %s", section, key,
             nearest->key);
}

static void complain_bad_value(struct errors *errors, const char *where,
                               const struct setting *setting, const char *value)
{
    bool hidden = (setting->flags & SETTING_SECRET) != 0;
    complain(errors, where, "[%s] %s = %s: expected %s", setting->section, setting->key,
             hidden ? "***" : value, setting->kind->expected);
}

/* --- reading --- */

struct reading {
    struct config *config;
    struct errors *errors;
    char unknown_section[64]; /* already reported */
};

static void complain_unknown(struct reading *reading, const char *where, const char *section,
                             const char *key)
{
    if (is_section(section)) {
        complain_unknown_key(reading->errors, where, section, key);
        return;
    }
    /* Reported once, not for each key in it. */
    if (section[0] == '\0' || strcmp(reading->unknown_section, section) != 0)
        complain_unknown_section(reading->errors, where, section);
    snprintf(reading->unknown_section, sizeof(reading->unknown_section), "%s", section);
}

static void config_on_setting(const char *section, const char *key, const char *value,
                              unsigned line, void *arg)
{
    struct reading *reading = arg;
    struct errors *errors = reading->errors;
    char place[CONFIG_LINE_MAX];
    const char *where = errors_place(errors, line, place);

    const struct setting *setting = setting_find(section, key);
    if (strcmp(section, USERS_SECTION) == 0) {
        user_settings_take(&reading->config->user_settings, key, value, line, errors);
    } else if (setting == NULL) {
        complain_unknown(reading, where, section, key);
    } else if (errors->found_on[setting_index(setting)] != 0) {
        complain(errors, where, "[%s] %s: already set on line %u; remove one of the two", section,
                 key, errors->found_on[setting_index(setting)]);
    } else {
        errors->found_on[setting_index(setting)] = line;
        if (!setting->kind->parse(setting->kind, value, setting_place(setting, reading->config)))
            complain_bad_value(errors, where, setting, value);
    }
}

/* --- overrides --- */

/* "SECTION.KEY=VALUE". What comes later wins. */
static void override(struct config *config, const char *string, struct errors *errors)
{
    char where[128];
    char section[64];
    char key[64];
    size_t section_length = strcspn(string, ".=");
    size_t name_length = strcspn(string, "=");
    snprintf(where, sizeof(where), "--set %.*s", (int)name_length, string);
    if (string[section_length] != '.' || string[name_length] != '=') {
        complain(errors, where, "expected SECTION.KEY=VALUE, as in: store.fsync=always");
        return;
    }
    snprintf(section, sizeof(section), "%.*s", (int)section_length, string);
    snprintf(key, sizeof(key), "%.*s", (int)(name_length - section_length - 1),
             string + section_length + 1);
    const char *value = string + name_length + 1;
    value += strspn(value, " \t");

    const struct setting *setting = setting_find(section, key);
    if (strcmp(section, USERS_SECTION) == 0)
        user_settings_take(&config->user_settings, key, value, FOUND_IN_OVERRIDE, errors);
    else if (setting == NULL && is_section(section))
        complain_unknown_key(errors, where, section, key);
    else if (setting == NULL)
        complain_unknown_section(errors, where, section);
    else if (!setting->kind->parse(setting->kind, value, setting_place(setting, config)))
        complain_bad_value(errors, where, setting, value);
    else
        errors->found_on[setting_index(setting)] = FOUND_IN_OVERRIDE;
}

bool config_override_is_secret(const char *override)
{
    char name[128];
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(override, "="), override);
    char *dot = strchr(name, '.');
    if (dot == NULL || strchr(override, '=') == NULL)
        return false;
    *dot = '\0';
    const struct setting *setting = setting_find(name, dot + 1);
    bool is_user = strcmp(name, USERS_SECTION) == 0;
    return is_user || (setting != NULL && (setting->flags & SETTING_SECRET) != 0);
}

/* --- secrets in files --- */

static void note_secrets(struct config *config, const struct errors *errors)
{
    for (size_t i = 0; i < settings_count(); i++) {
        bool is_secret = (setting_at(i)->flags & SETTING_SECRET) != 0;
        unsigned line = errors->found_on[i];
        config->file_has_secrets |= is_secret && line != 0 && line != FOUND_IN_OVERRIDE;
    }
    config->file_has_secrets |= user_settings_stand_in_ini(&config->user_settings);
}

/* The password given by a setting, or by the file that another setting names. NULL: it is wrong, or both are
 * set; that has been reported. */
static const char *config_read_password(const struct config *config, const char *const *value,
                                        const char *const *file, char from_file[SECRET_MAX],
                                        struct errors *errors)
{
    struct error error;
    if ((*file)[0] == '\0')
        return *value;
    if ((*value)[0] != '\0')
        complain_of(errors, config, file, "the password itself is also set; remove one of the two");
    else if (!secret_read(*file, from_file, &error))
        complain_of(errors, config, file, error_reason(&error));
    else
        return from_file;
    return NULL;
}

static void settle_masterauth(struct config *config, struct errors *errors)
{
    char from_file[SECRET_MAX];
    const char *password = config_read_password(config, &config->masterauth,
                                                &config->masterauth_file, from_file, errors);
    if (password != NULL && !kind_secret.parse(&kind_secret, password, &config->upstream.password))
        complain_of(errors, config, &config->masterauth_file,
                    "expected a file with one line of text");
    explicit_bzero(from_file, sizeof(from_file));
}

/* Only the digest of the password is kept; its text is erased. */
static void forget_text(const char **password)
{
    if ((*password)[0] != '\0')
        CHECK(kind_secret.parse(&kind_secret, "***", password));
}

/* requirepass is the password of the user `default`, who has the role admin. */
static void settle_users(struct config *config, struct errors *errors)
{
    char from_file[SECRET_MAX];
    struct user user = {.name = USER_DEFAULT, .role = ROLE_ADMIN};
    const void *place = config->requirepass[0] != '\0' ? (const void *)&config->requirepass
                                                       : &config->requirepass_file;
    const char *password = config_read_password(config, &config->requirepass,
                                                &config->requirepass_file, from_file, errors);
    bool has_password = string_is_given(password);
    user.needs_none = !has_password;
    if (has_password && user_settings_has(&config->user_settings, USER_DEFAULT))
        complain_of(errors, config, place,
                    "[users] also sets the password of the user default; remove one of the two");
    else if (has_password && !user_password_parse(bytes_of(password), &user.password))
        complain_of(errors, config, place, "expected 64 hexadecimal digits after sha256:");
    explicit_bzero(from_file, sizeof(from_file));
    forget_text(&config->requirepass);
    users_init(&config->users);
    if (has_password || config->user_settings.count == 0)
        CHECK(users_add(&config->users, &user));
    user_settings_settle(&config->user_settings, &config->users, errors);
    config->commands.users = &config->users;
}

/* The password of the HTTP port. */
static void settle_http(struct config *config, struct errors *errors)
{
    char from_file[SECRET_MAX];
    struct status_options *status = &config->status;
    const void *place = config->http_requirepass[0] != '\0'
                            ? (const void *)&config->http_requirepass
                            : &config->http_requirepass_file;
    const char *password = config_read_password(config, &config->http_requirepass,
                                                &config->http_requirepass_file, from_file, errors);
    status->has_password = string_is_given(password);
    if (status->has_password && !user_password_parse(bytes_of(password), &status->password))
        complain_of(errors, config, place, "expected 64 hexadecimal digits after sha256:");
    explicit_bzero(from_file, sizeof(from_file));
    forget_text(&config->http_requirepass);
}

/* --- the whole --- */

static void take_defaults(struct config *config)
{
    for (size_t i = 0; i < settings_count(); i++) {
        const struct setting *setting = setting_at(i);
        CHECK(setting->kind->parse(setting->kind, setting->value, setting_place(setting, config)));
    }
}

static void check_other_port(const struct config *config, const uint16_t *port,
                             struct errors *errors)
{
    const struct downstream_options *downstream = &config->downstream;
    bool is_used = *port == downstream->port || *port == downstream->tls_port ||
                   *port == downstream->ws_port || *port == downstream->ws_tls_port;
    if (*port != 0 && is_used)
        complain_of(errors, config, port,
                    "[downstream] uses that port: set another one, or 0 for none");
}

static void check_delayed_ports(const struct config *config, struct errors *errors)
{
    const struct delayed_options *delayed = &config->downstream.delayed;
    const uint16_t *const ports[] = {&delayed->port, &delayed->tls_port};
    for (size_t i = 0; i < LENGTH_OF(ports); i++) {
        bool is_of_http = *ports[i] == config->status.port || *ports[i] == config->status.tls_port;
        check_other_port(config, ports[i], errors);
        if (*ports[i] != 0 && is_of_http)
            complain_of(errors, config, ports[i],
                        "[http] uses that port: set another one, or 0 for none");
    }
    if (delayed->port != 0 && delayed->port == delayed->tls_port)
        complain_of(errors, config, &delayed->tls_port, "must differ from port");
}

static void check_ports(struct config *config, struct errors *errors)
{
    struct downstream_options *downstream = &config->downstream;
    const uint16_t *const others[] = {&downstream->tls_port, &downstream->ws_port,
                                      &downstream->ws_tls_port};
    downstream->without_plain = downstream->port == 0;
    bool listens = !downstream->without_plain;
    for (size_t i = 0; i < LENGTH_OF(others); i++) {
        listens = listens || *others[i] != 0;
        bool is_taken = *others[i] != 0 && *others[i] == downstream->port;
        for (size_t before = 0; before < i; before++)
            is_taken = is_taken || (*others[i] != 0 && *others[i] == *others[before]);
        if (is_taken)
            complain_of(errors, config, others[i],
                        i == 0 ? "must differ from port" : "must differ from the other ports");
    }
    if (!listens)
        complain_of(errors, config, &downstream->port,
                    "neither port nor tls-port is set, so nothing could connect");
    check_other_port(config, &config->status.port, errors);
    check_other_port(config, &config->status.tls_port, errors);
    check_delayed_ports(config, errors);
    if (config->status.tls_port != 0 && config->status.tls_port == config->status.port)
        complain_of(errors, config, &config->status.tls_port, "must differ from port");
}

static void check_primary(const struct config *config, struct errors *errors)
{
    if (config->upstream.primary.count == 0 && config->sentinel.sentinels.count == 0)
        complain(errors, errors->file != NULL ? errors->file : "",
                 "[upstream] neither replicaof nor sentinel is set: name the primary, as in "
                 "\"replicaof = 10.0.0.1 6379\" in the ini or --set upstream.replicaof=\"10.0.0.1 "
                 "6379\"");
    if (config->upstream.user[0] != '\0' && config->masterauth[0] == '\0' &&
        config->masterauth_file[0] == '\0')
        complain_of(errors, config, &config->upstream.user,
                    "masteruser requires masterauth or masterauth-file");
    if (config->sentinel.user[0] != '\0' && config->sentinel.password[0] == '\0')
        complain_of(errors, config, &config->sentinel.user, "sentinel-user requires sentinel-pass");
}

struct misfits {
    struct errors *errors;
    const struct config *config;
};

static void complain_of_misfit(const void *place, const char *why, void *arg)
{
    const struct misfits *misfits = arg;
    complain_of(misfits->errors, misfits->config, place, why);
}

/* Checks settings against each other, and computes the options of the components. */
static void config_settle(struct config *config, struct errors *errors)
{
    settle_masterauth(config, errors);
    settle_users(config, errors);
    settle_http(config, errors);
    struct misfits misfits = {errors, config};
    fit_look(config, complain_of_misfit, &misfits);
    check_ports(config, errors);
    check_primary(config, errors);
    if (config->group[0] != '\0' && config->user[0] == '\0')
        complain_of(errors, config, &config->group, "group requires user");
    note_secrets(config, errors);

    fit_settle(config);
    /* An absolute path, for INFO. */
    char *real = errors->file != NULL ? realpath(errors->file, NULL) : NULL;
    config->commands.config_file = real != NULL ? real : strdup("");
    CHECK(config->commands.config_file != NULL);
}

bool config_load(struct config *config, const char *file, const char *const *overrides,
                 size_t count, struct text *errors_out)
{
    const struct config_source source = {
        .file = file, .overrides = overrides, .override_count = count};
    return config_load_from(config, &source, NULL, errors_out);
}

bool config_load_from(struct config *config, const struct config_source *source,
                      const struct bytes *ini, struct text *errors_out)
{
    struct errors errors = {.out = errors_out, .file = source->file};
    *config = (struct config){.source = *source};
    take_defaults(config);
    struct reading reading = {.config = config, .errors = &errors};
    if (source->file != NULL)
        ini_file_read(&errors, ini, config_on_setting, &reading);
    for (size_t i = 0; i < source->override_count; i++)
        override(config, source->overrides[i], &errors);
    /* After a refused value, further checks would report consequences of it only. */
    if (errors.count == 0)
        config_settle(config, &errors);
    if (is_free_of_errors(&errors))
        return true;
    config_fini(config);
    return false;
}

void config_fini(struct config *config)
{
    for (size_t i = 0; i < settings_count(); i++) {
        const struct setting *setting = setting_at(i);
        if (setting->kind->fini != NULL)
            setting->kind->fini(setting_place(setting, config));
    }
    value_fini_string(&config->upstream.password);
    value_fini_string(&config->commands.config_file);
    user_settings_fini(&config->user_settings);
    users_fini(&config->users);
}

/* --- what --check looks at --- */

static void probe(struct errors *errors, const struct config *config, const char *const *place,
                  bool is_directory)
{
    struct error error;
    if (!probe_path(*place, is_directory, &error))
        complain_of(errors, config, place, error.text);
}

static void probe_congestion(struct errors *errors, const struct config *config,
                             const char *const *place)
{
    struct error error;
    if (string_is_given(*place) && !conn_may_have_congestion(*place, &error))
        complain_of(errors, config, place, error.text);
}

bool config_probe(const struct config *config, struct text *errors_out)
{
    struct errors errors = {.out = errors_out};
    probe(&errors, config, &config->store.data_dir, true);
    if (config->log_file[0] != '\0')
        probe(&errors, config, &config->log_file, false);
    probe_congestion(&errors, config, &config->upstream.congestion);
    probe_congestion(&errors, config, &config->downstream.congestion);
    return is_free_of_errors(&errors);
}

/* --- showing --- */

void config_format(const struct config *config, struct text *out)
{
    const char *section = "";
    for (size_t i = 0; i < settings_count(); i++) {
        const struct setting *setting = setting_at(i);
        if (strcmp(section, setting->section) != 0)
            text_format(out, "%s[%s]\n", i > 0 ? "\n" : "", setting->section);
        section = setting->section;
        text_format(out, "%s = ", setting->key);
        setting->kind->print(setting->kind, setting_value(setting, config), VALUE_INI, out);
        text_append_string(out, "\n");
    }
    user_settings_format(&config->user_settings, out);
}

void config_each_user_file(const struct config *config, config_file_fn *fn, void *arg)
{
    user_settings_each_file(&config->user_settings, fn, arg);
}

void config_each(const struct config *config, commands_setting_fn *fn, void *arg)
{
    for (size_t i = 0; i < settings_count(); i++) {
        const struct setting *setting = setting_at(i);
        struct text name;
        struct text value;
        text_init(&name, 128);
        text_init(&value, CONFIG_LINE_MAX);
        setting_append_shown_name(setting, &name);
        setting->kind->print(setting->kind, setting_value(setting, config), VALUE_PLAIN, &value);
        fn(text_string(&name), text_string(&value), arg);
        text_fini(&name);
        text_fini(&value);
    }
}

/* --- users and passwords, read again --- */

static void config_swap(void *a, void *b, size_t length)
{
    uint8_t *left = a;
    uint8_t *right = b;
    for (size_t i = 0; i < length; i++) {
        uint8_t kept = left[i];
        left[i] = right[i];
        right[i] = kept;
    }
}

#define SWAP(a, b) config_swap(&(a), &(b), sizeof(a))

void config_adopt_access(struct config *config, struct config *fresh)
{
    for (size_t i = 0; i < settings_count(); i++) {
        const struct setting *setting = setting_at(i);
        if ((setting->flags & SETTING_ACCESS) != 0)
            config_swap(setting_place(setting, config), setting_place(setting, fresh),
                        sizeof(const char *));
    }
    SWAP(config->upstream.password, fresh->upstream.password);
    SWAP(config->user_settings, fresh->user_settings);
    SWAP(config->users, fresh->users);
    SWAP(config->status.has_password, fresh->status.has_password);
    SWAP(config->status.password, fresh->status.password);
    fit_settle(config);
}
