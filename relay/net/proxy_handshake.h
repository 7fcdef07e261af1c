/* SPDX-License-Identifier: MIT
 *
 * What is said to a proxy until it has connected us to a server: one request and one answer with CONNECT, up to
 * three of each with SOCKS5. The server's name is given as it is, for the proxy to resolve; an address of IPv4
 * or IPv6 goes as one.
 *
 *     proxy_handshake_begin(&handshake, &proxy, "primary.example.org", 6379);
 *     again and again:  send proxy_handshake_output, say so by proxy_handshake_sent; when it is empty
 *                       receive up to proxy_handshake_wants bytes, and feed them
 *
 * It never wants a byte that stands behind the proxy's last word: that one is the server's.
 *
 * Bounds: PROXY_ANSWER_MAX bytes of an answer. Pure. Any thread.
 */
#ifndef RELAY_NET_PROXY_HANDSHAKE_H
#define RELAY_NET_PROXY_HANDSHAKE_H

#include <stddef.h>
#include <stdint.h>

#include "http_answer.h"
#include "relay/base/bytes.h"
#include "relay/net/proxy.h"

enum {
    PROXY_OUTPUT_MAX = 2 * 1024,
    PROXY_ANSWER_MAX = HTTP_ANSWER_MAX,
    PROXY_ERROR_MAX = 256,
};

enum proxy_step {
    PROXY_STEP_ANSWER,  /* CONNECT: the head of the answer */
    PROXY_STEP_METHOD,  /* SOCKS5: how we log in */
    PROXY_STEP_LOGIN,   /* whether the password is right */
    PROXY_STEP_REPLY,   /* whether it is connected */
    PROXY_STEP_ADDRESS, /* the rest of that, which has no use for us */
};

struct proxy_handshake {
    const struct proxy *proxy; /* the caller's */
    char host[PROXY_HOST_MAX];
    uint16_t port;
    enum proxy_step step;
    uint8_t output[PROXY_OUTPUT_MAX];
    size_t output_length;
    size_t output_sent;
    uint8_t answer[PROXY_ANSWER_MAX];
    size_t answer_length;
    size_t answer_wanted; /* SOCKS5: with so many bytes the step is done */
    char error[PROXY_ERROR_MAX];
};

/* `host` is a name or an address, that of IPv6 without brackets, shorter than PROXY_HOST_MAX. */
void proxy_handshake_begin(struct proxy_handshake *handshake, const struct proxy *proxy,
                           const char *host, uint16_t port);

/* Empty: nothing is to be said before an answer has come. */
struct bytes proxy_handshake_output(const struct proxy_handshake *handshake);
void proxy_handshake_sent(struct proxy_handshake *handshake, size_t count);

/* > 0, until it is done or has failed. */
size_t proxy_handshake_wants(const struct proxy_handshake *handshake);

enum proxy_result {
    PROXY_MORE,   /* see output and wants */
    PROXY_DONE,   /* the bytes that follow are the server's */
    PROXY_FAILED, /* handshake.error says why, without the proxy's address */
};

/* `view` is not longer than what is wanted. */
enum proxy_result proxy_handshake_feed(struct proxy_handshake *handshake, struct bytes view);

#endif
