/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kinds.h"
#include "nearest.h"
#include "probe.h"
#include "relay/base/bytes.h"
#include "secret.h"

/* --- the table --- */

enum setting_flag {
    SECRET = 1, /* its value is never shown, also not in an error */
    LIVE = 2,   /* may change while it runs: config_set */
};

struct setting {
    const char *section;
    const char *key;
    const struct value_kind *kind;
    size_t place;      /* in struct config */
    const char *value; /* by default */
    unsigned flags;
    const char *meaning;
};

#define AT(member) offsetof(struct config, member)

/* In the order of etc/psync-relay.ini and of the table in README.md, which have the same rows with
 * the same defaults; tests/style/settings.py holds the three together. */
static const struct setting settings[] = {
    {"relay", "data-dir", &kind_directory, AT(store.data_dir), "/var/lib/psync-relay", 0,
     "where the RDB and the stream are kept; one relay a directory"},
    {"relay", "threads", &kind_workers, AT(downstream.threads), "2", 0,
     "workers that serve the replicas"},
    {"relay", "log-level", &kind_log_level, AT(log_level), "info", 0,
     "the least that is logged: debug, info, warning, error"},
    {"relay", "log-file", &kind_path, AT(log_file), "", 0,
     "where the log goes; empty: stderr; reopened on SIGHUP"},

    {"upstream", "replicaof", &kind_candidates, AT(upstream.origin), "", 0,
     "the origin, as host and port; several candidates with commas between them: the one that is "
     "a primary is followed; this or sentinel must be set"},
    {"upstream", "masteruser", &kind_line, AT(upstream.user), "", 0,
     "user of the origin's ACL to log in as; empty: the default one"},
    {"upstream", "masterauth", &kind_secret, AT(masterauth), "", SECRET,
     "password to log in with at the origin; empty: none"},
    {"upstream", "masterauth-file", &kind_path, AT(masterauth_file), "", 0,
     "file whose only line is that password, instead of masterauth"},
    {"upstream", "sentinel", &kind_sentinel, AT(sentinel), "", 0,
     "Sentinels that know where the origin is, as master-name host:port host:port ...; what they "
     "say goes over replicaof"},
    {"upstream", "sentinel-user", &kind_line, AT(sentinel.user), "", 0,
     "user of the Sentinels' ACL to log in as; empty: the default one"},
    {"upstream", "sentinel-pass", &kind_secret, AT(sentinel.password), "", SECRET,
     "password to log in with at the Sentinels; empty: none"},
    {"upstream", "ack", &kind_ack, AT(upstream.ack), "received", LIVE,
     "what the origin is told that we have, and so what WAIT means there: received, durable "
     "(fsynced), all (all our replicas have it), replicas N (N of them have it)"},
    {"upstream", "repl-timeout", &kind_patience, AT(upstream.timeout_ms), "60", 0,
     "silence of the origin after which the link is made anew"},
    {"upstream", "replica-announce-ip", &kind_host, AT(upstream.announce_ip), "", 0,
     "address that the origin shows for us; empty: the connection's own"},
    {"upstream", "replica-announce-port", &kind_port_or_0, AT(upstream.announce_port), "0", 0,
     "port that the origin shows for us; 0: the one we listen on"},

    {"downstream", "bind", &kind_addresses, AT(downstream.bind), "127.0.0.1 -::1", 0,
     "addresses to listen on, * for all; with a - before it, one that may be missing"},
    {"downstream", "port", &kind_port, AT(downstream.port), "6380", 0,
     "port to listen on, for replicas and for redis-cli"},
    {"downstream", "requirepass", &kind_secret, AT(requirepass), "", SECRET,
     "password that replicas and clients must give; empty: none"},
    {"downstream", "requirepass-file", &kind_path, AT(requirepass_file), "", 0,
     "file whose only line is that password, instead of requirepass"},
    {"downstream", "maxclients", &kind_clients, AT(downstream.clients_max), "10000", 0,
     "connections at a time, replicas included"},
    {"downstream", "repl-timeout", &kind_patience, AT(downstream.replica_timeout_ms), "60", 0,
     "silence of a replica after which it is closed"},
    {"downstream", "timeout", &kind_duration, AT(downstream.client_timeout_ms), "0", 0,
     "silence after which a client that is no replica is closed; 0: never"},
    {"downstream", "tcp-keepalive", &kind_seconds, AT(downstream.keepalive_s), "300", 0,
     "idle seconds after which TCP asks whether the peer still lives; 0: never"},

    {"store", "repl-backlog-size", &kind_size, AT(store.window_bytes), "1gb", 0,
     "how much of the stream is kept anyway, for replicas that come back"},
    {"store", "repl-backlog-max-size", &kind_size, AT(store.window_bytes_max), "4gb", 0,
     "how much is kept for replicas that are loading or behind; then they are cut"},
    {"store", "segment-size", &kind_size, AT(store.segment_bytes), "64mb", 0,
     "size of the files that the stream is kept in"},
    {"store", "fsync", &kind_fsync_when, AT(store.fsync), "everysec", 0,
     "when the stream is forced to disk: no, everysec, always"},
    {"store", "snapshot", &kind_snapshot_when, AT(snapshot), "always-ready", 0,
     "when a new RDB is fetched: always-ready (before it is too old to serve), on-demand"},
    {"store", "snapshot-min-interval", &kind_duration, AT(upstream.refresh_pause_ms), "60", 0,
     "pause between two RDBs fetched to stay always-ready"},
};

enum { SETTINGS = LENGTH_OF(settings), LINE_LENGTH_MAX = 4096 };

static void *place_of(struct config *config, const struct setting *setting)
{
    return (char *)config + setting->place;
}

static const void *value_of(const struct config *config, const struct setting *setting)
{
    return (const char *)config + setting->place;
}

static const struct setting *find_setting(const char *section, const char *key)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        if (strcmp(settings[i].section, section) == 0 && strcmp(settings[i].key, key) == 0)
            return &settings[i];
    }
    return NULL;
}

/* --- errors --- */

struct errors {
    struct text *out;
    unsigned count;
    const char *file;            /* NULL: none */
    unsigned found_on[SETTINGS]; /* line of the file where a setting was found; 0: by default */
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
    size_t i = 0;
    while (value_of(config, &settings[i]) != place)
        i++;
    struct text where;
    struct text value;
    text_init(&where, LINE_LENGTH_MAX);
    text_init(&value, LINE_LENGTH_MAX);
    if (errors->found_on[i] == FOUND_IN_OVERRIDE)
        text_format(&where, "--set %s.%s", settings[i].section, settings[i].key);
    else if (errors->found_on[i] != 0)
        text_format(&where, "%s:%u", errors->file, errors->found_on[i]);
    settings[i].kind->print(settings[i].kind, place, VALUE_INI, &value);
    complain(errors, text_string(&where), "[%s] %s = %s: %s", settings[i].section, settings[i].key,
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

static const struct setting *nearest_setting(const char *section, const char *key)
{
    const struct setting *nearest = NULL;
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < SETTINGS; i++) {
        size_t far = nearest_distance(settings[i].key, key);
        if (strcmp(settings[i].section, section) == 0 && far < best) {
            nearest = &settings[i];
            best = far;
        }
    }
    return nearest;
}

static bool is_section(const char *section)
{
    return nearest_setting(section, "") != NULL;
}

static void complain_unknown_section(struct errors *errors, const char *where, const char *section)
{
    if (section[0] == '\0')
        complain(errors, where,
                 "a setting before the first [section]; sections are relay, "
                 "upstream, downstream and store");
    else
        complain(errors, where,
                 "[%s]: there is no such section; sections are relay, upstream, downstream and "
                 "store",
                 section);
}

static void complain_unknown_key(struct errors *errors, const char *where, const char *section,
                                 const char *key)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        if (strcmp(settings[i].key, key) == 0) {
            complain(errors, where, "[%s] %s: there is no such key here; it belongs in [%s]",
                     section, key, settings[i].section);
            return;
        }
    }
    const struct setting *nearest = nearest_setting(section, key);
    complain(errors, where, "[%s] %s: there is no such key; the nearest one is %s", section, key,
             nearest->key);
}

static void complain_bad_value(struct errors *errors, const char *where,
                               const struct setting *setting, const char *value)
{
    bool hidden = (setting->flags & SECRET) != 0;
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

    const struct setting *setting = find_setting(section, key);
    if (setting == NULL && is_section(section)) {
        complain_unknown_key(errors, where, section, key);
    } else if (setting == NULL) {
        /* Once, not for each key in it. */
        if (section[0] == '\0' || strcmp(reading->unknown_section, section) != 0)
            complain_unknown_section(errors, where, section);
        snprintf(reading->unknown_section, sizeof(reading->unknown_section), "%s", section);
    } else if (errors->found_on[setting - settings] != 0) {
        complain(errors, where, "[%s] %s: it is set on line %u already; keep one of the two",
                 section, key, errors->found_on[setting - settings]);
    } else {
        errors->found_on[setting - settings] = reading->line_number;
        if (!setting->kind->parse(setting->kind, value, place_of(reading->config, setting)))
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

    const struct setting *setting = find_setting(section, key);
    if (setting == NULL && is_section(section))
        complain_unknown_key(errors, where, section, key);
    else if (setting == NULL)
        complain_unknown_section(errors, where, section);
    else if (!setting->kind->parse(setting->kind, value, place_of(config, setting)))
        complain_bad_value(errors, where, setting, value);
    else
        errors->found_on[setting - settings] = FOUND_IN_OVERRIDE;
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
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct setting *setting = &settings[i];
        CHECK(setting->kind->parse(setting->kind, setting->value, place_of(config, setting)));
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
    check_origin(config, errors);
    check_ack(config, errors);

    config->upstream.snapshot_always_ready = config->snapshot == CONFIG_SNAPSHOT_ALWAYS_READY;
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
    for (size_t i = 0; i < SETTINGS; i++) {
        if (settings[i].kind->fini != NULL)
            settings[i].kind->fini(place_of(config, &settings[i]));
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
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct setting *setting = &settings[i];
        if (strcmp(section, setting->section) != 0)
            text_format(out, "%s[%s]\n", i > 0 ? "\n" : "", setting->section);
        section = setting->section;
        text_format(out, "%s = ", setting->key);
        setting->kind->print(setting->kind, value_of(config, setting), VALUE_INI, out);
        text_append_string(out, "\n");
    }
}

/* Does a later section have a key of this name, too? */
static bool is_said_again(size_t index)
{
    for (size_t i = index + 1; i < SETTINGS; i++) {
        if (strcmp(settings[i].key, settings[index].key) == 0)
            return true;
    }
    return false;
}

static void append_shown_name(size_t index, struct text *out)
{
    if (is_said_again(index))
        text_format(out, "%s.", settings[index].section);
    text_append_string(out, settings[index].key);
}

void config_each(const struct config *config, admin_setting_fn *fn, void *arg)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct setting *setting = &settings[i];
        struct text name;
        struct text value;
        text_init(&name, 128);
        text_init(&value, LINE_LENGTH_MAX);
        append_shown_name(i, &name);
        setting->kind->print(setting->kind, value_of(config, setting), VALUE_PLAIN, &value);
        fn(text_string(&name), text_string(&value), arg);
        text_fini(&name);
        text_fini(&value);
    }
}

/* --- changing --- */

static const struct setting *find_shown(const char *name)
{
    const struct setting *found = NULL;
    struct text shown;
    text_init(&shown, 128);
    for (size_t i = 0; i < SETTINGS && found == NULL; i++) {
        text_clear(&shown);
        append_shown_name(i, &shown);
        if (bytes_is(bytes_of(name), text_string(&shown)))
            found = &settings[i];
    }
    text_fini(&shown);
    return found;
}

/* In the words of redis-server. */
static bool refuse(struct text *why, const char *name, const char *reason, const char *what)
{
    text_format(why, "ERR CONFIG SET failed (possibly related to argument '%s') - %s%s", name,
                reason, what);
    return false;
}

bool config_set(struct config *config, const char *name, const char *value, struct text *why)
{
    const struct setting *setting = find_shown(name);
    if (setting == NULL) {
        text_format(why, "ERR Unknown option or number of arguments for CONFIG SET - '%s'", name);
        return false;
    }
    if ((setting->flags & LIVE) == 0)
        return refuse(why, name, "can't set immutable config", "");
    struct config changed = *config;
    if (!setting->kind->parse(setting->kind, value, place_of(&changed, setting)))
        return refuse(why, name, "expected ", setting->kind->expected);
    const char *misfit = misfit_of_ack(&changed, changed.upstream.ack);
    if (misfit != NULL)
        return refuse(why, name, misfit, "");
    *config = changed;
    return true;
}
