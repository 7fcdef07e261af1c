/* SPDX-License-Identifier: MIT */
#include "test.h"

#include "relay/commands/users.h"

static struct users users;

static bool add(const char *name, enum user_role role, const char *password)
{
    struct user user = {.role = role, .needs_none = password == NULL};
    snprintf(user.name, sizeof(user.name), "%s", name);
    user.password = digest_of(bytes_of(password != NULL ? password : ""));
    return users_add(&users, &user);
}

/* The name of who gets in, or "". */
static const char *judge(const char *name, const char *password)
{
    const struct user *user = users_judge(&users, bytes_of(name), bytes_of(password));
    return user != NULL ? user->name : "";
}

static int set_up(void **state)
{
    (void)state;
    users_init(&users);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    users_fini(&users);
    assert_int_equal(users.count, 0);
    return 0;
}

#define USERS_TEST(name) TEST_SETUP(name, set_up, tear_down)

USERS_TEST(an_empty_table_lets_nobody_in)
{
    assert_string_equal(judge("default", ""), "");
    assert_string_equal(judge("", ""), "");
    assert_int_equal(users.open_role, ROLE_NONE);
}

USERS_TEST(name_and_password_must_both_be_right)
{
    assert_true(add("alice", ROLE_REPLICA, "secret"));
    assert_true(add("bob", ROLE_MONITOR, "Secret"));
    assert_string_equal(judge("alice", "secret"), "alice");
    assert_string_equal(judge("bob", "Secret"), "bob");
    static const char *const wrong[][2] = {
        {"alice", "Secret"}, {"bob", "secret"},    {"Alice", "secret"},   {"alice", "secre"},
        {"alice", ""},       {"alice", "secrets"}, {"default", "secret"}, {"", "secret"},
    };
    for (size_t i = 0; i < LENGTH_OF(wrong); i++)
        assert_string_equal(judge(wrong[i][0], wrong[i][1]), "");
    assert_null(users_judge(&users, LITERAL("alice"), LITERAL("secret\0")));
    assert_null(users_judge(&users, LITERAL("alice\0"), LITERAL("secret")));
    assert_int_equal(users.open_role, ROLE_NONE);
}

USERS_TEST(a_name_is_there_once)
{
    assert_true(add("alice", ROLE_REPLICA, "one"));
    assert_false(add("alice", ROLE_ADMIN, "two"));
    assert_string_equal(judge("alice", "two"), "");
    assert_int_equal(users_find(&users, bytes_of("alice"))->role, ROLE_REPLICA);
    assert_null(users_find(&users, bytes_of("bob")));
}

USERS_TEST(the_table_has_an_end)
{
    char name[USER_NAME_MAX];
    for (int i = 0; i < USERS_MAX; i++) {
        snprintf(name, sizeof(name), "u%d", i);
        assert_true(add(name, ROLE_MONITOR, name));
    }
    assert_false(add("more", ROLE_MONITOR, "more"));
    assert_string_equal(judge("u0", "u0"), "u0");
    assert_string_equal(judge("u999", "u999"), "u999");
}

/* docs/protocol.md 5.3: a masterauth, and a masteruser, are welcome where nobody needs one. */
USERS_TEST(alone_and_without_password_default_is_everybody)
{
    assert_true(add("default", ROLE_ADMIN, NULL));
    assert_int_equal(users.open_role, ROLE_ADMIN);
    assert_string_equal(judge("default", "x"), "default");
    assert_string_equal(judge("masteruser", "x"), "default");
    assert_true(add("alice", ROLE_REPLICA, "secret"));
    assert_string_equal(judge("masteruser", "x"), "");
    assert_string_equal(judge("default", "x"), "default");
    assert_string_equal(judge("alice", "x"), "");
    assert_string_equal(judge("alice", "secret"), "alice");
}

USERS_TEST(another_without_password_opens_nothing_to_strangers)
{
    assert_true(add("guest", ROLE_MONITOR, NULL));
    assert_int_equal(users.open_role, ROLE_NONE);
    assert_string_equal(judge("guest", "whatever"), "guest");
    assert_string_equal(judge("default", "whatever"), "");
}

TEST(names_are_words)
{
    char long_name[USER_NAME_MAX + 1];
    memset(long_name, 'a', sizeof(long_name));
    assert_true(user_is_name(bytes_at(long_name, USER_NAME_MAX - 1)));
    assert_false(user_is_name(bytes_at(long_name, USER_NAME_MAX)));
    assert_false(user_is_name(bytes_of("")));
    for (int byte = 0; byte < 256; byte++) {
        uint8_t name[3] = {'a', (uint8_t)byte, 'b'};
        bool is_right = byte > ' ' && byte < 127 && strchr("=:;#[]", byte) == NULL;
        assert_int_equal(user_is_name(bytes_at(name, 3)), is_right);
    }
}

TEST(roles_have_names)
{
    for (enum user_role role = ROLE_REPLICA; role <= ROLE_ADMIN; role++) {
        enum user_role parsed = ROLE_NONE;
        assert_true(user_role_parse(bytes_of(user_role_name(role)), &parsed));
        assert_int_equal(parsed, role);
    }
    enum user_role role = ROLE_MONITOR;
    assert_false(user_role_parse(bytes_of("none"), &role));
    assert_false(user_role_parse(bytes_of("admins"), &role));
    assert_false(user_role_parse(bytes_of(""), &role));
    assert_int_equal(role, ROLE_MONITOR);
    assert_true(user_role_parse(bytes_of("ADMIN"), &role));
}

TEST(passwords_are_written_in_two_ways)
{
    struct digest clear;
    struct digest digits;
    assert_true(user_password_parse(bytes_of("abc"), &clear));
    assert_true(user_password_parse(bytes_of("sha256:ba7816bf8f01cfea414140de5dae2223"
                                             "b00361a396177a9cb410ff61f20015ad"),
                                    &digits));
    assert_true(digest_equal(&clear, &digits));
    assert_false(user_password_parse(bytes_of(""), &clear));
    assert_false(user_password_parse(bytes_of("sha256:"), &clear));
    assert_false(user_password_parse(bytes_of("sha256:ba78"), &clear));
    assert_true(digest_equal(&clear, &digits));
    assert_true(user_password_parse(bytes_of("SHA256:ba78"), &clear)); /* one in clear */
}
