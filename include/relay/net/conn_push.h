/* SPDX-License-Identifier: MIT
 *
 * Sends what fits. Thread: that of the connection.
 */
#ifndef RELAY_NET_CONN_PUSH_H
#define RELAY_NET_CONN_PUSH_H

#include <stddef.h>

#include "relay/base/text.h"
#include "relay/net/conn.h"

/* Sends as much of `view`, which may be empty, as the connection takes; *sent is how much. CONN_OK: all of it.
 * CONN_AGAIN: the rest when there is room (conn_want). CONN_FAILED: DOWN follows. */
enum conn_io conn_push(struct conn *conn, struct bytes view, size_t *sent);

/* The same with what stands in `out`: what was sent is taken out of it. */
enum conn_io conn_push_text(struct conn *conn, struct text *out);

#endif
