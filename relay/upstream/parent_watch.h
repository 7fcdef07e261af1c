/* SPDX-License-Identifier: MIT
 *
 * Asks the relay that we follow how its own link is, and those above it: its stream only falls silent when
 * its primary has died, and the link to it goes on being up. Every few seconds on a short connection of its
 * own (INFO relay), never on the replication link; with a limit of time and of bytes. One that does not let
 * us ask is left alone until the link connects again.
 *
 * Owner: the link. Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_PARENT_WATCH_H
#define RELAY_UPSTREAM_PARENT_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/text.h"
#include "relay/resp/reply.h"
#include "relay/upstream/hop.h"

struct conn;
struct loop;
struct route;

enum {
    PARENT_WATCH_PERIOD_MS = 5 * 1000,
    PARENT_WATCH_LIMIT_MS = 4 * 1000, /* of one asking */
    PARENT_WATCH_KEPT_MS = 20 * 1000, /* what was told is believed for so long */
};

struct parent_watch {
    struct loop *loop;
    const struct route *route;
    struct conn *conn; /* NULL: nothing is asked now */
    const char *user;  /* as in link_options */
    const char *password;
    unsigned awaited;    /* replies to come */
    bool is_refused;     /* it does not let us ask */
    int64_t asked_ms;    /* clock_ms; 0: never */
    int64_t answered_ms; /* clock_ms of what is in `told`; 0: nothing is */
    struct hops told;
    struct text out;
    size_t in_length;
    uint8_t in[REPLY_LENGTH_MAX];
};

/* User and password are the caller's, as the route is. */
void parent_watch_init(struct parent_watch *watch, struct loop *loop, const struct route *route);
void parent_watch_fini(struct parent_watch *watch);

/* The link follows somebody anew: what was told is forgotten. */
void parent_watch_restart(struct parent_watch *watch);

/* Every second. NULL: whom we follow is no relay, or we do not follow anybody now. */
void parent_watch_tick(struct parent_watch *watch, const struct primary_address *parent);

/* What is above the one that we follow, with the time since it was told in its silences. */
void parent_watch_hops(const struct parent_watch *watch, struct hops *out);

#endif
