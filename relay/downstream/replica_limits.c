/* SPDX-License-Identifier: MIT */
#include "full_sync_limits.h"
#include "relay/base/clock.h"
#include "replica_private.h"

enum { US_A_MILLISECOND = 1000 };

/* It was not its doing that nothing was sent: its time to take something begins anew. */
static void end_rate_wait(struct replica *replica)
{
    replica->waits_for_rate = false;
    replica->progress_ms = clock_ms();
    replica_queue(replica);
}

static void replica_on_rate_due(void *arg)
{
    struct replica *replica = arg;
    feed_grant(&replica->feed, replica->rate_piece.bytes);
    replica->rate_piece.bytes = 0;
    end_rate_wait(replica);
}

void replica_wait_for_rate(struct replica *replica)
{
    int64_t now_us = clock_us();
    replica->rate_piece = sync_rate_reserve(&replica->limits->rate, now_us);
    if (replica->rate_piece.due_us <= now_us) {
        replica_on_rate_due(replica);
        return;
    }
    if (replica->rate_timer == NULL)
        replica->rate_timer = timer_new(replica->loop, replica_on_rate_due, replica);
    if (replica->rate_timer == NULL) {
        replica_close(replica, CLOSE_MEMORY);
        return;
    }
    int64_t wait_us = replica->rate_piece.due_us - now_us;
    replica->waits_for_rate = true;
    timer_arm(replica->rate_timer, (wait_us + US_A_MILLISECOND - 1) / US_A_MILLISECOND);
}

void replica_note_rate_changed(struct replica *replica)
{
    if (!replica->waits_for_rate)
        return;
    timer_disarm(replica->rate_timer);
    replica->rate_piece.bytes = 0; /* the line that it was reserved in is no more */
    end_rate_wait(replica);
}

/* Also what it was allowed and has not sent. */
void replica_leave_rate(struct replica *replica)
{
    if (replica->limits == NULL)
        return;
    sync_rate_give_back(&replica->limits->rate, replica->rate_piece.bytes + replica->feed.granted);
    replica->rate_piece.bytes = replica->feed.granted = 0;
    replica->waits_for_rate = false;
    timer_free(&replica->rate_timer);
}

void replica_take_place(struct replica *replica, struct full_sync_limits *limits)
{
    full_sync_limits_take_place(limits);
    replica->limits = limits;
    replica->has_place = true;
    replica->feed.rate = &limits->rate;
}

void replica_leave_place(struct replica *replica)
{
    if (!replica->has_place)
        return;
    replica->has_place = false;
    full_sync_limits_leave_place(replica->limits);
}
