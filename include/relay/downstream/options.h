/* SPDX-License-Identifier: MIT
 *
 * What the component `downstream` is given: its options, and callbacks for what it needs from outside.
 *
 * Thread: thread 0.
 */
#ifndef RELAY_DOWNSTREAM_OPTIONS_H
#define RELAY_DOWNSTREAM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/codec/codec.h"
#include "relay/downstream/client.h"
#include "relay/net/networks.h"

struct tls_context;

/* Of the ranks of downstream_acknowledged. */
enum { ACKNOWLEDGED_RANK_MAX = 1024 };

/* [delayed]: ports for replicas that run behind (relay/downstream/delay.h). */
struct delayed_options {
    uint16_t port;     /* 0: none */
    uint16_t tls_port; /* 0: none */
    int64_t delay_ms;
};

struct downstream_options {
    const char
        *bind;     /* addresses separated by blanks; "-" before one: no matter if it is missing */
    uint16_t port; /* 0: any free one (tests) */
    bool without_plain;              /* there is no such port */
    uint16_t tls_port;               /* 0: none */
    uint16_t ws_port;                /* WebSocket; 0: none */
    uint16_t ws_tls_port;            /* and under TLS; 0: none */
    const char *ws_path;             /* of both, which begins with '/' */
    struct networks trusted_proxies; /* of whom X-Forwarded-For is believed there */
    struct tls_context
        *tls;               /* with tls_port or ws_tls_port; the caller's: see downstream_set_tls */
    bool tls_knows_callers; /* the TLS port asks everybody for a certificate */
    unsigned threads;       /* workers, 1..64 */
    unsigned clients_max;
    bool must_authenticate; /* without that, a client is an unauthenticated client: see client.h */
    bool local_only;        /* who comes from another machine is sent away */
    int64_t replica_timeout_ms; /* repl-timeout */
    int64_t client_timeout_ms;  /* timeout; 0: never */
    bool serves_old_history;    /* full syncs from the history before, while a new one arrives */
    int keepalive_s;
    struct compression
        compression; /* repl-compression: of what replicas are sent, from their next PSYNC on */
    int64_t compression_latency_ms; /* repl-compression-max-latency */
    uint64_t
        full_sync_rate; /* repl-full-sync-rate: bytes a second of all RDBs together; 0: no limit */
    int64_t stream_rate_warning_ms; /* repl-stream-rate-warning: see stream_watch.h; 0: never */
    const char *congestion;         /* tcp-congestion of replicas; NULL or "": the system's */
    unsigned full_syncs_max;        /* repl-max-full-syncs: at a time; 0: any number */
    struct delayed_options delayed;
    uint64_t
        window_bytes; /* repl-backlog-size: so much is kept for one that runs behind and is away */
};

/* What the component needs from outside. */
struct downstream_callbacks {
    client_command_fn *on_command;
    /* A replica waits for a full sync that cannot be served, and one of an offset before `from` would not help it. */
    void (*on_snapshot_wanted)(uint64_t from, void *arg);
    /* One that announces this version (SERVER_VERSION; 0: none) has come; cannot read what it would be served. */
    void (*on_version)(uint32_t version, void *arg);
    void (*on_unreadable)(uint32_t version, void *arg); /* said again while it waits */
    /* A replica that is ahead of us is held; how long it may be counts only while this is true. */
    bool (*is_upstream_streaming)(void *arg);
    /* Has the primary another history than what is served, which is on its way here? NULL: never. */
    bool (*is_history_old)(void *arg);
    /* See downstream_watch_acknowledged. NULL where nobody ever watches. */
    void (*on_acknowledged)(void *arg);
    void *arg;
};

#endif
