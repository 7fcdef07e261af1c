/* SPDX-License-Identifier: MIT */
#include "login.h"

#include <inttypes.h>
#include <stdio.h>

#include "client_state.h"
#include "command_table.h"
#include "names.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/net/loop.h"
#include "request.h"

enum { REPLY_MAX = 4096 };

static struct guess_key key_of(const struct client *client)
{
    return guess_key_of(client_peer(client));
}

/* ---------------------------------------------------------------- the answer */

static void reply_hello(struct request *request)
{
    struct writer *writer = request->writer;
    struct link_status upstream;
    link_status(request->commands->link, &upstream);
    bool is_valkey = upstream.valkey_version[0] != '\0';
    write_map(writer, 7);
    write_bulk_string(writer, "server");
    write_bulk_string(writer, is_valkey ? "valkey" : "redis");
    write_bulk_string(writer, "version");
    write_bulk_string(writer, is_valkey ? upstream.valkey_version : primary_version(&upstream));
    write_bulk_string(writer, "proto");
    write_integer(writer, request->session->protocol);
    write_bulk_string(writer, "id");
    write_integer(writer, (int64_t)client_id(request->client));
    write_bulk_string(writer, "mode");
    write_bulk_string(writer, "standalone");
    write_bulk_string(writer, "role");
    write_bulk_string(writer, "replica");
    write_bulk_string(writer, "modules");
    write_array(writer, 0);
}

static void greet(struct request *request, const struct login *login)
{
    if (login->has_name)
        copy_name(request->session->name, bytes_of(login->name));
    request->session->protocol = login->protocol;
    request->writer->protocol = login->protocol; /* this reply speaks it already */
    reply_hello(request);
}

static void deny(struct request *request)
{
    request->commands->logins.denied++;
    write_error(request->writer, "WRONGPASS invalid username-password pair or user is disabled.");
}

/* What was given before stays where a wrong password is given. */
static void finish(struct request *request, const struct login *login)
{
    struct commands *commands = request->commands;
    const struct user *user = users_find(commands->options.users, bytes_of(login->user));
    if (user == NULL) {
        deny(request);
        return;
    }
    login_throttle_pardon(&commands->logins.login_throttle, key_of(request->client));
    snprintf(request->session->user, sizeof(request->session->user), "%s", user->name);
    request->session->role = (int)user->role;
    if (login->is_hello)
        greet(request, login);
    else
        reply_ok(request);
}

/* ---------------------------------------------------------------- waiting */

static void leave(struct commands *commands, struct login *login)
{
    CHECK(login->is_waiting);
    login->is_waiting = false;
    TAILQ_REMOVE(&commands->logins.waiting, login, entry);
}

static void arm(struct commands *commands)
{
    const struct login *login;
    int64_t now_ms = clock_ms();
    int64_t next_ms = INT64_MAX;
    TAILQ_FOREACH(login, &commands->logins.waiting, entry)
    {
        if (login->due_ms < next_ms)
            next_ms = login->due_ms;
    }
    if (next_ms != INT64_MAX)
        timer_arm(commands->logins.timer, next_ms > now_ms ? next_ms - now_ms : 0);
}

static void finish_waiting(struct commands *commands, struct login *login)
{
    struct client *client = login->client;
    struct text reply;
    text_init(&reply, REPLY_MAX);
    struct writer writer = {.out = &reply, .protocol = client_session(client)->protocol};
    struct request request = {.commands = commands,
                              .client = client,
                              .session = client_session(client),
                              .writer = &writer};
    leave(commands, login);
    finish(&request, login);
    error_stats_note(&commands->errors, text_bytes(&reply));
    client_resume(client, text_bytes(&reply));
    text_fini(&reply);
}

/* Nobody is closed in here. */
static void on_timer(void *arg)
{
    struct commands *commands = arg;
    int64_t now_ms = clock_ms();
    struct login *next;
    for (struct login *login = TAILQ_FIRST(&commands->logins.waiting); login != NULL;
         login = next) {
        next = TAILQ_NEXT(login, entry);
        if (login->due_ms <= now_ms)
            finish_waiting(commands, login);
    }
    arm(commands);
}

static void wait(struct request *request, const struct login *login, int64_t wait_ms)
{
    struct commands *commands = request->commands;
    struct client_state *client_state = client_state_get(commands, request->client);
    if (client_state == NULL) {
        write_error(request->writer, "ERR out of memory");
        return;
    }
    client_state->login = *login;
    client_state->login.client = request->client;
    client_state->login.is_waiting = true;
    client_state->login.due_ms = clock_ms() + wait_ms;
    TAILQ_INSERT_TAIL(&commands->logins.waiting, &client_state->login, entry);
    client_hold(request->client);
    arm(commands);
}

bool logins_open(struct commands *commands)
{
    TAILQ_INIT(&commands->logins.waiting);
    commands->logins.timer = timer_new(commands->loop, on_timer, commands);
    return commands->logins.timer != NULL;
}

void logins_close(struct commands *commands)
{
    CHECK(TAILQ_EMPTY(&commands->logins.waiting));
    if (commands->logins.timer != NULL)
        timer_free(&commands->logins.timer);
}

void logins_deny_waiting(struct commands *commands)
{
    struct login *login;
    TAILQ_FOREACH(login, &commands->logins.waiting, entry)
    {
        login->user[0] = '\0';
    }
}

void login_forget(struct commands *commands, struct login *login)
{
    if (login->is_waiting)
        leave(commands, login);
}

/* ---------------------------------------------------------------- who it is */

/* A name that nobody has may be a password in the wrong place: it is not repeated. */
static void tell_wrong(const struct request *request, struct bytes name)
{
    const struct user *named = users_find(request->commands->options.users, name);
    if (login_throttle_is_wrong_news(&request->commands->logins.login_throttle,
                                     key_of(request->client)))
        log_warnx("commands: client id=%" PRIu64
                  " addr=%s user=%s gave a wrong password (told again "
                  "after a quiet minute; INFO counts all: acl_access_denied_auth)",
                  client_id(request->client), client_peer(request->client),
                  named != NULL ? named->name : "?");
}

static void tell_slow(const struct request *request)
{
    log_warnx(
        "commands: client addr=%s: %d wrong passwords came from this address: it may try one a "
        "second from now on, over all its connections",
        client_peer(request->client), LOGIN_THROTTLE_FREE);
}

static void log_in(struct request *request, struct bytes name, struct bytes password,
                   struct login *login)
{
    struct commands *commands = request->commands;
    struct guess guess =
        login_throttle_take(&commands->logins.login_throttle, key_of(request->client), clock_ms());
    if (guess.is_slow_news)
        tell_slow(request);
    /* In a transaction nobody waits. */
    if (guess.wait_ms == GUESS_REFUSED || (guess.wait_ms > 0 && request->is_queued)) {
        commands->logins.denied++;
        write_error(request->writer,
                    "ERR too many wrong passwords came from your address, try again later");
        return;
    }
    const struct user *user = users_judge(commands->options.users, name, password);
    if (user == NULL)
        tell_wrong(request, name);
    snprintf(login->user, sizeof(login->user), "%s", user != NULL ? user->name : "");
    if (guess.wait_ms > 0)
        wait(request, login, guess.wait_ms);
    else
        finish(request, login);
}

void on_auth(struct request *request)
{
    struct login login = {.is_hello = false};
    size_t words = argument_count(request);
    if (words > 3) {
        reply_syntax_error(request);
        return;
    }
    struct bytes name = words == 3 ? argument(request, 1) : bytes_of(USER_DEFAULT);
    log_in(request, name, argument(request, words - 1), &login);
}

/* ---------------------------------------------------------------- HELLO */

/* The options behind HELLO's version. All are looked at before any of them takes effect. */
struct hello {
    bool has_credentials;
    struct bytes user;
    struct bytes password;
    struct login login;
};

static bool parse_hello_name(struct request *request, struct bytes name, struct login *login)
{
    if (!may_be_name(request, name))
        return false;
    login->has_name = true;
    copy_name(login->name, name);
    return true;
}

static bool parse_hello_option(struct request *request, size_t *at, struct hello *hello)
{
    size_t left = argument_count(request) - *at - 1;
    if (argument_is(request, *at, "auth") && left >= 2) {
        hello->has_credentials = true;
        hello->user = argument(request, *at + 1);
        hello->password = argument(request, *at + 2);
        *at += 3;
        return true;
    }
    if (argument_is(request, *at, "setname") && left >= 1) {
        *at += 2;
        return parse_hello_name(request, argument(request, *at - 1), &hello->login);
    }
    char shown[128];
    write_error(request->writer, "ERR Syntax error in HELLO option '%s'",
                bytes_printable(argument(request, *at), shown, sizeof(shown)));
    return false;
}

static bool parse_hello(struct request *request, struct hello *hello)
{
    int64_t version;
    *hello = (struct hello){
        .login = {.is_hello = true, .protocol = request->session->protocol == 3 ? 3 : 2}};
    if (argument_count(request) < 2)
        return true;
    if (!bytes_to_i64(argument(request, 1), &version)) {
        write_error(request->writer, "ERR Protocol version is not an integer or out of range");
        return false;
    }
    if (version != 2 && version != 3) {
        write_error(request->writer, "NOPROTO unsupported protocol version");
        return false;
    }
    hello->login.protocol = (int)version;
    for (size_t at = 2; at < argument_count(request);) {
        if (!parse_hello_option(request, &at, hello))
            return false;
    }
    return true;
}

void on_hello(struct request *request)
{
    struct hello hello;
    if (!parse_hello(request, &hello))
        return;
    if (hello.has_credentials)
        log_in(request, hello.user, hello.password, &hello.login);
    else if (is_authenticated(request->commands, request->session))
        greet(request, &hello.login);
    else
        write_error(request->writer,
                    "NOAUTH HELLO must be called with the client already authenticated, otherwise "
                    "the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the "
                    "client and select the RESP protocol version at the same time");
}
