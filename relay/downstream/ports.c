/* SPDX-License-Identifier: MIT */
#include "ports.h"

#include <string.h>

#include "relay/base/log.h"
#include "relay/downstream/downstream.h"
#include "relay/net/listener.h"

enum { ADDRESS_MAX = 256 };

static void on_accept(int fd, void *arg)
{
    const struct ports_side *side = arg;
    side->ports->fn(fd, side->is_tls, side->ports->arg);
}

/* One address of `bind`. False: it is needed and cannot be had. */
static bool listen_on(struct ports_side *side, const char *address, uint16_t wanted,
                      struct text *why)
{
    struct ports *ports = side->ports;
    bool may_miss = address[0] == '-';
    if (may_miss)
        address++;
    if (ports->count == PORTS_LISTENERS_MAX) {
        text_format(why, "bind: more than %d addresses", PORTS_LISTENERS_MAX / 2);
        return false;
    }
    /* Where any port will do, all addresses share the one that the first was given. */
    uint16_t port = side->port != 0 ? side->port : wanted;
    struct text error;
    text_init(&error, 512);
    struct listener *listener = listener_open(ports->loop, address, port, on_accept, side, &error);
    if (listener != NULL) {
        ports->listeners[ports->count++] = listener;
        side->port = listener_port(listener);
        log_info("downstream: listening on %s port %u%s", address, side->port,
                 side->is_tls ? " (TLS)" : "");
    } else if (may_miss) {
        log_warnx("downstream: %s (goes on without it: the address has a '-')",
                  text_string(&error));
    } else {
        text_append_string(why, text_string(&error));
    }
    text_fini(&error);
    return listener != NULL || may_miss;
}

static bool listen_on_all(struct ports_side *side, const char *bind, uint16_t wanted,
                          struct text *why)
{
    while (*(bind += strspn(bind, " \t")) != '\0') {
        size_t length = strcspn(bind, " \t");
        char address[ADDRESS_MAX];
        if (length >= sizeof(address)) {
            text_append_string(why, "bind: an address is too long");
            return false;
        }
        memcpy(address, bind, length);
        address[length] = '\0';
        if (!listen_on(side, address, wanted, why))
            return false;
        bind += length;
    }
    if (side->port == 0)
        text_append_string(why, "bind: there is no address to listen on");
    return side->port != 0;
}

bool ports_open(struct ports *ports, struct loop *loop, const struct downstream_options *options,
                ports_fn *fn, void *arg, struct text *why)
{
    *ports = (struct ports){.loop = loop, .fn = fn, .arg = arg};
    ports->plain = (struct ports_side){.ports = ports};
    ports->tls = (struct ports_side){.ports = ports, .is_tls = true};
    CHECK(options->tls_port == 0 || options->tls != NULL);
    if (options->without_plain && options->tls_port == 0) {
        text_append_string(why, "neither port nor tls-port is set: nobody could connect");
        return false;
    }
    return (options->without_plain ||
            listen_on_all(&ports->plain, options->bind, options->port, why)) &&
           (options->tls_port == 0 ||
            listen_on_all(&ports->tls, options->bind, options->tls_port, why));
}

void ports_close(struct ports *ports)
{
    for (size_t i = 0; i < ports->count; i++)
        listener_close(&ports->listeners[i]);
    ports->count = 0;
}
