/* SPDX-License-Identifier: MIT
 *
 * What a connection does with its descriptor besides moving bytes. Thread: any.
 */
#ifndef RELAY_NET_SOCKET_H
#define RELAY_NET_SOCKET_H

#include <stdint.h>

#include "address.h"

struct socket_end {
    char address[ADDRESS_TEXT_MAX];
    uint16_t port;
};

/* Non-blocking, close-on-exec, no delay; keepalive after that many idle seconds, 0: none. */
void socket_tune(int fd, int keepalive_s);

/* The two ends. Left empty where the peer has gone already. */
void socket_look_up_peer(int fd, struct socket_end *end);
void socket_look_up_local(int fd, struct socket_end *end);

#endif
