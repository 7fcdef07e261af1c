/* SPDX-License-Identifier: MIT
 *
 * The replicas that are known: what `ack = all` means by "all". A replica is known while it is attached, and for
 * repl-timeout after it has left, if it was in sync: so after a mass reconnect the first one back is one of
 * many. RELAY FORGET ends the wait for one that was taken away for good.
 *
 * Owner: the downstream component. Thread: thread 0.
 */
#ifndef RELAY_DOWNSTREAM_KNOWN_H
#define RELAY_DOWNSTREAM_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/bytes.h"

struct downstream;
struct known;

struct known *downstream_known(struct downstream *downstream);

/* Whom RELAY FORGET names: everybody, those of an address, or one by its id. */
struct known_who {
    bool is_anybody;
    struct bytes address; /* as RELAY REPLICAS tells it, or the connection's; no data: by id */
    bool has_port;
    uint16_t port; /* the announced one */
    uint64_t id;
};

/* Those that are away are forgotten, those that are attached will be when they leave. How many match. */
size_t known_forget(struct known *known, const struct known_who *who);

/* One that is away. Strings live until the callee returns. */
struct known_status {
    uint64_t id; /* of its last connection */
    const char *peer;
    const char *address;
    uint16_t listening_port;
    const char *version;
    uint64_t acknowledged; /* when it left */
    int64_t heard_ms;      /* clock_ms */
    int64_t left_ms;       /* until it is forgotten */
};
typedef void known_fn(const struct known_status *status, void *arg);

/* Those that are away, the one that is forgotten first before others. */
void known_each_away(const struct known *known, known_fn *fn, void *arg);

struct known_counts {
    size_t attached;
    size_t away;
    int64_t
        unsure_ms; /* so long there may be others, of whom nothing is known: after a start; 0: not */
};
void known_count(const struct known *known, struct known_counts *out);

#endif
