/* SPDX-License-Identifier: MIT */
#include "process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "disk.h"
#include "event_loop.h"
#include "file.h"
#include "network.h"
#include "relay.h"
#include "relay/base/check.h"
#include "relay/base/text.h"
#include "relay/config/config.h"
#include "sim.h"

/* The static variables of the relay's objects. */
extern char __start_relay_statics[];
extern char __stop_relay_statics[];

static char *fresh; /* as they are when a program starts */
static struct process *entered;
static int last_id = 1000;

static size_t statics_bytes(void)
{
    return (size_t)(__stop_relay_statics - __start_relay_statics);
}

static char *copy_of(const char *from)
{
    char *copy = malloc(statics_bytes() + 1);
    CHECK(copy != NULL);
    memcpy(copy, from, statics_bytes());
    return copy;
}

struct process *process_new(const char *name, unsigned host, struct disk *disk)
{
    if (fresh == NULL)
        fresh = copy_of(__start_relay_statics);
    struct process *process = calloc(1, sizeof *process);
    CHECK(process != NULL);
    snprintf(process->name, sizeof process->name, "%s", name);
    process->host = host;
    process->disk = disk;
    process->statics = copy_of(fresh);
    return process;
}

void process_override(struct process *process, const char *text)
{
    CHECK(process->override_count < OVERRIDES_MAX);
    char *place = process->overrides[process->override_count++];
    snprintf(place, sizeof process->overrides[0], "%s", text);
}

struct process *process_self(void)
{
    struct fiber *fiber = fiber_self();
    return fiber == NULL ? NULL : fiber_process(fiber);
}

void process_enter(struct process *process)
{
    if (entered == process)
        return;
    if (entered != NULL)
        memcpy(entered->statics, __start_relay_statics, statics_bytes());
    memcpy(__start_relay_statics, process->statics, statics_bytes());
    entered = process;
}

int64_t process_paused_until_us(const struct process *process)
{
    return process->paused_until_us;
}

void process_count_call(struct process *process, const char *name)
{
    process->calls++;
    if (process->kill_at_call == 0 || process->calls != process->kill_at_call)
        return;
    trace("%s call %llu is %s, and its last", process->name, (unsigned long long)process->calls,
          name);
    if (process->kill_is_power_loss)
        process_lose_power(process);
    else
        process_kill(process);
}

/* What main() does. */
static bool run_relay(struct process *process)
{
    struct text why;
    text_init(&why, 64 * 1024);
    const char *overrides[OVERRIDES_MAX];
    for (unsigned i = 0; i < process->override_count; i++)
        overrides[i] = process->overrides[i];
    struct config config;
    bool is_good = config_load(&config, NULL, overrides, process->override_count, &why);
    if (is_good) {
        is_good = relay_run(&config, &why);
        config_fini(&config);
    }
    snprintf(process->why, sizeof process->why, "%s", text_string(&why));
    text_fini(&why);
    return is_good;
}

static void *run_process(void *arg)
{
    struct process *process = arg;
    bool is_good = true;
    if (process->run != NULL)
        process->run(process);
    else
        is_good = run_relay(process);
    trace("%s ends %s%s", process->name,
          is_good ? "well" : "refused: ", is_good ? "" : process->why);
    file_close_all(process, false);
    process->is_alive = false;
    process->lost_power =
        !is_good && process->had_power_loss; /* a start that was refused is none */
    if (process->on_end != NULL)
        process->on_end(process, is_good);
    fibers_kill(process); /* threads that were detached; does not return */
    return NULL;
}

void process_start(struct process *process)
{
    CHECK(!process->is_alive);
    process->is_alive = true;
    process->id = ++last_id;
    process->starts++;
    process->calls = 0;
    process->kill_at_call = 0;
    process->paused_until_us = 0;
    process->suspended_since_us = 0;
    process->signals = 0;
    process->why[0] = '\0';
    process->had_power_loss = process->lost_power;
    if (entered == process)
        entered = NULL;
    memcpy(process->statics, fresh, statics_bytes());
    for (int fd = 0; fd < 3; fd++) {
        process->files[fd] = file_new(fd == 0 ? FILE_NULL : FILE_LOG);
        process->files[fd]->references = 1;
    }
    trace("%s starts pid=%d", process->name, process->id);
    fiber_start(process, "main", run_process, process);
}

static void end_process(struct process *process, bool is_power_loss)
{
    process_resume(process);
    process->is_alive = false;
    process->lost_power = is_power_loss;
    process->kill_at_call = 0;
    if (entered == process)
        entered = NULL;
    event_loops_forget(process);
    file_close_all(process, is_power_loss);
    disk_forget_process(process);
}

static void end_neighbour(struct process *process, bool is_power_loss)
{
    struct process *neighbour = process->neighbour;
    if (neighbour == NULL || !neighbour->is_alive)
        return;
    trace("%s ends with its host", neighbour->name);
    end_process(neighbour, is_power_loss);
    fibers_kill(neighbour);
}

void process_kill(struct process *process)
{
    if (!process->is_alive)
        return;
    trace("%s is killed after %llu calls", process->name, (unsigned long long)process->calls);
    end_process(process, false);
    if (process->on_end != NULL)
        process->on_end(process, false);
    fibers_kill(process);
}

void process_lose_power(struct process *process)
{
    trace("%s loses its power after %llu calls", process->name, (unsigned long long)process->calls);
    bool was_alive = process->is_alive;
    end_neighbour(process, true);
    end_process(process, true);
    disk_lose_power(process->disk);
    if (was_alive && process->on_end != NULL)
        process->on_end(process, false);
    fibers_kill(process);
}

void process_signal(struct process *process, int signal)
{
    if (!process->is_alive)
        return;
    trace("%s gets signal %d", process->name, signal);
    process->signals |= 1ULL << signal;
    event_loops_poke(process);
}

void process_pause(struct process *process, int64_t until_us)
{
    if (process_is_suspended(process))
        return;
    trace("%s is paused", process->name);
    process->paused_until_us = until_us;
}

/* ---- a host that is suspended ---- */

struct suspension {
    struct process *process;
    unsigned number;
};

bool process_is_suspended(const struct process *process)
{
    return process->suspended_since_us != 0;
}

void process_resume(struct process *process)
{
    if (!process_is_suspended(process))
        return;
    int64_t length_us = sim_now_us() - process->suspended_since_us;
    trace("%s goes on after %lld ms", process->name, (long long)(length_us / SIM_MS));
    process->suspended_since_us = 0;
    process->paused_until_us = 0;
    network_isolate(process->host, 0);
    host_note_suspended(process->host, length_us);
    event_loops_delay(process, length_us);
    fibers_delay(process, length_us);
}

static void on_resume_time(void *arg)
{
    struct suspension suspension = *(struct suspension *)arg;
    free(arg);
    if (suspension.process->suspensions == suspension.number)
        process_resume(suspension.process);
}

void process_suspend(struct process *process, int64_t until_us)
{
    if (!process->is_alive || process_is_suspended(process))
        return;
    trace("%s is suspended", process->name);
    end_neighbour(process, false);
    struct suspension *suspension = malloc(sizeof *suspension);
    CHECK(suspension != NULL);
    *suspension = (struct suspension){process, ++process->suspensions};
    process->suspended_since_us = sim_now_us();
    process->paused_until_us = SIM_NEVER;
    network_isolate(process->host, SIM_NEVER);
    alarm_at(until_us, on_resume_time, suspension);
}
