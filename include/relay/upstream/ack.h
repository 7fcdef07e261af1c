/* SPDX-License-Identifier: MIT
 *
 * What we acknowledge to the primary, and so what a client's WAIT there means (docs/protocol.md 3.6):
 *
 *     received     the relay has it
 *     durable      the relay has it on disk, fsynced
 *     replicas N   N replicas behind the relay have it
 *     all          all replicas behind the relay have it, and there is one
 *
 * Never more than the boundary, never less than was acknowledged before. Pure. Any thread.
 */
#ifndef RELAY_UPSTREAM_ACK_H
#define RELAY_UPSTREAM_ACK_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/bytes.h"
#include "relay/base/check.h"
#include "relay/base/text.h"

enum { ACK_REPLICAS_MAX = 1000 };

enum ack_policy { ACK_RECEIVED, ACK_DURABLE, ACK_REPLICAS, ACK_ALL };

struct ack_rule {
    enum ack_policy policy;
    unsigned replicas; /* of ACK_REPLICAS: 1..ACK_REPLICAS_MAX; else 0 */
};

/* "received", "durable", "all", "replicas 2". */
MUST_CHECK bool ack_rule_parse(struct bytes view, struct ack_rule *out);
void ack_rule_format(struct ack_rule rule, struct text *out);

/* What the rule asks for besides the boundary: does it look at replicas? Then `rank` is which of them:
 * the rank-th that has most, 0 for the one that has least. */
bool ack_rule_asks_replicas(struct ack_rule rule, unsigned *rank);

#endif
