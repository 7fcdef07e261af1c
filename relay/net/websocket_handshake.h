/* SPDX-License-Identifier: MIT
 *
 * The handshake of a WebSocket (RFC 6455, 4): what both sides compute, and the client's part.
 *
 * Pure, but for the key that is drawn. Any thread.
 */
#ifndef RELAY_NET_WEBSOCKET_HANDSHAKE_H
#define RELAY_NET_WEBSOCKET_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/text.h"

enum {
    WEBSOCKET_HEAD_MAX = 8 * 1024, /* of a request or an answer */
    WEBSOCKET_KEY_LENGTH = 24,     /* 16 bytes in base64 */
    WEBSOCKET_ACCEPT_LENGTH = 28,  /* a SHA-1 in base64 */
    WEBSOCKET_WHY_MAX = 256,
};

#define WEBSOCKET_SUBPROTOCOL "psync"

enum websocket_verdict {
    WEBSOCKET_MORE,     /* the head is not whole */
    WEBSOCKET_ACCEPTED, /* frames follow behind the head */
    WEBSOCKET_REFUSED,
};

/* The proof that a server has read the key, which has WEBSOCKET_KEY_LENGTH bytes. */
void websocket_accept_value(const char *key, char out[WEBSOCKET_ACCEPT_LENGTH + 1]);

/* Draws a key. */
void websocket_make_key(char key[WEBSOCKET_KEY_LENGTH + 1]);

/* Appends the request. */
void websocket_format_request(const char *host, uint16_t port, bool is_tls, const char *path,
                              const char *key, struct text *out);

/* Looks at what the server has answered so far: *length is that of the head, or `why` is filled. */
enum websocket_verdict websocket_judge_answer(struct bytes data, const char *key, size_t *length,
                                              char why[WEBSOCKET_WHY_MAX]);

#endif
