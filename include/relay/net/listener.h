/* SPDX-License-Identifier: MIT
 *
 * Accepts connections. When the process is out of descriptors it rests for a moment and says so once,
 * instead of turning in circles. Thread: that of its loop.
 */
#ifndef RELAY_NET_LISTENER_H
#define RELAY_NET_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/check.h"

struct listener;
struct error;
struct loop;

/* Gives away a connected descriptor: the callee closes it, or hands it to conn_accept. */
typedef void listener_fn(int fd, void *arg);

/* One of those that a `bind` names. */
struct listener_address {
    char text[256];
    bool may_miss; /* it had a '-': where the machine has no such address, that is no error */
};

/* Takes the next of the addresses, which have blanks between them, off `*list`. False: there are no more. One
 * that is too long is cut; it is no address then either, and refused where it is opened. */
bool listener_next_address(const char **list, struct listener_address *address);

/* Listens on a numeric address ("127.0.0.1", "::1", "*" and "0.0.0.0" for all of IPv4, "::*" and "::"
 * for all of IPv6). NULL: `error` ("bind 127.0.0.1 port 6379: Address already in use"); ERROR_IN_USE where
 * somebody listens there, ERROR_INVALID where it is no numeric address. */
MUST_CHECK struct listener *listener_open(struct loop *loop, const char *address, uint16_t port,
                                          listener_fn *fn, void *arg, struct error *error);

/* Could listener_open have that port? A descriptor that holds it until the caller closes it, so that several
 * are tried as they would be opened. -1: `error`, as above. */
MUST_CHECK int listener_try(const char *address, uint16_t port, struct error *error);

/* The port that it listens on; the system has chosen it where listener_open was given 0. */
uint16_t listener_port(const struct listener *listener);

/* Accepts nobody until it is told otherwise: who comes waits in the kernel's queue. Also from inside its own
 * callback. */
void listener_pause(struct listener *listener, bool is_paused);

/* Also from inside its own callback. */
void listener_close(struct listener **listener);

#endif
