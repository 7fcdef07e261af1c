/* SPDX-License-Identifier: MIT
 *
 * A replication id: forty hexadecimal digits that name a history. Kept in lower case, since servers
 * compare ids without regard to case (docs/protocol.md 1.2). Pure. Any thread.
 */
#ifndef RELAY_BASE_REPLID_H
#define RELAY_BASE_REPLID_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"

enum { REPLID_DIGITS = 40 };

/* No history that is told of begins beyond this offset, and none that is held goes further than half as
 * far again: room for an exabyte, below what a signed offset, as servers have it, can say. */
#define OFFSET_FIRST_MAX (UINT64_C(1) << 62)
#define OFFSET_MAX (OFFSET_FIRST_MAX + OFFSET_FIRST_MAX / 2)

struct replid {
    char hex[REPLID_DIGITS + 1]; /* terminated; all zeros where there is none */
};

/* Exactly forty hexadecimal digits, or false. */
MUST_CHECK bool replid_parse(struct bytes view, struct replid *out);

bool replid_equal(const struct replid *a, const struct replid *b);

/* The id that INFO prints where there is none: forty '0'. */
struct replid replid_none(void);

#endif
