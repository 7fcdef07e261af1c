/* SPDX-License-Identifier: MIT
 *
 * A small HTTP server for people and monitors: answers GET and HEAD from memory, at once, over plain TCP, TLS
 * or both. It keeps at most HTTP_CONNECTIONS_MAX connections (more wait in the kernel's queue), each with
 * a request of at most HTTP_REQUEST_MAX bytes and no body, and one reply. A client has `timeout_ms` to send
 * a request, and as long to take the reply; then its connection is closed. TLS handshakes and replies are
 * chores of the loop, so that a crowd of clients does not delay the stream.
 *
 * A client that speaks plain HTTP to the TLS port is told so, with status 400.
 *
 * Owner: whoever called http_open. Thread: that of the loop.
 */
#ifndef RELAY_NET_HTTP_H
#define RELAY_NET_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/net/http_message.h"

struct error;
struct http;
struct loop;
struct tls_context;

enum {
    HTTP_CONNECTIONS_MAX = 32,
    HTTP_REQUEST_MAX = 8 * 1024,
};

struct http_options {
    const char *addresses; /* blanks between; "-" before one: no matter if it is missing */
    bool has_port;
    bool has_tls_port;
    uint16_t port; /* 0: any free one (tests) */
    uint16_t tls_port;
    struct tls_context *tls; /* for tls_port; lent, see http_set_tls; a probe needs none */
    int64_t timeout_ms;
};

/* Fills the reply; for HEAD as for GET. */
typedef void http_fn(const struct http_request *request, struct http_reply *reply, void *arg);

/* Listens on addresses as listener_open knows them. NULL: `error`. */
MUST_CHECK struct http *http_open(struct loop *loop, const struct http_options *options,
                                  http_fn *fn, void *arg, struct error *error);

/* Could it listen on them now? Keeps none. False: `error`; ERROR_IN_USE where somebody listens there. */
MUST_CHECK bool http_probe(const struct http_options *options, struct error *error);

/* The ports that it listens on; the system has chosen them where http_open was given 0. 0: none. */
uint16_t http_port(const struct http *http);
uint16_t http_tls_port(const struct http *http);

/* Another context for the connections that come; lent: it lives until the next call, or http_close. */
void http_set_tls(struct http *http, struct tls_context *tls);

/* Is it reachable from this machine only? */
bool http_is_local(const struct http *http);

/* Closes all connections. */
void http_close(struct http **http);

#endif
