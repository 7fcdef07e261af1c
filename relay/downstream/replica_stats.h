/* SPDX-License-Identifier: MIT
 *
 * How a replica is, for everybody who lists replicas. Thread 0 makes the replica stats, lends it with the
 * replica to a worker, and gets it back as the message that says the replica has gone; between the two
 * it goes on reading it. That makes the replica stats's atomics, beside the published ends of the store, the
 * one place where threads share memory.
 *
 * Owner: thread 0. Fields under "lent" are written by the thread that has the replica and by no other.
 */
#ifndef RELAY_DOWNSTREAM_REPLICA_STATS_H
#define RELAY_DOWNSTREAM_REPLICA_STATS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "relay/base/progress_meter.h"
#include "relay/base/queue.h"
#include "relay/downstream/client.h"
#include "relay/downstream/reasons.h"
#include "relay/net/conn.h"
#include "relay/net/mailbox.h"
#include "relay/resp/rdb_version.h"
#include "relay/store/cursor.h"
#include "replica_codec.h"
#include "stream_watch.h"

struct known_replica;
struct snapshot;
struct worker;

enum { REPLICA_STATS_ADDRESS_MAX = 80 };

/* What a full sync is made of. */
struct resync_source {
    uint64_t history_number; /* 0: there was none */
    struct rdb_version rdb;
};

struct replica_stats {
    struct message gone; /* first: the message is the replica stats */
    TAILQ_ENTRY(replica_stats) entry;
    struct worker *worker;       /* NULL: it waits on thread 0 */
    struct known_replica *known; /* thread 0's; NULL: it is none that `ack = all` is about */

    /* Written by thread 0 before the replica stats is lent, read by both. */
    uint64_t id;
    uint64_t history_number; /* of the history that it is attached to */
    int64_t connected_ms;
    bool acknowledges;        /* false for SYNC */
    bool full_sync;           /* it was attached with an RDB */
    uint64_t attached_offset; /* its stream begins here */
    uint64_t rdb_begin;       /* it had so many bytes of the RDB of its full sync before */
    struct replica_terms terms;
    struct replica_codec codec; /* what it is sent is compressed by */
    char peer[REPLICA_STATS_ADDRESS_MAX];
    char local[REPLICA_STATS_ADDRESS_MAX];
    char user[CLIENT_NAME_MAX];
    const char *carrier;                     /* conn_carrier, which is constant */
    char address[REPLICA_STATS_ADDRESS_MAX]; /* the peer's, without its port */
    int64_t attached_ms;
    struct resync_source source; /* of its full sync, or of the one that it waits for, */
    enum rdb_reading reading;    /* and whether it can read that, by what it has announced */
    unsigned failures;          /* full syncs before this that came to nothing: resync_throttle.h */
    int64_t not_before_ms;      /* while it waits: no full sync before that; 0: not decided */
    struct stream_watch stream; /* does the stream fit its way? Thread 0's alone */
    struct progress_meter progress; /* of its full sync: full_sync_progress.h; thread 0's alone */
    bool is_held;     /* it could have its full sync, and waits for a place: full_sync_limits.h */
    bool runs_behind; /* it has come to a port of [delayed], and is sent what `limit` allows */

    /* Written by thread 0 at any time, read by the worker: see delay.h. */
    _Atomic uint64_t limit;

    /* Lent, and read by thread 0 at any time. Relaxed: each is a number by itself, nothing else is
     * read because of what it says. */
    atomic_int state; /* enum replica_state */
    _Atomic uint64_t
        branch; /* of the history: what it is sent is of this one, and before it began */
    _Atomic uint64_t acknowledged;
    _Atomic uint64_t sent_offset;
    _Atomic uint64_t sent_bytes;
    _Atomic uint64_t rdb_sent;     /* bytes of the RDB of its full sync, */
    _Atomic uint64_t rdb_length;   /* of so many; 0: not known, */
    _Atomic uint64_t rdb_estimate; /* then of about so many; 0: not known */
    _Atomic uint64_t received_bytes;
    _Atomic uint64_t compressed_bytes;   /* of RDB and stream, as they were sent, */
    _Atomic uint64_t uncompressed_bytes; /* and what they were */
    _Atomic uint64_t reads;              /* from its socket */
    _Atomic uint64_t writes;
    _Atomic int64_t life_ms;
    atomic_bool has_acknowledged; /* said so once the RDB was through: it has loaded it */

    /* Lent, and read by thread 0 when the message is there (posting it is a release). */
    enum close_reason reason;
    int64_t rdb_sent_ms; /* clock_ms when the last byte of the RDB was sent; 0: it was not */
    /* A relay whose connection broke in the RDB: what it was being sent, and where its stream begins. */
    struct snapshot *left_snapshot; /* NULL: none */
    struct cursor left_cursor;
};

#define REPLICA_STATS_GET(stats, field) atomic_load_explicit(&(stats)->field, memory_order_relaxed)
#define REPLICA_STATS_SET(stats, field, value)                                                     \
    atomic_store_explicit(&(stats)->field, (value), memory_order_relaxed)

/* What went over its connection, as far as the thread that has it has written down. */
static inline struct conn_traffic replica_stats_traffic(const struct replica_stats *stats)
{
    return (struct conn_traffic){
        .received_bytes = REPLICA_STATS_GET(stats, received_bytes),
        .sent_bytes = REPLICA_STATS_GET(stats, sent_bytes),
        .reads = REPLICA_STATS_GET(stats, reads),
        .writes = REPLICA_STATS_GET(stats, writes),
    };
}

#endif
