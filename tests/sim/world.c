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

/* ---- the relay's life ---- */

static void on_restart(void *arg)
{
    struct world *world = arg;
    if (!world->relay->is_alive && world->is_relay_wanted)
        world_start_relay(world);
}

static struct world *only_world; /* a process has no argument */

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
    if (process->lost_power)
        checks_on_power_loss(world);
    if (world->ends_at_refresh)
        alarm_in(1, begin_alone, world);
    if (!is_good && process->why[0] != '\0' && world->is_peaceful &&
        process->starts > world->peace_starts)
        sim_fail("the relay does not start: %s", process->why);
    alarm_in(random_between(SIM_MS, 6 * SIM_S), on_restart, world);
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
    checks_on_log(world, line);
    note_told(world, line);
    bool is_refreshed = strstr(line, "snapshot refresh state=loading->idle cause=complete") != NULL;
    if (world->ends_at_refresh && is_refreshed && world->relay->kill_at_call == 0) {
        world->relay->kill_is_power_loss = world->has_fsync && random_is_one_in(2);
        world->relay->kill_at_call = world->relay->calls + 1 + random_below(REFRESH_CALLS);
    }
}

void world_start_relay(struct world *world)
{
    world->errors_before_start = world->disk->errors;
    process_start(world->relay);
}

/* ---- the settings ---- */

static void draw_ack(struct world *world)
{
    static const char *const names[] = {"received", "durable", "replicas 1", "all"};
    world->ack = (enum ack_kind)random_below(4);
    world->ack_replicas = 1;
    char text[64];
    snprintf(text, sizeof text, "upstream.ack=%s", names[world->ack]);
    process_override(world->relay, text);
}

static void draw_sizes(struct world *world)
{
    uint64_t segment = 64 << random_below(3);
    uint64_t backlog = segment * (uint64_t)random_between(2, 6);
    uint64_t most = backlog * (uint64_t)random_between(1, 4);
    char text[64];
    snprintf(text, sizeof text, "store.segment-size=%llukb", (unsigned long long)segment);
    process_override(world->relay, text);
    snprintf(text, sizeof text, "store.repl-backlog-size=%llukb", (unsigned long long)backlog);
    process_override(world->relay, text);
    snprintf(text, sizeof text, "store.repl-backlog-max-size=%llukb", (unsigned long long)most);
    process_override(world->relay, text);
    world->backlog_max = most * 1024;
    world->segment_bytes = segment * 1024;
}

static void set_up_relay(struct world *world)
{
    static const char *const fixed[] = {
        "upstream.replicaof=host2 6379", "downstream.bind=10.0.0.1", "downstream.port=6380",
        "downstream.protected-mode=no",  "http.bind=10.0.0.1",       "http.port=6390",
        "relay.data-dir=/data",
    };
    world->disk = disk_new(RELAY_HOST, (uint64_t)random_between(4, 64) * 1024 * 1024);
    world->relay = process_new("relay", RELAY_HOST, world->disk);
    world->relay->on_end = on_relay_end;
    world->relay->on_log = on_relay_log;
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        process_override(world->relay, fixed[i]);
    draw_ack(world);
    draw_sizes(world);
    static const char *const syncs[] = {"store.fsync=no", "store.fsync=everysec",
                                        "store.fsync=always"};
    uint64_t sync = world->ack == ACK_DURABLE ? 1 + random_below(2) : random_below(3);
    world->has_fsync = sync > 0;
    process_override(world->relay, syncs[sync]);
    world->is_always_ready = random_is_one_in(2);
    process_override(world->relay, world->is_always_ready ? "store.snapshot-min-interval=5"
                                                          : "store.snapshot=on-demand");
    process_override(world->relay, random_is_one_in(2) ? "relay.threads=1" : "relay.threads=2");
    process_override(world->relay, "relay.log-level=debug");
}

/* Few ask without a pause: their answers are what a run takes most time for. */
static int64_t draw_pause_us(void)
{
    return random_is_one_in(12) ? random_between(SIM_MS, ASKER_PAUSE_US_LEAST)
                                : random_between(ASKER_PAUSE_US_LEAST, ASKER_PAUSE_US_MOST);
}

static void set_up_askers(struct world *world)
{
    static const enum asker_kind kinds[ASKERS] = {ASKS_COMMANDS, ASKS_COMMANDS, ASKS_WAIT,
                                                  ASKS_HTTP};
    world->claims = (struct claims){.world = world, .process = world->relay};
    for (unsigned i = 0; i < ASKERS; i++)
        world->askers[i] =
            asker_new(kinds[i], ASKER_HOST + i, RELAY_HOST,
                      kinds[i] == ASKS_HTTP ? HTTP_PORT : RELAY_PORT, &world->claims);
}

/* Now and then somebody reads the data directory. */
static void on_look(void *arg)
{
    struct world *world = arg;
    if (!process_is_suspended(world->relay))
        reader_look(world->reader);
    alarm_in(random_between(SIM_S, READER_PAUSE_US_MOST), on_look, world);
}

static void set_up(struct world *world)
{
    only_world = world;
    sim_set_yield((unsigned)random_between(2, 30));
    set_up_relay(world);
    size_t filler = (size_t)random_between(0, 100) * 1024;
    world->rdb_filler = filler;
    for (unsigned i = 0; i < PRIMARIES; i++) {
        world->primaries[i] = primary_new(PRIMARY_HOST + i, PRIMARY_PORT);
        primary_set_rdb_bytes(world->primaries[i], filler);
    }
    for (unsigned i = 0; i < REPLICAS; i++)
        world->replicas[i] = replica_new(i, REPLICA_HOST + i, RELAY_HOST, RELAY_PORT);
    set_up_askers(world);
    world->reader = reader_new(world->relay);
    on_look(world);
}

/* ---- the run ---- */

static void begin_peace(struct world *world)
{
    trace("peace");
    world->is_peaceful = true;
    world->peace_starts = world->relay->starts;
    world->disk->trouble = (struct disk_trouble){0};
    network_heal();
    world->relay->kill_at_call = 0;
    process_resume(world->relay);
    world->relay->paused_until_us = 0;
    world->relay->signals = 0;
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

/* For a while nothing happens: nobody is closed, and nothing ends. */
static void run_quietly(struct world *world)
{
    uint64_t lost = checks_links_lost(world);
    unsigned starts = world->relay->starts;
    uint64_t forks = primary_counts(world_primary(world))->forks;
    sim_run(sim_now_us() + (int64_t)QUIET_S * SIM_S, STEPS_MAX);
    if (checks_links_lost(world) != lost)
        sim_fail("a replica lost its link while nothing happened");
    if (world->relay->starts != starts)
        sim_fail("the relay ended while nothing happened");
    checks_on_quiet_end(world, forks);
}

/* Without the primary: what was there is served by a relay that has started again, to those who come back,
 * and to one who has nothing if there was a snapshot. */
static void run_alone(struct world *world)
{
    /* After an fsync that has failed nothing more is durable, and the relay says so. */
    bool is_power_loss = world->has_fsync && world->disk->errors == 0 && random_is_one_in(2);
    trace("alone");
    world->is_alone = true;
    primary_end(world_primary(world), true);
    network_cut(RELAY_HOST, primary_host(world_primary(world)), SIM_NEVER);
    sim_run(sim_now_us() + (int64_t)SETTLE_S * SIM_S, STEPS_MAX);
    if (is_power_loss)
        process_lose_power(world->relay);
    else
        process_kill(world->relay);
    if (world->is_always_ready) {
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
    world_start_relay(world);
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
        if (world->is_always_ready && world->disk->errors == 0 && random_is_one_in(2)) {
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
        .relay_starts = world->relay->starts,
    };
    if (!result->is_good)
        snprintf(result->failure, sizeof result->failure, "%s", sim_failure());
    snprintf(result->kind, sizeof result->kind, "%s", sim_failure_kind());
}
