/* SPDX-License-Identifier: MIT
 *
 * One event loop a thread. A turn: wait, run the callbacks of what is ready, then the turn's end:
 * the hook first (publish, wake workers), then chores, for a bounded time, and the hook again, then
 * everything that was put aside to be freed. No callback frees what it runs on; it puts it aside with
 * loop_defer.
 *
 * Owner: the thread that calls loop_run. All functions are for that thread (before loop_run: for the
 * one that made the loop), except notifier_wake, which is for any.
 */
#ifndef RELAY_NET_LOOP_H
#define RELAY_NET_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/error.h"

struct loop;
struct timer;
struct notifier;

typedef void loop_fn(void *arg);

/* NULL when the system has no room for it (`error`). From the first one on the process ignores SIGPIPE. */
MUST_CHECK struct loop *loop_new(struct error *error);

/* Runs what was deferred, then frees. Timers, notifier and conns of the loop must be gone; those that
 * drain are closed. */
void loop_free(struct loop **loop);

/* Turns until loop_stop. */
void loop_run(struct loop *loop);

/* Ends loop_run after this turn. */
void loop_stop(struct loop *loop);

/* `fn` is run at the end of each turn. One hook a loop. */
void loop_at_turn_end(struct loop *loop, loop_fn *fn, void *arg);

/* `fn(arg)` is run once, after this turn's hook: for freeing. */
void loop_defer(struct loop *loop, loop_fn *fn, void *arg);

/* Work that keeps the thread for a while and may come in crowds. First come, first served, and a bounded
 * time of each kind a turn (TURN_CHORES_US_MAX), so that everything else that is ready is served in
 * between. A chore is a member of what has the work, and queued at most once. */
enum chore_kind {
    CHORE_WORK,      /* a client's commands, a scrape, bytes for a replica that catches up */
    CHORE_HANDSHAKE, /* a step of TLS with somebody unknown, who may not delay the others */
    CHORE_KINDS,
};

struct chore {
    struct chore *next;
    struct chore **link; /* what points here; NULL: not queued */
    enum chore_kind kind;
    loop_fn *fn;
    void *arg;
};

/* Queues it: `fn(arg)` is run once, in this turn or a later one, behind the hook of the turn. The hook is
 * run again behind the chores of a turn. */
void loop_put_off(struct loop *loop, enum chore_kind kind, struct chore *chore, loop_fn *fn,
                  void *arg);

static inline bool chore_is_queued(const struct chore *chore)
{
    return chore->link != NULL;
}

/* Does nothing for one that is not queued. */
void chore_leave(struct loop *loop, struct chore *chore);

/* `fn` is run, on the loop, when the process gets `signo`. Thread 0's loop only. */
MUST_CHECK bool loop_on_signal(struct loop *loop, int signo, loop_fn *fn, void *arg);

/* One shot, never early by clock_ms. NULL when out of memory. */
MUST_CHECK struct timer *timer_new(struct loop *loop, loop_fn *fn, void *arg);

/* Fires once, `delay_ms` from now; arming again moves it. delay_ms >= 0. */
void timer_arm(struct timer *timer, int64_t delay_ms);
void timer_disarm(struct timer *timer);
void timer_free(struct timer **timer);

/* Something that other threads can ring: any number of rings before the loop gets to it run `fn`
 * once. NULL when descriptors or memory are out. */
MUST_CHECK struct notifier *notifier_new(struct loop *loop, loop_fn *fn, void *arg);
void notifier_wake(struct notifier *notifier);
void notifier_free(struct notifier **notifier);

#endif
