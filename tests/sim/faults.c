/* SPDX-License-Identifier: MIT
 *
 * What goes wrong, a row each. The plan of a run is drawn before it begins, with all numbers that a fault
 * needs, so that a fault can be left out (main.c does, to find the few that matter). */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>

#include "clock.h"
#include "network.h"
#include "relay/base/check.h"
#include "sim.h"
#include "world.h"

enum { FAULTS_MAX = 60 };

struct fault {
    struct world *world;
    unsigned number;
    const struct fault_row *row;
    struct node *node; /* whom it concerns, where it concerns a relay */
    uint64_t dice[3];
    int64_t length_us;
};

typedef void fault_fn(struct fault *fault);

struct fault_row {
    const char *name;
    unsigned weight;
    fault_fn *fn;
};

static int64_t until_us(const struct fault *fault)
{
    return sim_now_us() + fault->length_us;
}

/* ---- the relay ---- */

/* At one of its next calls, whichever that is. */
static void end_relay(struct fault *fault, bool is_power_loss)
{
    struct process *relay = fault->node->process;
    if (!relay->is_alive)
        return;
    relay->kill_is_power_loss = is_power_loss;
    uint64_t calls = fault->dice[0] % 4 == 0 ? 20000 : 2000;
    relay->kill_at_call = relay->calls + 1 + fault->dice[1] % calls;
}

static void kill_relay(struct fault *fault)
{
    end_relay(fault, false);
}

static void power_relay_off(struct fault *fault)
{
    end_relay(fault, true);
}

static void terminate_relay(struct fault *fault)
{
    process_signal(fault->node->process, SIGTERM);
}

static void hang_relay_up(struct fault *fault)
{
    process_signal(fault->node->process, SIGHUP);
}

static void pause_relay(struct fault *fault)
{
    process_pause(fault->node->process, until_us(fault));
}

static void suspend_relay(struct fault *fault)
{
    process_suspend(fault->node->process, until_us(fault));
}

/* By a millisecond to a year, forward or back. */
static void set_clock(struct fault *fault)
{
    static const int64_t most_us[] = {SIM_S, 60LL * SIM_S, 7200LL * SIM_S, 366LL * 86400 * SIM_S};
    int64_t by_us = (int64_t)(fault->dice[1] % (uint64_t)most_us[fault->dice[0] % 4]) + SIM_MS;
    host_step_wall(fault->node->host, fault->dice[2] % 2 == 0 ? by_us : -by_us);
}

/* One of its threads, as where others want the processor, too. */
static void starve_thread(struct fault *fault)
{
    fibers_starve(fault->node->process, fault->dice[0],
                  sim_now_us() + (int64_t)(fault->dice[1] % (5 * SIM_S)));
}

/* ---- its disk ---- */

static void slow_disk(struct fault *fault)
{
    fault->node->disk->trouble.slow_until_us = until_us(fault);
}

static void fill_disk(struct fault *fault)
{
    fault->node->disk->trouble.full_until_us = until_us(fault);
}

static void break_disk(struct fault *fault)
{
    struct disk_trouble *trouble = &fault->node->disk->trouble;
    trouble->fails_until_us = until_us(fault);
    trouble->fails_one_in = 1 + (unsigned)(fault->dice[0] % 50);
    trouble->error = fault->dice[1] % 3 == 0 ? ENOSPC : EIO;
}

/* ---- the network ---- */

/* Whom the relay follows, or who follows it. */
static unsigned draw_peer(const struct fault *fault)
{
    const struct world *world = fault->world;
    bool is_first = fault->node == &world->nodes[0];
    unsigned hosts[REPLICAS + 2];
    unsigned count = 0;
    hosts[count++] = is_first ? primary_host(world_primary(world)) : RELAY_HOST;
    if (is_first && world->node_count > 1)
        hosts[count++] = LOWER_HOST;
    for (unsigned i = 0; i < REPLICAS; i++) {
        if (replica_follows(world->replicas[i]) == fault->node->host)
            hosts[count++] = REPLICA_HOST + i;
    }
    return hosts[fault->dice[0] % 3 == 0 ? 0 : fault->dice[0] / 3 % count];
}

static void cut_path(struct fault *fault)
{
    network_cut(fault->node->host, draw_peer(fault), until_us(fault));
}

static void slow_path(struct fault *fault)
{
    network_slow(fault->node->host, draw_peer(fault),
                 (int64_t)(fault->dice[1] % (3 * SIM_S)) + SIM_MS, until_us(fault));
}

static void isolate_relay(struct fault *fault)
{
    if (process_is_suspended(fault->node->process))
        return;
    network_isolate(fault->node->host, until_us(fault));
}

static void reset_connection(struct fault *fault)
{
    (void)fault;
    struct socket *socket = network_draw_connection();
    if (socket != NULL)
        socket_reset(socket);
}

/* ---- the primary ---- */

static struct primary *primary_of(const struct fault *fault)
{
    return world_primary(fault->world);
}

struct succession {
    struct primary *primary;
    struct timeline *timeline;
    struct process *relay;
    uint64_t starved; /* a thread of the relay, by chance; 0: none */
};

static void on_succession(void *arg)
{
    struct succession *succession = arg;
    if (!primary_is_up(succession->primary))
        primary_start(succession->primary, succession->timeline);
    /* Whoever is the last to hear of it. */
    if (succession->starved != 0)
        fibers_starve(succession->relay, succession->starved, sim_now_us() + 3 * SIM_S);
    free(succession);
}

/* What is reached at its address goes away, and a server with another timeline comes there. */
static void succeed(struct fault *fault, struct timeline *timeline)
{
    struct primary *primary = primary_of(fault);
    struct succession *succession = malloc(sizeof *succession);
    CHECK(succession != NULL);
    uint64_t starved = fault->dice[2] % 3 == 0 ? fault->dice[2] / 16 : 0;
    *succession = (struct succession){primary, timeline, fault->node->process, starved};
    primary_end(primary, fault->dice[2] % 4 == 0);
    world_note_timeline(fault->world, timeline);
    alarm_in(fault->length_us, on_succession, succession);
}

static void pause_primary(struct fault *fault)
{
    primary_pause(primary_of(fault), until_us(fault));
}

static void drop_backlog(struct fault *fault)
{
    if (primary_is_up(primary_of(fault)))
        primary_drop_backlog(primary_of(fault));
}

/* A replica of it is promoted, which has all but the last of what it has written. */
static void fail_over(struct fault *fault)
{
    if (!primary_is_up(primary_of(fault)))
        return;
    struct timeline *before = primary_timeline(primary_of(fault));
    static const size_t most[] = {1, 8, 400};
    size_t behind = (size_t)(fault->dice[1] % most[fault->dice[0] % 3]);
    size_t last = before->boundary_count > behind ? before->boundary_count - behind : 0;
    uint64_t offset = last == 0 ? before->start : before->boundaries[last - 1];
    succeed(fault, timeline_part(before, offset));
}

/* It has lost everything, and begins anew. */
static void empty_primary(struct fault *fault)
{
    if (primary_is_up(primary_of(fault)))
        succeed(fault, timeline_new(fault->dice[0] % 2 == 0 ? 0 : fault->dice[1] % 1000000));
}

/* It comes back with what it had. */
static void restart_primary(struct fault *fault)
{
    if (primary_is_up(primary_of(fault)))
        succeed(fault, primary_timeline(primary_of(fault)));
}

/* ---- the replicas ---- */

static struct replica *replica_of(const struct fault *fault)
{
    return fault->world->replicas[fault->dice[0] % REPLICAS];
}

static void on_replica_start(void *arg)
{
    if (!replica_is_running(arg))
        replica_start(arg);
}

static void restart_replica(struct fault *fault)
{
    struct replica *replica = replica_of(fault);
    if (!replica_is_running(replica))
        return;
    replica_end(replica, fault->dice[1] % 2 == 0);
    alarm_in(fault->length_us, on_replica_start, replica);
}

static void pause_replica(struct fault *fault)
{
    replica_pause(replica_of(fault), until_us(fault));
}

static void cut_replica(struct fault *fault)
{
    replica_cut(replica_of(fault));
}

static const struct fault_row rows[] = {
    {"kill", 6, kill_relay},
    {"power-loss", 6, power_relay_off},
    {"terminate", 2, terminate_relay},
    {"hang-up", 1, hang_relay_up},
    {"pause-relay", 2, pause_relay},
    {"suspend", 2, suspend_relay},
    {"set-clock", 4, set_clock},
    {"starve", 4, starve_thread},
    {"slow-disk", 4, slow_disk},
    {"full-disk", 3, fill_disk},
    {"broken-disk", 3, break_disk},
    {"cut", 3, cut_path},
    {"slow", 2, slow_path},
    {"isolate", 2, isolate_relay},
    {"reset", 3, reset_connection},
    {"pause-primary", 2, pause_primary},
    {"drop-backlog", 2, drop_backlog},
    {"failover", 5, fail_over},
    {"empty-primary", 2, empty_primary},
    {"restart-primary", 2, restart_primary},
    {"restart-replica", 4, restart_replica},
    {"pause-replica", 3, pause_replica},
    {"cut-replica", 3, cut_replica},
};

/* ---- the plan ---- */

static const struct fault_row *draw_row(void)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        sum += rows[i].weight;
    uint64_t place = random_below(sum);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (place < rows[i].weight)
            return &rows[i];
        place -= rows[i].weight;
    }
    return &rows[0];
}

static void run_fault(void *arg)
{
    struct fault *fault = arg;
    if (fault->world->is_peaceful)
        return;
    trace("fault %u %s", fault->number, fault->row->name);
    fault->world->faults_done++;
    fault->row->fn(fault);
}

unsigned faults_plan(struct world *world, int64_t until, uint64_t without)
{
    unsigned count = (unsigned)random_between(1, 25);
    for (unsigned i = 0; i < count; i++) {
        struct fault *fault = calloc(1, sizeof *fault);
        CHECK(fault != NULL);
        fault->world = world;
        fault->number = i;
        fault->row = draw_row();
        fault->node = &world->nodes[random_below(world->node_count)];
        for (size_t j = 0; j < 3; j++)
            fault->dice[j] = random_u64();
        fault->length_us = random_is_one_in(2) ? random_between(SIM_MS, 5 * SIM_S)
                                               : random_between(SIM_S, 40 * SIM_S);
        int64_t when_us = random_between(sim_now_us(), until);
        if ((without >> i & 1) == 0)
            alarm_at(when_us, run_fault, fault);
    }
    return count;
}
