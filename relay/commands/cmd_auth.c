/* SPDX-License-Identifier: MIT
 *
 * AUTH and HELLO: how a client begins.
 */
#include "client_state.h"
#include "handlers.h"
#include "names.h"
#include "request.h"

static void reply_ok_to_auth(const struct login *login, struct writer *writer, void *arg)
{
    (void)login;
    (void)arg;
    write_simple(writer, "OK");
}

static void reply_hello(const struct login *login, struct writer *writer, void *arg)
{
    const struct commands *commands = arg;
    struct client_session *session = client_session(login->client);
    struct link_status upstream;
    link_status(commands->link, &upstream);
    bool is_valkey = upstream.valkey_version[0] != '\0';
    /* Only now, with the login behind it: a HELLO whose password is wrong changes nothing. */
    if (login->has_name)
        name_copy(session->name, bytes_of(login->name));
    session->protocol = login->protocol;
    writer->protocol = login->protocol; /* this reply is in the new protocol already */
    write_map(writer, 7);
    write_bulk_string(writer, "server");
    write_bulk_string(writer, is_valkey ? "valkey" : "redis");
    write_bulk_string(writer, "version");
    write_bulk_string(writer, is_valkey ? upstream.valkey_version : primary_version(&upstream));
    write_bulk_string(writer, "proto");
    write_integer(writer, session->protocol);
    write_bulk_string(writer, "id");
    write_integer(writer, (int64_t)client_id(login->client));
    write_bulk_string(writer, "mode");
    write_bulk_string(writer, "standalone");
    write_bulk_string(writer, "role");
    write_bulk_string(writer, "replica");
    write_bulk_string(writer, "modules");
    write_array(writer, 0);
}

static void log_in(struct request *request, struct bytes name, struct bytes password,
                   struct login *login)
{
    struct commands *commands = request->commands;
    login->client = request->client;
    int64_t wait_ms =
        logins_try(&commands->logins, login, name, password, !request->is_queued, request->writer);
    if (wait_ms == 0)
        return;
    struct client_state *state = client_state_get(&commands->client_states, request->client);
    if (state == NULL) {
        write_error(request->writer, "ERR out of memory");
        return;
    }
    /* From the stack to where it lives as long as the client. */
    state->login = *login;
    logins_block(&commands->logins, &state->login, wait_ms);
}

void on_auth(struct request *request)
{
    struct login login = {.reply = reply_ok_to_auth};
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
    if (!name_check(name, request->writer))
        return false;
    login->has_name = true;
    name_copy(login->name, name);
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
    *hello = (struct hello){.login = {.client = request->client,
                                      .reply = reply_hello,
                                      .protocol = request->session->protocol == 3 ? 3 : 2}};
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
        reply_hello(&hello.login, request->writer, request->commands);
    else
        write_error(request->writer,
                    "NOAUTH HELLO must be called with the client already authenticated, otherwise "
                    "the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the "
                    "client and select the RESP protocol version at the same time");
}
