/* SPDX-License-Identifier: MIT
 *
 * Replicas that get a full sync and leave at once for another one, over and over: most often since
 * they cannot read an RDB of the origin's version (trap 24). From the second in a row on each round
 * makes the next one wait longer. A replica is known by its address and listening port; a few dozen are remembered, the one
 * that has not been seen for longest is forgotten. Pure.
 */
#ifndef RELAY_DOWNSTREAM_SLOWDOWN_H
#define RELAY_DOWNSTREAM_SLOWDOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "card.h"

enum {
    SLOWDOWN_PLACES = 64,
    SLOWDOWN_RECENT_MS = 30 * 1000, /* "at once" */
    SLOWDOWN_MS_MAX = 30 * 1000,
};

struct slowdown {
    struct {
        char address[CARD_ADDRESS_MAX];
        uint16_t port;   /* 0: the place is free */
        unsigned rounds; /* full syncs in a row that ended at once */
        int64_t last_ms;
    } place[SLOWDOWN_PLACES];
};

/* Notes that a replica has gone at `now_ms`, having been sent a whole RDB at `rdb_sent_ms`. */
void slowdown_note(struct slowdown *slowdown, const char *address, uint16_t port,
                   int64_t rdb_sent_ms, int64_t now_ms);

/* How long a full sync for this one has to wait; 0: not at all. */
int64_t slowdown_ms(const struct slowdown *slowdown, const char *address, uint16_t port,
                    int64_t now_ms);

/* A full sync has come to its good end. */
void slowdown_forget(struct slowdown *slowdown, const char *address, uint16_t port);

#endif
