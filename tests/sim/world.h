/* SPDX-License-Identifier: MIT
 *
 * One run: a relay, its primaries and its replicas, faults for some minutes of simulated time, then peace, in
 * which everything has to come back. The seed draws the settings, the faults and every delay.
 *
 * To add a fault: a row in faults.c. A model: a file beside primary.c. An invariant: a function in checks.c,
 * called each second or where its event is. README.md says more.
 */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "asker.h"
#include "node.h"
#include "primary.h"
#include "replica.h"

enum {
    RELAY_HOST = 1,
    LOWER_HOST = 4, /* of the relay below that one */
    NODES_MAX = 2,
    PRIMARY_HOST = 2,
    REPLICA_HOST = 10,
    ASKER_HOST = 20,
    PRIMARIES = 2,
    REPLICAS = 3,
    ASKERS = 5,
    RELAY_PORT = 6380,
    PRIMARY_PORT = 6379,
    HTTP_PORT = 6390,
};

struct acknowledged {
    struct timeline *timeline; /* NULL: nothing yet */
    uint64_t offset;
    uint64_t disk_errors; /* that there had been by then */
};

struct world {
    struct node nodes[NODES_MAX]; /* the first follows the primary, the second the first */
    unsigned node_count;
    struct primary *primaries[PRIMARIES];
    unsigned current; /* of the primaries: whom the relay follows */
    struct replica *replicas[REPLICAS];
    struct asker *askers[ASKERS];
    bool is_peaceful;                 /* faults have ended */
    bool is_relay_wanted;             /* it is started again when it has ended */
    struct acknowledged acknowledged; /* what has to be there at the first relay's next start */
    size_t rdb_filler;
    unsigned faults_done;
    struct timeline
        *next_timeline; /* the current primary has it, or will have it when it is up again */
    bool
        ends_at_refresh; /* the next one to be complete is followed by the end of everything but one replica */
    uint64_t snapshots[2]; /* X of the first relay's RDB that came last, and of the one before it */
    uint64_t window_first; /* as it told when it had proven what it has found */
    bool is_alone;         /* the primary is gone for good */
};

struct world_result {
    bool is_good;
    uint64_t hash;
    uint64_t steps;
    int64_t simulated_us;
    unsigned faults;
    unsigned relay_starts;
    char failure[512];
    char kind[128]; /* which check has failed */
};

/* `without`: a bit for each fault that is left out, in the order in which they were drawn. */
void world_run(uint64_t seed, uint64_t without, struct world_result *result);

/* ---- faults.c ---- */

/* Draws the faults of a run and sets their alarms. Returns how many. */
unsigned faults_plan(struct world *world, int64_t until_us, uint64_t without);
void world_note_timeline(struct world *world, struct timeline *timeline);
/* How many relays follow that one. */
unsigned world_relays_below(const struct world *world, const struct process *relay);
struct primary *world_primary(const struct world *world); /* the current one */

/* ---- checks.c ---- */

void checks_begin(struct world *world);
/* The first relay has lost its power: only what was promised to be durable has to be there. */
void checks_on_power_loss(struct world *world);
/* What a relay that has nothing to do holds: disk, descriptors; and what it has cost its primary. */
void checks_on_quiet_end(const struct world *world, uint64_t forks_before);
/* A line of a relay's log. */
void checks_on_log(struct world *world, struct node *node, const char *line);
/* All are in sync, with equal data. */
bool checks_is_converged(const struct world *world);
uint64_t checks_links_lost(const struct world *world); /* of replicas that were online */
void checks_tell_unconverged(const struct world *world);

#endif
