/* SPDX-License-Identifier: MIT */
#include "ports.h"

#include <unistd.h>

#include "relay/base/error.h"
#include "relay/base/log.h"
#include "relay/downstream/options.h"
#include "relay/net/listener.h"

static const char too_many[] = "bind: more than 16 addresses";
_Static_assert(PORTS_LISTENERS_MAX == PORT_KINDS * 16, "each may have all kinds of ports");
static const char nowhere[] = "bind: there is no address to listen on";

static const char *const names[PORT_KINDS] = {
    [PORT_PLAIN] = "",
    [PORT_TLS] = " (TLS)",
    [PORT_WS] = " (WebSocket)",
    [PORT_WSS] = " (WebSocket under TLS)",
    [PORT_DELAYED] = " (delayed)",
    [PORT_DELAYED_TLS] = " (TLS) (delayed)",
};

/* False: there is no such port. */
static bool ports_number(const struct downstream_options *options, enum port_kind kind,
                         uint16_t *port)
{
    const uint16_t numbers[PORT_KINDS] = {
        [PORT_PLAIN] = options->port,           [PORT_TLS] = options->tls_port,
        [PORT_WS] = options->ws_port,           [PORT_WSS] = options->ws_tls_port,
        [PORT_DELAYED] = options->delayed.port, [PORT_DELAYED_TLS] = options->delayed.tls_port,
    };
    *port = numbers[kind];
    return kind == PORT_PLAIN ? !options->without_plain : numbers[kind] != 0;
}

static void ports_on_accept(int fd, void *arg)
{
    const struct ports_side *side = arg;
    side->ports->fn(fd, side->kind, side->ports->arg);
}

/* One address of `bind`. False: it is needed and cannot be had. */
static bool ports_listen_on(struct ports_side *side, const struct listener_address *address,
                            uint16_t wanted, struct text *why)
{
    struct ports *ports = side->ports;
    if (ports->count == PORTS_LISTENERS_MAX) {
        text_append_string(why, too_many);
        return false;
    }
    /* Where any port will do, all addresses share the one that the first was given. */
    uint16_t port = side->port != 0 ? side->port : wanted;
    struct error error;
    struct listener *listener =
        listener_open(ports->loop, address->text, port, ports_on_accept, side, &error);
    if (listener != NULL) {
        ports->listeners[ports->count++] = listener;
        side->port = listener_port(listener);
        log_info("downstream: listening on %s port %u%s", address->text, side->port,
                 names[side->kind]);
    } else if (address->may_miss) {
        log_warnx("downstream: %s (optional address: startup continues)", error.text);
    } else {
        text_append_string(why, error.text);
    }
    return listener != NULL || address->may_miss;
}

static bool ports_listen_on_all(struct ports_side *side, const char *bind, uint16_t wanted,
                                struct text *why)
{
    struct listener_address address;
    size_t said = why->length;
    while (listener_next_address(&bind, &address)) {
        if (!ports_listen_on(side, &address, wanted, why))
            return false;
    }
    if (side->port == 0 && why->length == said)
        text_append_string(why, nowhere);
    return side->port != 0 && why->length == said;
}

/* --- looking, before anything is opened --- */

struct attempt {
    struct text *taken;
    struct text *why;
    int held[PORTS_LISTENERS_MAX]; /* until all have been tried */
    size_t count;
};

/* False: a start would go on without it, or end; what it would say is told. */
static bool try_one(struct attempt *attempt, const struct listener_address *address, uint16_t port)
{
    struct error error;
    if (attempt->count == PORTS_LISTENERS_MAX) {
        text_format(attempt->why, "%s\n", too_many);
        return false;
    }
    int fd = listener_try(address->text, port, &error);
    if (fd != -1)
        attempt->held[attempt->count++] = fd;
    else if (!address->may_miss)
        text_format(error.kind == ERROR_IN_USE ? attempt->taken : attempt->why, "%s\n", error.text);
    return fd != -1;
}

static void try_all(struct attempt *attempt, const char *bind, uint16_t port)
{
    struct listener_address address;
    size_t said = attempt->why->length + attempt->taken->length;
    bool listens = false;
    while (listener_next_address(&bind, &address))
        listens = try_one(attempt, &address, port) || listens;
    if (!listens && attempt->why->length + attempt->taken->length == said)
        text_format(attempt->why, "%s\n", nowhere);
}

bool ports_probe(const struct downstream_options *options, struct text *taken, struct text *why)
{
    struct attempt attempt = {.taken = taken, .why = why};
    size_t said = why->length;
    for (enum port_kind kind = PORT_PLAIN; kind < PORT_KINDS; kind++) {
        uint16_t port;
        if (ports_number(options, kind, &port))
            try_all(&attempt, options->bind, port);
    }
    for (size_t i = 0; i < attempt.count; i++)
        close(attempt.held[i]);
    return why->length == said;
}

/* --- open --- */

bool ports_open(struct ports *ports, struct loop *loop, const struct downstream_options *options,
                ports_fn *fn, void *arg, struct text *why)
{
    *ports = (struct ports){.loop = loop, .fn = fn, .arg = arg};
    bool listens = false;
    for (enum port_kind kind = PORT_PLAIN; kind < PORT_KINDS; kind++) {
        uint16_t port;
        struct ports_side *side = &ports->sides[kind];
        *side = (struct ports_side){.ports = ports, .kind = kind};
        if (!ports_number(options, kind, &port))
            continue;
        CHECK(!port_has_tls(kind) || options->tls != NULL);
        listens = listens || !port_is_delayed(kind);
        if (!ports_listen_on_all(side, options->bind, port, why))
            return false;
    }
    if (!listens)
        text_append_string(why, "neither port nor tls-port is set: nobody could connect");
    return listens;
}

void ports_close(struct ports *ports)
{
    for (size_t i = 0; i < ports->count; i++)
        listener_close(&ports->listeners[i]);
    ports->count = 0;
}
