/* SPDX-License-Identifier: MIT
 *
 * What the link has acknowledged and what it still owes. A primary that says GETACK wants to know when
 * its clients' writes are as safe as the rule (upstream/ack.h) promises: it is answered at once, and
 * again each time the rule's offset moves, until what it asked for is acknowledged. Otherwise once a
 * second. Pure. Thread: the owner's.
 */
#ifndef RELAY_UPSTREAM_ACK_TRACKER_H
#define RELAY_UPSTREAM_ACK_TRACKER_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/upstream/ack.h"

/* How far everybody is, as the rule may ask. */
struct ack_view {
    uint64_t boundary;
    uint64_t durable;
    bool has_replicas; /* so many as the rule asks for */
    uint64_t replicas; /* what that one has acknowledged */
};

struct ack_tracker {
    struct ack_rule rule;
    uint64_t acknowledged; /* on this link */
    uint64_t asked;        /* the boundary behind the last GETACK */
};

/* A new link: nothing is acknowledged on it, so that nothing is claimed for those who may not have it. */
void ack_tracker_begin(struct ack_tracker *ack_tracker);

/* A GETACK has come; the boundary is behind it. */
void ack_tracker_ask(struct ack_tracker *ack_tracker, uint64_t boundary);

/* Is there a GETACK that has not got all it asked for? */
bool ack_tracker_owes(const struct ack_tracker *ack_tracker);

/* What may be acknowledged now: the rule's offset, or what was acknowledged before if that is more. */
uint64_t ack_tracker_offset(const struct ack_tracker *ack_tracker, const struct ack_view *view);

#endif
