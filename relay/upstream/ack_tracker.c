/* SPDX-License-Identifier: MIT */
#include "ack_tracker.h"

#include "relay/base/check.h"

void ack_tracker_begin(struct ack_tracker *ack_tracker)
{
    ack_tracker->acknowledged = 0;
    ack_tracker->asked = 0;
}

void ack_tracker_ask(struct ack_tracker *ack_tracker, uint64_t boundary)
{
    ack_tracker->asked = boundary;
}

bool ack_tracker_owes(const struct ack_tracker *ack_tracker)
{
    return ack_tracker->acknowledged < ack_tracker->asked;
}

static uint64_t rule_offset(const struct ack_tracker *ack_tracker, const struct ack_view *view)
{
    switch (ack_tracker->rule.policy) {
    case ACK_RECEIVED:
        return view->boundary;
    case ACK_DURABLE:
        return view->durable;
    case ACK_REPLICAS:
    case ACK_ALL:
        return view->has_replicas ? view->replicas : 0;
    }
    UNREACHABLE("a policy without a case");
}

/* Never beyond our boundary, whatever a replica claims to have; and never less than before,
 * since a primary ignores an offset that goes back (docs/protocol.md 3.4). */
uint64_t ack_tracker_offset(const struct ack_tracker *ack_tracker, const struct ack_view *view)
{
    uint64_t offset = rule_offset(ack_tracker, view);
    if (offset > view->boundary)
        offset = view->boundary;
    return offset > ack_tracker->acknowledged ? offset : ack_tracker->acknowledged;
}
