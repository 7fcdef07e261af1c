/* SPDX-License-Identifier: MIT
 *
 * A relay of the world: its process, its disk, what was drawn for its settings, and what it tells. The first follows the
 * primary; a second one, in half of the runs, follows the first, with replicas of its own behind it.
 */
#ifndef TESTS_SIM_NODE_H
#define TESTS_SIM_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "claims.h"
#include "disk.h"
#include "process.h"

enum ack_kind { ACK_RECEIVED, ACK_DURABLE, ACK_REPLICAS, ACK_ALL };

struct node {
    struct world *world;
    unsigned host;
    struct process *process;
    struct disk *disk;
    struct process *reader; /* of its data directory */
    struct claims claims;   /* what it tells the askers */
    enum ack_kind ack;
    unsigned ack_replicas;
    bool has_fsync;       /* every second, or always */
    bool is_always_ready; /* has a snapshot that can serve a full sync */
    uint64_t backlog_max;
    uint64_t segment_bytes;
    uint64_t errors_before_start; /* of the disk, when it started last */
    unsigned peace_starts;        /* when peace came */
    uint64_t most_acknowledged;   /* to another relay: the greatest offset */
};

/* Draws its settings. `upstream`: the value of replicaof. */
void node_set_up(struct node *node, struct world *world, unsigned host, const char *name,
                 const char *upstream);
void node_start(struct node *node);
/* What it sends to another relay is looked through for acknowledgements. */
void node_listen_to_acks(struct node *node, unsigned to);
/* A line of its log tells that the end of its history was cut off. */
void node_note_cut(struct node *node, const char *line);

#endif
