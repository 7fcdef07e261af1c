/* SPDX-License-Identifier: MIT
 *
 * A client that has said WAIT and is not answered yet: it waits for so many of our replicas to have
 * acknowledged what was published when it asked. We may put nothing into the stream, so no replica can be
 * asked for its acknowledgement: each tells by itself once a second, and at once where the primary asks
 * all of them (REPLCONF GETACK passes through us).
 *
 * Owner: its client state. Thread: thread 0.
 */
#ifndef RELAY_COMMANDS_WAITER_H
#define RELAY_COMMANDS_WAITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/queue.h"

struct commands;
struct client;
struct timer;

struct waiter {
    TAILQ_ENTRY(waiter) entry; /* while it waits, oldest first */
    struct client *client;
    bool is_waiting;
    int64_t replicas;
    uint64_t offset;         /* of the history */
    uint64_t history_number; /* 0: there was none */
    uint64_t branch;         /* of that history, which `offset` is of (store/branches.h) */
    int64_t deadline_ms;     /* clock_ms; 0: none */
};

TAILQ_HEAD(waiter_list, waiter);

struct waiters {
    struct waiter_list list;
    size_t count;
    struct timer *timer;
    int64_t timer_ms; /* clock_ms for which it is armed; 0: it is not */
};

/* False: out of memory. */
MUST_CHECK bool waiters_open(struct commands *commands);
void waiters_close(struct commands *commands);

/* Replicas have acknowledged something; or the history is another, or has another branch: who waits for
 * what is no part of it any more is told so at once. */
void waiters_look(struct commands *commands);

/* CLIENT UNBLOCK. False: the client does not wait. */
bool waiters_unblock(struct commands *commands, uint64_t client_id, bool with_error);

/* Its client goes. */
void waiter_forget(struct commands *commands, struct waiter *waiter);

#endif
