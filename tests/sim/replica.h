/* SPDX-License-Identifier: MIT
 *
 * A model of a replica behind the relay: it connects, asks PSYNC, loads, applies and acknowledges; it pauses,
 * ends, and comes back with what it had or with nothing. It compares every byte with the timeline that it was told,
 * and an RDB with what it was told of it: sim_fail() where they differ.
 */
#ifndef TESTS_SIM_REPLICA_H
#define TESTS_SIM_REPLICA_H

#include <stdbool.h>
#include <stdint.h>

#include "timeline.h"

struct replica;

struct replica *replica_new(unsigned number, unsigned host, unsigned to, uint16_t port);
unsigned replica_follows(const struct replica *replica); /* the host */
void replica_start(struct replica *replica);
/* Ends: with or without the data that it had. */
void replica_end(struct replica *replica, bool keeps_data);
void replica_pause(struct replica *replica, int64_t until_us);
void replica_cut(struct replica *replica); /* its connection alone */
bool replica_is_running(const struct replica *replica);
/* In sync: it has a timeline and the link is up. */
bool replica_is_online(const struct replica *replica);
struct timeline *replica_timeline(const struct replica *replica); /* NULL: it has nothing */
uint64_t replica_offset(const struct replica *replica);           /* the last boundary */
uint64_t replica_acknowledged(const struct replica *replica);
/* The greatest offset that it ever had, of whichever timeline. */
uint64_t replica_most(const struct replica *replica);
/* Has it ever had these bytes, whatever became of it? */
bool replica_ever_had(const struct replica *replica, const struct timeline *timeline,
                      uint64_t offset);
/* Since when it is online, and the relay's end of the connection is open, too. SIM_NEVER: it is not. */
int64_t replica_attached_since_us(const struct replica *replica);
uint64_t replica_links_lost(const struct replica *replica);
uint64_t replica_full_syncs(const struct replica *replica);

#endif
