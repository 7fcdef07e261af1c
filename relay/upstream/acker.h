/* SPDX-License-Identifier: MIT
 *
 * What the link has acknowledged and what it still owes. An origin that says GETACK wants to know when
 * its clients' writes are as safe as the rule (upstream/ack.h) promises: it is answered at once, and
 * again each time the rule's offset moves, until what it asked for is acknowledged. Otherwise once a
 * second. Pure. Thread: the owner's.
 */
#ifndef RELAY_UPSTREAM_ACKER_H
#define RELAY_UPSTREAM_ACKER_H

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

struct acker {
    struct ack_rule rule;
    uint64_t acknowledged; /* on this link */
    uint64_t asked;        /* the boundary behind the last GETACK */
};

/* A new link: nothing is acknowledged on it, so that nothing is claimed for those who may not have it. */
void acker_begin(struct acker *acker);

/* A GETACK has come; the boundary is behind it. */
void acker_ask(struct acker *acker, uint64_t boundary);

/* Is there a GETACK that has not got all it asked for? */
bool acker_owes(const struct acker *acker);

/* What may be acknowledged now: the rule's offset, or what was acknowledged before if that is more. */
uint64_t acker_offset(const struct acker *acker, const struct ack_view *view);

#endif
