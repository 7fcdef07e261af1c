/* SPDX-License-Identifier: MIT
 *
 * What a client says to begin, to end, and to see whether we live.
 */
#include "commands.h"
#include "names.h"
#include "request.h"
#include "visitor.h"

enum { DATABASES = 16 };

/* In RESP2 a subscriber gets it in the form of a message. */
static bool is_ping_a_message(const struct request *request)
{
    const struct visitor *visitor = visitor_find(request->client);
    return request->session->protocol == 2 && visitor != NULL &&
           subscriber_count(&visitor->subscriber) > 0;
}

void on_ping(struct request *request)
{
    if (argument_count(request) > 2) {
        write_error(request->writer, "ERR wrong number of arguments for 'ping' command");
    } else if (is_ping_a_message(request)) {
        write_array(request->writer, 2);
        write_bulk_string(request->writer, "pong");
        write_bulk(request->writer,
                   argument_count(request) == 2 ? argument(request, 1) : bytes_of(""));
    } else if (argument_count(request) == 2) {
        write_bulk(request->writer, argument(request, 1));
    } else {
        write_simple(request->writer, "PONG");
    }
}

void on_echo(struct request *request)
{
    write_bulk(request->writer, argument(request, 1));
}

/* Without a password of ours every AUTH is welcome: a replica that has a masterauth must be able to
 * attach, and takes any error for an answer (protocol section 10, trap 22). */
static bool may_enter(const struct admin *admin, struct bytes user, struct bytes password)
{
    if (!has_password(admin))
        return true;
    bool is_right = bytes_equal_secret(bytes_of(admin->options.password), password);
    return bytes_equal(user, bytes_of("default")) && is_right;
}

static bool authenticate(struct request *request, struct bytes user, struct bytes password)
{
    if (!may_enter(request->admin, user, password)) {
        write_error(request->writer,
                    "WRONGPASS invalid username-password pair or user is disabled.");
        return false;
    }
    request->session->authenticated = true;
    return true;
}

void on_auth(struct request *request)
{
    size_t words = argument_count(request);
    if (words > 3) {
        reply_syntax_error(request);
        return;
    }
    struct bytes user = words == 3 ? argument(request, 1) : bytes_of("default");
    if (authenticate(request, user, argument(request, words - 1)))
        reply_ok(request);
}

/* The options behind HELLO's version. All are looked at before any of them takes effect. */
struct hello {
    int protocol;
    bool has_credentials;
    struct bytes user;
    struct bytes password;
    bool has_name;
    struct bytes name;
};

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
        hello->has_name = true;
        hello->name = argument(request, *at + 1);
        *at += 2;
        return true;
    }
    char shown[128];
    write_error(request->writer, "ERR Syntax error in HELLO option '%s'",
                bytes_printable(argument(request, *at), shown, sizeof(shown)));
    return false;
}

static bool parse_hello(struct request *request, struct hello *hello)
{
    int64_t version;
    *hello = (struct hello){.protocol = request->session->protocol == 3 ? 3 : 2};
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
    hello->protocol = (int)version;
    for (size_t at = 2; at < argument_count(request);) {
        if (!parse_hello_option(request, &at, hello))
            return false;
    }
    return true;
}

static void reply_hello(struct request *request)
{
    struct writer *writer = request->writer;
    struct link_status origin;
    link_status(request->admin->link, &origin);
    bool is_valkey = origin.valkey_version[0] != '\0';
    write_map(writer, 7);
    write_bulk_string(writer, "server");
    write_bulk_string(writer, is_valkey ? "valkey" : "redis");
    write_bulk_string(writer, "version");
    write_bulk_string(writer, is_valkey ? origin.valkey_version : origin_version(&origin));
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

void on_hello(struct request *request)
{
    struct hello hello;
    if (!parse_hello(request, &hello))
        return;
    if (hello.has_credentials && !authenticate(request, hello.user, hello.password))
        return;
    if (!is_authenticated(request->admin, request->session)) {
        write_error(request->writer,
                    "NOAUTH HELLO must be called with the client already authenticated, otherwise "
                    "the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the "
                    "client and select the RESP protocol version at the same time");
        return;
    }
    if (hello.has_name && !session_set_name(request, hello.name))
        return;
    request->session->protocol = hello.protocol;
    request->writer->protocol = hello.protocol; /* this reply speaks it already */
    reply_hello(request);
}

void on_select(struct request *request)
{
    int64_t index;
    if (!bytes_to_i64(argument(request, 1), &index) || index > INT32_MAX || index < INT32_MIN)
        write_error(request->writer, "ERR value is not an integer or out of range");
    else if (index < 0 || index >= DATABASES)
        write_error(request->writer, "ERR DB index is out of range");
    else
        reply_ok(request);
}

void on_quit(struct request *request)
{
    reply_ok(request);
    client_finish(request->client, CLOSE_QUIT);
}

void on_reset(struct request *request)
{
    visitor_forget(request->client);
    *request->session = (struct client_session){.protocol = 2};
    request->writer->protocol = 2;
    write_simple(request->writer, "RESET");
}
