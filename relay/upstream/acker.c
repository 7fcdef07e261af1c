/* SPDX-License-Identifier: MIT */
#include "acker.h"

#include "relay/base/check.h"

void acker_begin(struct acker *acker)
{
    acker->acknowledged = 0;
    acker->asked = 0;
}

void acker_ask(struct acker *acker, uint64_t boundary)
{
    acker->asked = boundary;
}

bool acker_owes(const struct acker *acker)
{
    return acker->acknowledged < acker->asked;
}

static uint64_t rule_offset(const struct acker *acker, const struct ack_view *view)
{
    switch (acker->rule.policy) {
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

uint64_t acker_offset(const struct acker *acker, const struct ack_view *view)
{
    uint64_t offset = rule_offset(acker, view);
    if (offset > view->boundary)
        offset = view->boundary;
    return offset > acker->acknowledged ? offset : acker->acknowledged;
}
