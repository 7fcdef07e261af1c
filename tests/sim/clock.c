/* SPDX-License-Identifier: MIT */
#include "clock.h"

#include "network.h"
#include "relay/base/check.h"
#include "sim.h"

#define WALL_AT_START_US (INT64_C(1767225600) * SIM_S) /* 2026-01-01 */
#define WALL_LEAST_US (INT64_C(946684800) * SIM_S)     /* 2000 */
#define WALL_MOST_US (INT64_C(4102444800) * SIM_S)     /* 2100 */

enum { STEPS_MAX = 64 };

/* From `from_us` on the wall clock is ahead of the time of the simulation by that. */
struct wall_step {
    int64_t from_us;
    int64_t ahead_us;
};

struct host_clock {
    unsigned step_count;
    struct wall_step steps[STEPS_MAX]; /* those after the first, which every host has */
    int64_t suspended_us;
};

static struct host_clock clocks[HOSTS_MAX];

/* Of the first step, which is number 0, and of the others. */
static struct wall_step step_of(unsigned host, unsigned number)
{
    static const struct wall_step first = {0, WALL_AT_START_US};
    return number == 0 ? first : clocks[host].steps[number - 1];
}

int64_t host_wall_us(unsigned host)
{
    CHECK(host < HOSTS_MAX);
    return sim_now_us() + step_of(host, clocks[host].step_count).ahead_us;
}

int64_t host_monotonic_us(unsigned host)
{
    CHECK(host < HOSTS_MAX);
    return sim_now_us() - clocks[host].suspended_us;
}

int64_t host_monotonic_to_sim_us(unsigned host, int64_t monotonic_us)
{
    return monotonic_us + clocks[host].suspended_us;
}

void host_step_wall(unsigned host, int64_t by_us)
{
    struct host_clock *clock = &clocks[host];
    int64_t wall_us = host_wall_us(host) + by_us;
    if (clock->step_count == STEPS_MAX || wall_us < WALL_LEAST_US || wall_us > WALL_MOST_US)
        return;
    clock->steps[clock->step_count++] = (struct wall_step){sim_now_us(), wall_us - sim_now_us()};
}

void host_note_suspended(unsigned host, int64_t length_us)
{
    clocks[host].suspended_us += length_us;
}

bool host_has_shown(unsigned host, int64_t wall_us, int64_t from_us)
{
    for (unsigned i = 0; i <= clocks[host].step_count; i++) {
        struct wall_step step = step_of(host, i);
        int64_t end_us = i < clocks[host].step_count ? step_of(host, i + 1).from_us : sim_now_us();
        int64_t at_us = wall_us - step.ahead_us;
        if (at_us >= from_us && at_us >= step.from_us && at_us <= end_us)
            return true;
    }
    return false;
}
