/* SPDX-License-Identifier: MIT
 *
 * The head of an HTTP reply. Pure. Any thread.
 */
#ifndef RELAY_NET_HTTP_REPLY_H
#define RELAY_NET_HTTP_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/net/http_message.h"

enum { HTTP_REPLY_HEAD_MAX = 4 * 1024 };

/* Appends the status line, the headers, and the empty line behind them. `is_last`: the connection is closed
 * behind the reply. `wall_us`: the time now, since the epoch. */
void http_reply_format_head(const struct http_reply *reply, bool is_last, int64_t wall_us,
                            struct text *out);

#endif
