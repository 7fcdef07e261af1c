/* SPDX-License-Identifier: MIT
 *
 * The settings of TLS. What their values do is tested where they are used. */
#include "test.h"

#include "relay/config/config.h"

enum { OVERRIDES_MAX = 8, ERRORS_LENGTH_MAX = 4096 };

#define PRIMARY "upstream.replicaof=10.0.0.1 6379"

/* Overrides, and what they lead to: errors, or NULL. */
struct attempt {
    const char *overrides[OVERRIDES_MAX];
    const char *error;
};

static bool load(struct config *config, const struct attempt *attempt, struct text *errors)
{
    size_t count = 0;
    while (count < OVERRIDES_MAX && attempt->overrides[count] != NULL)
        count++;
    text_init(errors, ERRORS_LENGTH_MAX);
    return config_load(config, NULL, attempt->overrides, count, errors);
}

TEST(both_sides_are_plain_by_default)
{
    struct config config;
    struct text errors;
    assert_true(load(&config, &(struct attempt){.overrides = {PRIMARY}}, &errors));
    assert_int_equal(config.upstream_has_tls, CONFIG_NO);
    assert_int_equal(config.downstream.tls_port, 0);
    assert_false(config.downstream.without_plain);
    assert_int_equal(config.downstream_tls.auth_clients, TLS_AUTH_YES);
    assert_string_equal(config.upstream_tls.protocols, "TLSv1.2 TLSv1.3");
    assert_string_equal(config.downstream_tls.protocols, "TLSv1.2 TLSv1.3");
    assert_string_equal(config.upstream_tls.ca_file, "");
    config_fini(&config);
}

TEST(each_side_has_its_own)
{
    const struct attempt attempt = {
        .overrides = {PRIMARY, "upstream.tls=yes", "upstream.tls-cert-file=up.crt",
                      "upstream.tls-server-name=primary.test", "downstream.tls-port=6391",
                      "downstream.port=0", "downstream.tls-cert-file=down.crt",
                      "downstream.tls-auth-clients=optional"},
    };
    struct config config;
    struct text errors;
    assert_true(load(&config, &attempt, &errors));
    assert_int_equal(config.upstream_has_tls, CONFIG_YES);
    assert_string_equal(config.upstream_tls.cert_file, "up.crt");
    assert_string_equal(config.upstream_tls.server_name, "primary.test");
    assert_string_equal(config.downstream_tls.cert_file, "down.crt");
    assert_int_equal(config.downstream_tls.auth_clients, TLS_AUTH_OPTIONAL);
    assert_int_equal(config.downstream.tls_port, 6391);
    assert_true(config.downstream.without_plain);
    config_fini(&config);
}

TEST(what_cannot_be_is_refused)
{
    static const struct attempt attempts[] = {
        {{PRIMARY, "downstream.port=0"},
         "--set downstream.port: [downstream] port = 0: neither port nor tls-port is set, so "
         "nothing could connect\n"},
        {{PRIMARY, "downstream.tls-port=6380"},
         "--set downstream.tls-port: [downstream] tls-port = 6380: must differ from port\n"},
        {{PRIMARY, "upstream.tls=maybe"},
         "--set upstream.tls: [upstream] tls = maybe: expected one of: yes, no\n"},
        {{PRIMARY, "downstream.tls-auth-clients=some"},
         "--set downstream.tls-auth-clients: [downstream] tls-auth-clients = some: expected one "
         "of: yes, no, optional\n"},
        {{PRIMARY, "upstream.tls-auth-clients=no"},
         "--set upstream.tls-auth-clients: [upstream] tls-auth-clients: unknown setting; it "
         "belongs in [downstream]\n"},
    };
    for (size_t i = 0; i < LENGTH_OF(attempts); i++) {
        struct config config;
        struct text errors;
        assert_false(load(&config, &attempts[i], &errors));
        assert_string_equal(text_string(&errors), attempts[i].error);
        text_fini(&errors);
    }
}

static void tell(const struct config_difference *difference, void *arg)
{
    (void)arg;
    assert_true(difference->is_live);
}

/* What was there is freed, what is refused leaves it. */
TEST(files_and_words_may_be_set_while_it_runs)
{
    static const struct {
        const char *name;
        const char *value;
        bool is_good;
    } rows[] = {
        {"tls-cert-file", "/a/new.crt", true},
        {"TLS-KEY-FILE", "", true},
        {"upstream.tls-cert-file", "/a/link.crt", true},
        {"tls-server-name", "primary", true},
        {"tls-server-name", "two words", false},
        {"tls-ca-cert-file", "a\tb\nc", false},
        {"tls-auth-clients", "optional", true},
        {"tls-auth-clients", "perhaps", false},
        {"tls-port", "6390", false},
        {"tls", "yes", false},
        {"sentinel-tls", "yes", false},
    };
    const struct config_watcher watcher = {.tell = tell};
    struct config config;
    struct text errors;
    assert_true(load(&config, &(struct attempt){.overrides = {PRIMARY}}, &errors));
    assert_true(config.downstream.tls_knows_callers);
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        text_clear(&errors);
        const struct setting_pair pair = {rows[i].name, rows[i].value};
        assert_int_equal(config_set(&config, &pair, 1, &watcher, &errors), rows[i].is_good);
        assert_int_equal(errors.length == 0, rows[i].is_good);
    }
    assert_string_equal(config.downstream_tls.cert_file, "/a/new.crt");
    assert_string_equal(config.downstream_tls.key_file, "");
    assert_string_equal(config.downstream_tls.ca_file, "");
    assert_string_equal(config.upstream_tls.cert_file, "/a/link.crt");
    assert_string_equal(config.upstream_tls.server_name, "primary");
    assert_int_equal(config.downstream_tls.auth_clients, TLS_AUTH_OPTIONAL);
    assert_false(config.downstream.tls_knows_callers);
    text_fini(&errors);
    config_fini(&config);
}
