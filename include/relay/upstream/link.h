/* SPDX-License-Identifier: MIT
 *
 * Our one link to the origin, on which we are exactly one replica:
 *
 *      +------ link_open ------> idle
 *                                  | a turn later, or link_follow
 *                                  v
 *      +----------------------> connecting --- refused, unknown, too slow ------+
 *      |                           | up                                         |
 *      |                           v                                            |
 *      |  back-off is over      greeting --- error, silence, nonsense ----------+
 *      |                        |       |                                       |
 *      |           +FULLRESYNC  v       |  +CONTINUE                            |
 *      |                     loading    |                                       |
 *      |                        |       |    torn, RDB not whole, disk refused  |
 *      |          RDB is whole  v       v    (from loading and streaming) ------+
 *      |                        streaming                                       v
 *      +------------------------------------------------------------------- resting
 *                          any state --- link_close ---> stopped
 *
 * It ends only when it is closed: whatever goes wrong, it rests for a while that grows with each
 * failure (jittered) and tries again, asking for a partial resync at its boundary. A PSYNC error is
 * never answered with SYNC. The stream goes into the store's backlog, an RDB into a snapshot; a second
 * connection fetches a newer snapshot without touching the stream (link_refresh).
 *
 * Owner: the composition. Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_LINK_H
#define RELAY_UPSTREAM_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/check.h"
#include "relay/base/report.h"
#include "relay/upstream/ack.h"
#include "relay/upstream/origin.h"

struct link;
struct loop;
struct store;
struct tls_context;

struct link_options {
    struct origin_candidates origin;
    struct ack_rule ack;
    const char *rename_command; /* of renames.h; NULL or "": no command has another name */
    const char *user;           /* NULL or "": AUTH with the password alone */
    const char *password;       /* NULL or "": no AUTH */
    const char *announce_ip;    /* NULL or "": the origin takes our address from the connection */
    uint16_t announce_port;     /* what `listening-port` says */
    int64_t timeout_ms;         /* repl-timeout: silence that ends a connection */
    int64_t refresh_pause_ms;   /* snapshot-min-interval: between two refreshes nobody waits for */
    int64_t failover_grace_ms;  /* failover-grace: 0: none; negative: for ever */
    bool asks_sentinels; /* some are asked who the primary is: link_follow_primary is to come */
    bool snapshot_always_ready; /* renew before the window leaves X behind; else when wanted */
};

enum link_state {
    LINK_IDLE,
    LINK_CONNECTING,
    LINK_GREETING,
    LINK_LOADING,
    LINK_STREAMING,
    LINK_RESTING,
    LINK_STOPPED,
};

/* What has become of the history, so that whoever serves it can tell its replicas. Called inside the
 * turn in which it happened, after the store has changed. */
enum link_news {
    LINK_NEWS_REPLACED, /* another history is current now */
    LINK_NEWS_RENAMED, /* the same bytes go on under a new id: replicas must come back to learn it */
    LINK_NEWS_REWOUND, /* the end was cut off: cursors beyond it are lost */
    LINK_NEWS_WITHDRAWN, /* one whose RDB came whole could not be kept: who was served it starts again */
};

/* What the link needs from outside. Called on thread 0. */
struct link_doors {
    void (*on_news)(enum link_news news, void *arg);
    /* What the rank-th best of our replicas has acknowledged (1: the best; 0: the worst of all). False:
     * there are not so many. */
    bool (*acknowledged)(unsigned rank, uint64_t *offset, void *arg);
    /* Is there a replica of ours that listens at this address, as far as it shows? Others may, too. */
    bool (*is_own_replica)(const char *address, uint16_t port, void *arg);
    /* The origin could not be reached or was passed over: whoever knows where it may be, look. */
    void (*on_lost)(void *arg);
    void *arg;
};

/* Starts connecting in the next turn, where there is a candidate. Options are copied; their strings are
 * the caller's and outlive the link. NULL: memory or descriptors are out. */
MUST_CHECK struct link *link_open(struct loop *loop, struct store *store,
                                  const struct link_options *options,
                                  const struct link_doors *doors);

/* Closes both connections and frees. What was received stays in the store. */
void link_close(struct link **link);

/* Connections are made under TLS from the next one on; NULL: plain, as they are before the first call.
 * The context is the caller's until the next call or link_close. */
void link_set_tls(struct link *link, struct tls_context *tls);

/* Whom we log in as at the origin, from the next AUTH on. As those of the options the strings are the
 * caller's; the ones before are not used any more. */
void link_set_credentials(struct link *link, const char *user, const char *password);

/* Follows another origin from now on: leaves the one it has, asks the new one to continue; it was named, so
 * that its history is taken whatever it is. The address that is followed already: no effect, but where its
 * history waits to be taken: then it is. */
void link_follow(struct link *link, const struct origin_address *origin);

/* The same, told by somebody who says that it is a primary: while it is a replica it is passed over. */
void link_follow_primary(struct link *link, const struct origin_address *origin);

/* An operator takes the history that waits to be taken (link_status): that of this server, NULL: of the only
 * one. NULL: it is being taken; else why not. */
MUST_CHECK const char *link_accept(struct link *link, const struct origin_address *address);

/* An operator wants it to be tried now: ends a wait, also the long one after full syncs that failed. */
void link_retry(struct link *link);

/* Another rule from now on. What was acknowledged is not taken back. */
void link_set_ack(struct link *link, struct ack_rule rule);

/* Of the options, takes what may change while it is open: the rule of what is acknowledged ,
 * repl-timeout, and when snapshots are renewed. */
void link_change(struct link *link, const struct link_options *options);
struct ack_rule link_ack(const struct link *link);

/* Our own run_id (forty digits, the caller's), so that a server that is ourselves is known. */
void link_set_run_id(struct link *link, const char *run_id);

/* Somebody waits for a snapshot: fetch one on a second connection, unless one is arriving already or
 * the link is not streaming (then the one it is about to receive is meant). Any number of calls make
 * one fetch. To be said again every few seconds for as long as somebody waits. */
void link_refresh(struct link *link);

/* An operator wants a newer snapshot now, whatever there is. NULL: it is being fetched; else why not. */
MUST_CHECK const char *link_renew(struct link *link);

/* The end of a turn, after publishing: answers GETACK, and acknowledges where the rule's offset has moved
 * since a GETACK. Every turn; costs nothing when there is nothing to do. */
void link_turn_end(struct link *link);

/* Every second: acknowledges, looks at silence, renews the snapshot where that is due. */
void link_tick(struct link *link);

enum { LINK_REFRESHES_KEPT = 4 };

/* One fetch of a newer snapshot on a second connection. */
struct link_refresh_report {
    int64_t began_ms;    /* clock_ms */
    const char *cause;   /* who wanted it */
    const char *outcome; /* running, complete, behind_window, failed, cancelled */
    uint64_t offset;     /* X; 0 before it is known */
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
    bool is_foreign; /* it was there beside ours */
    bool is_held;    /* no Sentinel has answered yet; also while nothing waits */
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
    bool is_up;                /* streaming; as of a server, not while a full sync is under way */
    bool sync_in_progress;     /* a full sync: waiting for or receiving the RDB */
    uint64_t sync_total_bytes; /* of the RDB, 0 while not known */
    uint64_t sync_read_bytes;
    int64_t last_io_ms;    /* clock_ms of the last byte received; 0: never */
    int64_t down_since_ms; /* clock_ms; 0: never up */
    int64_t up_since_ms;
    /* clock_ms since when the history that is held is not the origin's any more: a full sync has begun, and
     * is not over, or came to nothing. 0: it is, as far as is known. */
    int64_t old_history_since_ms;
    uint64_t received_bytes; /* from the origin, all connections so far */
    uint64_t acknowledged;   /* the offset acknowledged last */
    uint64_t full_syncs;     /* asked for and begun, this process */
    uint64_t partial_syncs;
    uint64_t attempts;         /* connections tried, this process */
    uint64_t refreshes;        /* snapshots fetched on a second connection */
    uint64_t refresh_failures; /* that failed, or came too late to be of use */
    size_t last_refresh_count; /* of the array below */
    struct link_refresh_report last_refreshes[LINK_REFRESHES_KEPT]; /* the newest first */
    const char *refresh_error; /* why the last one that failed did; NULL or "": none */
    struct link_refresh_outrun refresh_outrun;
    int64_t
        refresh_next_ms; /* clock_ms before which none is fetched that nobody waits for; 0: none is */
    const char *last_error; /* why it rests, or rested last; "" */
    struct link_wait wait;
    const char *chain;      /* run ids above us, the one that is followed first, with commas; "" */
    bool chain_is_complete; /* the last of them is a primary */
    const char *server_version; /* the origin's redis_version, "" while not known */
    const char *valkey_version; /* the origin's valkey_version, "" where it is no Valkey */
};

/* Strings are valid until the next call into this file. */
void link_status(const struct link *link, struct link_status *out);

#endif
