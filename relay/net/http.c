/* SPDX-License-Identifier: MIT */
#include "relay/net/http.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "http_head.h"
#include "http_reply.h"
#include "relay/base/bounds.h"
#include "relay/base/clock.h"
#include "relay/base/error.h"
#include "relay/base/log.h"
#include "relay/base/log_repeat.h"
#include "relay/net/conn.h"
#include "relay/net/listener.h"
#include "relay/net/loop.h"
#include "relay/net/tls.h"

enum {
    LISTENERS_MAX = 2 * 16, /* each address may have a port and a TLS port */
    SWEEP_MS = 250,
    DRAIN_MS = 2000,
    DRAINING_MAX =
        32, /* of the process: a crowd of clients that are refused gets no more than that */
};

/* One connection. Its bytes go one way at a time: a request is read, a reply is made as a chore, the reply is
 * sent, and then the next request is looked at. */
struct http_client {
    struct http *http;
    struct conn *conn; /* NULL: the slot is free */
    bool is_secure;    /* it came to the TLS port */
    bool is_up;
    int64_t since_ms;   /* it was accepted, or had a whole request, or has taken its last reply */
    struct chore chore; /* queued: a request waits for its reply */
    char *buffer;       /* HTTP_REQUEST_MAX bytes: a request, and what has come behind it */
    size_t buffer_length;
    struct http_head request; /* with strings in the buffer */
    struct text head;         /* of the reply that is being sent */
    struct text body;
    size_t sent; /* of both */
};

struct http_side {
    struct http *http;
    bool is_tls;
    uint16_t port; /* 0: none */
};

struct http {
    struct loop *loop;
    int64_t timeout_ms;
    struct tls_context *tls; /* lent */
    struct http_side plain;
    struct http_side secure;
    struct listener *listeners[LISTENERS_MAX];
    size_t listener_count;
    bool is_local;
    struct timer *sweep; /* armed while there are connections */
    struct http_client clients[HTTP_CONNECTIONS_MAX];
    size_t client_count;
    struct log_repeat failures; /* of TLS */
    http_fn *fn;
    void *arg;
};

/* ---- connections ---- */

/* Who is one too many waits in the kernel's queue. */
static void accept_while_slots_are_free(struct http *http)
{
    for (size_t i = 0; i < http->listener_count; i++)
        listener_pause(http->listeners[i], http->client_count == HTTP_CONNECTIONS_MAX);
}

static void close_client(struct http_client *client)
{
    struct http *http = client->http;
    chore_leave(http->loop, &client->chore);
    conn_close(&client->conn);
    free(client->buffer);
    text_fini(&client->head);
    text_fini(&client->body);
    *client = (struct http_client){.http = http};
    http->client_count--;
    accept_while_slots_are_free(http);
}

static void on_sweep(void *arg)
{
    struct http *http = arg;
    int64_t now_ms = clock_ms();
    for (size_t i = 0; i < LENGTH_OF(http->clients); i++) {
        struct http_client *client = &http->clients[i];
        if (client->conn != NULL && now_ms - client->since_ms >= http->timeout_ms)
            close_client(client);
    }
    if (http->client_count > 0)
        timer_arm(http->sweep, SWEEP_MS);
}

/* ---- replies ---- */

static void look_at_request(struct http_client *client);

/* Behind a refused request there may be bytes that nobody reads: a close would reset the connection, and the
 * client might lose the reply. So it drains, unless many do. */
static void finish_reply(struct http_client *client)
{
    if (client->request.is_last) {
        if (client->request.code != 0 && conn_draining_count() < DRAINING_MAX)
            conn_drain(&client->conn, DRAIN_MS);
        close_client(client);
        return;
    }
    text_fini(&client->head);
    text_fini(&client->body);
    client->sent = 0;
    client->since_ms = clock_ms();
    look_at_request(client);
}

static struct bytes next_of_reply(const struct http_client *client, bool *is_head)
{
    size_t head_length = client->head.length;
    *is_head = client->sent < head_length;
    return *is_head ? bytes_skip(text_bytes(&client->head), client->sent)
                    : bytes_skip(text_bytes(&client->body), client->sent - head_length);
}

/* A reply is taken when the socket has all of it: under TLS the last records may still be here. */
static void send_reply(struct http_client *client)
{
    size_t total = client->head.length + client->body.length;
    enum conn_io io = CONN_OK;
    while (io == CONN_OK && client->sent < total) {
        size_t sent;
        bool is_head;
        struct bytes view = next_of_reply(client, &is_head);
        io = conn_send(client->conn, view, is_head && client->body.length > 0, &sent);
        client->sent += sent;
    }
    if (io == CONN_FAILED)
        return; /* DOWN follows */
    if (client->sent < total || conn_has_unsent(client->conn))
        conn_want(client->conn, false, true);
    else
        finish_reply(client);
}

static void http_set_error(struct http_reply *reply, int code, const char *words)
{
    text_clear(&reply->body);
    text_append_string(&reply->body, words);
    reply->code = code;
    reply->type = "text/plain; charset=utf-8";
}

/* The bytes behind a request that was read belong to the next one. */
static void forget_request(struct http_client *client)
{
    size_t length = client->request.length;
    client->buffer_length -= length;
    memmove(client->buffer, client->buffer + length, client->buffer_length);
}

static void start_reply(void *arg)
{
    struct http_client *client = arg;
    struct http *http = client->http;
    struct http_reply reply = {
        .code = 200,
        .type = "text/plain; charset=utf-8",
        .policy = "default-src 'none'; frame-ancestors 'none'",
    };
    text_init(&reply.body, HTTP_REPLY_MAX);
    text_init(&client->head, HTTP_REPLY_HEAD_MAX);
    if (client->request.code != 0) {
        http_set_error(&reply, client->request.code, client->request.why);
    } else {
        http->fn(&client->request.request, &reply, http->arg);
        forget_request(client);
    }
    if (reply.body.failed)
        http_set_error(&reply, 500, "the reply is too long, or there is not enough memory\n");
    http_reply_format_head(&reply, client->request.is_last, clock_wall_us(), &client->head);
    if (client->request.is_head)
        text_fini(&reply.body);
    client->body = reply.body;
    if (client->head.failed)
        close_client(client);
    else
        send_reply(client);
}

/* A page or a scrape takes its time: it queues with the commands of clients. Nothing more is read from the
 * connection until the reply has gone. */
static void queue_reply(struct http_client *client)
{
    conn_want(client->conn, false, false);
    client->since_ms = clock_ms();
    client->request.request.peer = conn_peer(client->conn);
    loop_put_off(client->http->loop, CHORE_WORK, &client->chore, start_reply, client);
}

static void refuse_request(struct http_client *client, const char *why)
{
    client->request = (struct http_head){.is_last = true, .code = 400, .why = why};
    queue_reply(client);
}

/* ---- requests ---- */

static void look_at_request(struct http_client *client)
{
    size_t length = client->buffer_length;
    if (!client->is_secure && tls_is_hello(bytes_at(client->buffer, length)))
        refuse_request(client, "this port speaks plain HTTP: use http://, or [http] tls-port\n");
    else if (http_head_read(client->buffer, length, &client->request) != HTTP_HEAD_PART)
        queue_reply(client);
    else if (length == HTTP_REQUEST_MAX)
        refuse_request(client, "the request is too long\n");
    else
        conn_want(client->conn, true, false);
}

static void read_request(struct http_client *client)
{
    size_t received;
    enum conn_io io = conn_receive(client->conn, client->buffer + client->buffer_length,
                                   HTTP_REQUEST_MAX - client->buffer_length, &received);
    client->buffer_length += received;
    if (io == CONN_END)
        close_client(client);
    else if (io == CONN_OK)
        look_at_request(client);
}

static void on_up(struct http_client *client)
{
    client->is_up = true;
    if (client->is_secure && !conn_is_tls(client->conn))
        refuse_request(client, "this port speaks TLS: use https://\n");
    else
        conn_want(client->conn, true, false);
}

/* A handshake that fails is mostly a certificate that somebody does not trust. */
static void on_down(struct http_client *client)
{
    char sum[LOG_REPEAT_SUM_MAX];
    const char *why = conn_error(client->conn);
    if (client->is_secure && !client->is_up &&
        log_repeat_note(&client->http->failures, why, clock_ms(), sum))
        log_info("net: http TLS handshake failed addr=%s%s: %s", conn_peer(client->conn), sum, why);
    close_client(client);
}

static void http_on_event(struct conn *conn, enum conn_event event, void *arg)
{
    (void)conn;
    switch (event) {
    case CONN_EVENT_UP:
        on_up(arg);
        return;
    case CONN_EVENT_READABLE:
        read_request(arg);
        return;
    case CONN_EVENT_WRITABLE:
        send_reply(arg);
        return;
    case CONN_EVENT_DOWN:
        on_down(arg);
        return;
    }
    UNREACHABLE("no such event");
}

static struct http_client *find_slot(struct http *http)
{
    size_t i = 0;
    while (i < LENGTH_OF(http->clients) && http->clients[i].conn != NULL)
        i++;
    CHECK(i < LENGTH_OF(http->clients)); /* when all are taken the listeners are paused */
    return &http->clients[i];
}

static void http_on_accept(int fd, void *arg)
{
    const struct http_side *side = arg;
    struct http *http = side->http;
    struct http_client *client = find_slot(http);
    const struct conn_options options = {
        .tls = side->is_tls ? http->tls : NULL,
        .accepts_plain = true,
        .handshake_ms = TLS_HANDSHAKE_MS_MAX,
    };
    *client = (struct http_client){.http = http, .is_secure = side->is_tls, .since_ms = clock_ms()};
    client->buffer = malloc(HTTP_REQUEST_MAX);
    if (client->buffer == NULL) {
        close(fd);
        return;
    }
    client->conn = conn_accept(http->loop, fd, &options, http_on_event, client);
    if (client->conn == NULL) {
        free(client->buffer);
        return;
    }
    if (http->client_count++ == 0)
        timer_arm(http->sweep, SWEEP_MS);
    accept_while_slots_are_free(http);
}

/* ---- opening and closing ---- */

static bool is_loopback(const char *address)
{
    struct address parsed;
    if (!address_parse(address, 0, &parsed))
        return false; /* "*" */
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&parsed.storage;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&parsed.storage;
    if (parsed.storage.ss_family == AF_INET)
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    return parsed.storage.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

/* Where any port will do, all addresses share the one that the first was given. */
static bool http_listen_on(struct http_side *side, const char *address, uint16_t wanted,
                           struct error *error)
{
    struct http *http = side->http;
    if (http->listener_count == LENGTH_OF(http->listeners))
        return error_set(error, ERROR_INVALID, "bind: more than 16 addresses");
    struct listener *listener = listener_open(
        http->loop, address, side->port != 0 ? side->port : wanted, http_on_accept, side, error);
    if (listener == NULL)
        return false;
    http->listeners[http->listener_count++] = listener;
    http->is_local = http->is_local && is_loopback(address);
    side->port = listener_port(listener);
    return true;
}

static bool http_listen_on_all(struct http_side *side, const char *addresses, uint16_t port,
                               struct error *error)
{
    struct listener_address address;
    bool is_empty = true;
    while (listener_next_address(&addresses, &address)) {
        is_empty = false;
        if (!http_listen_on(side, address.text, port, error) && !address.may_miss)
            return false;
    }
    if (is_empty)
        error_set(error, ERROR_INVALID, "bind: no address to listen on");
    return side->port != 0;
}

static bool probe_all(const char *addresses, uint16_t port, struct error *error)
{
    struct listener_address address;
    while (listener_next_address(&addresses, &address)) {
        int fd = listener_try(address.text, port, error);
        if (fd == -1 && !address.may_miss)
            return false;
        if (fd != -1)
            close(fd);
    }
    return true;
}

bool http_probe(const struct http_options *options, struct error *error)
{
    return (!options->has_port || probe_all(options->addresses, options->port, error)) &&
           (!options->has_tls_port || probe_all(options->addresses, options->tls_port, error));
}

struct http *http_open(struct loop *loop, const struct http_options *options, http_fn *fn,
                       void *arg, struct error *error)
{
    CHECK(!options->has_tls_port || options->tls != NULL);
    struct http *http = calloc(1, sizeof *http);
    if (http != NULL) {
        http->loop = loop;
        http->timeout_ms = options->timeout_ms;
        http->tls = options->tls;
        http->plain = (struct http_side){.http = http};
        http->secure = (struct http_side){.http = http, .is_tls = true};
        http->fn = fn;
        http->arg = arg;
        http->is_local = true;
        http->sweep = timer_new(loop, on_sweep, http);
    }
    if (http == NULL || http->sweep == NULL)
        error_set(error, ERROR_EXHAUSTED, "out of memory");
    else if ((!options->has_port ||
              http_listen_on_all(&http->plain, options->addresses, options->port, error)) &&
             (!options->has_tls_port ||
              http_listen_on_all(&http->secure, options->addresses, options->tls_port, error)))
        return http;
    http_close(&http);
    return NULL;
}

uint16_t http_port(const struct http *http)
{
    return http->plain.port;
}

uint16_t http_tls_port(const struct http *http)
{
    return http->secure.port;
}

void http_set_tls(struct http *http, struct tls_context *tls)
{
    http->tls = tls;
}

bool http_is_local(const struct http *http)
{
    return http->is_local;
}

static void http_free_later(void *arg)
{
    free(arg);
}

void http_close(struct http **where)
{
    struct http *http = *where;
    *where = NULL;
    if (http == NULL)
        return;
    for (size_t i = 0; i < LENGTH_OF(http->clients); i++) {
        if (http->clients[i].conn != NULL)
            close_client(&http->clients[i]);
    }
    for (size_t i = 0; i < http->listener_count; i++)
        listener_close(&http->listeners[i]);
    timer_free(&http->sweep);
    loop_defer(http->loop, http_free_later, http);
}
