/* SPDX-License-Identifier: MIT */
#include "claims.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "reply.h"
#include "sim.h"
#include "world.h"

enum { REPLICA_PORT = 7000, LINES_MAX = 16 };

/* ---- its history ---- */

static struct claimed_place read_place(const char *info)
{
    struct claimed_place place = {NULL, 0};
    char id[ID_BYTES] = "";
    if (!info_text(info, "master_replid", id, sizeof id) ||
        !info_number(info, "master_repl_offset", &place.offset) || strspn(id, "0") == 40)
        return place;
    place.timeline = timeline_find(id);
    if (place.timeline == NULL)
        sim_fail("INFO tells the id %s, which no primary has", id);
    else if (place.offset > timeline_end(place.timeline))
        sim_fail("INFO tells offset %" PRIu64 " of %.8s, which ends at %" PRIu64, place.offset, id,
                 timeline_end(place.timeline));
    return place;
}

/* The id before it is right for the bytes up to second_repl_offset. */
static void check_earlier(const char *info, const struct claimed_place *place)
{
    char id[ID_BYTES] = "";
    uint64_t second;
    if (!info_text(info, "master_replid2", id, sizeof id) || strspn(id, "0") == 40 ||
        !info_number(info, "second_repl_offset", &second) || second == 0)
        return;
    const struct timeline *earlier = timeline_find(id);
    uint64_t common = earlier == NULL ? 0 : timeline_common(earlier, place->timeline);
    if (common < second - 1)
        sim_fail("INFO tells that %.8s and %.8s have the same bytes up to %" PRIu64
                 ", and they have up to %" PRIu64,
                 id, place->timeline->id, second - 1, common);
}

/* What is told of a replica is something that it has said. */
static void check_replicas(const struct world *world, const char *info)
{
    for (unsigned i = 0; i < LINES_MAX; i++) {
        char name[16];
        char line[256];
        unsigned port;
        uint64_t offset;
        snprintf(name, sizeof name, "slave%u", i);
        if (!info_text(info, name, line, sizeof line))
            return;
        if (sscanf(line, "ip=%*[^,],port=%u,state=%*[^,],offset=%" SCNu64, &port, &offset) != 2) {
            sim_fail("INFO has the line '%s'", line);
            return;
        }
        unsigned number = port - REPLICA_PORT;
        if (number < REPLICAS && offset > replica_most(world->replicas[number]))
            sim_fail("INFO tells that replica %u has acknowledged %" PRIu64
                     ", and it never had more than %" PRIu64,
                     number, offset, replica_most(world->replicas[number]));
    }
}

static void take_durable(struct claims *claims, const char *info, const struct claimed_place *place,
                         const struct claims_moment *asked)
{
    char history[16] = "";
    uint64_t durable;
    /* Of one that still arrives nothing is told here. */
    if (!info_text(info, "history", history, sizeof history) || strcmp(history, "current") != 0 ||
        !info_number(info, "durable_offset", &durable))
        return;
    if (durable > place->offset)
        sim_fail("INFO tells that %" PRIu64 " is durable of %.8s, of which there is %" PRIu64,
                 durable, place->timeline->id, place->offset);
    struct claims_moment now = claims_moment(claims);
    if (durable <= place->timeline->start || now.disk_errors != asked->disk_errors ||
        now.cuts != asked->cuts)
        return;
    claims->durable_of = place->timeline;
    claims->durable = durable;
    claims->disk_errors = asked->disk_errors;
}

struct claims_moment claims_moment(const struct claims *claims)
{
    return (struct claims_moment){claims->process->disk->errors, claims->cuts};
}

struct claimed_place claims_take_info(struct claims *claims, const char *info,
                                      const struct claims_moment *asked)
{
    struct claimed_place place = read_place(info);
    claims->answers++;
    if (place.timeline == NULL || sim_failure() != NULL)
        return place;
    check_earlier(info, &place);
    check_replicas(claims->world, info);
    take_durable(claims, info, &place, asked);
    return place;
}

/* ---- WAIT ---- */

void claims_take_wait(const struct claims *claims, const struct claimed_place *place,
                      uint64_t count)
{
    uint64_t had = world_relays_below(claims->world, claims->process);
    for (unsigned i = 0; i < REPLICAS; i++)
        had += replica_ever_had(claims->world->replicas[i], place->timeline, place->offset);
    if (count > had)
        sim_fail("WAIT says that %" PRIu64 " replicas have %" PRIu64 " of %.8s, and %" PRIu64
                 " ever had",
                 count, place->offset, place->timeline->id, had);
}

/* ---- after a power failure ---- */

void claims_note_cut(struct claims *claims, uint64_t offset)
{
    claims->cuts++;
    if (claims->durable > offset)
        claims->durable = offset;
}

void claims_on_start(const struct claims *claims, const struct timeline *timeline, uint64_t end)
{
    if (claims->durable_of == NULL || !claims->process->had_power_loss ||
        claims->disk_errors != claims->process->disk->errors)
        return;
    uint64_t limit = timeline_common(timeline, claims->durable_of);
    limit = claims->durable < limit ? claims->durable : limit;
    /* Of half a command nothing is left to go on from. */
    uint64_t expected = limit <= claims->durable_of->start
                            ? 0
                            : timeline_boundary_before(claims->durable_of, limit);
    if (end < expected)
        sim_fail("INFO told that %" PRIu64 " of %.8s is durable, and there is %" PRIu64
                 " after a power failure",
                 claims->durable, claims->durable_of->id, end);
}
