/* SPDX-License-Identifier: MIT
 *
 * libevent's server knows neither how many connections it has nor how long one takes. So each gets its
 * bufferevent from us, and we keep a reference to it in a slot: what libevent has let go of has no
 * callbacks any more, and frees its slot; what takes too long is shut down, which libevent sees. */
#include "relay/net/http.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "loop_private.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/net/listener.h"

enum {
    ADDRESSES_MAX = 16,
    ACCEPT_BACKLOG = 64,
    SWEEP_MS = 250,
    PIPELINED_MAX = 2 * HTTP_REQUEST_MAX, /* read ahead of the request that is answered */
    ANY_METHOD = EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT |
                 EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_TRACE | EVHTTP_REQ_CONNECT |
                 EVHTTP_REQ_PATCH,
};

struct slot {
    struct bufferevent *stream; /* NULL: free */
    int64_t since_ms;           /* it was accepted, or had a whole request */
    struct http *http;
    struct evhttp_request *request; /* NULL: none waits for its answer */
    struct chore chore;             /* to give it */
};

struct http {
    struct loop *loop;
    int64_t connect_timeout_ms;
    struct evhttp *server;
    struct evconnlistener *listeners[ADDRESSES_MAX]; /* the server's */
    size_t listener_count;
    bool is_local;
    bool is_accepting;
    struct timer *sweep; /* armed while a slot is taken, or nothing is accepted */
    struct slot slots[HTTP_CONNECTIONS_MAX];
    http_fn *fn;
    void *arg;
};

/* --- connections --- */

static struct slot *find_slot(struct http *http, const struct bufferevent *stream)
{
    for (size_t i = 0; i < LENGTH_OF(http->slots); i++) {
        if (http->slots[i].stream == stream)
            return &http->slots[i];
    }
    return NULL;
}

static void set_accepting(struct http *http, bool accepts)
{
    if (http->is_accepting == accepts)
        return;
    http->is_accepting = accepts;
    for (size_t i = 0; i < http->listener_count; i++) {
        if (accepts)
            (void)evconnlistener_enable(http->listeners[i]);
        else
            (void)evconnlistener_disable(http->listeners[i]);
    }
}

static bool was_let_go(const struct slot *slot)
{
    bufferevent_data_cb on_read;
    bufferevent_data_cb on_write;
    bufferevent_event_cb on_event;
    bufferevent_getcb(slot->stream, &on_read, &on_write, &on_event, NULL);
    return on_read == NULL && on_write == NULL && on_event == NULL;
}

/* Frees the slots of connections that have ended. Returns how many are left. */
static unsigned reap(struct http *http)
{
    unsigned taken = 0;
    for (size_t i = 0; i < LENGTH_OF(http->slots); i++) {
        struct slot *slot = &http->slots[i];
        if (slot->stream == NULL)
            continue;
        if (was_let_go(slot)) {
            bufferevent_decref(slot->stream);
            slot->stream = NULL;
        } else {
            taken++;
        }
    }
    return taken;
}

static void on_sweep(void *arg)
{
    struct http *http = arg;
    int64_t now_ms = clock_ms();
    for (size_t i = 0; i < LENGTH_OF(http->slots); i++) {
        const struct slot *slot = &http->slots[i];
        if (slot->stream != NULL && now_ms - slot->since_ms >= http->connect_timeout_ms)
            (void)shutdown(bufferevent_getfd(slot->stream), SHUT_RDWR);
    }
    unsigned taken = reap(http);
    set_accepting(http, taken < HTTP_CONNECTIONS_MAX);
    if (taken > 0)
        timer_arm(http->sweep, SWEEP_MS);
}

/* For a connection that was accepted; libevent gives it the descriptor. NULL: it makes its own. */
static struct bufferevent *on_connection(struct event_base *base, void *arg)
{
    struct http *http = arg;
    unsigned taken = reap(http);
    struct slot *slot = find_slot(http, NULL);
    if (slot == NULL)
        return NULL;
    slot->stream = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    if (slot->stream == NULL)
        return NULL;
    bufferevent_incref(slot->stream);
    bufferevent_setwatermark(slot->stream, EV_READ, 0, PIPELINED_MAX);
    slot->since_ms = clock_ms();
    slot->http = http;
    slot->request = NULL;
    set_accepting(http, taken + 1 < HTTP_CONNECTIONS_MAX);
    timer_arm(http->sweep, SWEEP_MS);
    return slot->stream;
}

/* Descriptors are out: as listeners do, it rests. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
    (void)listener;
    struct http *http = arg;
    log_warn("net: the http port cannot accept, tries again");
    set_accepting(http, false);
    timer_arm(http->sweep, SWEEP_MS);
}

/* --- requests --- */

static void add_headers(struct evkeyvalq *headers, const struct http_reply *reply)
{
    char length[24];
    snprintf(length, sizeof length, "%zu", reply->body.length);
    const struct {
        const char *name;
        const char *value;
    } all[] = {
        {"Content-Type", reply->type},
        {"Content-Length", length},
        {"Content-Security-Policy", reply->policy},
        {"Cache-Control", "no-store"},
        {"Cross-Primary-Resource-Policy", "same-origin"},
        {"Referrer-Policy", "no-referrer"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
    };
    for (size_t i = 0; i < LENGTH_OF(all); i++)
        CHECK(evhttp_add_header(headers, all[i].name, all[i].value) == 0);
    if (reply->code == 401)
        CHECK(evhttp_add_header(headers, "WWW-Authenticate",
                                "Basic realm=\"psync-relay\", charset=\"UTF-8\"") == 0);
    if (reply->code == 429)
        CHECK(evhttp_add_header(headers, "Retry-After", "1") == 0);
}

static void fail(struct http_reply *reply, int code, const char *words)
{
    text_clear(&reply->body);
    text_append_string(&reply->body, words);
    reply->code = code;
    reply->type = "text/plain; charset=utf-8";
}

/* "": it is gone. */
static void tell_peer(struct evhttp_request *request, char out[ADDRESS_PEER_MAX])
{
    struct evhttp_connection *connection = evhttp_request_get_connection(request);
    struct address address = {.length = sizeof address.storage};
    char host[ADDRESS_TEXT_MAX];
    int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(connection));
    out[0] = '\0';
    if (getpeername(fd, (struct sockaddr *)&address.storage, &address.length) == -1)
        return;
    address_format(&address, host);
    address_format_peer(host, address_port(&address), out);
}

static void answer(struct http *http, struct evhttp_request *request, struct http_reply *reply)
{
    const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
    const char *path = uri != NULL ? evhttp_uri_get_path(uri) : NULL;
    const char *query = uri != NULL ? evhttp_uri_get_query(uri) : NULL;
    const char *host = evhttp_request_get_host(request);
    const char *authorization =
        evhttp_find_header(evhttp_request_get_input_headers(request), "Authorization");
    char peer[ADDRESS_PEER_MAX];
    tell_peer(request, peer);
    const struct http_request asked = {
        .path = path != NULL ? path : "",
        .query = query != NULL ? query : "",
        .host = host != NULL ? host : "",
        .authorization = authorization != NULL ? authorization : "",
        .peer = peer,
    };
    http->fn(&asked, reply, http->arg);
    if (reply->body.failed)
        fail(reply, 500, "the reply is too long, or out of memory\n");
}

static const char *phrase(int code)
{
    static const struct {
        int code;
        const char *phrase;
    } known[] = {
        {200, "OK"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {429, "Too Many Requests"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < LENGTH_OF(known); i++) {
        if (known[i].code == code)
            return known[i].phrase;
    }
    return "Internal Server Error";
}

static void answer_request(struct http *http, struct evhttp_request *request)
{
    enum evhttp_cmd_type method = evhttp_request_get_command(request);
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    struct http_reply reply = {
        .code = 200,
        .type = "text/plain; charset=utf-8",
        .policy = "default-src 'none'; frame-ancestors 'none'",
    };
    text_init(&reply.body, HTTP_REPLY_MAX);
    if (method == EVHTTP_REQ_GET || method == EVHTTP_REQ_HEAD) {
        answer(http, request, &reply);
    } else {
        fail(&reply, 405, "there is only GET and HEAD\n");
        CHECK(evhttp_add_header(headers, "Allow", "GET, HEAD") == 0);
    }
    add_headers(headers, &reply);
    if (method != EVHTTP_REQ_HEAD)
        CHECK(evbuffer_add(evhttp_request_get_output_buffer(request), reply.body.data,
                           reply.body.length) == 0);
    evhttp_send_reply(request, reply.code, phrase(reply.code), NULL);
    text_fini(&reply.body);
}

static void forget_request(struct slot *slot)
{
    chore_leave(slot->http->loop, &slot->chore);
    slot->request = NULL;
}

static void on_lost(struct evhttp_connection *connection, void *arg)
{
    (void)connection;
    forget_request(arg);
}

static void answer_at_last(void *arg)
{
    struct slot *slot = arg;
    struct evhttp_request *request = slot->request;
    slot->request = NULL;
    answer_request(slot->http, request);
}

/* A page or a scrape takes its time: they stand in line with the commands of clients. libevent reads
 * nothing more from the connection before it has its answer. */
static void on_request(struct evhttp_request *request, void *arg)
{
    struct http *http = arg;
    struct evhttp_connection *connection = evhttp_request_get_connection(request);
    struct slot *slot = find_slot(http, evhttp_connection_get_bufferevent(connection));
    if (slot == NULL || slot->request != NULL) {
        answer_request(http, request);
        return;
    }
    slot->since_ms = clock_ms();
    slot->request = request;
    evhttp_connection_set_closecb(connection, on_lost, slot);
    loop_put_off(http->loop, CHORE_WORK, &slot->chore, answer_at_last, slot);
}

/* --- opening and closing --- */

static bool is_loopback(const struct address *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address->storage;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->storage;
    if (address->storage.ss_family == AF_INET)
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    return address->storage.ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static bool listen_on(struct http *http, const char *name, uint16_t port, struct text *why)
{
    struct address address;
    const char *numeric = strcmp(name, "*") == 0     ? "0.0.0.0"
                          : strcmp(name, "::*") == 0 ? "::"
                                                     : name;
    if (!address_parse(numeric, port, &address)) {
        text_format(why, "bind %s port %u: not a numeric address", name, (unsigned)port);
        return false;
    }
    bool is_v6 = address.storage.ss_family == AF_INET6;
    unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE;
    struct evconnlistener *listener = evconnlistener_new_bind(
        loop_base(http->loop), NULL, NULL, flags | (is_v6 ? LEV_OPT_BIND_IPV6ONLY : 0),
        ACCEPT_BACKLOG, (const struct sockaddr *)&address.storage, (int)address.length);
    if (listener == NULL) {
        text_format(why, "bind %s port %u: %s", name, (unsigned)port, strerror(errno));
        return false;
    }
    evconnlistener_set_error_cb(listener, on_accept_error);
    if (evhttp_bind_listener(http->server, listener) == NULL) {
        evconnlistener_free(listener);
        text_append_string(why, "out of memory");
        return false;
    }
    http->is_local = http->is_local && is_loopback(&address);
    http->listeners[http->listener_count++] = listener;
    return true;
}

static bool listen_on_all(struct http *http, const char *addresses, uint16_t port, struct text *why)
{
    struct listener_address address;
    while (listener_next_address(&addresses, &address)) {
        text_clear(why);
        if (http->listener_count == LENGTH_OF(http->listeners)) {
            text_append_string(why, "too many addresses");
            return false;
        }
        if (!listen_on(http, address.text, port, why) && !address.may_miss)
            return false;
    }
    return http->listener_count > 0;
}

bool http_probe(const struct http_options *options, bool *is_taken, struct text *why)
{
    const char *addresses = options->addresses;
    struct listener_address address;
    while (listener_next_address(&addresses, &address)) {
        text_clear(why);
        int fd = listener_try(address.text, options->port, is_taken, why);
        if (fd == -1 && !address.may_miss)
            return false;
        if (fd != -1)
            close(fd);
    }
    text_clear(why);
    return true;
}

static bool make_server(struct http *http)
{
    const struct timeval connect_timeout = {
        .tv_sec = (time_t)(http->connect_timeout_ms / 1000),
        .tv_usec = (suseconds_t)(http->connect_timeout_ms % 1000 * 1000)};
    http->sweep = timer_new(http->loop, on_sweep, http);
    http->server = evhttp_new(loop_base(http->loop));
    if (http->sweep == NULL || http->server == NULL)
        return false;
    evhttp_set_allowed_methods(http->server, ANY_METHOD);
    evhttp_set_max_headers_size(http->server, HTTP_REQUEST_MAX);
    evhttp_set_max_body_size(http->server, 0);
    evhttp_set_timeout_tv(http->server, &connect_timeout);
    evhttp_set_bevcb(http->server, on_connection, http);
    evhttp_set_gencb(http->server, on_request, http);
    return true;
}

struct http *http_open(struct loop *loop, const struct http_options *options, http_fn *fn,
                       void *arg, struct text *why)
{
    struct http *http = calloc(1, sizeof *http);
    if (http != NULL) {
        *http = (struct http){.loop = loop,
                              .connect_timeout_ms = options->connect_timeout_ms,
                              .fn = fn,
                              .arg = arg,
                              .is_local = true,
                              .is_accepting = true};
    }
    if (http == NULL || !make_server(http))
        text_append_string(why, "out of memory");
    else if (listen_on_all(http, options->addresses, options->port, why))
        return http;
    http_close(&http);
    return NULL;
}

uint16_t http_port(const struct http *http)
{
    struct address address = {.length = sizeof address.storage};
    CHECK(getsockname(evconnlistener_get_fd(http->listeners[0]),
                      (struct sockaddr *)&address.storage, &address.length) == 0);
    return address_port(&address);
}

bool http_is_local(const struct http *http)
{
    return http->is_local;
}

static void free_later(void *arg)
{
    free(arg);
}

void http_close(struct http **where)
{
    struct http *http = *where;
    *where = NULL;
    if (http == NULL)
        return;
    for (size_t i = 0; i < LENGTH_OF(http->slots); i++) {
        if (http->slots[i].request != NULL)
            forget_request(&http->slots[i]);
    }
    if (http->server != NULL)
        evhttp_free(http->server);
    CHECK(reap(http) == 0);
    timer_free(&http->sweep);
    loop_defer(http->loop, free_later, http);
}
