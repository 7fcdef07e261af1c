/* SPDX-License-Identifier: MIT
 *
 * Base64 (RFC 4648, 4), as headers of HTTP carry it. Pure. Any thread.
 */
#ifndef RELAY_NET_BASE64_H
#define RELAY_NET_BASE64_H

#include "relay/base/bytes.h"

/* With the terminator. */
#define BASE64_LENGTH(length) (((length) + 2) / 3 * 4 + 1)

/* `out` has room for BASE64_LENGTH(view.length). */
void base64_encode(struct bytes view, char *out);

#endif
