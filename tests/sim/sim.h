/* SPDX-License-Identifier: MIT
 *
 * The heart of the simulation: one thread, one clock, one generator of random numbers. Everything that happens
 * is a fiber that runs, or an alarm that is due; the scheduler chooses which. Nothing here asks the real
 * clock, the real network or the real disk, so the same seed gives the same run.
 *
 * A fiber stands for a thread of a relay. It gives up the processor in sim_call(), which each replaced call
 * of the system begins with (calls.h), and where it waits.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIM_MS = 1000, SIM_S = 1000 * 1000 };
#define SIM_NEVER INT64_MAX

struct process;

/* ---- random numbers ---- */

void random_start(uint64_t seed);
uint64_t random_u64(void);
uint64_t random_below(uint64_t limit);               /* 0 for a limit of 0 */
int64_t random_between(int64_t least, int64_t most); /* both included */
bool random_is_one_in(uint64_t n);
void random_hex_digits(char *out, size_t digits); /* and a zero byte */

/* ---- the trace ---- */

/* A line of the run. All lines make its hash; they are printed with trace_show(true), and the last of
 * them where the run fails. */
__attribute__((format(printf, 1, 2))) void trace(const char *format, ...);
void trace_show(bool on);
uint64_t trace_hash(void);
void trace_print_last(void);

/* The run has failed: an invariant does not hold. The first failure is kept, and ends the run. */
__attribute__((format(printf, 1, 2))) void sim_fail(const char *format, ...);
const char *sim_failure(void);      /* NULL: none */
const char *sim_failure_kind(void); /* the same without its numbers */

/* ---- time and alarms ---- */

int64_t sim_now_us(void);
typedef void alarm_fn(void *arg);
/* Calls fn at that time. There is no way to cancel one: fn looks whether it is still wanted. */
void alarm_at(int64_t when_us, alarm_fn *fn, void *arg);
void alarm_in(int64_t delay_us, alarm_fn *fn, void *arg);

/* ---- fibers ---- */

struct fiber;
struct fiber *fiber_start(struct process *process, const char *name, void *(*run)(void *),
                          void *arg);
struct fiber *fiber_self(void); /* NULL: the scheduler, an alarm, a model */
struct process *fiber_process(const struct fiber *fiber);
bool fiber_has_ended(const struct fiber *fiber);
void *fiber_result(const struct fiber *fiber);
unsigned fiber_number(const struct fiber *fiber);
void fiber_release(struct fiber *fiber); /* its place may be used again: it was joined */
/* The fibers of a process end where they are. If the caller is one of them, it does not return. */
void fibers_kill(struct process *process);

/* What they wait for comes so much later: the clock that they wait by has stood still. */
void fibers_delay(struct process *process, int64_t by_us);

/* One of them, by `dice`, gets no processor until that time. */
void fibers_starve(struct process *process, uint64_t dice, int64_t until_us);

/* The fiber waits until it is woken by `channel`, or until the time. False: the time has come. */
bool fiber_wait(const void *channel, int64_t until_us);
void fiber_wake_all(const void *channel);
void fiber_wake_one(const void *channel);
void fiber_sleep(int64_t delay_us);
void fiber_yield(void);

/* Begins each call of the system: time passes, others may run, and a process that is to be killed at its
 * Nth call is. */
void sim_call(const char *name);

/* Runs until that time, until sim_stop(), a failure or `steps_max`, which is a failure. */
void sim_run(int64_t until_us, uint64_t steps_max);
void sim_stop(void);
uint64_t sim_steps(void);
/* One in how many calls lets others run. */
void sim_set_yield(unsigned one_in);

#endif
