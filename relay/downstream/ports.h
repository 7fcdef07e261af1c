/* SPDX-License-Identifier: MIT
 *
 * The ports that we listen on: every address of `bind` for each kind of port that has a number.
 *
 * Owner: downstream.c. Thread: thread 0.
 */
#ifndef RELAY_DOWNSTREAM_PORTS_H
#define RELAY_DOWNSTREAM_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/text.h"

struct downstream_options;
struct listener;
struct loop;

enum { PORTS_LISTENERS_MAX = 96 };

enum port_kind {
    PORT_PLAIN,
    PORT_TLS,
    PORT_WS,          /* a WebSocket, plain */
    PORT_WSS,         /* and under TLS */
    PORT_DELAYED,     /* of [delayed] */
    PORT_DELAYED_TLS, /* and under TLS */
    PORT_KINDS,
};

static inline bool port_has_tls(enum port_kind kind)
{
    return kind == PORT_TLS || kind == PORT_WSS || kind == PORT_DELAYED_TLS;
}

static inline bool port_has_websocket(enum port_kind kind)
{
    return kind == PORT_WS || kind == PORT_WSS;
}

static inline bool port_is_delayed(enum port_kind kind)
{
    return kind == PORT_DELAYED || kind == PORT_DELAYED_TLS;
}

/* Takes over a connected descriptor. */
typedef void ports_fn(int fd, enum port_kind kind, void *arg);

/* What the listeners of one kind are given. */
struct ports_side {
    struct ports *ports;
    enum port_kind kind;
    uint16_t port; /* the one really bound; 0: none */
};

/* A member of its owner, which does not move. */
struct ports {
    struct loop *loop;
    ports_fn *fn;
    void *arg;
    struct ports_side sides[PORT_KINDS];
    struct listener *listeners[PORTS_LISTENERS_MAX];
    size_t count;
};

/* False: `why`; ports_close is due all the same. */
MUST_CHECK bool ports_open(struct ports *ports, struct loop *loop,
                           const struct downstream_options *options, ports_fn *fn, void *arg,
                           struct text *why);
/* Could ports_open have them now? See downstream_probe. */
MUST_CHECK bool ports_probe(const struct downstream_options *options, struct text *taken,
                            struct text *why);

void ports_close(struct ports *ports);

#endif
