/* SPDX-License-Identifier: MIT
 *
 * The part of a window that a start has not waited for: it is proven while what is behind it is served.
 *
 *      unproven rows of the identity        the chain
 *      |-----------|-----------|------------|     |================|===
 *                              ^ the next gap     ^ points[0] of the head: before it, a gap in the newest
 */
#include <stdatomic.h>

#include "backlog.h"
#include "backlog_private.h"
#include "relay/base/log.h"
#include "relay/store/identity.h"

uint64_t backlog_first(const struct backlog *backlog)
{
    return backlog->head->points[0].offset;
}

uint64_t backlog_unproven_first(const struct backlog *backlog)
{
    return backlog->unproven > 0 ? backlog->dependencies.identity->segments[0].first
                                 : backlog->head->first;
}

uint64_t backlog_unproven_bytes(const struct backlog *backlog)
{
    return backlog->unproven_bytes + (backlog_first(backlog) - backlog->head->first);
}

bool backlog_next_unproven(const struct backlog *backlog, struct backlog_gap *out)
{
    const struct segment *head = backlog->head;
    if (head->points[0].offset > head->first && !backlog->is_head_broken) {
        *out = (struct backlog_gap){head->first, head->points[0].offset, head->points[0].crc, true};
        return true;
    }
    if (backlog->unproven == 0 || backlog->is_head_broken)
        return false;
    const struct identity_segment *row =
        &backlog->dependencies.identity->segments[backlog->unproven - 1];
    *out = (struct backlog_gap){row->first, row->end, row->crc, false};
    return true;
}

bool backlog_admit(struct backlog *backlog, const struct backlog_gap *gap, struct segment *segment)
{
    struct backlog_gap next;
    if (!backlog_next_unproven(backlog, &next) || next.first != gap->first ||
        next.end != gap->end || next.crc != gap->crc || next.is_in_head != gap->is_in_head)
        return false;
    backlog->news = true; /* who waits for it looks */
    if (gap->is_in_head) {
        backlog->head->points[0] = (struct segment_point){gap->first, 0};
        return true;
    }
    CHECK(segment != NULL);
    backlog->unproven--;
    backlog->unproven_bytes -= gap->end - gap->first;
    /* Nobody stands in it yet: it takes over the backlog's hold of the head. */
    atomic_store_explicit(&segment->next, backlog->head, memory_order_release);
    backlog->head = segment;
    backlog->count++;
    backlog->charge += segment->disk_bytes;
    return true;
}

void backlog_drop_unproven(struct backlog *backlog)
{
    CHECK(backlog->unproven > 0);
    const struct identity_segment *row = &backlog->dependencies.identity->segments[0];
    segment_unlink_file(backlog->space, backlog->dependencies.directory, row->first,
                        row->end - row->first);
    backlog->unproven--;
    backlog->unproven_bytes -= row->end - row->first;
    identity_drop_oldest(backlog->dependencies.identity, 1);
}

void backlog_give_up_unproven(struct backlog *backlog)
{
    while (backlog->unproven > 0)
        backlog_drop_unproven(backlog);
    /* What the head has before its point stays in its file, and is never served. */
    if (backlog->head->points[0].offset > backlog->head->first)
        backlog->is_head_broken = true;
    backlog->news = true;
}

struct segment_space *backlog_hold_space(const struct backlog *backlog)
{
    atomic_fetch_add_explicit(&backlog->space->references, 1, memory_order_relaxed);
    return backlog->space;
}
