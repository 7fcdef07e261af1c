/* SPDX-License-Identifier: MIT
 *
 * Which settings are secrets, where they were found, and who the relay is to be. */
#include "test.h"

#include <unistd.h>

#include "relay/config/config.h"

#define PRIMARY "upstream.replicaof=10.0.0.1 6379"

static struct config config;
static char errors_text[512];

static bool load(const char *file, const char *override, const char *more)
{
    const char *overrides[] = {PRIMARY, override, more};
    struct text errors;
    text_init(&errors, sizeof(errors_text));
    bool is_good = config_load(&config, file, overrides,
                               1 + (size_t)(override != NULL) + (size_t)(more != NULL), &errors);
    snprintf(errors_text, sizeof(errors_text), "%s", text_string(&errors));
    text_fini(&errors);
    return is_good;
}

TEST(overrides_that_are_secrets)
{
    static const struct {
        const char *override;
        bool is_secret;
    } rows[] = {
        {"downstream.requirepass=x", true},
        {"upstream.masterauth=", true},
        {"upstream.masterauth= x=y.z", true},
        {"upstream.sentinel-pass=x", true},
        {"users.alice=replica x", true},
        {"users.alice", false},
        {"downstream.requirepass-file=x", false},
        {"downstream.requirepas=x", false},
        {"downstream.port=1", false},
        {"requirepass=x", false},
        {"downstream.requirepass", false},
        {"", false},
        {".", false},
        {"=", false},
    };
    for (size_t i = 0; i < LENGTH_OF(rows); i++)
        assert_int_equal(config_override_is_secret(rows[i].override), rows[i].is_secret);
}

TEST(the_ini_has_secrets_only_if_they_stand_in_it)
{
    static const struct {
        const char *ini;
        const char *override;
        bool has;
    } rows[] = {
        {"[relay]\nthreads = 1\n", NULL, false},
        {"[downstream]\nrequirepass = x\n", NULL, true},
        {"[upstream]\nsentinel-pass = x\n", NULL, true},
        {"[relay]\nthreads = 1\n", "downstream.requirepass=x", false},
        {"[downstream]\nrequirepass = x\n", "upstream.masterauth=y", true},
        {"[users]\nu = admin x\n", NULL, true},
        {"[users]\nu = admin x\n", "users.u=admin y", false},
        {"[users]\nu = monitor nopass\n", NULL, false},
    };
    char path[] = "/tmp/psync-relay-ini-XXXXXX";
    int file = mkstemp(path);
    assert_int_not_equal(file, -1);
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        assert_int_equal(ftruncate(file, 0), 0);
        assert_int_equal(pwrite(file, rows[i].ini, strlen(rows[i].ini), 0), strlen(rows[i].ini));
        assert_true(load(path, rows[i].override, NULL));
        assert_int_equal(config.file_has_secrets, rows[i].has);
        config_fini(&config);
    }
    close(file);
    assert_int_equal(unlink(path), 0);
}

TEST(who_must_authenticate)
{
    assert_true(load(NULL, NULL, NULL));
    assert_false(config.downstream.must_authenticate);
    config_fini(&config);
    assert_true(load(NULL, "downstream.requirepass=x", NULL));
    assert_true(config.downstream.must_authenticate);
    config_fini(&config);
}

TEST(users_and_groups)
{
    assert_true(load(NULL, "relay.user=relay", "relay.group=backup"));
    assert_string_equal(config.user, "relay");
    assert_string_equal(config.group, "backup");
    assert_int_equal(config.set_dumpable, CONFIG_NO);
    config_fini(&config);
    assert_false(load(NULL, "relay.group=backup", NULL));
    assert_string_equal(errors_text,
                        "--set relay.group: [relay] group = backup: group requires user\n");
    assert_false(load(NULL, "relay.user=two words", NULL));
    assert_non_null(strstr(errors_text, "expected the name of a user or a group"));
}
