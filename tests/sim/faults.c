/* SPDX-License-Identifier: MIT
 *
 * What goes wrong, a row each. The plan of a run is drawn before it begins, with all numbers that a fault
 * needs, so that a fault can be left out (main.c does, to find the few that matter). */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>

#include "network.h"
#include "relay/base/check.h"
#include "sim.h"
#include "world.h"

enum { FAULTS_MAX = 60 };

struct fault {
    struct world *world;
    unsigned number;
    const struct fault_row *row;
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

static void on_restart(void *arg)
{
    struct world *world = arg;
    if (!world->relay->is_alive)
        world_start_relay(world);
}

static void kill_relay(struct fault *fault)
{
    struct process *relay = fault->world->relay;
    relay->kill_is_power_loss = false;
    if (relay->is_alive)
        relay->kill_at_call = relay->calls + 1 + fault->dice[0] % 3000;
}

static const struct fault_row rows[] = {
    {"kill", 4, kill_relay},
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
    (void)until_us;
    (void)on_restart;
    unsigned count = (unsigned)random_between(1, 20);
    for (unsigned i = 0; i < count; i++) {
        struct fault *fault = calloc(1, sizeof *fault);
        CHECK(fault != NULL);
        fault->world = world;
        fault->number = i;
        fault->row = draw_row();
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
