/* SPDX-License-Identifier: MIT */
#include "full_sync_limits.h"

#include "relay/base/check.h"
#include "relay/net/loop.h"

unsigned full_sync_limits_taken(const struct full_sync_limits *limits)
{
    return atomic_load_explicit(&limits->places_taken, memory_order_relaxed);
}

bool full_sync_limits_have_place(const struct full_sync_limits *limits)
{
    return limits->places_max == 0 || full_sync_limits_taken(limits) < limits->places_max;
}

void full_sync_limits_take_place(struct full_sync_limits *limits)
{
    atomic_fetch_add_explicit(&limits->places_taken, 1, memory_order_relaxed);
}

void full_sync_limits_leave_place(struct full_sync_limits *limits)
{
    unsigned before = atomic_fetch_sub_explicit(&limits->places_taken, 1, memory_order_relaxed);
    CHECK(before > 0);
    if (limits->on_leaving != NULL)
        notifier_wake(limits->on_leaving);
}
