/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "network.h"
#include "reader.h"
#include "relay/base/check.h"
#include "sim.h"

enum {
    STEPS_MAX = 20 * 1000 * 1000,
    FAULTS_S_LEAST = 20,
    FAULTS_S_MOST = 150,
    ASKER_PAUSE_US_LEAST = 500 * SIM_MS,
    ASKER_PAUSE_US_MOST = 20 * SIM_S,
    READER_PAUSE_US_MOST = 60 * SIM_S,
    PEACE_S = 400, /* within which everything is in sync again */
    QUIET_S = 70,
    REFRESH_S = 300,
    REFRESH_CALLS = 600,
    SERVED_S = 60,
    SETTLE_S = 5, /* more than the interval of fsync=everysec */
};

struct primary *world_primary(const struct world *world)
{
    return world->primaries[world->current];
}

void world_note_timeline(struct world *world, struct timeline *timeline)
{
    world->next_timeline = timeline;
}

unsigned world_relays_below(const struct world *world, const struct process *relay)
{
    return relay == world->nodes[0].process ? world->node_count - 1 : 0;
}

/* ---- the life of the relays ---- */

static void on_restart(void *arg)
{
    struct node *node = arg;
    if (!node->process->is_alive && node->world->is_relay_wanted)
        node_start(node);
}

static struct world *only_world; /* a process has no argument */

static struct node *node_of(const struct process *process)
{
    struct node *node = only_world->nodes;
    while (node->process != process)
        node++;
    return node;
}

/* For good. */
static void begin_alone(void *arg)
{
    struct world *world = arg;
    world->ends_at_refresh = false;
    world->is_alone = true;
    primary_end(world_primary(world), true);
    network_cut(RELAY_HOST, primary_host(world_primary(world)), SIM_NEVER);
}

static void on_relay_end(struct process *process, bool is_good)
{
    struct world *world = only_world;
    struct node *node = node_of(process);
    bool is_first = node == &world->nodes[0];
    if (is_first && process->lost_power)
        checks_on_power_loss(world);
    if (is_first && world->ends_at_refresh)
        alarm_in(1, begin_alone, world);
    if (!is_good && process->why[0] != '\0' && world->is_peaceful &&
        process->starts > node->peace_starts)
        sim_fail("the relay does not start: %s", process->why);
    alarm_in(random_between(SIM_MS, 6 * SIM_S), on_restart, node);
}

/* Which RDBs there are, and where the window begins. */
static void note_told(struct world *world, const char *line)
{
    uint64_t x;
    uint64_t first;
    const char *offset = strstr(line, " offset=");
    const char *window = strstr(line, " window=");
    bool is_rdb =
        strstr(line, "cause=fullresync") != NULL || strstr(line, "cause=complete") != NULL;
    bool is_refresh_begun = strstr(line, "refresh state=handshake->loading") != NULL;
    if (is_rdb && !is_refresh_begun && offset != NULL &&
        sscanf(offset, " offset=%" SCNu64, &x) == 1) {
        world->snapshots[1] = world->snapshots[0];
        world->snapshots[0] = x;
    }
    if (strstr(line, "store: history-") != NULL && window != NULL &&
        sscanf(window, " window=%" SCNu64, &first) == 1)
        world->window_first = first;
}

static void on_relay_log(const char *line)
{
    struct world *world = only_world;
    struct node *node = node_of(process_self());
    struct process *relay = node->process;
    checks_on_log(world, node, line);
    if (node == &world->nodes[0])
        note_told(world, line);
    bool is_refreshed = strstr(line, "snapshot refresh state=loading->idle cause=complete") != NULL;
    if (world->ends_at_refresh && is_refreshed && node == &world->nodes[0] &&
        relay->kill_at_call == 0) {
        relay->kill_is_power_loss = node->has_fsync && random_is_one_in(2);
        relay->kill_at_call = relay->calls + 1 + random_below(REFRESH_CALLS);
    }
}

/* ---- the world at its beginning ---- */

static void add_node(struct world *world, unsigned host, const char *name, const char *upstream)
{
    struct node *node = &world->nodes[world->node_count++];
    node_set_up(node, world, host, name, upstream);
    node->process->on_end = on_relay_end;
    node->process->on_log = on_relay_log;
}

/* Few ask without a pause: their answers are what a run takes most time for. */
static int64_t draw_pause_us(void)
{
    return random_is_one_in(12) ? random_between(SIM_MS, ASKER_PAUSE_US_LEAST)
                                : random_between(ASKER_PAUSE_US_LEAST, ASKER_PAUSE_US_MOST);
}

/* Of a relay that follows another two ask, too. */
static void set_up_askers(struct world *world)
{
    static const enum asker_kind kinds[ASKERS] = {ASKS_COMMANDS, ASKS_WAIT, ASKS_HTTP,
                                                  ASKS_COMMANDS, ASKS_WAIT};
    for (unsigned i = 0; i < ASKERS; i++) {
        bool is_lower = world->node_count > 1 && i > 2;
        struct node *node = &world->nodes[is_lower ? 1 : 0];
        uint16_t port = kinds[i] == ASKS_HTTP ? HTTP_PORT : RELAY_PORT;
        world->askers[i] = asker_new(kinds[i], ASKER_HOST + i, node->host, port, &node->claims);
    }
}

/* Now and then somebody reads the data directory. */
static void on_look(void *arg)
{
    struct node *node = arg;
    if (!process_is_suspended(node->process))
        reader_look(node->reader);
    alarm_in(random_between(SIM_S, READER_PAUSE_US_MOST), on_look, node);
}

static void set_up_relays(struct world *world)
{
    add_node(world, RELAY_HOST, "relay", "host2 6379");
    if (random_is_one_in(2)) {
        add_node(world, LOWER_HOST, "lower", "host1 6380");
        node_listen_to_acks(&world->nodes[1], RELAY_HOST);
    }
    for (unsigned i = 0; i < world->node_count; i++)
        on_look(&world->nodes[i]);
}

static void set_up(struct world *world)
{
    only_world = world;
    sim_set_yield((unsigned)random_between(2, 30));
    set_up_relays(world);
    size_t filler = (size_t)random_between(0, 100) * 1024;
    world->rdb_filler = filler;
    for (unsigned i = 0; i < PRIMARIES; i++) {
        world->primaries[i] = primary_new(PRIMARY_HOST + i, PRIMARY_PORT);
        primary_set_rdb_bytes(world->primaries[i], filler);
    }
    for (unsigned i = 0; i < REPLICAS; i++) {
        unsigned to = i > 0 && world->node_count > 1 ? LOWER_HOST : RELAY_HOST;
        world->replicas[i] = replica_new(i, REPLICA_HOST + i, to, RELAY_PORT);
    }
    set_up_askers(world);
}

/* ---- the run ---- */

static void begin_peace(struct world *world)
{
    trace("peace");
    world->is_peaceful = true;
    for (unsigned i = 0; i < world->node_count; i++) {
        struct node *node = &world->nodes[i];
        node->peace_starts = node->process->starts;
        node->disk->trouble = (struct disk_trouble){0};
        node->process->kill_at_call = 0;
        process_resume(node->process);
        node->process->paused_until_us = 0;
        node->process->signals = 0;
    }
    network_heal();
    struct primary *primary = world_primary(world);
    if (!primary_is_up(primary))
        primary_start(primary, world->next_timeline);
    primary_pause(primary, 0);
    primary_set_quiet(primary, true);
    for (unsigned i = 0; i < REPLICAS; i++) {
        replica_pause(world->replicas[i], 0);
        if (!replica_is_running(world->replicas[i]))
            replica_start(world->replicas[i]);
    }
    for (unsigned i = 0; i < ASKERS; i++)
        asker_set_peaceful(world->askers[i]);
}

static unsigned count_starts(const struct world *world)
{
    unsigned starts = 0;
    for (unsigned i = 0; i < world->node_count; i++)
        starts += world->nodes[i].process->starts;
    return starts;
}

/* For a while nothing happens: nobody is closed, and nothing ends. */
static void run_quietly(struct world *world)
{
    uint64_t lost = checks_links_lost(world);
    unsigned starts = count_starts(world);
    uint64_t forks = primary_counts(world_primary(world))->forks;
    sim_run(sim_now_us() + (int64_t)QUIET_S * SIM_S, STEPS_MAX);
    if (checks_links_lost(world) != lost)
        sim_fail("a replica lost its link while nothing happened");
    if (count_starts(world) != starts)
        sim_fail("the relay ended while nothing happened");
    checks_on_quiet_end(world, forks);
}

/* Without the primary: what was there is served by a relay that has started again, to those who come back,
 * and to one who has nothing if there was a snapshot. */
static void run_alone(struct world *world)
{
    trace("alone");
    world->is_alone = true;
    primary_end(world_primary(world), true);
    network_cut(RELAY_HOST, primary_host(world_primary(world)), SIM_NEVER);
    sim_run(sim_now_us() + (int64_t)SETTLE_S * SIM_S, STEPS_MAX);
    for (unsigned i = 0; i < world->node_count; i++) {
        struct node *node = &world->nodes[i];
        /* After an fsync that has failed nothing more is durable, and the relay says so. */
        bool is_power_loss = node->has_fsync && node->disk->errors == 0 && random_is_one_in(2);
        if (i > 0 && random_is_one_in(2))
            continue;
        if (is_power_loss)
            process_lose_power(node->process);
        else
            process_kill(node->process);
    }
    if (world->nodes[0].is_always_ready) {
        replica_end(world->replicas[0], false);
        replica_start(world->replicas[0]);
    }
}

/* The relay ends just after a newer snapshot has come. One of the two is there and is served when it starts again,
 * without its primary. What nobody promises: that the window still reaches back to the older one. Where the primary was
 * not to be reached, or may not fork again yet, it has left that behind before the newer one came. */
static void run_to_refresh(struct world *world)
{
    trace("to a refresh");
    struct replica *fresh = world->replicas[0];
    primary_set_quiet(world_primary(world), false);
    replica_end(fresh, false);
    world->ends_at_refresh = true;
    int64_t until_us = sim_now_us() + (int64_t)REFRESH_S * SIM_S;
    while (sim_failure() == NULL && !world->is_alone && sim_now_us() < until_us)
        sim_run(sim_now_us() + SIM_S, STEPS_MAX);
    if (!world->is_alone)
        return; /* none was due */
    replica_start(fresh);
    until_us = sim_now_us() + (int64_t)SERVED_S * SIM_S;
    while (sim_failure() == NULL && !replica_is_online(fresh) && sim_now_us() < until_us)
        sim_run(sim_now_us() + SIM_S, STEPS_MAX);
    if (!replica_is_online(fresh) && world->snapshots[1] >= world->window_first)
        sim_fail("no snapshot is served after an end that followed a refresh");
}

static void run_until_converged(struct world *world)
{
    int64_t until_us = sim_now_us() + (int64_t)PEACE_S * SIM_S;
    while (sim_failure() == NULL && !checks_is_converged(world)) {
        if (sim_now_us() >= until_us) {
            checks_tell_unconverged(world);
            return;
        }
        sim_run(sim_now_us() + SIM_S, STEPS_MAX);
    }
}

void world_run(uint64_t seed, uint64_t without, struct world_result *result)
{
    random_start(seed);
    struct world *world = calloc(1, sizeof *world);
    CHECK(world != NULL);
    set_up(world);
    checks_begin(world);
    world->is_relay_wanted = true;
    int64_t until_us = sim_now_us() + random_between(FAULTS_S_LEAST, FAULTS_S_MOST) * SIM_S;
    faults_plan(world, until_us, without);
    world->next_timeline = timeline_new((uint64_t)random_below(100000));
    primary_start(world_primary(world), world->next_timeline);
    for (unsigned i = 0; i < world->node_count; i++)
        node_start(&world->nodes[i]);
    for (unsigned i = 0; i < REPLICAS; i++)
        replica_start(world->replicas[i]);
    for (unsigned i = 0; i < ASKERS; i++)
        asker_start(world->askers[i], draw_pause_us());
    sim_run(until_us, STEPS_MAX);
    if (sim_failure() == NULL)
        begin_peace(world);
    if (sim_failure() == NULL)
        sim_run(sim_now_us() + (int64_t)SETTLE_S * SIM_S, STEPS_MAX);
    run_until_converged(world);
    if (sim_failure() == NULL)
        run_quietly(world);
    if (sim_failure() == NULL) {
        run_until_converged(world);
        if (world->nodes[0].is_always_ready && world->nodes[0].disk->errors == 0 &&
            random_is_one_in(2)) {
            run_to_refresh(world);
        } else {
            run_alone(world);
            run_until_converged(world);
        }
    }
    *result = (struct world_result){
        .is_good = sim_failure() == NULL,
        .hash = trace_hash(),
        .steps = sim_steps(),
        .simulated_us = sim_now_us(),
        .faults = world->faults_done,
        .relay_starts = count_starts(world),
    };
    if (!result->is_good)
        snprintf(result->failure, sizeof result->failure, "%s", sim_failure());
    snprintf(result->kind, sizeof result->kind, "%s", sim_failure_kind());
}
