/* SPDX-License-Identifier: MIT
 *
 * SHA-256, as passwords are kept and compared. Pure. Any thread.
 */
#ifndef RELAY_NET_DIGEST_H
#define RELAY_NET_DIGEST_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"

enum { DIGEST_LENGTH = 32, DIGEST_DIGITS = 2 * DIGEST_LENGTH };

struct digest {
    uint8_t byte[DIGEST_LENGTH];
};

struct digest digest_of(struct bytes view);

/* From DIGEST_DIGITS hexadecimal digits of either case. False leaves *out alone. */
MUST_CHECK bool digest_parse(struct bytes digits, struct digest *out);

/* Takes the same time whatever they are. */
bool digest_equal(const struct digest *a, const struct digest *b);

#endif
