/* SPDX-License-Identifier: MIT
 *
 * The invariants that are not of one connection: those that replica.c does not check by itself. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "network.h"
#include "sim.h"
#include "world.h"

/* ---- acknowledgements ---- */

enum { SETTLED_US = 5 * SIM_S };

/* Those who have it now may have lost it meanwhile, with all their data: it was true when it was said. */
static void check_rule(const struct world *world, const struct timeline *timeline, uint64_t offset)
{
    if (world->nodes[0].ack != ACK_REPLICAS && world->nodes[0].ack != ACK_ALL)
        return;
    /* A relay that follows is a replica, which has what it has acknowledged. */
    unsigned count = world->node_count > 1 && world->nodes[1].most_acknowledged >= offset;
    for (unsigned i = 0; i < REPLICAS; i++) {
        const struct replica *replica = world->replicas[i];
        if (replica_follows(replica) != RELAY_HOST)
            continue;
        bool had = replica_ever_had(replica, timeline, offset);
        count += had;
        int64_t since_us = replica_attached_since_us(replica);
        bool is_settled = since_us != SIM_NEVER && sim_now_us() - since_us > SETTLED_US;
        if (world->nodes[0].ack == ACK_ALL && is_settled && !had)
            sim_fail("the relay acknowledges %" PRIu64
                     " of %.8s by ack=all, and replica %u has %" PRIu64,
                     offset, timeline->id, i, replica_offset(replica));
    }
    if (offset > timeline->start && count < world->nodes[0].ack_replicas)
        sim_fail("the relay acknowledges %" PRIu64 " of %.8s, which %u replicas have", offset,
                 timeline->id, count);
}

/* What a rule lets the relay acknowledge is true when it arrives. */
static void on_ack(struct primary *primary, const struct socket *from, uint64_t offset, void *arg)
{
    struct world *world = arg;
    struct timeline *timeline = primary_timeline(primary);
    if (from->peer_host != RELAY_HOST)
        return;
    if (offset > timeline_end(timeline)) {
        sim_fail("the relay acknowledges %" PRIu64 " of %.8s, which ends at %" PRIu64, offset,
                 timeline->id, timeline_end(timeline));
        return;
    }
    check_rule(world, timeline, offset);
    struct acknowledged *before = &world->acknowledged;
    if (before->timeline == timeline && before->offset == offset)
        return; /* once more, each second */
    /* What was still on its way when the power went promises no more than that it was true. */
    bool is_late = from->peer->has_lost_power;
    if (offset > 0 && (!is_late || world->nodes[0].ack == ACK_DURABLE))
        *before = (struct acknowledged){timeline, offset, world->nodes[0].disk->errors};
}

/* After an error of the disk nothing that was durable need be: an fsync that has failed is not made good, and where
 * the disk has failed to cut the end of a history off, the relay begins anew. One that is full costs nothing. */
static bool was_disk_good(const struct world *world)
{
    return world->acknowledged.disk_errors == world->nodes[0].disk->errors;
}

/* What must be there of what was acknowledged, as far as this timeline has it, too. Of half a command, which may be
 * acknowledged, nothing is left to go on from. */
static uint64_t expected_of(const struct world *world, const struct timeline *timeline)
{
    const struct acknowledged *before = &world->acknowledged;
    uint64_t limit = timeline_common(timeline, before->timeline);
    if (before->offset < limit)
        limit = before->offset;
    return limit <= before->timeline->start ? 0 : timeline_boundary_before(before->timeline, limit);
}

/* The relay asks to continue, and has all that it has acknowledged. */
static void on_psync(struct primary *primary, unsigned host, struct timeline *asked, uint64_t first,
                     void *arg)
{
    struct world *world = arg;
    struct acknowledged *before = &world->acknowledged;
    if (host != RELAY_HOST || before->timeline == NULL || before->offset == 0)
        return;
    if (asked == NULL) {
        if (was_disk_good(world))
            sim_fail("the relay has acknowledged %" PRIu64 " of %.8s and asks for all",
                     before->offset, before->timeline->id);
        return;
    }
    uint64_t expected = expected_of(world, primary_timeline(primary));
    bool could_read = world->nodes[0].disk->errors == world->nodes[0].errors_before_start;
    bool is_kept = !world->nodes[0].process->had_power_loss || was_disk_good(world);
    if (is_kept && could_read && timeline_common(asked, before->timeline) >= expected &&
        first - 1 < expected)
        sim_fail("the relay has acknowledged %" PRIu64 " of %.8s and asks from %" PRIu64 " on",
                 expected, before->timeline->id, first);
    /* If it continues, what this primary does not have is cut off. */
    if (before->offset > expected)
        before->offset = expected;
}

/* What it says at its start that it has. */
void checks_on_log(struct world *world, struct node *node, const char *line)
{
    node_note_cut(node, line);
    char id[ID_BYTES];
    uint64_t from;
    uint64_t end;
    const char *at = strstr(line, " replid=");
    if (at == NULL || strstr(line, "store: history-") == NULL ||
        sscanf(at, " replid=%40s window=%" SCNu64 "..%" SCNu64, id, &from, &end) != 3)
        return;
    const struct timeline *timeline = timeline_find(id);
    if (timeline != NULL)
        claims_on_start(&node->claims, timeline, end);
    if (node == &world->nodes[0] && timeline != NULL && world->acknowledged.timeline != NULL &&
        end < expected_of(world, timeline) && was_disk_good(world))
        sim_fail("the relay has acknowledged %" PRIu64 " of %.8s and has %" PRIu64
                 " after its start",
                 world->acknowledged.offset, world->acknowledged.timeline->id, end);
}

void checks_on_power_loss(struct world *world)
{
    if (world->nodes[0].ack != ACK_DURABLE)
        world->acknowledged.timeline = NULL;
}

void checks_begin(struct world *world)
{
    for (unsigned i = 0; i < PRIMARIES; i++) {
        primary_on_ack(world->primaries[i], on_ack, world);
        primary_on_psync(world->primaries[i], on_psync, world);
    }
}

/* ---- bounds ---- */

enum {
    FILES_MAX = 70,          /* descriptors */
    RDBS_MAX = 3,            /* the one that is served, one that it replaces, one that arrives */
    SPARE_SEGMENTS = 4,      /* the next one, and those that are being removed */
    NOTES_BYTES = 64 * 1024, /* identities, tail, times */
    FORKS_QUIET_MAX = 2,
};

static void check_bounds(const struct world *world, const struct node *node)
{
    uint64_t rdb = world->rdb_filler + world->rdb_filler / 8 + 8192;
    uint64_t most =
        node->backlog_max + SPARE_SEGMENTS * node->segment_bytes + RDBS_MAX * rdb + NOTES_BYTES;
    if (node->disk->used > most)
        disk_list(node->disk);
    if (node->disk->used > most)
        sim_fail("the relay holds %" PRIu64 " bytes of disk, and %" PRIu64 " are its bound",
                 node->disk->used, most);
    unsigned files = 0;
    for (unsigned i = 0; i < DESCRIPTORS_MAX; i++)
        files += node->process->files[i] != NULL;
    if (files > FILES_MAX)
        sim_fail("the relay has %u descriptors open", files);
}

void checks_on_quiet_end(const struct world *world, uint64_t forks_before)
{
    uint64_t forks = primary_counts(world_primary(world))->forks - forks_before;
    bool may_fork = false;
    for (unsigned i = 0; i < world->node_count; i++)
        may_fork = may_fork || world->nodes[i].is_always_ready;
    if (forks > (may_fork ? FORKS_QUIET_MAX : 0))
        sim_fail("%" PRIu64 " forks while nothing happened", forks);
    for (unsigned i = 0; i < world->node_count; i++)
        check_bounds(world, &world->nodes[i]);
}

/* ---- the end ---- */

static bool is_in_sync(const struct replica *replica, const struct timeline *timeline)
{
    return replica_is_online(replica) && replica_timeline(replica) == timeline &&
           replica_offset(replica) == timeline_end(timeline);
}

bool checks_is_converged(const struct world *world)
{
    const struct primary *primary = world_primary(world);
    bool is_good = world->is_alone || primary_is_up(primary);
    for (unsigned i = 0; i < world->node_count; i++)
        is_good = is_good && world->nodes[i].process->is_alive;
    for (unsigned i = 0; i < REPLICAS; i++)
        is_good = is_good && is_in_sync(world->replicas[i], primary_timeline(primary));
    return is_good;
}

uint64_t checks_links_lost(const struct world *world)
{
    uint64_t lost = 0;
    for (unsigned i = 0; i < REPLICAS; i++)
        lost += replica_links_lost(world->replicas[i]);
    return lost;
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
             timeline->id, timeline_end(timeline),
             world->nodes[0].process->is_alive ? "runs" : "does not run", text);
}
