/* SPDX-License-Identifier: MIT
 *
 * What the tests of the commands share: a room between fake components, a client that speaks to it,
 * and a look at whether a reply is one whole value of the protocol.
 */
#ifndef TESTS_UNIT_COMMANDS_TEST_H
#define TESTS_UNIT_COMMANDS_TEST_H

#include <strings.h>

#include "fake_clock.h"
#include "fake_components.h"
#include "fake_loop.h"
#include "relay/commands/commands.h"
#include "relay/commands/users.h"
#include "relay/net/tls_certificates.h"
#include "test.h"
#include "value_length.h"

static struct commands *room;
static struct client *caller;
static struct loop *loop;
static struct users users;
static unsigned shutdowns, settings_calls;
static int64_t settings_take_ms; /* so long the settings take to be told */

/* What the doors were asked for. */
static char followed[400]; /* "host port", or "" */
static bool may_follow;
static char settings_set[400];                /* "name=value;" each */
static enum commands_rewrite rewrite_outcome; /* of the next */
static unsigned rewrites_begun;
static bool watches_acknowledged;
static unsigned watch_changes;
static struct tls_certificates certificates;

static inline void count_shutdown(void *arg)
{
    assert_non_null(arg);
    shutdowns++;
}

static inline void tell_settings(commands_setting_fn *fn, void *fn_arg, void *arg)
{
    assert_non_null(arg);
    fake_clock_advance(settings_take_ms);
    fn("port", "6380", fn_arg);
    fn("repl-timeout", "60", fn_arg);
    fn("requirepass", "", fn_arg);
    fn("upstream.repl-timeout", "61", fn_arg);
    fn("maxmemory", "7", fn_arg); /* ours is told instead of the constant */
}

static inline bool follow(const char *host, uint16_t port, struct text *why, void *arg)
{
    assert_non_null(arg);
    if (may_follow)
        snprintf(followed, sizeof(followed), "%s %u", host, port);
    else
        text_append_string(why, "ERR that is ourselves");
    return may_follow;
}

/* "repl-timeout" and "port" may be set to anything but "bad". */
static inline bool set_settings(const struct setting_pair *pairs, size_t count, struct text *why,
                                void *arg)
{
    assert_non_null(arg);
    for (size_t i = 0; i < count && why->length == 0; i++) {
        const char *name = pairs[i].name;
        if (strcasecmp(name, "repl-timeout") != 0 && strcasecmp(name, "port") != 0)
            text_format(why, "ERR Unknown option or number of arguments for CONFIG SET - '%s'",
                        name);
        else if (strcmp(pairs[i].value, "bad") == 0)
            text_format(why, "ERR CONFIG SET failed (possibly related to argument '%s') - bad",
                        name);
    }
    size_t length = strlen(settings_set);
    for (size_t i = 0; i < count && why->length == 0; i++)
        length += (size_t)snprintf(settings_set + length, sizeof(settings_set) - length, "%s=%s;",
                                   pairs[i].name, pairs[i].value);
    settings_calls++;
    return why->length == 0;
}

static inline enum commands_rewrite rewrite(bool may_begin, struct text *why, void *arg)
{
    assert_non_null(arg);
    if (rewrite_outcome == COMMANDS_REWRITE_REFUSED)
        text_append_string(why, "ERR The server is running without a config file");
    if (rewrite_outcome == COMMANDS_REWRITE_BEGUN && !may_begin)
        return COMMANDS_REWRITE_NEEDED;
    rewrites_begun += rewrite_outcome == COMMANDS_REWRITE_BEGUN;
    return rewrite_outcome;
}

static inline void watch_acknowledged(bool watch, void *arg)
{
    assert_non_null(arg);
    assert_int_not_equal(watch, watches_acknowledged);
    watches_acknowledged = watch;
    watch_changes++;
}

/* Password NULL: none is needed. */
static inline void add_user(const char *name, enum user_role role, const char *password)
{
    struct user user = {.role = role, .needs_none = password == NULL};
    snprintf(user.name, sizeof(user.name), "%s", name);
    user.password = digest_of(bytes_of(password != NULL ? password : ""));
    assert_true(users_add(&users, &user));
}

/* With the user `default`: its password, "" for one that needs none, NULL for no such user. */
static inline void open_room(const char *password, const char *config_file)
{
    users_init(&users);
    if (password != NULL)
        add_user(USER_DEFAULT, ROLE_ADMIN, password[0] != '\0' ? password : NULL);
    fake_components_reset();
    shutdowns = settings_calls = 0;
    settings_take_ms = 0;
    followed[0] = '\0';
    may_follow = true;
    settings_set[0] = '\0';
    rewrite_outcome = COMMANDS_REWRITE_NOT_NEEDED;
    rewrites_begun = 0;
    watches_acknowledged = false;
    watch_changes = 0;
    certificates.count = 0;
    const struct commands_options options = {.users = &users,
                                             .config_file = config_file,
                                             .backlog_bytes = 1048576,
                                             .clients_max = 10000};
    const struct commands_callbacks callbacks = {.shut_down = count_shutdown,
                                                 .follow = follow,
                                                 .set = set_settings,
                                                 .rewrite = rewrite,
                                                 .watch_acknowledged = watch_acknowledged,
                                                 .each_setting = tell_settings,
                                                 .certificates = &certificates,
                                                 .arg = &room};
    loop = loop_new(&(struct error){0});
    room = commands_open(loop, fake_store(), fake_link(), fake_downstream(), &options, &callbacks);
    assert_non_null(room);
    caller = fake_client(7, "192.0.2.7:50000");
}

static inline void close_room(void)
{
    commands_close(&room);
    assert_null(room);
    assert_false(watches_acknowledged);
    loop_free(&loop);
    users_fini(&users);
    fake_components_reset();
}

static inline int set_up(void **state)
{
    (void)state;
    open_room("", "");
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    close_room();
    return 0;
}

#define COMMAND_TEST(name) TEST_SETUP(name, set_up, tear_down)

static inline struct bytes say_as(struct client *client, const char *line)
{
    return fake_client_says(client, commands_on_command, room, line);
}

static inline struct bytes say(const char *line)
{
    return say_as(caller, line);
}

/* The reply to `line` is exactly this. */
static inline void expect(const char *line, const char *reply)
{
    struct bytes got = say(line);
    if (!bytes_equal(got, bytes_of(reply)))
        fail_msg("%s: got \"%.*s\", expected \"%s\"", line, (int)got.length, (const char *)got.data,
                 reply);
}

static inline bool contains(struct bytes text, const char *part)
{
    return memmem(text.data, text.length, part, strlen(part)) != NULL;
}

/* Outside of its own commands the client has been sent exactly this, since the last time. */
static inline void expect_heard(struct client *client, const char *expected)
{
    assert_view(fake_client_heard(client), expected);
}

static inline void expect_part(const char *line, const char *part)
{
    struct bytes got = say(line);
    if (!contains(got, part))
        fail_msg("%s: got \"%.*s\", expected it to contain \"%s\"", line, (int)got.length,
                 (const char *)got.data, part);
}

#endif
