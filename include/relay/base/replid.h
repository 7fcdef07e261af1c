/* SPDX-License-Identifier: MIT
 *
 * A replication id: forty hexadecimal digits that name a history. Kept in lower case, since servers
 * compare ids without regard to case (protocol 1.2). Pure. Any thread.
 */
#ifndef RELAY_BASE_REPLID_H
#define RELAY_BASE_REPLID_H

#include <stdbool.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"

enum { REPLID_DIGITS = 40 };

struct replid {
    char hex[REPLID_DIGITS + 1]; /* terminated; all zeros where there is none */
};

/* Exactly forty hexadecimal digits, or false. */
MUST_CHECK bool replid_parse(struct bytes view, struct replid *out);

bool replid_equal(const struct replid *a, const struct replid *b);

/* The id that INFO prints where there is none: forty '0'. */
struct replid replid_none(void);

#endif
