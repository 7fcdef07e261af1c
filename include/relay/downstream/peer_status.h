/* SPDX-License-Identifier: MIT
 *
 * How the downstream side is, as plain values for whoever tells of it (downstream.h fills them in): each
 * connection, the replicas that cannot load what they are given, and counts.
 * Thread: thread 0.
 */
#ifndef RELAY_DOWNSTREAM_PEER_STATUS_H
#define RELAY_DOWNSTREAM_PEER_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/progress_meter.h"
#include "relay/codec/codec.h"
#include "relay/downstream/hold_status.h"
#include "relay/downstream/reasons.h"
#include "relay/resp/rdb_version.h"

struct client;

enum replica_state {
    REPLICA_WAITING,
    REPLICA_LOADING,
    REPLICA_STREAMING,
    REPLICA_CLOSING,
};

/* One downstream connection, as slaveN lines and CLIENT LIST show it. Strings live until the callee
 * returns. */
struct peer_status {
    uint64_t id;
    const char *peer; /* "address:port" of the connection */
    const char *local;
    struct client *client; /* NULL: a replica */
    /* of replicas */
    enum replica_state state;
    const char *state_name;
    const char *user;    /* who had logged in when it became one; "": nobody */
    const char *address; /* announced, else the connection's */
    uint16_t listening_port;
    const char *version;   /* announced, or "" */
    bool is_relay;         /* it is one of us, by what it says */
    bool runs_behind;      /* it has come to a port of [delayed] */
    bool is_online;        /* has the RDB, gets the stream, counts as slaveN state=online */
    bool acknowledges;     /* false for SYNC, which never does */
    uint64_t acknowledged; /* offset, as far as it counts for the current history */
    uint64_t sent_offset;  /* next byte of the stream to send */
    int64_t last_ack_ms;   /* clock_ms of the last sign of life */
    int64_t connected_ms;
    uint64_t sent_bytes;
    const char *carrier;         /* conn_carrier */
    enum codec compression;      /* of what it is sent; CODEC_NONE: it is plain */
    uint64_t compressed_bytes;   /* of sent_bytes, what was compressed, */
    uint64_t uncompressed_bytes; /* and what it was */
    int64_t delayed_ms; /* its full sync could be had, and waits for so long yet; 0: it does not */
    uint64_t
        stream_missing; /* bytes a second of the stream that its way lacks: stream_watch.h; 0: it fits */
    uint64_t stream_rate; /* then so much is published a second */
    uint64_t limit;       /* of one that runs behind: no byte at or beyond it is sent now, */
    enum hold_kind hold;  /* and whether an operator has stopped it */
    bool is_held;         /* its full sync could be had, and waits until others are over */
    struct progress_view full_sync; /* of the RDB that it is sent; not active: it is sent none */
};

/* A replica that takes full syncs and acknowledges none, or that has announced a version which cannot read
 * the RDB. It may be away just now. Strings live until the callee returns. */
struct sync_failure {
    const char *address;
    uint16_t listening_port;
    const char *version; /* announced, or "" */
    unsigned failures;   /* in a row */
    struct rdb_version rdb;
    enum rdb_reading reading;
    int64_t delayed_ms; /* until it gets the next one; 0: it waits for none */
};

struct downstream_counts {
    uint64_t clients;          /* now; replicas not counted */
    uint64_t replicas;         /* now; waiting ones included */
    uint64_t replicas_waiting; /* now */
    uint64_t full_syncs;       /* under way now, */
    uint64_t full_syncs_held;  /* and held until there is a place for them: repl-max-full-syncs */
    uint64_t connections_received; /* since start, as the rest */
    uint64_t connections_rejected; /* sent away at the door */
    uint64_t replicas_refused;     /* connections that wanted to replicate, and may not */
    uint64_t commands;
    uint64_t sync_full;
    uint64_t sync_partial_ok;
    uint64_t sync_partial_err;         /* asked for a partial one, got a full one */
    uint64_t sync_full_resumed;        /* full syncs of relays that had the beginning of the RDB */
    uint64_t sync_full_unacknowledged; /* full syncs whose replica left without acknowledging one */
    uint64_t sent_bytes;               /* to everybody who has left, and is here */
    uint64_t received_bytes;
    uint64_t compressed_bytes;   /* to replicas: what was compressed, */
    uint64_t uncompressed_bytes; /* and what it was */
    uint64_t replica_sent_bytes; /* the part of sent_bytes that went to replicas */
    uint64_t reads;              /* calls that read from sockets of clients and replicas, */
    uint64_t writes;             /* and that wrote to them */
    uint64_t
        input_buffer_recent; /* the most bytes of memory for the input of one client in the last seconds, */
    uint64_t output_buffer_recent; /* and for its output */
    uint64_t closed[CLOSE_REASON_COUNT];
};

#endif
