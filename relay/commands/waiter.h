/* SPDX-License-Identifier: MIT
 *
 * Clients that are blocked in WAIT: each waits until so many of our replicas have acknowledged what was published
 * when it asked. A relay puts nothing into the stream, so it cannot ask replicas for an acknowledgement: each sends
 * one once a second by itself, and at once when the primary asks all of them (REPLCONF GETACK passes through us).
 *
 * An offset counts only in the history, and on the branch of it (store/branches.h), in which it was asked for. When
 * that is replaced or cut before the offset the client gets an error at once.
 *
 * Owner: struct commands has the waiters, the client's state its waiter. Thread: thread 0.
 */
#ifndef RELAY_COMMANDS_WAITER_H
#define RELAY_COMMANDS_WAITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error_stats.h"
#include "relay/base/check.h"
#include "relay/base/queue.h"

struct client;
struct downstream;
struct loop;
struct store;
struct timer;

struct waiter {
    TAILQ_ENTRY(waiter) entry; /* while it is blocked, oldest first */
    struct client *client;
    bool is_blocked;
    int64_t replicas;
    uint64_t offset;         /* of the history */
    uint64_t history_number; /* 0: there was none */
    uint64_t branch;         /* of that history, to which `offset` belongs */
    int64_t deadline_ms;     /* clock_ms; 0: none */
};

TAILQ_HEAD(waiter_list, waiter);

struct waiters_dependencies {
    struct loop *loop;
    const struct store *store;
    const struct downstream *downstream;
    struct error_stats *errors; /* late replies that are errors are counted here */
    /* The first client is blocked, or the last one is not any more: whether waiters_check is to be called. */
    void (*watch_acknowledged)(bool watch, void *arg);
    void *arg;
};

struct waiters {
    struct waiters_dependencies needs;
    struct waiter_list list;
    size_t count;
    struct timer *timer;
    int64_t timer_ms; /* clock_ms for which it is armed; 0: it is not */
};

/* False: out of memory; waiters_close is due all the same. */
MUST_CHECK bool waiters_open(struct waiters *waiters, const struct waiters_dependencies *needs);
void waiters_close(struct waiters *waiters);

/* How many replicas have acknowledged what is published now. True: *acknowledged says it. False: these are fewer than
 * `replicas`, the client is blocked, and is answered when there are enough, at the deadline (clock_ms; 0: none) or by
 * waiters_unblock. `waiter` NULL: the client is not blocked in any case. */
MUST_CHECK bool waiters_ask(struct waiters *waiters, struct waiter *waiter, struct client *client,
                            int64_t replicas, int64_t deadline_ms, unsigned *acknowledged);

/* Replicas have acknowledged something, or the history has changed: answers the clients that need not wait longer.
 * Closes nobody. */
void waiters_check(struct waiters *waiters);

/* CLIENT UNBLOCK. False: no client of this id is blocked. */
bool waiters_unblock(struct waiters *waiters, uint64_t client_id, bool with_error);

/* The client of the waiter goes: it is not answered. */
void waiters_forget(struct waiters *waiters, struct waiter *waiter);

#endif
