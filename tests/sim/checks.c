/* SPDX-License-Identifier: MIT
 *
 * The invariants that are not of one connection: those that replica.c does not check by itself. */
#include <inttypes.h>
#include <stdio.h>

#include "sim.h"
#include "world.h"

/* ---- acknowledgements ---- */

static unsigned replicas_at(const struct world *world, const struct timeline *timeline,
                            uint64_t offset)
{
    unsigned count = 0;
    for (unsigned i = 0; i < REPLICAS; i++) {
        const struct timeline *own = replica_timeline(world->replicas[i]);
        if (own != NULL && replica_offset(world->replicas[i]) >= offset &&
            timeline_common(own, timeline) >= offset)
            count++;
    }
    return count;
}

/* What a rule lets the relay acknowledge is true when it arrives. */
static void on_ack(struct primary *primary, unsigned host, uint64_t offset, void *arg)
{
    struct world *world = arg;
    struct timeline *timeline = primary_timeline(primary);
    if (host != RELAY_HOST)
        return;
    if (offset > timeline_end(timeline)) {
        sim_fail("the relay acknowledges %" PRIu64 " of %.8s, which ends at %" PRIu64, offset,
                 timeline->id, timeline_end(timeline));
        return;
    }
    world->acknowledged = (struct acknowledged){timeline, offset};
}

/* The relay asks to continue: it has all that it has acknowledged, as far as this primary has it, too. */
static void on_psync(struct primary *primary, unsigned host, struct timeline *asked, uint64_t first,
                     void *arg)
{
    struct world *world = arg;
    struct acknowledged *before = &world->acknowledged;
    if (host != RELAY_HOST || before->timeline == NULL)
        return;
    if (asked == NULL)
        return; /* a refresh, or a relay that had to give up what it had */
    uint64_t common = timeline_common(primary_timeline(primary), before->timeline);
    uint64_t expected = before->offset < common ? before->offset : common;
    if (timeline_common(asked, before->timeline) >= expected && first - 1 < expected)
        sim_fail("the relay has acknowledged %" PRIu64 " of %.8s and asks from %" PRIu64 " on",
                 expected, before->timeline->id, first);
}

void checks_on_power_loss(struct world *world)
{
    if (world->ack != ACK_DURABLE)
        world->acknowledged.timeline = NULL;
}

/* ---- each second ---- */

static void on_second(void *arg)
{
    struct world *world = arg;
    alarm_in(SIM_S, on_second, world);
}

void checks_begin(struct world *world)
{
    for (unsigned i = 0; i < PRIMARIES; i++) {
        primary_on_ack(world->primaries[i], on_ack, world);
        primary_on_psync(world->primaries[i], on_psync, world);
    }
    on_second(world);
}

/* ---- the end ---- */

bool checks_is_converged(const struct world *world)
{
    const struct timeline *timeline = primary_timeline(world_primary(world));
    return world->relay->is_alive &&
           replicas_at(world, timeline, timeline_end(timeline)) == REPLICAS;
}

void checks_tell_unconverged(const struct world *world)
{
    const struct timeline *timeline = primary_timeline(world_primary(world));
    char text[400];
    int used = 0;
    for (unsigned i = 0; i < REPLICAS; i++) {
        const struct replica *replica = world->replicas[i];
        const struct timeline *own = replica_timeline(replica);
        used += snprintf(text + used, sizeof text - (size_t)used, ", replica %u %s %.8s %" PRIu64,
                         i, replica_is_online(replica) ? "online" : "offline",
                         own == NULL ? "nothing" : own->id, replica_offset(replica));
    }
    sim_fail("not in sync when the time was over: the primary has %.8s %" PRIu64 ", the relay %s%s",
             timeline->id, timeline_end(timeline), world->relay->is_alive ? "runs" : "does not run",
             text);
}
