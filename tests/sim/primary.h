/* SPDX-License-Identifier: MIT
 *
 * A model of a primary: a server of Redis 7 that replicates. It writes its timeline at a rate, answers the
 * handshake, decides PSYNC by its backlog, forks for a full sync (of which several replicas may have one),
 * sends the stream, and counts acknowledgements. It can be killed, started with nothing or with what it had, promoted,
 * paused, and it may lose its backlog.
 */
#ifndef TESTS_SIM_PRIMARY_H
#define TESTS_SIM_PRIMARY_H

#include <stdbool.h>
#include <stdint.h>

#include "timeline.h"

struct primary;
struct socket;

struct primary_counts {
    uint64_t forks;
    uint64_t full_syncs;
    uint64_t continued;
    uint64_t acks;
};

/* Told of each acknowledgement, and on which connection it came. */
typedef void primary_ack_fn(struct primary *primary, const struct socket *from, uint64_t offset,
                            void *arg);
/* Told of each PSYNC: `timeline` and the first byte asked for; NULL: a full sync is asked for. Not of those that
 * want an RDB alone. */
typedef void primary_psync_fn(struct primary *primary, unsigned host, struct timeline *timeline,
                              uint64_t first, void *arg);

struct primary *primary_new(unsigned host, uint16_t port);
void primary_on_ack(struct primary *primary, primary_ack_fn *fn, void *arg);
void primary_on_psync(struct primary *primary, primary_psync_fn *fn, void *arg);
void primary_set_rdb_bytes(struct primary *primary, size_t filler);
void primary_set_backlog(struct primary *primary, uint64_t bytes);

/* Begins to serve a timeline, as the primary, and to write it. */
void primary_start(struct primary *primary, struct timeline *timeline);
/* Ends: with FIN and RST, or as a host that is gone. */
void primary_end(struct primary *primary, bool is_power_loss);
bool primary_is_up(const struct primary *primary);
/* Stops to read, write and answer until that time. */
void primary_pause(struct primary *primary, int64_t until_us);
/* Nothing more is written (its clients are quiet), but PINGs are. */
void primary_set_quiet(struct primary *primary, bool on);
void primary_drop_backlog(struct primary *primary);

struct timeline *primary_timeline(const struct primary *primary);
unsigned primary_host(const struct primary *primary);
const struct primary_counts *primary_counts(const struct primary *primary);

#endif
