/* SPDX-License-Identifier: MIT
 *
 * Our one link to the primary, on which we are exactly one replica:
 *
 *      +------ link_open ------> idle
 *                                  | a turn later, or link_follow
 *                                  v
 *      +----------------------> connecting --- refused, unknown, too slow ------+
 *      |                           | up                                         |
 *      |                           v                                            |
 *      |  back-off is over      handshake --- error, silence, nonsense ----------+
 *      |                        |       |                                       |
 *      |           +FULLRESYNC  v       |  +CONTINUE                            |
 *      |                     loading    |                                       |
 *      |                        |       |    torn, RDB not whole, disk refused  |
 *      |          RDB is whole  v       v    (from loading and streaming) ------+
 *      |                        streaming                                       v
 *      +------------------------------------------------------------------- retrying
 *                          any state --- link_close ---> stopped
 *
 * Where the answer says that the end of our history is lost and goes on under another id, it is cut off, and
 * between handshake and streaming it is `rewinding`: nothing is read until the disk has the cut for good.
 *
 * Of several candidates one is asked at a time. While it does not answer to the connection, the next ones are
 * connected to beside it (connect_race.h); candidates.h says who is chosen.
 *
 * It ends only when it is closed: whatever goes wrong, it rests for a while that grows with each
 * failure (jittered) and tries again, asking for a partial resync at its boundary. A PSYNC error is
 * never answered with SYNC. The stream goes into the store's backlog, an RDB into a snapshot; a second
 * connection refreshes a newer snapshot without touching the stream (link_refresh).
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
#include "relay/codec/codec.h"
#include "relay/upstream/ack.h"
#include "relay/upstream/hop.h"
#include "relay/upstream/link_status.h"
#include "relay/upstream/primary_address.h"
#include "relay/upstream/snapshot_source.h"

struct link;
struct loop;
struct store;
struct tls_context;

struct link_options {
    struct primary_candidates primary;
    struct ack_rule ack;
    const char *rename_command; /* of renames.h; NULL or "": no command has another name */
    const char *user;           /* NULL or "": AUTH with the password alone */
    const char *password;       /* NULL or "": no AUTH */
    const char *announce_ip;    /* NULL or "": the primary takes our address from the connection */
    uint16_t announce_port;     /* what `listening-port` says */
    uint32_t
        announce_version; /* what `version` says (SERVER_VERSION); 0: see announced_version.h */
    struct compression
        compression; /* repl-compression: what the primary is asked for, from the next handshake on */
    int64_t timeout_ms;        /* repl-timeout: silence that ends a connection */
    int64_t refresh_pause_ms;  /* snapshot-min-interval: between two refreshes nobody waits for */
    const char *congestion;    /* tcp-congestion; NULL or "": the system's */
    const char *proxy;         /* proxy: the URL of proxy.h; NULL or "": none */
    int64_t failover_grace_ms; /* failover-grace: 0: none; negative: for ever */
    enum primary_preference prefer; /* among several candidates, from the next round on */
    bool rdb_channel;               /* a full sync over two connections, where the primary can */
    struct snapshot_source snapshot_source; /* where a newer snapshot is fetched, and as whom: */
    const char *snapshot_source_user;
    const char *snapshot_source_password;
    bool asks_sentinels; /* some are asked who the primary is: link_follow_primary is to come */
    bool snapshot_always_ready; /* refresh before the window leaves X behind; else when wanted */
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
struct link_callbacks {
    void (*on_news)(enum link_news news, void *arg);
    /* What the rank-th best of our replicas has acknowledged (1: the best; 0: the worst of all). False:
     * there are not so many. */
    bool (*acknowledged)(unsigned rank, uint64_t *offset, void *arg);
    /* Is there a replica of ours that listens at this address, as far as it shows? Others may, too. */
    bool (*is_own_replica)(const char *address, uint16_t port, void *arg);
    /* Replicas of ours that may be asked for a snapshot; at most `max`. NULL: there are none. */
    size_t (*snapshot_replicas)(struct snapshot_replica *out, size_t max, void *arg);
    /* The primary could not be reached or was passed over: whoever knows where it may be, look. */
    void (*on_lost)(void *arg);
    void *arg;
};

/* Starts connecting in the next turn, where there is a candidate. Options are copied; their strings are
 * the caller's and outlive the link. NULL: memory or descriptors are out. */
MUST_CHECK struct link *link_open(struct loop *loop, struct store *store,
                                  const struct link_options *options,
                                  const struct link_callbacks *callbacks);

/* Closes both connections and frees. What was received stays in the store. */
void link_close(struct link **link);

/* Connections are made under TLS from the next one on; NULL: plain, as they are before the first call.
 * The context is the caller's until the next call or link_close. */
void link_set_tls(struct link *link, struct tls_context *tls);

/* The same for connections to those that snapshot-source names. */
void link_set_snapshot_source_tls(struct link *link, struct tls_context *tls);

/* The same for a primary that is named by wss://. Before the first connection to one is due. */
void link_set_wss_tls(struct link *link, struct tls_context *tls);

/* Whom we log in as at the primary, from the next AUTH on. As those of the options the strings are the
 * caller's; the ones before are not used any more. */
void link_set_credentials(struct link *link, const char *user, const char *password);

/* Follows another primary from now on: leaves the one it has, asks the new one to continue; it was named, so
 * that its history is taken whatever it is. The address that is followed already: no effect, but where its
 * history waits to be taken: then it is. */
void link_follow(struct link *link, const struct primary_address *primary);

/* The same, told by somebody who says that it is a primary: while it is a replica it is passed over. */
void link_follow_primary(struct link *link, const struct primary_address *primary);

/* An operator takes the history that waits to be taken (link_status): that of this server, NULL: of the only
 * one. NULL: it is being taken; else why not. */
MUST_CHECK const char *link_accept(struct link *link, const struct primary_address *address);

/* An operator wants it to be tried now: ends a wait, also the long one after full syncs that failed. */
void link_retry(struct link *link);

/* Another rule from now on. What was acknowledged is not taken back. */
void link_set_ack(struct link *link, struct ack_rule rule);

/* Of the options, takes what may change while it is open: the rule of what is acknowledged ,
 * repl-timeout, and when snapshots are refreshed. */
void link_change(struct link *link, const struct link_options *options);
struct ack_rule link_ack(const struct link *link);

/* Our own run_id (forty digits, the caller's), so that a server that is ourselves is known. */
void link_set_run_id(struct link *link, const char *run_id);

/* Somebody waits for a snapshot: fetch one on a second connection, unless one is arriving already or
 * the link is not streaming (then the one it is about to receive is meant). Any number of calls make
 * one refresh. To be said again every few seconds for as long as somebody waits. */
void link_refresh(struct link *link);

/* The same for one to whom a snapshot of an offset before `from` is of no use. */
void link_refresh_from(struct link *link, uint64_t from);

/* A replica is here that announces this version; 0: none. Also said of those who stay, once a minute. */
void link_note_replica(struct link *link, uint32_t version);

/* One that announces this version waits, and cannot read the snapshot that it would be served: fetch one that it
 * can read, if the primary can write one. To be said again every few seconds, as link_refresh. */
void link_note_unreadable(struct link *link, uint32_t version);

/* An operator wants a newer snapshot now, whatever there is. NULL: it is being fetched; else why not. */
MUST_CHECK const char *link_refresh_now(struct link *link);

/* The end of a turn, after publishing: answers GETACK, and acknowledges where the rule's offset has moved
 * since a GETACK. Every turn; costs nothing when there is nothing to do. */
void link_turn_end(struct link *link);

/* Every second: acknowledges, looks at silence, refreshes the snapshot where that is due. */
void link_tick(struct link *link);

/* Our link, and those above it as far as relays tell: at least one. */
void link_hops(const struct link *link, struct hops *out);

/* Strings are valid until the next call into this file. */
void link_status(const struct link *link, struct link_status *out);

#endif
