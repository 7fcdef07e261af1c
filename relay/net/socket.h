/* SPDX-License-Identifier: MIT
 *
 * What a connection does with its descriptor besides moving bytes. Thread: any.
 */
#ifndef RELAY_NET_SOCKET_H
#define RELAY_NET_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include "address.h"

struct socket_end {
    char address[ADDRESS_TEXT_MAX];
    uint16_t port;
};

/* Non-blocking, close-on-exec, no delay; keepalive after that many idle seconds, 0: none. */
void socket_tune(int fd, int keepalive_s);

/* Asks the peer's system whether it is there, after that many idle seconds; > 0. */
void socket_keep_alive(int fd, int keepalive_s);

/* The connection breaks when the peer has not acknowledged for so long what we have sent. */
void socket_limit_unanswered(int fd, int64_t limit_ms);

/* The kernel takes no more while so many bytes that it has taken have not gone out yet. What is on its way does not
 * count, so that throughput does not suffer. */
void socket_limit_unsent(int fd, int bytes);

/* How the connection finds out how fast it may send; a name that the kernel knows, as "bbr". False: errno. */
bool socket_set_congestion(int fd, const char *name);

/* Does TCP wait for an answer of the peer's system that is late? For a moment it does with everybody. */
bool socket_is_unanswered(int fd);

/* The two ends. Left empty where the peer has gone already. */
void socket_look_up_peer(int fd, struct socket_end *end);
void socket_look_up_local(int fd, struct socket_end *end);

#endif
