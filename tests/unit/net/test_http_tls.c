/* SPDX-License-Identifier: MIT
 *
 * The HTTP server under TLS, asked by our own connections. */
#include "relay/net/http.h"

#include "relay/base/error.h"

#include "relay/net/conn.h"
#include "sockets.h"
#include "tls_files.h"

enum { HEARD_MAX = 4096, CALLERS_MAX = HTTP_CONNECTIONS_MAX + 8, BIG = HTTP_REPLY_MAX - 1024 };

/* Who asks one thing, and hears until the other side ends or fails. */
struct caller {
    struct stand *stand;
    struct conn *conn;
    const char *request;
    char heard[HEARD_MAX]; /* the beginning */
    size_t length;         /* of all */
    bool is_over;
    bool has_failed;
};

struct stand {
    struct loop *loop;
    struct http *http;
    struct tls_context *server;
    struct tls_context *client;
    struct timer *look;
    struct caller callers[CALLERS_MAX];
    size_t count;
    size_t asked;
};

static void on_request(const struct http_request *request, struct http_reply *reply, void *arg)
{
    struct stand *stand = arg;
    stand->asked++;
    text_format(&reply->body, "hello %s\n", request->path);
    while (strcmp(request->path, "/big") == 0 && reply->body.length < BIG)
        text_append_string(&reply->body, "0123456789abcdef0123456789abcdef");
}

static bool are_all_over(const struct stand *stand)
{
    for (size_t i = 0; i < stand->count; i++) {
        if (!stand->callers[i].is_over)
            return false;
    }
    return true;
}

static void look(void *arg)
{
    struct stand *stand = arg;
    if (are_all_over(stand))
        loop_stop(stand->loop);
    timer_arm(stand->look, 1);
}

static void begin(struct stand *stand, const struct tls_options *server, int64_t timeout_ms)
{
    struct tls_options client = client_options();
    client.server_name = "relay.test";
    *stand = (struct stand){.loop = new_loop()};
    stand->server = context_of(TLS_SERVER, server);
    stand->client = context_of(TLS_CLIENT, &client);
    const struct http_options options = {
        .addresses = "127.0.0.1",
        .has_port = true,
        .has_tls_port = true,
        .tls = stand->server,
        .timeout_ms = timeout_ms,
    };
    struct error error = {.text = ""};
    stand->http = http_open(stand->loop, &options, on_request, stand, &error);
    assert_string_equal(error.text, "");
    assert_int_not_equal(http_port(stand->http), http_tls_port(stand->http));
    stand->look = timer_new(stand->loop, look, stand);
    timer_arm(stand->look, 1);
}

static void end(struct stand *stand)
{
    timer_free(&stand->look);
    http_close(&stand->http);
    for (size_t i = 0; i < stand->count; i++)
        conn_close(&stand->callers[i].conn);
    tls_context_release(&stand->server);
    tls_context_release(&stand->client);
    loop_free(&stand->loop);
}

/* ---- callers ---- */

static void hear(struct caller *caller)
{
    char bytes[4096];
    size_t received;
    enum conn_io io = conn_receive(caller->conn, bytes, sizeof(bytes), &received);
    for (size_t i = 0; i < received && caller->length + i < HEARD_MAX - 1; i++)
        caller->heard[caller->length + i] = bytes[i];
    caller->length += received;
    caller->is_over = io == CONN_END || io == CONN_FAILED;
    caller->has_failed = caller->has_failed || io == CONN_FAILED;
    if (caller->is_over)
        conn_want(caller->conn, false, false);
}

static void on_event(struct conn *conn, enum conn_event event, void *arg)
{
    struct caller *caller = arg;
    size_t sent;
    switch (event) {
    case CONN_EVENT_UP:
        if (caller->request[0] != '\0')
            assert_int_equal(conn_send(conn, bytes_of(caller->request), false, &sent), CONN_OK);
        conn_want(conn, true, false);
        return;
    case CONN_EVENT_READABLE:
        hear(caller);
        return;
    case CONN_EVENT_WRITABLE:
        return;
    case CONN_EVENT_DOWN:
        caller->is_over = caller->has_failed = true;
        conn_close(&caller->conn);
        return;
    }
}

static struct caller *call(struct stand *stand, uint16_t port, struct tls_context *tls,
                           const char *request)
{
    assert_true(stand->count < CALLERS_MAX);
    struct caller *caller = &stand->callers[stand->count++];
    const struct conn_options options = {.tls = tls};
    *caller = (struct caller){.stand = stand, .request = request};
    caller->conn = conn_connect(stand->loop, "127.0.0.1", port, &options, on_event, caller);
    assert_non_null(caller->conn);
    return caller;
}

static struct caller *ask(struct stand *stand, uint16_t port, struct tls_context *tls,
                          const char *request)
{
    struct caller *caller = call(stand, port, tls, request);
    run(stand->loop, "callers that have been answered");
    return caller;
}

static void expect(const struct caller *caller, const char *part)
{
    if (strstr(caller->heard, part) == NULL)
        fail_msg("expected \"%s\" in: %s", part, caller->heard);
}

#define CLOSE "Connection: close\r\n\r\n"

/* ---- tests ---- */

TEST(answers_under_tls_and_in_plain)
{
    struct stand stand;
    const struct tls_options server = server_options();
    begin(&stand, &server, CONNECT_TIMEOUT_MS);
    struct caller *secure = ask(&stand, http_tls_port(stand.http), stand.client,
                                "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\n" CLOSE);
    expect(secure, "HTTP/1.1 200 OK\r\n");
    expect(secure, "hello /a\n");
    expect(secure, "hello /b\n");
    assert_false(secure->has_failed);
    struct caller *plain = ask(&stand, http_port(stand.http), NULL, "GET /c HTTP/1.1\r\n" CLOSE);
    expect(plain, "hello /c\n");
    end(&stand);
}

/* More than the socket takes: what OpenSSL has made of it is sent before the connection is closed. */
TEST(a_long_reply_comes_whole)
{
    struct stand stand;
    const struct tls_options server = server_options();
    begin(&stand, &server, CONNECT_TIMEOUT_MS);
    struct caller *caller =
        ask(&stand, http_tls_port(stand.http), stand.client, "GET /big HTTP/1.1\r\n" CLOSE);
    const char *body = strstr(caller->heard, "\r\n\r\n");
    assert_non_null(body);
    size_t head = (size_t)(body - caller->heard) + 4;
    char length[60];
    snprintf(length, sizeof(length), "Content-Length: %zu\r\n", caller->length - head);
    expect(caller, length);
    assert_true(caller->length - head >= BIG);
    end(&stand);
}

TEST(plain_http_on_the_tls_port_is_told)
{
    struct stand stand;
    const struct tls_options server = server_options();
    begin(&stand, &server, CONNECT_TIMEOUT_MS);
    struct caller *caller = ask(&stand, http_tls_port(stand.http), NULL,
                                "GET / HTTP/1.1\r\nHost: x\r\nLong: header\r\n\r\n");
    expect(caller, "HTTP/1.1 400 Bad Request\r\n");
    expect(caller, "this port speaks TLS: use https://\n");
    assert_false(caller->has_failed);
    assert_int_equal(stand.asked, 0);
    end(&stand);
}

TEST(tls_on_the_plain_port_is_refused_at_once)
{
    struct stand stand;
    const struct tls_options server = server_options();
    begin(&stand, &server, CONNECT_TIMEOUT_MS);
    struct caller *caller = ask(&stand, http_port(stand.http), stand.client, "");
    assert_true(caller->has_failed);
    assert_int_equal(stand.asked, 0);
    end(&stand);
}

TEST(a_client_without_a_certificate_gets_nothing_where_one_is_needed)
{
    struct stand stand;
    const struct tls_options server = server_options();
    const struct tls_options bare = {.ca_file = at("ca.crt"), .server_name = "relay.test"};
    begin(&stand, &server, CONNECT_TIMEOUT_MS);
    struct tls_context *without = context_of(TLS_CLIENT, &bare);
    struct caller *caller =
        ask(&stand, http_tls_port(stand.http), without, "GET / HTTP/1.1\r\n" CLOSE);
    assert_int_equal(caller->length, 0);
    assert_int_equal(stand.asked, 0);
    tls_context_release(&without);
    end(&stand);
}

/* Handshakes that stand still hold all places until they are given up; then others are let in. */
TEST(handshakes_that_stand_still_are_given_up)
{
    struct stand stand;
    const struct tls_options server = server_options();
    int silent[HTTP_CONNECTIONS_MAX];
    begin(&stand, &server, 300);
    for (size_t i = 0; i < LENGTH_OF(silent); i++)
        silent[i] = connected_to(http_tls_port(stand.http));
    struct caller *caller =
        ask(&stand, http_tls_port(stand.http), stand.client, "GET /in HTTP/1.1\r\n" CLOSE);
    expect(caller, "hello /in\n");
    for (size_t i = 0; i < LENGTH_OF(silent); i++)
        close(silent[i]);
    end(&stand);
}

TEST(new_connections_get_the_new_certificate)
{
    struct stand stand;
    const struct tls_options server = server_options();
    struct tls_options other = server_options();
    struct tls_options picky = client_options();
    other.cert_file = at("elsewhere.crt");
    other.key_file = at("elsewhere.key");
    picky.server_name = "elsewhere.test";
    begin(&stand, &server, CONNECT_TIMEOUT_MS);
    struct tls_context *fresh = context_of(TLS_SERVER, &other);
    struct tls_context *client = context_of(TLS_CLIENT, &picky);
    assert_true(ask(&stand, http_tls_port(stand.http), client, "")->has_failed);
    http_set_tls(stand.http, fresh);
    expect(ask(&stand, http_tls_port(stand.http), client, "GET /n HTTP/1.1\r\n" CLOSE),
           "hello /n\n");
    tls_context_release(&client);
    end(&stand);
    tls_context_release(&fresh);
}

TEST_GROUP(make_certificates, remove_certificates);
