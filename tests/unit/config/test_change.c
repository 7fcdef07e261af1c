/* SPDX-License-Identifier: MIT
 *
 * Settings that change while the relay runs: set, or taken over from an ini that has changed.
 */
#include <unistd.h>

#include "relay/config/config.h"
#include "test.h"

static char directory[64];
static char ini[96];
static struct config config;
static struct text why;
static char
    told[2000]; /* of the differences, "section.key:before>after[!];" each; "!": needs a restart */

#define PRIMARY "[upstream]\nreplicaof = 10.0.0.1 6379\n"

static void write_ini(const char *content)
{
    FILE *file = fopen(ini, "we");
    CHECK(file != NULL && fputs(content, file) >= 0 && fclose(file) == 0);
}

static void load(const char *content, const char *const *overrides, size_t count)
{
    write_ini(content);
    if (!config_load(&config, ini, overrides, count, &why))
        fail_msg("%s", text_string(&why));
}

static void tell(const struct config_difference *difference, void *arg)
{
    assert_ptr_equal(arg, told);
    size_t length = strlen(told);
    snprintf(told + length, sizeof(told) - length, "%s.%s:%s>%s%s;", difference->section,
             difference->key, difference->before, difference->after,
             difference->is_live ? "" : "!");
}

static bool may_be = true;

static bool may(const struct config *wanted, struct text *reason, void *arg)
{
    assert_ptr_equal(arg, told);
    assert_ptr_not_equal(wanted, &config);
    if (!may_be)
        text_append_string(reason, "it may not be");
    return may_be;
}

static const struct config_watcher watcher = {.tell = tell, .may = may, .arg = told};

static bool set_pairs(const struct setting_pair *pairs, size_t count)
{
    text_clear(&why);
    told[0] = '\0';
    return config_set(&config, pairs, count, &watcher, &why);
}

static bool set(const char *name, const char *value)
{
    const struct setting_pair pair = {name, value};
    return set_pairs(&pair, 1);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/psync-relay-change-XXXXXX");
    CHECK(mkdtemp(directory) != NULL);
    snprintf(ini, sizeof(ini), "%s/relay.ini", directory);
    text_init(&why, 4096);
    told[0] = '\0';
    log_set_level(LOG_LEVEL_ERROR);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    text_fini(&why);
    unlink(ini);
    return rmdir(directory); /* nothing is left beside it */
}

#define CHANGE_TEST(name) TEST_SETUP(name, set_up, tear_down)

/* Asked last, and shown what is wanted; if not, all is as it was. */
CHANGE_TEST(the_outside_has_the_last_word)
{
    load(PRIMARY "[downstream]\ntls-cert-file = old.crt\n", NULL, 0);
    may_be = false;
    const struct setting_pair pairs[] = {{"tls-cert-file", "new.crt"}, {"tls-auth-clients", "no"}};
    assert_false(set_pairs(pairs, LENGTH_OF(pairs)));
    assert_string_equal(text_string(&why), "it may not be");
    assert_string_equal(told, "");
    assert_string_equal(config.downstream_tls.cert_file, "old.crt");
    assert_true(config.downstream.tls_knows_callers);
    assert_false(set("tls-auth-clients", "perhaps")); /* it is not asked */
    assert_null(strstr(text_string(&why), "it may not be"));
    may_be = true;
    assert_true(set_pairs(pairs, LENGTH_OF(pairs)));
    assert_string_equal(config.downstream_tls.cert_file, "new.crt");
    assert_false(config.downstream.tls_knows_callers);
    assert_string_equal(told, "downstream.tls-cert-file:old.crt>new.crt;"
                              "downstream.tls-auth-clients:yes>no;");
    config_fini(&config);
}

CHANGE_TEST(one_is_set_or_refused_in_redis_servers_words)
{
    static const struct {
        const char *name;
        const char *value;
        const char *error; /* NULL: none */
    } rows[] = {
        {"ack", "replicas 3", NULL},
        {"ACK", "durable", NULL},
        {"ack", "replicas",
         "ERR CONFIG SET failed (possibly related to argument 'ack') - expected one of: received, "
         "durable, all, replicas N (from 1 to 1000)"},
        {"port", "7000",
         "ERR CONFIG SET failed (possibly related to argument 'port') - can't set immutable "
         "config"},
        {"data-dir", "/x",
         "ERR CONFIG SET failed (possibly related to argument 'data-dir') - can't set immutable "
         "config"},
        {"fsync", "no",
         "ERR CONFIG SET failed (possibly related to argument 'ack') - requires fsync = everysec "
         "or fsync = always; that is durable: set both in one CONFIG SET"},
        {"fsync", "always", NULL},
        {"repl-backlog-size", "8gb",
         "ERR CONFIG SET failed (possibly related to argument 'repl-backlog-max-size') - must be "
         "at least repl-backlog-size; that is 4gb: set both in one CONFIG SET"},
        {"repl-backlog-size", "1mb",
         "ERR CONFIG SET failed (possibly related to argument 'segment-size') - must be at most "
         "repl-backlog-size, preferably a tenth of it; that is 64mb: set both in one CONFIG SET"},
        {"segment-size", "2gb",
         "ERR CONFIG SET failed (possibly related to argument 'segment-size') - must be at most "
         "repl-backlog-size, preferably a tenth of it"},
        {"segment-size", "32mb", NULL},
        {"maxclients", "0",
         "ERR CONFIG SET failed (possibly related to argument 'maxclients') - expected a number "
         "from 1 to 1000000"},
        {"upstream.ack", "all",
         "ERR Unknown option or number of arguments for CONFIG SET - 'upstream.ack'"},
        {"", "", "ERR Unknown option or number of arguments for CONFIG SET - ''"},
    };
    load(PRIMARY, NULL, 0);
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        bool changed = set(rows[i].name, rows[i].value);
        assert_string_equal(text_string(&why), rows[i].error == NULL ? "" : rows[i].error);
        assert_int_equal(changed, rows[i].error == NULL);
        assert_int_equal(told[0] != '\0', changed);
    }
    assert_int_equal(config.upstream.ack.policy,
                     ACK_DURABLE); /* what was refused changed nothing */
    assert_int_equal(config.store.fsync, STORE_FSYNC_ALWAYS);
    assert_int_equal(config.store.window_bytes, 1 << 30);
    config_fini(&config);
}

CHANGE_TEST(what_may_change_reaches_the_options_of_the_components)
{
    const struct setting_pair pairs[] = {
        {"log-level", "debug"},
        {"log-format", "json"},
        {"upstream.repl-timeout", "7"},
        {"repl-timeout", "8"},
        {"timeout", "9"},
        {"tcp-keepalive", "10"},
        {"maxclients", "11"},
        {"repl-backlog-size", "128mb"},
        {"snapshot", "on-demand"},
        {"repl-backlog-max-size", "256mb"},
        {"snapshot-min-interval", "1m"},
        {"fsync", "no"},
        {"ack", "replicas 2"},
    };
    load(PRIMARY, NULL, 0);
    assert_true(set_pairs(pairs, LENGTH_OF(pairs)));
    assert_int_equal(config.log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(config.log_format, LOG_FORMAT_JSON);
    assert_int_equal(config.upstream.timeout_ms, 7000);
    assert_int_equal(config.downstream.replica_timeout_ms, 8000);
    assert_int_equal(config.downstream.client_timeout_ms, 9000);
    assert_int_equal(config.downstream.keepalive_s, 10);
    assert_int_equal(config.downstream.clients_max, 11);
    assert_int_equal(config.commands.clients_max, 11);
    assert_int_equal(config.store.window_bytes, 128 << 20);
    assert_int_equal(config.commands.backlog_bytes, 128 << 20);
    assert_int_equal(config.store.window_bytes_max, 256 << 20);
    assert_false(config.upstream.snapshot_always_ready);
    assert_int_equal(config.upstream.refresh_pause_ms, 60000);
    assert_int_equal(config.store.fsync, STORE_FSYNC_NO);
    assert_int_equal(config.upstream.ack.replicas, 2);
    config_fini(&config);
}

/* Each alone would be refused: the sizes fit only together, in whatever order. */
CHANGE_TEST(several_are_looked_at_together)
{
    load(PRIMARY, NULL, 0);
    const struct setting_pair grown[] = {{"repl-backlog-size", "8gb"},
                                         {"repl-backlog-max-size", "9gb"}};
    assert_true(set_pairs(grown, 2));
    assert_string_equal(told, "store.repl-backlog-size:1gb>8gb;"
                              "store.repl-backlog-max-size:4gb>9gb;");
    const struct setting_pair shrunk[] = {{"repl-backlog-max-size", "2gb"},
                                          {"repl-backlog-size", "1gb"}};
    assert_true(set_pairs(shrunk, 2));
    const struct setting_pair half[] = {{"timeout", "5"}, {"fsync", "perhaps"}};
    assert_false(set_pairs(half, 2));
    assert_int_equal(config.downstream.client_timeout_ms, 0);
    assert_string_equal(told, "");
    assert_true(set("timeout", "0")); /* it is that already: no difference is told */
    assert_string_equal(told, "");
    config_fini(&config);
}

CHANGE_TEST(more_clients_than_the_system_allows_are_refused)
{
    load(PRIMARY, NULL, 0);
    assert_true(set("maxclients", "50"));
    /* Linux' fs.nr_open is far below, also for root. */
    bool set_million = set("maxclients", "1000000");
    if (!set_million)
        assert_non_null(strstr(text_string(&why),
                               "ERR CONFIG SET failed (possibly related to argument 'maxclients') "
                               "- The operating system is not able to handle the specified number "
                               "of clients, try with "));
    assert_int_equal(config.downstream.clients_max, set_million ? 1000000 : 50);
    config_fini(&config);
}

static bool load_again(const char *content, struct config *fresh)
{
    write_ini(content);
    text_clear(&why);
    told[0] = '\0';
    return config_load_again(&config, fresh, NULL, &why);
}

CHANGE_TEST(an_ini_that_has_changed_is_taken_over_as_far_as_may_be)
{
    const char *override = "store.fsync=always";
    struct config fresh;
    load(PRIMARY "masterauth = old\n[downstream]\nport = 7000\ntimeout = 5\n", &override, 1);
    assert_true(set("maxclients", "77")); /* not in the ini: forgotten when it is read again */
    assert_true(load_again("[upstream]\nreplicaof = 10.0.0.2 6379\nmasterauth = new\n[downstream]\n"
                           "port = 7001\ntimeout = 6\n[store]\nfsync = no\n",
                           &fresh));
    assert_true(config_adopt(&config, &fresh, &watcher, &why));
    char expected[256];
    snprintf(expected, sizeof(expected), "downstream.maxclients:77>%u;downstream.timeout:5>6;",
             fresh.downstream.clients_max);
    assert_string_equal(told, expected);
    assert_int_equal(config.downstream.client_timeout_ms, 6000);
    assert_int_equal(config.store.fsync, STORE_FSYNC_ALWAYS); /* --set still goes over it */
    assert_int_equal(config.downstream.port, 7000);
    assert_string_equal(config.masterauth, "old");
    told[0] = '\0';
    config_compare(&config, &fresh, tell, told);
    assert_string_equal(told, "upstream.replicaof:10.0.0.1 6379>10.0.0.2 6379!;"
                              "upstream.masterauth:***>***!;downstream.port:7000>7001!;");
    config_fini(&fresh);

    assert_false(
        load_again(PRIMARY "[store]\nfsync = perhaps\n[downstream]\ntimeout = 9\n", &fresh));
    assert_non_null(strstr(text_string(&why), "fsync = perhaps"));
    assert_int_equal(config.downstream.client_timeout_ms, 6000);
    config_fini(&config);
}

CHANGE_TEST(sizes_of_an_ini_that_go_together_are_taken_over_together)
{
    struct config fresh;
    load(PRIMARY, NULL, 0);
    assert_true(load_again(PRIMARY "[store]\nrepl-backlog-size = 1mb\nsegment-size = 64kb\n"
                                   "repl-backlog-max-size = 2mb\n"
                                   "[downstream]\ntimeout = 9\n",
                           &fresh));
    assert_true(config_adopt(&config, &fresh, &watcher, &why));
    assert_non_null(strstr(told, "segment-size"));
    assert_int_equal(config.store.segment_bytes, 64 * 1024);
    assert_int_equal(config.store.window_bytes, 1024 * 1024);
    assert_int_equal(config.downstream.client_timeout_ms, 9000);
    config_fini(&fresh);
    config_fini(&config);
}
