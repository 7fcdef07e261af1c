/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nearest.h"
#include "relay/base/bytes.h"

/* --- kinds of values, with our limits --- */

#define TEBIBYTE ((int64_t)1 << 40)
#define DAY_MS ((int64_t)24 * 60 * 60 * 1000)

static const char *const log_level_names[] = {
    [LOG_LEVEL_DEBUG] = "debug",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_ERROR] = "error",
    NULL,
};
static const char *const fsync_names[] = {
    [STORE_FSYNC_NO] = "no",
    [STORE_FSYNC_EVERYSEC] = "everysec",
    [STORE_FSYNC_ALWAYS] = "always",
    NULL,
};
static const char *const snapshot_names[] = {
    [CONFIG_SNAPSHOT_ALWAYS_READY] = "always-ready",
    [CONFIG_SNAPSHOT_ON_DEMAND] = "on-demand",
    NULL,
};

static const struct value_kind line = {VALUE_STRING, .expected = "one line of text"};
static const struct value_kind path = {VALUE_STRING, .expected = "the path of a file"};
static const struct value_kind directory = {VALUE_STRING, .least = 1,
                                            .expected = "the path of a directory"};
static const struct value_kind host = {VALUE_WORD, .expected = "an address or a host name"};
static const struct value_kind secret = {VALUE_SECRET, .expected = "one line of text"};
static const struct value_kind origin = {VALUE_ADDRESS, .least = 1, .most = 65535,
                                         .expected = "\"HOST PORT\", as in: 10.0.0.1 6379"};
static const struct value_kind addresses = {
    VALUE_BIND, .expected = "numeric addresses with blanks between them, as in: 127.0.0.1 -::1"};
static const struct value_kind port = {VALUE_PORT, .least = 1, .most = 65535,
                                       .expected = "a port from 1 to 65535"};
static const struct value_kind port_or_0 = {VALUE_PORT, .least = 0, .most = 65535,
                                            .expected = "a port from 0 to 65535"};
static const struct value_kind workers = {VALUE_COUNT, .least = 1, .most = 64,
                                          .expected = "a number from 1 to 64"};
static const struct value_kind clients = {VALUE_COUNT, .least = 1, .most = 1000000,
                                          .expected = "a number from 1 to 1000000"};
static const struct value_kind size = {VALUE_SIZE, .least = 64 * 1024, .most = 1024 * TEBIBYTE,
                                       .expected = "a size of at least 64kb, as in: 512mb, 1gb"};
static const struct value_kind patience = {VALUE_DURATION, .least = 1000, .most = 365 * DAY_MS,
                                           .expected = "a time of at least 1s, as in: 60, 90s, 5m"};
static const struct value_kind duration = {VALUE_DURATION, .least = 0, .most = 365 * DAY_MS,
                                           .expected = "a time, as in: 0, 60, 500ms, 5m, 1h"};
static const struct value_kind seconds = {VALUE_SECONDS, .least = 0, .most = DAY_MS,
                                          .expected = "whole seconds, as in: 0, 300, 5m"};
static const struct value_kind log_level = {VALUE_NAME, .names = log_level_names,
                                            .expected = "one of: debug, info, warning, error"};
static const struct value_kind fsync_when = {VALUE_NAME, .names = fsync_names,
                                             .expected = "one of: no, everysec, always"};
static const struct value_kind snapshot_when = {VALUE_NAME, .names = snapshot_names,
                                                .expected = "one of: always-ready, on-demand"};

/* --- the table --- */

enum setting_flag {
    NEEDED = 1, /* has no default that could work: the operator must set it */
    SECRET = 2, /* its value is never shown, also not in an error */
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
    {"relay", "data-dir", &directory, AT(store.data_dir), "/var/lib/psync-relay", 0,
     "where the RDB and the stream are kept; one relay a directory"},
    {"relay", "threads", &workers, AT(downstream.threads), "2", 0,
     "workers that serve the replicas"},
    {"relay", "log-level", &log_level, AT(log_level), "info", 0,
     "the least that is logged: debug, info, warning, error"},
    {"relay", "log-file", &path, AT(log_file), "", 0,
     "where the log goes; empty: stderr; reopened on SIGHUP"},

    {"upstream", "replicaof", &origin, AT(replicaof), "", NEEDED,
     "the origin, as host and port; must be set"},
    {"upstream", "masteruser", &line, AT(upstream.user), "", 0,
     "user of the origin's ACL to log in as; empty: the default one"},
    {"upstream", "masterauth", &secret, AT(masterauth), "", SECRET,
     "password to log in with at the origin; empty: none"},
    {"upstream", "masterauth-file", &path, AT(masterauth_file), "", 0,
     "file whose only line is that password, instead of masterauth"},
    {"upstream", "repl-timeout", &patience, AT(upstream.timeout_ms), "60", 0,
     "silence of the origin after which the link is made anew"},
    {"upstream", "replica-announce-ip", &host, AT(upstream.announce_ip), "", 0,
     "address that the origin shows for us; empty: the connection's own"},
    {"upstream", "replica-announce-port", &port_or_0, AT(upstream.announce_port), "0", 0,
     "port that the origin shows for us; 0: the one we listen on"},

    {"downstream", "bind", &addresses, AT(downstream.bind), "127.0.0.1 -::1", 0,
     "addresses to listen on, * for all; with a - before it, one that may be missing"},
    {"downstream", "port", &port, AT(downstream.port), "6380", 0,
     "port to listen on, for replicas and for redis-cli"},
    {"downstream", "requirepass", &secret, AT(requirepass), "", SECRET,
     "password that replicas and clients must give; empty: none"},
    {"downstream", "requirepass-file", &path, AT(requirepass_file), "", 0,
     "file whose only line is that password, instead of requirepass"},
    {"downstream", "maxclients", &clients, AT(downstream.clients_max), "10000", 0,
     "connections at a time, replicas included"},
    {"downstream", "repl-timeout", &patience, AT(downstream.replica_timeout_ms), "60", 0,
     "silence of a replica after which it is closed"},
    {"downstream", "timeout", &duration, AT(downstream.client_timeout_ms), "0", 0,
     "silence after which a client that is no replica is closed; 0: never"},
    {"downstream", "tcp-keepalive", &seconds, AT(downstream.keepalive_s), "300", 0,
     "idle seconds after which TCP asks whether the peer still lives; 0: never"},

    {"store", "repl-backlog-size", &size, AT(store.window_bytes), "1gb", 0,
     "how much of the stream is kept anyway, for replicas that come back"},
    {"store", "repl-backlog-max-size", &size, AT(store.window_bytes_max), "4gb", 0,
     "how much is kept for replicas that are loading or behind; then they are cut"},
    {"store", "segment-size", &size, AT(store.segment_bytes), "64mb", 0,
     "size of the files that the stream is kept in"},
    {"store", "fsync", &fsync_when, AT(store.fsync), "everysec", 0,
     "when the stream is forced to disk: no, everysec, always"},
    {"store", "snapshot", &snapshot_when, AT(snapshot), "always-ready", 0,
     "when a new RDB is fetched: always-ready (before it is too old to serve), on-demand"},
    {"store", "snapshot-min-interval", &duration, AT(upstream.refresh_pause_ms), "60", 0,
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

/* The only line of a file, without its end. */
static bool read_secret(const char *file, char out[CONFIG_SECRET_MAX], const char **why)
{
    int opened = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (opened == -1) {
        *why = strerror(errno);
        return false;
    }
    ssize_t length = read(opened, out, CONFIG_SECRET_MAX);
    *why = length == -1 ? strerror(errno) : "expected a file with one line of 1 to 4094 bytes";
    close(opened);
    if (length == -1 || length == CONFIG_SECRET_MAX)
        return false;
    while (length > 0 && (out[length - 1] == '\n' || out[length - 1] == '\r'))
        length--;
    out[length] = '\0';
    return length > 0 && strlen(out) == (size_t)length;
}

/* Works out a password that stands in a setting or in a file; `place` owns what it gets. */
static void settle_secret(const struct config *config, const char *const *value,
                          const char *const *file, const char **place, struct errors *errors)
{
    char from_file[CONFIG_SECRET_MAX] = "";
    const char *why = NULL;
    if ((*file)[0] != '\0' && (*value)[0] != '\0')
        complain_of(errors, config, file, "the password itself is set, too; keep one of the two");
    else if ((*file)[0] != '\0' && !read_secret(*file, from_file, &why))
        complain_of(errors, config, file, why);
    else if (!secret.parse(&secret, (*file)[0] != '\0' ? from_file : *value, place))
        complain_of(errors, config, file, "expected a file with one line of text");
    explicit_bzero(from_file, sizeof(from_file));
}

/* --- the whole --- */

static void take_defaults(struct config *config)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct setting *setting = &settings[i];
        if ((setting->flags & NEEDED) == 0)
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
    if (config->replicaof.host == NULL)
        complain(errors, errors->file != NULL ? errors->file : "",
                 "[upstream] replicaof is not set: name the origin, as in \"replicaof = 10.0.0.1 "
                 "6379\" in the ini or --set upstream.replicaof=\"10.0.0.1 6379\"");
    if (config->upstream.user[0] != '\0' && config->masterauth[0] == '\0' &&
        config->masterauth_file[0] == '\0')
        complain_of(errors, config, &config->upstream.user,
                    "a user needs masterauth or masterauth-file, too");
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

    config->upstream.host = config->replicaof.host;
    config->upstream.port = config->replicaof.port;
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

/* Why nothing can be made beside `path_of`; 0: it can. */
static int probe_parent(const char *path_of)
{
    size_t length = strlen(path_of);
    while (length > 1 && path_of[length - 1] == '/')
        length--;
    while (length > 0 && path_of[length - 1] != '/')
        length--;
    char *parent = length == 0 ? strdup(".") : strndup(path_of, length);
    CHECK(parent != NULL);
    int error = access(parent, W_OK | X_OK) == -1 ? errno : 0;
    free(parent);
    return error;
}

static void probe(struct errors *errors, const struct config *config, const char *const *place,
                  bool is_directory)
{
    struct stat status;
    const char *problem;
    if (stat(*place, &status) == 0) {
        bool is_right = S_ISDIR(status.st_mode) == is_directory;
        if (is_right && access(*place, is_directory ? R_OK | W_OK | X_OK : W_OK) == 0)
            return;
        if (!is_right)
            errno = is_directory ? ENOTDIR : EISDIR;
        problem = "it cannot be written";
    } else {
        int error = errno == ENOENT ? probe_parent(*place) : errno;
        if (error == 0)
            return;
        errno = error;
        problem = "it is not there and cannot be made";
    }
    char text[256];
    snprintf(text, sizeof(text), "%s: %s", problem, strerror(errno));
    complain_of(errors, config, place, text);
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

void config_each(const struct config *config, admin_setting_fn *fn, void *arg)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct setting *setting = &settings[i];
        struct text name;
        struct text value;
        text_init(&name, 128);
        text_init(&value, LINE_LENGTH_MAX);
        if (is_said_again(i))
            text_format(&name, "%s.", setting->section);
        text_append_string(&name, setting->key);
        setting->kind->print(setting->kind, value_of(config, setting), VALUE_PLAIN, &value);
        fn(text_string(&name), text_string(&value), arg);
        text_fini(&name);
        text_fini(&value);
    }
}
