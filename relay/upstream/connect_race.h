/* SPDX-License-Identifier: MIT
 *
 * Connections to several servers side by side, of which one is used. While the server whose turn it is does not
 * answer, its owner opens a connection to the next one every CONNECT_STAGGER_MS, as RFC 8305 does with the
 * addresses of one name. The first connection that comes up is taken. The others go on, and are there at their turn.
 *
 * Each server has a place. The owner decides the order of the servers and the moment of each attempt:
 *
 *     free --- connect_race_open ---> waiting --- up ------> ready --- connect_race_take ---> free
 *      ^                                 |                     |
 *      |                                 +--- failed -----> failed
 *      +--- connect_race_drop, also for what was not used in CONNECT_READY_MS ---+
 *
 * The owner's `on_change` is called when a place becomes ready or failed. The events of a connection that was
 * taken go to its `on_event`.
 *
 * Bounds: a connection for each place, PRIMARY_CANDIDATES_MAX of them. How long an attempt lasts is limited by
 * the connection itself (resolver.h, dialer.h).
 *
 * Owner: the link; the watcher of Sentinels. Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_CONNECT_RACE_H
#define RELAY_UPSTREAM_CONNECT_RACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/net/conn.h"
#include "relay/upstream/primary_address.h"

struct loop;

enum {
    CONNECT_STAGGER_MS = 250,     /* RFC 8305: "Connection Attempt Delay" */
    CONNECT_READY_MS = 10 * 1000, /* a connection that nobody has taken is closed after that */
    CONNECT_ERROR_MAX = 256,
};

enum connect_state { CONNECT_FREE, CONNECT_WAITING, CONNECT_READY, CONNECT_FAILED };

struct connect_place {
    struct connect_race *race;
    enum connect_state state;
    struct conn *conn;             /* waiting, ready */
    int64_t since_ms;              /* clock_ms: when the state began */
    char error[CONNECT_ERROR_MAX]; /* failed: why */
};

/* The place is ready or failed. The owner may call any function of this file, for any place. */
typedef void connect_change_fn(size_t place, void *arg);

struct connect_race {
    struct loop *loop;
    connect_change_fn *on_change;
    conn_event_fn *on_event;
    void *arg;
    struct connect_place at[PRIMARY_CANDIDATES_MAX];
};

void connect_race_init(struct connect_race *race, struct loop *loop, connect_change_fn *on_change,
                       conn_event_fn *on_event, void *arg);

/* A free place: begins an attempt. False: out of memory; the place is free. */
MUST_CHECK bool connect_race_open(struct connect_race *race, size_t place,
                                  const struct primary_address *address,
                                  const struct conn_options *options);

/* A ready place: the connection is the caller's, and the place is free. */
struct conn *connect_race_take(struct connect_race *race, size_t place);

/* Closes what is there; the place is free. */
void connect_race_drop(struct connect_race *race, size_t place);
void connect_race_drop_all(struct connect_race *race);

/* Every second: closes connections that nobody has taken in time. */
void connect_race_tick(struct connect_race *race);

/* A bit for each place that is not free; for each that has been waiting for CONNECT_STAGGER_MS or longer. */
uint32_t connect_race_used(const struct connect_race *race);
uint32_t connect_race_hanging(const struct connect_race *race);

/* How long until this place, which is waiting, counts as hanging; 0: it does. */
int64_t connect_race_patience_ms(const struct connect_race *race, size_t place);

#endif
