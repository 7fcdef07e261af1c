/* SPDX-License-Identifier: MIT
 *
 * How the link to the primary is, as plain values for whoever tells of it. Filled in by link_status.
 * Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_LINK_STATUS_H
#define RELAY_UPSTREAM_LINK_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/progress_meter.h"
#include "relay/codec/codec.h"

enum link_state {
    LINK_IDLE,
    LINK_CONNECTING,
    LINK_HANDSHAKE,
    LINK_LOADING,
    LINK_REWINDING,
    LINK_STREAMING,
    LINK_RETRYING,
    LINK_STOPPED,
};

enum { LINK_REFRESHES_KEPT = 4 };

/* One fetch of a newer snapshot on a second connection. */
struct link_refresh_report {
    int64_t began_ms;     /* clock_ms */
    const char *cause;    /* who wanted it */
    const char *outcome;  /* running, complete, behind_window, failed, cancelled */
    uint64_t offset;      /* X; 0 before it is known */
    bool is_from_replica; /* it was fetched at a replica, and not at the primary */
};

/* An RDB that could not be served when it was there, since more of the stream had been written meanwhile than the
 * window holds. */
struct link_refresh_outrun {
    uint64_t bytes; /* so much; 0: the last one could be served */
    int64_t duration_ms;
};

/* A server has another history, and it is not taken (yet): who knows ours may only be silent. */
struct link_wait {
    bool is_waiting;
    bool is_foreign;          /* it was there beside ours */
    bool waits_for_sentinels; /* no Sentinel has answered yet; also while nothing waits */
    const char *host;
    uint16_t port;
    const char *replid; /* of that history; "": it did not tell */
    int64_t since_ms;   /* clock_ms */
    int64_t left_ms;    /* until it is taken; -1: never by itself */
};

struct link_status {
    const char *host;
    uint16_t port;
    size_t candidates; /* how many there are to choose from */
    enum link_state state;
    const char *state_name;
    bool is_up;            /* streaming; as of a server, not while a full sync is under way */
    bool is_stalled;       /* connected, but nothing is read: the disk has no room for the stream */
    bool sync_in_progress; /* a full sync: waiting for or receiving the RDB */
    uint64_t sync_total_bytes; /* of the RDB, 0 while not known */
    uint64_t sync_read_bytes;
    struct progress_view sync_progress;    /* of the RDB of a full sync, from its first byte on */
    struct progress_view refresh_progress; /* of one that is fetched on a second connection */
    int64_t last_io_ms;                    /* clock_ms of the last byte received; 0: never */
    int64_t down_since_ms;                 /* clock_ms; 0: never up */
    int64_t up_since_ms;
    /* clock_ms of the last byte of the stream, or of an RDB that was whole: the primary is silent, or out of
     * reach, since then. 0: none since the start. */
    int64_t stream_heard_ms;
    int64_t ping_period_ms; /* how often the primary is to be heard at least, as far as is known */
    /* clock_ms since when the history that is held is not the primary's any more: a full sync has begun, and
     * is not over, or came to nothing. 0: it is, as far as is known. */
    int64_t old_history_since_ms;
    uint64_t received_bytes;     /* from the primary, all connections so far */
    const char *carrier;         /* conn_carrier of the connection; "none": there is none */
    enum codec compression;      /* of the stream that flows; CODEC_NONE: it is plain */
    uint64_t compressed_bytes;   /* of received_bytes, the RDBs and streams that were compressed, */
    uint64_t uncompressed_bytes; /* and what they were */
    uint64_t compression_errors; /* what could not be decompressed, and ended a connection */
    uint64_t reads;              /* from their sockets; refreshes not counted */
    uint64_t writes;             /* to their sockets */
    uint64_t acknowledged;       /* the offset acknowledged last */
    uint64_t full_syncs;         /* asked for and begun, this process */
    bool has_rdb_channel;        /* a full sync over two connections goes on */
    bool is_sync_backlog_full;   /* its stream waits at the primary for the RDB to become whole */
    uint64_t rdb_channel_syncs;  /* full syncs over two connections that came whole */
    uint64_t rdb_channel_refusals; /* that the primary did not let come about */
    uint64_t partial_syncs;
    unsigned full_sync_failures; /* that came to nothing, in a row, with this primary */
    uint64_t attempts;           /* connections tried, this process */
    uint64_t refreshes;          /* snapshots fetched on a second connection */
    uint64_t refresh_failures;   /* that failed, or came too late to be of use */
    size_t last_refresh_count;   /* of the array below */
    struct link_refresh_report last_refreshes[LINK_REFRESHES_KEPT]; /* the newest first */
    uint64_t
        refresh_fallbacks;     /* snapshots asked of the primary, since no replica could give one */
    bool refresh_lacks_source; /* one is due, and no replica can give it: snapshot-source */
    const char *refresh_error; /* why the last one failed, or is not tried; "": neither */
    bool refresh_lacks_space;  /* it was not tried: the disk has no room */
    struct link_refresh_outrun refresh_outrun;
    int64_t
        refresh_next_ms; /* clock_ms before which none is fetched that nobody waits for; 0: none is */
    const char *last_error; /* why it rests, or rested last; "" */
    struct link_wait wait;
    const char *chain;      /* run ids above us, the one that is followed first, with commas; "" */
    bool chain_is_complete; /* the last of them is a primary */
    const char *cut_off;    /* the last full sync, which the primary ended; NULL or "": none */
    const char *cut_off_advice;
    unsigned denied_rights;     /* PRIMARY_RIGHT_*: what our user may not do there */
    const char *user;           /* whom we log in as */
    uint32_t announced_version; /* for the next handshake with the primary (SERVER_VERSION) */
    bool announce_is_fixed;     /* by announce-version */
    uint32_t replicas_version;  /* the lowest of our replicas'; 0: none is known */
    const char *server_version; /* the primary's redis_version, "" while not known */
    const char *valkey_version; /* the primary's valkey_version, "" where it is no Valkey */
};

#endif
