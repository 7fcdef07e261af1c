/* SPDX-License-Identifier: MIT
 *
 * Socket addresses and how they are written. Pure, never asks a name server. Any thread.
 */
#ifndef RELAY_NET_ADDRESS_H
#define RELAY_NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "relay/base/check.h"

enum {
    ADDRESS_TEXT_MAX = 64,                   /* "fe80::...%interface" with its terminator */
    ADDRESS_HOST_MAX = 256,                  /* a host name with its terminator */
    ADDRESS_PEER_MAX = ADDRESS_HOST_MAX + 8, /* "[host]:port" with its terminator */
};

struct address {
    struct sockaddr_storage storage;
    socklen_t length;
};

/* "127.0.0.1", "2001:db8::7", "fe80::1%eth0". False: not numeric. */
MUST_CHECK bool address_parse(const char *numeric, uint16_t port, struct address *out);

/* False: longer than any socket address is. */
MUST_CHECK bool address_take(const struct sockaddr *from, socklen_t length, struct address *out);

/* Without the port; "" for what is neither IPv4 nor IPv6. */
void address_format(const struct address *address, char out[ADDRESS_TEXT_MAX]);
uint16_t address_port(const struct address *address);
void address_set_port(struct address *address, uint16_t port);

/* "host:port", "[2001:db8::7]:6380" */
void address_format_peer(const char *host, uint16_t port, char out[ADDRESS_PEER_MAX]);

#endif
