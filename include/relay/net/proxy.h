/* SPDX-License-Identifier: MIT
 *
 * A proxy on the way out, as its URL says:
 *
 *     http://[user[:password]@]host[:port]      CONNECT of RFC 9110, 9.3.6; port 3128 where none is named
 *     socks5://[user[:password]@]host[:port]    RFC 1928 and RFC 1929; port 1080 where none is named
 *
 * User and password are percent-encoded (RFC 3986, 2.1). With either kind the proxy resolves the name of the
 * server that we connect to.
 *
 * Pure. Any thread.
 */
#ifndef RELAY_NET_PROXY_H
#define RELAY_NET_PROXY_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/text.h"

enum { PROXY_HOST_MAX = 256, PROXY_WORD_MAX = 256 };

enum proxy_kind { PROXY_HTTP, PROXY_SOCKS5 };

struct proxy {
    enum proxy_kind kind;
    char host[PROXY_HOST_MAX]; /* a name, or an address; that of IPv6 without brackets */
    uint16_t port;
    char user[PROXY_WORD_MAX];     /* "": none */
    char password[PROXY_WORD_MAX]; /* with a user */
};

/* False: it is no such URL. *out has changed all the same. */
MUST_CHECK bool proxy_parse(const char *url, struct proxy *out);

/* The URL with "***" in place of the password. */
void proxy_format(const struct proxy *proxy, struct text *out);

#endif
