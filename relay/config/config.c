/* SPDX-License-Identifier: MIT */
#include "relay/config/config.h"

#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kinds.h"
#include "probe.h"
#include "relay/base/bytes.h"
#include "relay/config/descriptors.h"
#include "secret.h"
#include "settings.h"

enum {
    LINE_LENGTH_MAX = 4096,
    MAPPINGS_MAX = 65530 - 1530, /* vm.max_map_count as Linux has it, but for what else is mapped */
};

/* --- errors --- */

struct errors {
    struct text *out;
    unsigned count;
    const char *file;                /* NULL: none */
    unsigned found_on[SETTINGS_MAX]; /* line of the file where a setting was found; 0: by default */
};

enum { FOUND_IN_OVERRIDE = UINT_MAX };

/* One error, one line. `where` is a file and a line, or an override. */
static void PRINTF_LIKE(3, 4)
    complain(struct errors *errors, const char *where, const char *format, ...)
{
    errors->count++;
    if (errors->count > CONFIG_ERRORS_MAX)
        return;
    if (where[0] != '\0')
        text_format(errors->out, "%s: ", where);
    va_list list;
    va_start(list, format);
    text_format_list(errors->out, format, list);
    va_end(list);
    text_append_string(errors->out, "\n");
}

/* An error that shows only when all settings are known: says where the one at fault was set. */
static void complain_of(struct errors *errors, const struct config *config, const void *place,
                        const char *expected)
{
    const struct setting *setting = setting_at(0);
    while (setting_value(setting, config) != place)
        setting = setting_at(setting_index(setting) + 1);
    struct text where;
    struct text value;
    text_init(&where, LINE_LENGTH_MAX);
    text_init(&value, LINE_LENGTH_MAX);
    unsigned line = errors->found_on[setting_index(setting)];
    if (line == FOUND_IN_OVERRIDE)
        text_format(&where, "--set %s.%s", setting->section, setting->key);
    else if (line != 0)
        text_format(&where, "%s:%u", errors->file, line);
    setting->kind->print(setting->kind, place, VALUE_INI, &value);
    complain(errors, text_string(&where), "[%s] %s = %s: %s", setting->section, setting->key,
             text_string(&value), expected);
    text_fini(&where);
    text_fini(&value);
}

static bool is_free_of_errors(const struct errors *errors)
{
    if (errors->count > CONFIG_ERRORS_MAX)
        text_format(errors->out, "... and %u more\n", errors->count - CONFIG_ERRORS_MAX);
    return errors->count == 0;
}

/* --- names that do not exist --- */

static bool is_section(const char *section)
{
    return setting_nearest(section, "") != NULL;
}

static void complain_unknown_section(struct errors *errors, const char *where, const char *section)
{
    if (section[0] == '\0')
        complain(errors, where,
                 "a setting before the first [section]; sections are relay, "
                 "upstream, downstream, store and http");
    else
        complain(errors, where,
                 "[%s]: there is no such section; sections are relay, upstream, downstream, store "
                 "and http",
                 section);
}

static void complain_unknown_key(struct errors *errors, const char *where, const char *section,
                                 const char *key)
{
    const struct setting *elsewhere = setting_find_key(key);
    if (elsewhere != NULL) {
        complain(errors, where, "[%s] %s: there is no such key here; it belongs in [%s]", section,
                 key, elsewhere->section);
        return;
    }
    const struct setting *nearest = setting_nearest(section, key);
    complain(errors, where, "[%s] %s: there is no such key; the nearest one is %s", section, key,
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

/* An ini that is being read. inih takes the file line by line from read_line, and hands what it found
 * in the line to on_setting, so `line_number` is right in both. */
struct reading {
    struct config *config;
    struct errors *errors;
    FILE *stream;
    char *line;
    size_t line_capacity;
    unsigned line_number;
    char unknown_section[64]; /* complained of already */
    bool in_question;         /* the line read last should have given a setting, and has not yet */
};

static const char *where_is(const struct reading *reading, char out[LINE_LENGTH_MAX])
{
    snprintf(out, LINE_LENGTH_MAX, "%s:%u", reading->errors->file, reading->line_number);
    return out;
}

static int on_setting(void *arg, const char *section, const char *key, const char *value)
{
    struct reading *reading = arg;
    struct errors *errors = reading->errors;
    char place[LINE_LENGTH_MAX];
    const char *where = where_is(reading, place);
    reading->in_question = false;

    const struct setting *setting = setting_find(section, key);
    if (setting == NULL && is_section(section)) {
        complain_unknown_key(errors, where, section, key);
    } else if (setting == NULL) {
        /* Once, not for each key in it. */
        if (section[0] == '\0' || strcmp(reading->unknown_section, section) != 0)
            complain_unknown_section(errors, where, section);
        snprintf(reading->unknown_section, sizeof(reading->unknown_section), "%s", section);
    } else if (errors->found_on[setting_index(setting)] != 0) {
        complain(errors, where, "[%s] %s: it is set on line %u already; keep one of the two",
                 section, key, errors->found_on[setting_index(setting)]);
    } else {
        errors->found_on[setting_index(setting)] = reading->line_number;
        if (!setting->kind->parse(setting->kind, value, setting_place(setting, reading->config)))
            complain_bad_value(errors, where, setting, value);
    }
    return 1;
}

/* inih tells only the first line that it did not understand. A line that must give a setting and gave
 * none by the time the next one is asked for is one of those. */
static void judge_last_line(struct reading *reading)
{
    char place[LINE_LENGTH_MAX];
    if (reading->in_question)
        complain(reading->errors, where_is(reading, place),
                 "neither \"[section]\" nor \"key = value\" nor a comment");
    reading->in_question = false;
}

/* May this line stand there without a setting? Empty lines, comments, and section lines; inih would
 * skip over what stands behind a "]". */
static bool is_settingless(const char *string)
{
    if (bytes_starts(bytes_of(string), "\xEF\xBB\xBF"))
        string += 3;
    string += strspn(string, " \t\r\n");
    if (*string == '[') {
        const char *end = strchr(string, ']');
        return end != NULL && end[1 + strspn(end + 1, " \t\r\n")] == '\0';
    }
    return *string == '\0' || *string == '#' || *string == ';';
}

/* Gives inih one line; an empty one in place of one that it would cut without a word. */
static char *read_line(char *into, int capacity, void *arg)
{
    struct reading *reading = arg;
    char place[LINE_LENGTH_MAX];
    CHECK(capacity > 1);
    judge_last_line(reading);
    ssize_t length = getline(&reading->line, &reading->line_capacity, reading->stream);
    if (length == -1)
        return NULL;
    reading->line_number++;

    const char *string = reading->line;
    into[0] = '\0';
    if (strlen(string) != (size_t)length) {
        complain(reading->errors, where_is(reading, place), "the line holds a zero byte");
    } else if (length >= capacity) {
        complain(reading->errors, where_is(reading, place),
                 "the line has %zd bytes; at most %d are possible", length, capacity - 1);
    } else {
        memcpy(into, string, (size_t)length + 1);
        reading->in_question = !is_settingless(string);
    }
    return into;
}

static void read_file(struct config *config, struct errors *errors)
{
    const char *file = errors->file;
    struct reading reading = {.config = config, .errors = errors};
    /* e: close on exec. A directory can be opened, but not read. */
    reading.stream = fopen(file, "re");
    if (reading.stream == NULL) {
        complain(errors, file, "cannot open the configuration file: %s", strerror(errno));
        return;
    }
    /* A value is everything behind the "=", as it stands: a password may hold " ;", and a line that
     * begins with a blank is not the rest of the one before. */
    ini_allow_inline_comments = false;
    ini_allow_multiline = false;
    ini_use_stack = false;
    ini_initial_alloc = LINE_LENGTH_MAX;
    ini_max_line = LINE_LENGTH_MAX;
    errno = 0;
    int result = ini_parse_stream(read_line, &reading, on_setting, &reading);
    if (ferror(reading.stream) != 0)
        complain(errors, file, "cannot read the configuration file: %s", strerror(errno));
    CHECK(result != -2); /* memory */
    free(reading.line);
    fclose(reading.stream);
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
    if (setting == NULL && is_section(section))
        complain_unknown_key(errors, where, section, key);
    else if (setting == NULL)
        complain_unknown_section(errors, where, section);
    else if (!setting->kind->parse(setting->kind, value, setting_place(setting, config)))
        complain_bad_value(errors, where, setting, value);
    else
        errors->found_on[setting_index(setting)] = FOUND_IN_OVERRIDE;
}

/* --- secrets in files --- */

/* Works out a password that stands in a setting or in a file; `place` owns what it gets. */
static void settle_secret(const struct config *config, const char *const *value,
                          const char *const *file, const char **place, struct errors *errors)
{
    char from_file[SECRET_MAX] = "";
    const char *why = NULL;
    if ((*file)[0] != '\0' && (*value)[0] != '\0')
        complain_of(errors, config, file, "the password itself is set, too; keep one of the two");
    else if ((*file)[0] != '\0' && !secret_read(*file, from_file, &why))
        complain_of(errors, config, file, why);
    else if (!kind_secret.parse(&kind_secret, (*file)[0] != '\0' ? from_file : *value, place))
        complain_of(errors, config, file, "expected a file with one line of text");
    explicit_bzero(from_file, sizeof(from_file));
}

/* --- the whole --- */

static void take_defaults(struct config *config)
{
    for (size_t i = 0; i < settings_count(); i++) {
        const struct setting *setting = setting_at(i);
        CHECK(setting->kind->parse(setting->kind, setting->value, setting_place(setting, config)));
    }
}

static void check_sizes(const struct config *config, struct errors *errors)
{
    const struct store_options *store = &config->store;
    if (store->window_bytes_max < store->window_bytes)
        complain_of(errors, config, &store->window_bytes_max,
                    "expected at least as much as repl-backlog-size");
    if (store->segment_bytes > store->window_bytes)
        complain_of(errors, config, &store->segment_bytes,
                    "expected at most as much as repl-backlog-size, better a tenth of it");
    if (descriptors_segments_max(store) > MAPPINGS_MAX)
        complain_of(errors, config, &store->segment_bytes,
                    "repl-backlog-max-size would be more segments than can be mapped "
                    "(vm.max_map_count is 65530): set a larger segment-size");
}

static void check_ports(struct config *config, struct errors *errors)
{
    config->downstream.without_plain = config->downstream.port == 0;
    if (config->downstream.without_plain && config->downstream.tls_port == 0)
        complain_of(errors, config, &config->downstream.port,
                    "neither port nor tls-port is set: nobody could connect");
    else if (config->downstream.port == config->downstream.tls_port)
        complain_of(errors, config, &config->downstream.tls_port, "port is the same");
    if (config->status.port != 0 && (config->status.port == config->downstream.port ||
                                     config->status.port == config->downstream.tls_port))
        complain_of(errors, config, &config->status.port,
                    "replicas are served on that port: set another one, or 0 for none");
}

static void check_origin(const struct config *config, struct errors *errors)
{
    if (config->upstream.origin.count == 0 && config->sentinel.sentinels.count == 0)
        complain(errors, errors->file != NULL ? errors->file : "",
                 "[upstream] neither replicaof nor sentinel is set: name the origin, as in "
                 "\"replicaof = 10.0.0.1 6379\" in the ini or --set upstream.replicaof=\"10.0.0.1 "
                 "6379\"");
    if (config->upstream.user[0] != '\0' && config->masterauth[0] == '\0' &&
        config->masterauth_file[0] == '\0')
        complain_of(errors, config, &config->upstream.user,
                    "a user needs masterauth or masterauth-file, too");
    if (config->sentinel.user[0] != '\0' && config->sentinel.password[0] == '\0')
        complain_of(errors, config, &config->sentinel.user, "a user needs sentinel-pass, too");
}

/* Without an fsync nothing would ever be acknowledged. NULL: it fits. */
static const char *misfit_of_ack(const struct config *config, struct ack_rule rule)
{
    bool fits = rule.policy != ACK_DURABLE || config->store.fsync != STORE_FSYNC_NO;
    return fits ? NULL : "it needs fsync = everysec or fsync = always";
}

static void check_ack(const struct config *config, struct errors *errors)
{
    const char *misfit = misfit_of_ack(config, config->upstream.ack);
    if (misfit != NULL)
        complain_of(errors, config, &config->upstream.ack, misfit);
}

/* Checks what a setting alone does not tell, and works out what the rooms get. */
static void settle(struct config *config, struct errors *errors)
{
    settle_secret(config, &config->masterauth, &config->masterauth_file, &config->upstream.password,
                  errors);
    settle_secret(config, &config->requirepass, &config->requirepass_file, &config->admin.password,
                  errors);
    check_sizes(config, errors);
    check_ports(config, errors);
    check_origin(config, errors);
    check_ack(config, errors);

    config->upstream.snapshot_always_ready = config->snapshot == CONFIG_SNAPSHOT_ALWAYS_READY;
    bool has_password = config->admin.password != NULL && config->admin.password[0] != '\0';
    config->downstream.local_only = config->protected_mode == CONFIG_YES && !has_password;
    config->downstream.tls_knows_callers = config->downstream_tls.auth_clients == TLS_AUTH_YES;
    config->admin.clients_max = config->downstream.clients_max;
    config->admin.backlog_bytes = config->store.window_bytes;
    /* INFO shows where it is, whatever directory the reader stands in. */
    char *real = errors->file != NULL ? realpath(errors->file, NULL) : NULL;
    config->admin.config_file = real != NULL ? real : strdup("");
    CHECK(config->admin.config_file != NULL);
}

bool config_load(struct config *config, const char *file, const char *const *overrides,
                 size_t count, struct text *errors_out)
{
    struct errors errors = {.out = errors_out, .file = file};
    *config = (struct config){.log_file = NULL};
    take_defaults(config);
    if (file != NULL)
        read_file(config, &errors);
    for (size_t i = 0; i < count; i++)
        override(config, overrides[i], &errors);
    /* A value that was refused would only lead to second-hand errors. */
    if (errors.count == 0)
        settle(config, &errors);
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
    value_fini_string(&config->admin.password);
    value_fini_string(&config->admin.config_file);
}

/* --- what --check looks at --- */

static void probe(struct errors *errors, const struct config *config, const char *const *place,
                  bool is_directory)
{
    char problem[PROBE_PROBLEM_MAX];
    if (!probe_path(*place, is_directory, problem))
        complain_of(errors, config, place, problem);
}

bool config_probe(const struct config *config, struct text *errors_out)
{
    struct errors errors = {.out = errors_out};
    probe(&errors, config, &config->store.data_dir, true);
    if (config->log_file[0] != '\0')
        probe(&errors, config, &config->log_file, false);
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
}

void config_each(const struct config *config, admin_setting_fn *fn, void *arg)
{
    for (size_t i = 0; i < settings_count(); i++) {
        const struct setting *setting = setting_at(i);
        struct text name;
        struct text value;
        text_init(&name, 128);
        text_init(&value, LINE_LENGTH_MAX);
        setting_append_shown_name(setting, &name);
        setting->kind->print(setting->kind, setting_value(setting, config), VALUE_PLAIN, &value);
        fn(text_string(&name), text_string(&value), arg);
        text_fini(&name);
        text_fini(&value);
    }
}

/* --- changing --- */

/* In the words of redis-server. */
static bool refuse(struct text *why, const char *name, const char *reason, const char *what)
{
    text_format(why, "ERR CONFIG SET failed (possibly related to argument '%s') - %s%s", name,
                reason, what);
    return false;
}

bool config_set(struct config *config, const char *name, const char *value, struct text *why)
{
    const struct setting *setting = setting_find_shown(name);
    if (setting == NULL) {
        text_format(why, "ERR Unknown option or number of arguments for CONFIG SET - '%s'", name);
        return false;
    }
    if ((setting->flags & SETTING_LIVE) == 0)
        return refuse(why, name, "can't set immutable config", "");
    struct config changed = *config;
    if (!setting->kind->parse(setting->kind, value, setting_place(setting, &changed)))
        return refuse(why, name, "expected ", setting->kind->expected);
    const char *misfit = misfit_of_ack(&changed, changed.upstream.ack);
    if (misfit != NULL)
        return refuse(why, name, misfit, "");
    *config = changed;
    return true;
}
