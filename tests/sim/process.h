/* SPDX-License-Identifier: MIT
 *
 * A process of the simulation: a relay that runs on a host. It has descriptors, fibers, and the static
 * variables of the relay's objects, which are exchanged whenever the scheduler goes on to another process
 * (the build puts them into sections of their own: sim.mk). A kill throws the fibers and the static variables
 * away, as the kernel does; what it held of the heap is left behind, and goes with the run.
 */
#ifndef TESTS_SIM_PROCESS_H
#define TESTS_SIM_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

enum { DESCRIPTORS_MAX = 512, OVERRIDES_MAX = 32, PROCESS_NAME_MAX = 16 };

struct disk;
struct file;

struct process {
    char name[PROCESS_NAME_MAX];
    unsigned host;
    struct disk *disk;
    int id; /* as getpid tells; another one at each start */
    bool is_alive;
    int64_t paused_until_us;
    int64_t suspended_since_us; /* 0: it is not */
    unsigned suspensions;
    unsigned starts;
    char overrides[OVERRIDES_MAX][96];
    unsigned override_count;
    struct file *files[DESCRIPTORS_MAX];
    uint64_t signals;      /* a bit for each that waits */
    uint64_t calls;        /* since the start */
    uint64_t kill_at_call; /* 0: none */
    bool kill_is_power_loss;
    bool lost_power;                      /* it ended so */
    bool had_power_loss;                  /* the last end before this start was one */
    void (*run)(struct process *process); /* NULL: it is a relay */
    struct process
        *neighbour; /* on the same host, which stops, and loses its power, with it; NULL: none */
    void (*on_log)(const char *line);
    void (*on_end)(struct process *process, bool is_good); /* relay_run has returned */
    char *statics;                                         /* while it is not entered */
    char why[512];                                         /* of a start that was refused */
};

struct process *process_new(const char *name, unsigned host, struct disk *disk);
/* `text`: SECTION.KEY=VALUE */
void process_override(struct process *process, const char *text);
void process_start(struct process *process);
/* SIGKILL. From one of its own fibers it does not return. */
void process_kill(struct process *process);
/* The host loses its power: as a kill, and the peers are told nothing, and the disk loses what was not
 * fsynced. */
void process_lose_power(struct process *process);
void process_signal(struct process *process, int signal);
void process_pause(struct process *process, int64_t until_us);
/* The host is suspended: its processes stand still, and its monotonic clock with them; nobody reaches it. */
void process_suspend(struct process *process, int64_t until_us);
void process_resume(struct process *process);
bool process_is_suspended(const struct process *process);

/* ---- for the scheduler ---- */

void process_enter(struct process *process);
int64_t process_paused_until_us(const struct process *process);
void process_count_call(struct process *process, const char *name);
struct process *process_self(void); /* of the fiber that runs */

#endif
