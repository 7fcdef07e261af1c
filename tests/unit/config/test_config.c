/* SPDX-License-Identifier: MIT */
#include <sys/stat.h>

#include "../../../relay/config/secret.h"
#include "ini_place.h"

static void assert_loads(struct place *place, const char *ini, const char *override)
{
    if (!load(place, ini, override))
        fail_msg("expected no error, got: %s", text_string(&place->errors));
    assert_string_equal(text_string(&place->errors), "");
}

/* The whole text of the errors, in which %s stands for the path of the ini. */
static void assert_refused(struct place *place, const char *ini, const char *override,
                           const char *expected)
{
    char text[8192] = "";
    size_t length = 0;
    for (const char *next = expected; *next != '\0'; next++) {
        bool is_path = next[0] == '%' && next[1] == 's';
        int printed = snprintf(text + length, sizeof(text) - length, "%.*s",
                               is_path ? (int)sizeof(place->ini) : 1, is_path ? place->ini : next);
        length += (size_t)printed;
        next += is_path;
    }
    assert_false(load(place, ini, override));
    assert_string_equal(text_string(&place->errors), text);
}

/* The only candidate. */
static void assert_primary(const struct config *config, const char *host, uint16_t port)
{
    assert_int_equal(config->upstream.primary.count, 1);
    assert_string_equal(config->upstream.primary.at[0].host, host);
    assert_int_equal(config->upstream.primary.at[0].port, port);
}

#define PLACE_TEST(name) TEST_SETUP(name, open_place, close_place)

PLACE_TEST(defaults)
{
    struct place *place = *state;
    assert_loads(place, PRIMARY, NULL);
    const struct config *config = &place->config;
    assert_primary(config, "10.0.0.1", 6379);
    assert_int_equal(config->upstream.ack.policy, ACK_RECEIVED);
    assert_int_equal(config->sentinel.sentinels.count, 0);
    assert_string_equal(config->sentinel.password, "");
    assert_string_equal(config->upstream.password, "");
    assert_int_equal(config->upstream.timeout_ms, 60000);
    assert_int_equal(config->upstream.refresh_pause_ms, 3600000);
    assert_true(config->upstream.snapshot_always_ready);
    assert_string_equal(config->downstream.bind, "127.0.0.1 -::1");
    assert_int_equal(config->downstream.port, 6380);
    assert_int_equal(config->downstream.threads, 2);
    assert_int_equal(config->downstream.keepalive_s, 300);
    assert_int_equal(config->commands.clients_max, 10000);
    assert_int_equal(config->users.count, 1);
    assert_int_equal(config->users.open_role, ROLE_ADMIN);
    assert_string_equal(config->commands.config_file, place->ini);
    assert_string_equal(config->store.data_dir, "/var/lib/psync-relay");
    assert_int_equal(config->store.window_bytes, 1 << 30);
    assert_int_equal(config->store.window_bytes_max, UINT64_C(4) << 30);
    assert_int_equal(config->store.segment_bytes, 64 << 20);
    assert_int_equal(config->store.fsync, STORE_FSYNC_EVERYSEC);
    assert_int_equal(config->log_level, LOG_LEVEL_INFO);
    config_fini(&place->config);
}

PLACE_TEST(without_a_password_others_are_kept_out)
{
    struct place *place = *state;
    static const struct {
        const char *override;
        bool local_only;
    } rows[] = {
        {NULL, true},
        {"downstream.protected-mode=yes", true},
        {"downstream.protected-mode=no", false},
        {"downstream.requirepass=x", false},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        assert_loads(place, PRIMARY, rows[i].override);
        assert_int_equal(place->config.downstream.local_only, rows[i].local_only);
        config_fini(&place->config);
    }
    assert_false(load(place, PRIMARY, "downstream.protected-mode=perhaps"));
    assert_non_null(strstr(text_string(&place->errors), "expected one of: yes, no"));
}

PLACE_TEST(values_stand_as_they_are)
{
    struct place *place = *state;
    assert_loads(place,
                 "\xEF\xBB\xBF# a comment\r\n"
                 "; another\n"
                 "\n"
                 "[upstream]\r\n"
                 "  replicaof = ::1   7000  \r\n"
                 "masteruser: relay\n"
                 "masterauth=a=b ; c # d\n"
                 "[store]\n"
                 "snapshot=on-demand\n"
                 "[upstream]\n"
                 "repl-timeout = 1500ms",
                 NULL);
    assert_primary(&place->config, "::1", 7000);
    assert_string_equal(place->config.upstream.user, "relay");
    assert_string_equal(place->config.upstream.password, "a=b ; c # d");
    assert_int_equal(place->config.upstream.timeout_ms, 1500);
    assert_false(place->config.upstream.snapshot_always_ready);
    config_fini(&place->config);
}

PLACE_TEST(long_lines)
{
    struct place *place = *state;
    char ini[8192];
    char secret[5000];
    memset(secret, 's', sizeof(secret));

    snprintf(ini, sizeof(ini), PRIMARY "masterauth = %.*s\n", 4000, secret);
    assert_loads(place, ini, NULL);
    assert_int_equal(strlen(place->config.upstream.password), 4000);
    config_fini(&place->config);

    snprintf(ini, sizeof(ini), PRIMARY "masterauth = %.*s\n", 4100, secret);
    assert_refused(place, ini, NULL, "%s:3: the line has 4114 bytes; the maximum is 4095\n");
}

PLACE_TEST(lines_that_say_nothing)
{
    struct place *place = *state;
    assert_refused(place, "port 6379\n[upstream\n" PRIMARY "[store] fsync = no\nfsync\n\n= 5\n",
                   NULL,
                   "%s:1: expected [section], key = value or a comment\n"
                   "%s:2: expected [section], key = value or a comment\n"
                   "%s:5: expected [section], key = value or a comment\n"
                   "%s:6: expected [section], key = value or a comment\n"
                   "%s:8: [store] : unknown setting; the nearest one is fsync\n");

    char expected[256];
    snprintf(expected, sizeof(expected), "%s:3: the line contains a zero byte\n", place->ini);
    assert_false(load_bytes(place, LITERAL(PRIMARY "masterauth = a\0b\n"), NULL));
    assert_string_equal(text_string(&place->errors), expected);
}

PLACE_TEST(unknown_names)
{
    struct place *place = *state;
    assert_refused(place,
                   "port = 6380\n" PRIMARY "[stroe]\nfsync = no\nsnapshot = no\n[store]\n"
                   "fsnc = no\nbind = ::1\n",
                   NULL,
                   "%s:1: a setting before the first section; the sections are relay, upstream, "
                   "downstream, delayed, store, archive, http and users\n"
                   "%s:5: [stroe]: unknown section; the sections are relay, upstream, downstream, "
                   "delayed, store, archive, http and users\n"
                   "%s:8: [store] fsnc: unknown setting; the nearest one is fsync\n"
                   "%s:9: [store] bind: unknown setting; it belongs in [downstream]\n");
}

PLACE_TEST(bad_values)
{
    struct place *place = *state;
    assert_refused(
        place,
        "[upstream]\nreplicaof = 10.0.0.1\nmasterauth = \x01geheim\n"
        "[store]\nfsync = maybe\nsegment-size = 1kb\n[relay]\nthreads = 65\nthreads = 1\n",
        NULL,
        "%s:2: [upstream] replicaof = 10.0.0.1: expected HOST PORT, or wss://HOST:PORT/PATH "
        "where the program was built with libwslay, several separated by commas, as in: "
        "10.0.0.1 6379, ::1 6379\n"
        "%s:3: [upstream] masterauth = ***: expected one line of text\n"
        "%s:5: [store] fsync = maybe: expected one of: no, everysec, always\n"
        "%s:6: [store] segment-size = 1kb: expected a size of at least 64kb, as in: "
        "512mb, 1gb\n"
        "%s:8: [relay] threads = 65: expected a number from 1 to 64\n"
        "%s:9: [relay] threads: already set on line 8; remove one of the two\n");
}

PLACE_TEST(many_errors_are_counted)
{
    struct place *place = *state;
    struct text ini;
    struct text expected;
    text_init(&ini, 4096);
    text_init(&expected, 4096);
    text_append_string(&ini, "[store]\n");
    for (size_t i = 0; i < 25; i++) {
        text_append_string(&ini, "fsnc = no\n");
        if (i < CONFIG_ERRORS_MAX)
            text_format(&expected,
                        "%%s:%zu: [store] fsnc: unknown setting; the nearest one is fsync\n",
                        i + 2);
    }
    text_append_string(&expected, "... and 5 more\n");
    assert_refused(place, text_string(&ini), NULL, text_string(&expected));
    text_fini(&ini);
    text_fini(&expected);
}

PLACE_TEST(files_that_cannot_be_read)
{
    struct place *place = *state;
    char expected[256];
    snprintf(expected, sizeof(expected),
             "%s: cannot open the configuration file: No such file or directory\n", place->ini);
    assert_false(config_load(&place->config, place->ini, NULL, 0, &place->errors));
    assert_string_equal(text_string(&place->errors), expected);

    text_clear(&place->errors);
    snprintf(expected, sizeof(expected), "%s: cannot read the configuration file: Is a directory\n",
             place->directory);
    assert_false(config_load(&place->config, place->directory, NULL, 0, &place->errors));
    assert_string_equal(text_string(&place->errors), expected);
}

PLACE_TEST(overrides)
{
    struct place *place = *state;
    static const char *const list[] = {"upstream.replicaof= 10.0.0.2 7000", "store.fsync=no",
                                       "store.fsync=always", "upstream.masterauth=a.b=c",
                                       "relay.log-file="};
    write_file(place->ini, bytes_of(PRIMARY "[relay]\nlog-file = x\n"));
    assert_true(config_load(&place->config, place->ini, list, LENGTH_OF(list), &place->errors));
    assert_primary(&place->config, "10.0.0.2", 7000);
    assert_int_equal(place->config.store.fsync, STORE_FSYNC_ALWAYS);
    assert_string_equal(place->config.upstream.password, "a.b=c");
    assert_string_equal(place->config.log_file, "");
    config_fini(&place->config);

    /* Without a file. */
    assert_true(config_load(&place->config, NULL, list, 1, &place->errors));
    assert_string_equal(place->config.commands.config_file, "");
    config_fini(&place->config);
}

PLACE_TEST(bad_overrides)
{
    static const struct {
        const char *override;
        const char *error;
    } rows[] = {
        {"fsync=no", "--set fsync: expected SECTION.KEY=VALUE, as in: store.fsync=always\n"},
        {"store.fsync", "--set store.fsync: expected SECTION.KEY=VALUE, as in: "
                        "store.fsync=always\n"},
        {"", "--set : expected SECTION.KEY=VALUE, as in: store.fsync=always\n"},
        {"store.fsync=",
         "--set store.fsync: [store] fsync = : expected one of: no, everysec, always\n"},
        {"store.fsnc=no",
         "--set store.fsnc: [store] fsnc: unknown setting; the nearest one is fsync\n"},
        {"web.port=1", "--set web.port: [web]: unknown section; the sections are relay, upstream, "
                       "downstream, delayed, store, archive, http and users\n"},
        {"upstream.masterauth=a\nb",
         "--set upstream.masterauth: [upstream] masterauth = ***: expected one line of text\n"},
        {"store.segment-size=2gb", "--set store.segment-size: [store] segment-size = 2gb: must be "
                                   "at most repl-backlog-size, preferably a tenth of it\n"},
    };
    struct place *place = *state;
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        assert_refused(place, PRIMARY, rows[i].override, rows[i].error);
}

PLACE_TEST(what_does_not_fit_together)
{
    struct place *place = *state;
    assert_refused(place, "[store]\n", NULL,
                   "%s: [upstream] neither replicaof nor sentinel is set: name the primary, as in "
                   "\"replicaof = 10.0.0.1 6379\" in the ini or --set "
                   "upstream.replicaof=\"10.0.0.1 6379\"\n");
    assert_refused(
        place, PRIMARY "sentinel-user = relay\n", NULL,
        "%s:3: [upstream] sentinel-user = relay: sentinel-user requires sentinel-pass\n");
    assert_refused(place, PRIMARY "ack = durable\n", "store.fsync=no",
                   "%s:3: [upstream] ack = durable: requires fsync = everysec or fsync = always\n");
    assert_refused(
        place, PRIMARY "masteruser = relay\n", NULL,
        "%s:3: [upstream] masteruser = relay: masteruser requires masterauth or masterauth-file\n");
    assert_refused(
        place,
        PRIMARY "[store]\nrepl-backlog-size = 1mb\nrepl-backlog-max-size = 512kb\n"
                "segment-size = 2mb\n",
        NULL,
        "%s:5: [store] repl-backlog-max-size = 512kb: must be at least repl-backlog-size\n"
        "%s:6: [store] segment-size = 2mb: must be at most repl-backlog-size, preferably a tenth "
        "of it\n");
    assert_refused(place, PRIMARY "[store]\nrepl-backlog-max-size = 4gb\nsegment-size = 64kb\n",
                   NULL,
                   "%s:5: [store] segment-size = 64kb: repl-backlog-max-size needs more segments "
                   "than can be mapped (vm.max_map_count is 65530): set a larger segment-size\n");
    /* By default it does not fit either. */
    assert_refused(place, PRIMARY "[store]\nrepl-backlog-size = 8gb\n", NULL,
                   "[store] repl-backlog-max-size = 4gb: must be at least repl-backlog-size\n");
}

PLACE_TEST(where_the_primary_is)
{
    struct place *place = *state;
    assert_loads(place,
                 "[upstream]\nreplicaof = a 1, b 2\nack = replicas 2\n"
                 "sentinel = mymaster s1:26379 [::1]:26380\n"
                 "sentinel-user = relay\nsentinel-pass = geheim\n",
                 NULL);
    const struct config *config = &place->config;
    assert_int_equal(config->upstream.primary.count, 2);
    assert_string_equal(config->upstream.primary.at[1].host, "b");
    assert_int_equal(config->upstream.primary.at[1].port, 2);
    assert_int_equal(config->upstream.ack.policy, ACK_REPLICAS);
    assert_int_equal(config->upstream.ack.replicas, 2);
    assert_string_equal(config->sentinel.name, "mymaster");
    assert_int_equal(config->sentinel.sentinels.count, 2);
    assert_string_equal(config->sentinel.sentinels.at[1].host, "::1");
    assert_int_equal(config->sentinel.sentinels.at[1].port, 26380);
    assert_string_equal(config->sentinel.user, "relay");
    assert_string_equal(config->sentinel.password, "geheim");
    config_fini(&place->config);

    assert_loads(place, "[upstream]\nsentinel = mymaster s1:26379\n", NULL);
    assert_int_equal(config->upstream.primary.count, 0);
    config_fini(&place->config);
}

/* Is it the password of the user `default`? */
static bool opens(const struct place *place, const char *password)
{
    return users_judge(&place->config.users, bytes_of("default"), bytes_of(password)) != NULL;
}

PLACE_TEST(secrets_in_files)
{
    struct place *place = *state;
    char ini[512];
    snprintf(ini, sizeof(ini),
             PRIMARY "masterauth-file = %s\nmasteruser = relay\n"
                     "[downstream]\nrequirepass-file = %s\n",
             place->secret, place->secret);
    write_file(place->secret, bytes_of(" geheim \r\n"));
    assert_loads(place, ini, NULL);
    assert_string_equal(place->config.upstream.password, " geheim ");
    assert_true(opens(place, " geheim "));
    config_fini(&place->config);

    assert_false(load(place, ini, "downstream.requirepass=x"));
    assert_non_null(strstr(text_string(&place->errors), "the password itself is also set"));

    static const char *const bad[] = {"", "\n", "two\nlines\n"};
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        write_file(place->secret, bytes_of(bad[i]));
        assert_false(load(place, ini, NULL));
        assert_non_null(strstr(text_string(&place->errors), "expected a file with one line"));
    }
    write_file(place->secret, LITERAL("zero\0byte\n"));
    assert_false(load(place, ini, NULL));

    char longest[SECRET_MAX + 100];
    memset(longest, 'x', sizeof(longest));
    write_file(place->secret, bytes_at(longest, SECRET_MAX - 1));
    assert_loads(place, ini, NULL);
    longest[SECRET_MAX - 1] = '\0';
    assert_true(opens(place, longest));
    longest[SECRET_MAX - 1] = 'x';
    config_fini(&place->config);
    write_file(place->secret, bytes_at(longest, SECRET_MAX));
    assert_false(load(place, ini, NULL));

    unlink(place->secret);
    assert_false(load(place, ini, NULL));
    assert_non_null(strstr(text_string(&place->errors), "relay.ini:3: [upstream] masterauth-file"));
    assert_non_null(strstr(text_string(&place->errors), "No such file or directory"));
}

/* A real directory, one that can be made, and those that cannot. */
PLACE_TEST(probes)
{
    struct place *place = *state;
    char ini[512];
    char override[256];
    struct text errors;
    text_init(&errors, 4096);
    snprintf(ini, sizeof(ini), PRIMARY "[relay]\ndata-dir = %s\n", place->directory);

    assert_loads(place, ini, NULL);
    assert_true(config_probe(&place->config, &errors));
    config_fini(&place->config);

    snprintf(override, sizeof(override), "relay.data-dir=%s/data/", place->directory);
    assert_loads(place, ini, override);
    assert_true(config_probe(&place->config, &errors));
    assert_int_equal(access(place->config.store.data_dir, F_OK), -1);
    config_fini(&place->config);

    snprintf(override, sizeof(override), "relay.data-dir=%s/none/data", place->directory);
    assert_loads(place, ini, override);
    assert_false(config_probe(&place->config, &errors));
    assert_non_null(strstr(text_string(&errors), "No such file or directory"));
    config_fini(&place->config);

    text_clear(&errors);
    snprintf(override, sizeof(override), "relay.data-dir=%s", place->ini);
    assert_loads(place, ini, override);
    assert_false(config_probe(&place->config, &errors));
    config_fini(&place->config);

    text_clear(&errors);
    snprintf(override, sizeof(override), "relay.log-file=%s", place->directory);
    assert_loads(place, ini, override);
    assert_false(config_probe(&place->config, &errors));
    assert_non_null(strstr(text_string(&errors), "Is a directory"));
    config_fini(&place->config);
    text_fini(&errors);
}

/* What --print-config prints is an ini that means the same, but for the secrets. */
PLACE_TEST(printing_and_reading_again)
{
    struct place *place = *state;
    struct text first;
    struct text second;
    text_init(&first, 64 * 1024);
    text_init(&second, 64 * 1024);
    assert_loads(place,
                 PRIMARY "masterauth = geheim\nrepl-timeout = 1500ms\nack = replicas 2\n"
                         "sentinel = mymaster s1:1 [::1]:2\nsentinel-pass = geheim\n"
                         "[store]\nsegment-size = 100k\n[relay]\nlog-file = a b;c#d\n",
                 NULL);
    config_format(&place->config, &first);
    config_fini(&place->config);
    assert_null(strstr(text_string(&first), "geheim"));
    assert_non_null(strstr(text_string(&first), "\nmasterauth = ***\n"));
    assert_non_null(strstr(text_string(&first), "\nsentinel-pass = ***\n"));
    assert_non_null(strstr(text_string(&first), "\nsentinel = mymaster s1:1 [::1]:2\n"));
    assert_non_null(strstr(text_string(&first), "\nack = replicas 2\n"));
    assert_non_null(strstr(text_string(&first), "\nrepl-timeout = 1500ms\n"));
    assert_non_null(strstr(text_string(&first), "\nsegment-size = 100000\n"));
    assert_non_null(strstr(text_string(&first), "\nlog-file = a b;c#d\n"));
    assert_non_null(strstr(text_string(&first), "\n\n[store]\n"));

    assert_loads(place, text_string(&first), NULL);
    config_format(&place->config, &second);
    config_fini(&place->config);
    assert_string_equal(text_string(&second), text_string(&first));
    text_fini(&first);
    text_fini(&second);
}

static void gather(const char *name, const char *value, void *arg)
{
    text_format(arg, "%s=%s\n", name, value);
}

PLACE_TEST(settings_for_config_get)
{
    struct place *place = *state;
    struct text all;
    text_init(&all, 64 * 1024);
    assert_loads(place, PRIMARY "masterauth = geheim\n", NULL);
    config_each(&place->config, gather, &all);
    config_fini(&place->config);
    assert_null(strstr(text_string(&all), "geheim"));
    assert_non_null(strstr(text_string(&all), "\nmasterauth=\n"));
    assert_non_null(strstr(text_string(&all), "\nreplicaof=10.0.0.1 6379\n"));
    assert_non_null(strstr(text_string(&all), "\nupstream.repl-timeout=60\n"));
    assert_non_null(strstr(text_string(&all), "\nrepl-timeout=60\n"));
    assert_non_null(strstr(text_string(&all), "\nport=6380\n"));
    assert_non_null(strstr(text_string(&all), "\nhttp.port="));
    assert_non_null(strstr(text_string(&all), "\nrepl-backlog-size=1073741824\n"));
    text_fini(&all);
}

/* The ini that we ship: as it is (everything is commented out), and with every line switched on. */
PLACE_TEST(the_shipped_ini)
{
    struct place *place = *state;
    char text[64 * 1024];
    FILE *file = fopen("etc/psync-relay.ini", "re");
    if (file == NULL)
        fail_msg("expected etc/psync-relay.ini: run this from the top of the tree");
    size_t length = fread(text, 1, sizeof(text) - 1, file);
    text[length] = '\0';
    fclose(file);
    assert_loads(place, text, "upstream.replicaof=10.0.0.1 6379");

    struct text by_default;
    struct text switched_on;
    text_init(&by_default, 64 * 1024);
    text_init(&switched_on, 64 * 1024);
    config_format(&place->config, &by_default);
    config_fini(&place->config);

    for (char *next = text; (next = strstr(next, "\n;")) != NULL;)
        next[1] = ' ';
    assert_loads(place, text, "upstream.replicaof=10.0.0.1 6379");
    config_format(&place->config, &switched_on);
    config_fini(&place->config);
    assert_string_equal(text_string(&switched_on), text_string(&by_default));
    text_fini(&by_default);
    text_fini(&switched_on);
}
