/* SPDX-License-Identifier: MIT
 *
 * What bounds all full syncs together: their rate (repl-full-sync-rate, sync_rate.h), and how many there are at a
 * time (repl-max-full-syncs):
 *
 *     thread 0                                         worker
 *       a replica could have its full sync
 *       is there a place? no: it is held with '\n'
 *       yes: takes it, and gives the replica away ---->  sends the RDB
 *                                                         online, or closed: leaves the place
 *       asks those who wait, in order of arrival  <----   rings
 *
 * A replica has its place from when it is attached to when its RDB is through: as long as INFO says send_bulk.
 * Only thread 0 takes places, so the number that it sees can only fall meanwhile: two can never take the last one.
 *
 * Owner: downstream.c. Thread: as each function says.
 */
#ifndef RELAY_DOWNSTREAM_FULL_SYNC_LIMITS_H
#define RELAY_DOWNSTREAM_FULL_SYNC_LIMITS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "sync_rate.h"

struct notifier;

/* All zeros: no limits. */
struct full_sync_limits {
    struct sync_rate rate;
    unsigned places_max;         /* thread 0's; 0: any number */
    atomic_uint places_taken;    /* relaxed: a number by itself */
    struct notifier *on_leaving; /* rung when a place is left; NULL: nobody waits for it */
};

/* Thread 0. */
bool full_sync_limits_have_place(const struct full_sync_limits *limits);
void full_sync_limits_take_place(struct full_sync_limits *limits);

/* How many full syncs are under way. Any thread. */
unsigned full_sync_limits_taken(const struct full_sync_limits *limits);

/* Any thread. */
void full_sync_limits_leave_place(struct full_sync_limits *limits);

#endif
