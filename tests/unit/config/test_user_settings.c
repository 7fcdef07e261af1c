/* SPDX-License-Identifier: MIT */
#include "ini_place.h"

#define USERS PRIMARY "[users]\n"
#define ABC "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void assert_loads(struct place *place, const char *ini, const char *override)
{
    if (!load(place, ini, override))
        fail_msg("expected no error, got: %s", text_string(&place->errors));
}

/* One error, behind the path of the ini. */
static void assert_refused(struct place *place, const char *ini, const char *expected)
{
    assert_false(load(place, ini, NULL));
    const char *error = text_string(&place->errors);
    size_t length = strlen(place->ini);
    assert_memory_equal(error, place->ini, length);
    assert_string_equal(error + length, expected);
}

static const struct user *judge(const struct place *place, const char *name, const char *password)
{
    return users_judge(&place->config.users, bytes_of(name), bytes_of(password));
}

static void assert_role(const struct place *place, const char *name, const char *password,
                        enum user_role role)
{
    const struct user *user = judge(place, name, password);
    if (user == NULL)
        fail_msg("%s does not get in with %s", name, password);
    assert_int_equal(user->role, role);
}

#define PLACE_TEST(name) TEST_SETUP(name, open_place, close_place)

PLACE_TEST(users_have_a_role_and_a_password)
{
    struct place *place = *state;
    char ini[512];
    write_file(place->secret, bytes_of("in a file\n"));
    snprintf(ini, sizeof(ini),
             USERS "alice = replica geheim ; # = x\nbob=Monitor\t" ABC "\ncarol = ADMIN  file:%s\n"
                   "guest = monitor nopass\n",
             place->secret);
    assert_loads(place, ini, NULL);
    assert_role(place, "alice", "geheim ; # = x", ROLE_REPLICA);
    assert_role(place, "bob", "abc", ROLE_MONITOR);
    assert_role(place, "carol", "in a file", ROLE_ADMIN);
    assert_role(place, "guest", "anything", ROLE_MONITOR);
    assert_null(judge(place, "bob", ABC));
    assert_null(judge(place, "carol", place->secret));
    /* There is no default user then, and so a password, and others are let in to give it. */
    assert_null(judge(place, "default", ""));
    assert_int_equal(place->config.users.open_role, ROLE_NONE);
    assert_false(place->config.downstream.local_only);
    config_fini(&place->config);
}

PLACE_TEST(a_digest_may_stand_in_a_file)
{
    struct place *place = *state;
    char ini[512];
    write_file(place->secret, bytes_of(ABC "\n"));
    snprintf(ini, sizeof(ini),
             PRIMARY "[downstream]\nrequirepass-file = %s\n[users]\nu = admin file:%s\n",
             place->secret, place->secret);
    assert_loads(place, ini, NULL);
    assert_role(place, "default", "abc", ROLE_ADMIN);
    assert_role(place, "u", "abc", ROLE_ADMIN);
    config_fini(&place->config);
    write_file(place->secret, bytes_of("sha256:beef\n"));
    assert_false(load(place, ini, NULL));
    assert_non_null(strstr(text_string(&place->errors), "[users] u: file:"));
    assert_non_null(strstr(text_string(&place->errors), "expected 64 hexadecimal digits"));
}

PLACE_TEST(requirepass_is_that_of_default)
{
    struct place *place = *state;
    assert_loads(place, PRIMARY "[downstream]\nrequirepass = " ABC "\n[users]\nu = replica x\n",
                 NULL);
    assert_role(place, "default", "abc", ROLE_ADMIN);
    assert_role(place, "u", "x", ROLE_REPLICA);
    assert_null(judge(place, "masteruser", "abc"));
    assert_string_equal(place->config.requirepass, "***");
    config_fini(&place->config);
    assert_refused(
        place, PRIMARY "[downstream]\nrequirepass = sha256:12\n",
        ":4: [downstream] requirepass = ***: expected 64 hexadecimal digits after sha256:\n");
    assert_refused(place, PRIMARY "[downstream]\nrequirepass = x\n[users]\ndefault = admin y\n",
                   ":4: [downstream] requirepass = ***: [users] also sets the password of the user "
                   "default; remove one of the two\n");
}

PLACE_TEST(default_may_be_anything)
{
    struct place *place = *state;
    assert_loads(place, USERS "default = monitor nopass\nu = admin x\n", NULL);
    assert_int_equal(place->config.users.open_role, ROLE_MONITOR);
    assert_true(place->config.downstream.local_only);
    config_fini(&place->config);
    assert_loads(place, USERS "default = replica x\n", NULL);
    assert_int_equal(place->config.users.open_role, ROLE_NONE);
    assert_role(place, "default", "x", ROLE_REPLICA);
    config_fini(&place->config);
}

PLACE_TEST(bad_users_are_told_without_their_passwords)
{
    static const struct {
        const char *line;
        const char *error;
    } rows[] = {
        {"alice = geheim",
         ":4: [users] alice: expected ROLE PASSWORD, with one of the roles replica, monitor, "
         "admin\n"},
        {"alice =",
         ":4: [users] alice: expected ROLE PASSWORD, with one of the roles replica, monitor, "
         "admin\n"},
        {"alice = replica", ":4: [users] alice: expected a password after the role: the password "
                            "itself, sha256:DIGITS, file:PATH or nopass\n"},
        {"alice = replica sha256:geheim",
         ":4: [users] alice: expected 64 hexadecimal digits after sha256:\n"},
        {"alice = replica file:", ":4: [users] alice: expected the path of a file after file:\n"},
        {"alice and bob = replica geheim",
         ":4: [users] alice and bob: expected a name of 1 to 63 printable characters, without "
         "blanks and = : ; # [ ]\n"},
        {"alice = replica a\nbob = replica b\nalice = monitor geheim",
         ":6: [users] alice: already set on line 4; remove one of the two\n"},
        {"alice = replica file:/nonexistent/geheim",
         ":4: [users] alice: file:/nonexistent/geheim: No such file or directory\n"},
    };
    struct place *place = *state;
    for (size_t i = 0; i < LENGTH_OF(rows); i++) {
        char ini[256];
        snprintf(ini, sizeof(ini), USERS "%s\n", rows[i].line);
        assert_refused(place, ini, rows[i].error);
    }
}

PLACE_TEST(overrides_replace_users)
{
    struct place *place = *state;
    assert_loads(place, USERS "alice = replica a\n", "users.alice=admin b c");
    assert_role(place, "alice", "b c", ROLE_ADMIN);
    assert_int_equal(place->config.users.count, 1);
    config_fini(&place->config);
    assert_loads(place, PRIMARY, "users.alice=admin b");
    assert_role(place, "alice", "b", ROLE_ADMIN);
    config_fini(&place->config);
    assert_false(load(place, PRIMARY, "users.alice=b"));
    assert_non_null(
        strstr(text_string(&place->errors), "--set users.alice: [users] alice: expected"));
}

PLACE_TEST(passwords_are_not_printed)
{
    struct place *place = *state;
    char ini[512];
    struct text out;
    text_init(&out, 64 * 1024);
    write_file(place->secret, bytes_of("geheim\n"));
    snprintf(ini, sizeof(ini),
             USERS "alice = replica geheim\nbob = monitor " ABC "\ncarol = admin file:%s\n"
                   "default = monitor nopass\n",
             place->secret);
    assert_loads(place, ini, NULL);
    config_format(&place->config, &out);
    assert_null(strstr(text_string(&out), "geheim"));
    assert_null(strstr(text_string(&out), "ba7816"));
    const char *printed = strstr(text_string(&out), "\n[users]\n");
    assert_non_null(printed);
    char expected[512];
    snprintf(expected, sizeof(expected),
             "\n[users]\nalice = replica ***\nbob = monitor ***\ncarol = admin file:%s\n"
             "default = monitor nopass\n",
             place->secret);
    assert_string_equal(printed, expected);
    text_fini(&out);
    config_fini(&place->config);
}

/* ---------------------------------------------------------------- reading again */

static bool reload(struct place *place)
{
    struct config fresh;
    text_clear(&place->errors);
    if (!config_load_again(&place->config, &fresh, NULL, &place->errors))
        return false;
    config_adopt_access(&place->config, &fresh);
    config_fini(&fresh);
    return true;
}

static void assert_reloads(struct place *place)
{
    if (!reload(place))
        fail_msg("expected no error, got: %s", text_string(&place->errors));
}

PLACE_TEST(access_is_read_again_and_nothing_else)
{
    struct place *place = *state;
    assert_loads(place,
                 PRIMARY "masterauth = old\n[users]\nalice = replica a\n[store]\nfsync = no\n",
                 "downstream.port=7000");
    write_file(place->ini, bytes_of("[upstream]\nreplicaof = 10.0.0.2 6379\nmasteruser = relay\n"
                                    "masterauth = new\n[users]\nbob = admin b\n[downstream]\n"
                                    "requirepass = sesame\n[store]\nfsync = always\n"));
    assert_reloads(place);
    assert_string_equal(place->config.upstream.password, "new");
    assert_string_equal(place->config.upstream.user, "relay");
    assert_role(place, "bob", "b", ROLE_ADMIN);
    assert_role(place, "default", "sesame", ROLE_ADMIN);
    assert_null(judge(place, "alice", "a"));
    assert_ptr_equal(place->config.commands.users, &place->config.users);
    assert_string_equal(place->config.upstream.primary.at[0].host, "10.0.0.1");
    assert_int_equal(place->config.store.fsync, STORE_FSYNC_NO);
    assert_int_equal(place->config.downstream.port, 7000);
    config_fini(&place->config);
}

PLACE_TEST(a_file_is_read_again)
{
    struct place *place = *state;
    char ini[512];
    snprintf(ini, sizeof(ini),
             PRIMARY "masterauth-file = %s\n[downstream]\nrequirepass-file = %s\n"
                     "[users]\nu = replica file:%s\n",
             place->secret, place->secret, place->secret);
    write_file(place->secret, bytes_of("one\n"));
    assert_loads(place, ini, NULL);
    write_file(place->secret, bytes_of("two\n"));
    assert_reloads(place);
    assert_string_equal(place->config.upstream.password, "two");
    assert_role(place, "default", "two", ROLE_ADMIN);
    assert_role(place, "u", "two", ROLE_REPLICA);
    assert_null(judge(place, "u", "one"));
    config_fini(&place->config);
}

PLACE_TEST(what_does_not_fit_changes_nothing)
{
    struct place *place = *state;
    static const char *const bad[] = {
        PRIMARY "masterauth = new\n[users]\nu = nonsense x\n",
        PRIMARY "masterauth = new\n[users]\nu = admin file:/nonexistent\n",
        PRIMARY "masterauth = new\n[users]\nu = admin new\n[store]\nfsync = maybe\n",
        "",
    };
    assert_loads(place, PRIMARY "masterauth = old\n[users]\nu = replica old\n", NULL);
    for (size_t i = 0; i < LENGTH_OF(bad); i++) {
        write_file(place->ini, bytes_of(bad[i]));
        assert_false(reload(place));
        assert_int_not_equal(place->errors.length, 0);
        assert_role(place, "u", "old", ROLE_REPLICA);
        assert_string_equal(place->config.upstream.password, "old");
    }
    unlink(place->ini);
    assert_false(reload(place));
    assert_role(place, "u", "old", ROLE_REPLICA);
    config_fini(&place->config);
}

PLACE_TEST(protected_mode_follows)
{
    struct place *place = *state;
    assert_loads(place, PRIMARY, NULL);
    assert_true(place->config.downstream.local_only);
    write_file(place->ini, bytes_of(USERS "u = replica x\n"));
    assert_reloads(place);
    assert_false(place->config.downstream.local_only);
    write_file(place->ini, bytes_of(PRIMARY));
    assert_reloads(place);
    assert_true(place->config.downstream.local_only);
    config_fini(&place->config);
}
