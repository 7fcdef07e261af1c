/* SPDX-License-Identifier: MIT
 *
 * The server's part of the handshake of a WebSocket (RFC 6455, 4.2): which requests are let in, and what the others are
 * answered. Pure. Any thread.
 */
#ifndef RELAY_NET_WEBSOCKET_REQUEST_H
#define RELAY_NET_WEBSOCKET_REQUEST_H

#include "address.h"
#include "relay/base/text.h"
#include "relay/net/websocket.h"
#include "websocket_handshake.h"

struct websocket_request {
    size_t length; /* of the head */
    char forwarded
        [ADDRESS_TEXT_MAX];      /* the client's address, where a trusted proxy tells it; else "" */
    char why[WEBSOCKET_WHY_MAX]; /* of a refusal, for the log */
};

/* Looks at what a client has sent so far; `data` is changed. `peer` is the address that it comes from. Appends the
 * answer, of 101 or of a refusal. A request of WEBSOCKET_HEAD_MAX bytes that is not whole is refused. */
enum websocket_verdict websocket_judge_request(char *data, size_t length, const char *peer,
                                               bool is_tls, const struct websocket_rules *rules,
                                               struct websocket_request *request,
                                               struct text *answer);

#endif
