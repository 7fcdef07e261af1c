/* SPDX-License-Identifier: MIT
 *
 * A request and its reply, as the HTTP server gives and takes them. Thread: that of the server.
 */
#ifndef RELAY_NET_HTTP_MESSAGE_H
#define RELAY_NET_HTTP_MESSAGE_H

#include "relay/base/text.h"

enum { HTTP_REPLY_MAX = 2 * 1024 * 1024 };

/* Strings live until the callee returns. */
struct http_request {
    const char *path;          /* "/status.json", as it was sent */
    const char *query;         /* behind the '?', or "" */
    const char *host;          /* of the Host header, without its port; "" where there is none */
    const char *authorization; /* that header, or "" */
    const char *peer;          /* "192.0.2.7:50000", "[2001:db8::7]:50000" */
};

struct http_reply {
    int code; /* 200; with a 401 a password is asked for, with a 429 another try in a second */
    const char *type;   /* of the content; text for people by default */
    const char *policy; /* Content-Security-Policy; by default nothing may be loaded */
    struct text body;   /* at most HTTP_REPLY_MAX; what does not fit makes it a 500 */
};

#endif
