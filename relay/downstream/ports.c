/* SPDX-License-Identifier: MIT */
#include "ports.h"

#include <unistd.h>

#include "relay/base/error.h"
#include "relay/base/log.h"
#include "relay/downstream/options.h"
#include "relay/net/listener.h"

static const char too_many[] = "bind: more than 16 addresses";
_Static_assert(PORTS_LISTENERS_MAX == 4 * 16, "each may have four ports");
static const char nowhere[] = "bind: there is no address to listen on";

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
        log_info("downstream: listening on %s port %u%s%s", address->text, side->port,
                 side->kind.is_tls ? " (TLS)" : "", side->kind.is_delayed ? " (delayed)" : "");
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
    if (!options->without_plain)
        try_all(&attempt, options->bind, options->port);
    const uint16_t others[] = {options->tls_port, options->delayed.port, options->delayed.tls_port};
    for (size_t i = 0; i < LENGTH_OF(others); i++) {
        if (others[i] != 0)
            try_all(&attempt, options->bind, others[i]);
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
    const struct delayed_options *delayed = &options->delayed;
    ports->plain = (struct ports_side){.ports = ports};
    ports->tls = (struct ports_side){.ports = ports, .kind.is_tls = true};
    ports->delayed = (struct ports_side){.ports = ports, .kind.is_delayed = true};
    ports->delayed_tls =
        (struct ports_side){.ports = ports, .kind = {.is_tls = true, .is_delayed = true}};
    CHECK((options->tls_port == 0 && delayed->tls_port == 0) || options->tls != NULL);
    if (options->without_plain && options->tls_port == 0) {
        text_append_string(why, "neither port nor tls-port is set: nobody could connect");
        return false;
    }
    return (options->without_plain ||
            ports_listen_on_all(&ports->plain, options->bind, options->port, why)) &&
           (options->tls_port == 0 ||
            ports_listen_on_all(&ports->tls, options->bind, options->tls_port, why)) &&
           (delayed->port == 0 ||
            ports_listen_on_all(&ports->delayed, options->bind, delayed->port, why)) &&
           (delayed->tls_port == 0 ||
            ports_listen_on_all(&ports->delayed_tls, options->bind, delayed->tls_port, why));
}

void ports_close(struct ports *ports)
{
    for (size_t i = 0; i < ports->count; i++)
        listener_close(&ports->listeners[i]);
    ports->count = 0;
}
