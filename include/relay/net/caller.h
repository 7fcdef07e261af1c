/* SPDX-License-Identifier: MIT
 *
 * A descriptor that a listener has accepted, before it is anybody's connection: who calls, and how to
 * send it away without keeping anything of it. Thread: that of the listener.
 */
#ifndef RELAY_NET_CALLER_H
#define RELAY_NET_CALLER_H

#include <stdbool.h>

#include "relay/base/bytes.h"

enum { CALLER_NAME_MAX = 264 };

/* Does it come from this very machine, over the loopback interface? One that has gone does not. */
bool caller_is_local(int fd);

/* "192.0.2.7:6380", or "?" for one that has gone. */
void caller_format(int fd, char out[CALLER_NAME_MAX]);

/* Sends what the socket takes of `words` at once, and closes: nothing is waited for. */
void caller_turn_away(int fd, struct bytes words);

#endif
