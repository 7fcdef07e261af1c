/* SPDX-License-Identifier: MIT
 *
 * Where the primary may be: addresses of candidates, of which the one that is a primary is followed.
 * Plain values, and how they are read wherever somebody names one: in the ini, by REPLICAOF, from a
 * Sentinel. Pure. Any thread.
 */
#ifndef RELAY_UPSTREAM_PRIMARY_ADDRESS_H
#define RELAY_UPSTREAM_PRIMARY_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/text.h"

enum { PRIMARY_HOST_MAX = 256, PRIMARY_CANDIDATES_MAX = 16, PRIMARY_PATH_MAX = 128 };

/* What carries the bytes. */
enum primary_carrier {
    PRIMARY_TCP, /* HOST PORT: TCP, under TLS where the setting `tls` says so */
    PRIMARY_WS,  /* ws://HOST:PORT/PATH: a WebSocket (relay/net/websocket.h), without TLS, */
    PRIMARY_WSS, /* wss://...: and with it, whatever `tls` says */
};

struct primary_address {
    char host[PRIMARY_HOST_MAX]; /* a name, or an address; that of IPv6 without brackets */
    uint16_t port;
    enum primary_carrier carrier;
    char path[PRIMARY_PATH_MAX]; /* of a WebSocket; else "" */
};

/* Which of several that can go on with our history is followed. */
enum primary_preference {
    PRIMARY_PREFER_PRIMARY, /* one that is a primary; else a replica, the last followed first */
    PRIMARY_PREFER_FIRST,   /* the first of the list, whether it is a primary or a replica */
    PRIMARY_PREFER_NEAREST, /* the one that is connected first, whether it is a primary or a replica */
};

struct primary_candidates {
    size_t count; /* 0: it is not known (yet) where the primary is */
    struct primary_address at[PRIMARY_CANDIDATES_MAX];
};

/* A name or an address as it may be meant: "[::1]" is ::1. False: no server can be found by that, whatever
 * the resolver says ("10.0.0.1:6379", "300.1.2.3"); `why` says what is wrong with it. */
MUST_CHECK bool primary_host_parse(struct bytes word, char host[PRIMARY_HOST_MAX],
                                   struct text *why);

/* The same with a port from 1 to 65535. */
MUST_CHECK bool primary_address_parse(struct bytes host, struct bytes port,
                                      struct primary_address *out, struct text *why);

/* "ws://HOST:PORT/PATH" or "wss://...". Without a port 80 or 443, without a path "/". */
bool primary_address_is_url(struct bytes view);
MUST_CHECK bool primary_address_parse_url(struct bytes view, struct primary_address *out,
                                          struct text *why);

/* As it is read: "HOST PORT", or the URL. */
void primary_address_format(const struct primary_address *address, struct text *out);

/* The same host, to the letter, the same port, and the same way there. */
bool primary_address_equal(const struct primary_address *a, const struct primary_address *b);

#endif
