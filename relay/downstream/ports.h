/* SPDX-License-Identifier: MIT
 *
 * The ports that we listen on: every address of `bind`, once plain and once under TLS, or only one of
 * the two; and the same for replicas that run behind ([delayed]).
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

enum { PORTS_LISTENERS_MAX = 64 };

/* Which port it is that somebody has come to. */
struct port_kind {
    bool is_tls;
    bool is_delayed;
};

/* Takes over a connected descriptor. */
typedef void ports_fn(int fd, struct port_kind kind, void *arg);

/* What the listeners of one kind are given. */
struct ports_side {
    struct ports *ports;
    struct port_kind kind;
    uint16_t port; /* the one really bound; 0: none */
};

/* A member of its owner, which does not move. */
struct ports {
    struct loop *loop;
    ports_fn *fn;
    void *arg;
    struct ports_side plain;
    struct ports_side tls;
    struct ports_side delayed;
    struct ports_side delayed_tls;
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
