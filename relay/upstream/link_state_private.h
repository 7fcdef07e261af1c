/* SPDX-License-Identifier: MIT
 *
 * What the link keeps, for its own files (link_private.h). Thread: thread 0.
 */
#ifndef RELAY_UPSTREAM_LINK_STATE_PRIVATE_H
#define RELAY_UPSTREAM_LINK_STATE_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "ack_tracker.h"
#include "announced_version.h"
#include "candidates.h"
#include "connect_race.h"
#include "cut_off.h"
#include "link_outcome.h"
#include "parent_watch.h"
#include "ping_period.h"
#include "rdb_channel.h"
#include "rdb_receiver.h"
#include "refresh_schedule.h"
#include "relay/base/log_repeat.h"
#include "relay/base/progress_meter.h"
#include "relay/base/replid.h"
#include "relay/base/state_machine.h"
#include "relay/upstream/link.h"
#include "server_conn.h"
#include "stream_receiver.h"

enum { LINK_ERROR_MAX = LINK_WHY_MAX + 32 };

/* How far a full sync over two connections is (link_two_channel.c). */
enum two_channel_phase {
    TWO_CHANNEL_OFF,     /* there is none: also where LINK_LOADING is over one */
    TWO_CHANNEL_WAITING, /* for X, from the RDB's connection */
    TWO_CHANNEL_JOINING, /* the second handshake of the link's connection, with a Valkey */
    TWO_CHANNEL_FLOWING, /* the stream comes */
};

struct two_channel {
    struct rdb_channel rdb_channel;
    enum two_channel_phase phase;
    bool is_valkey;
    uint64_t client_id; /* by which a Redis knows the link's connection */
    bool is_wanted;     /* rdb-channel */
    bool is_refused;    /* the next full sync is over one connection */
    unsigned breaks;    /* in a row, before X was known */
    uint64_t syncs;     /* that came whole */
    uint64_t refusals;
};

struct link {
    struct loop *loop;
    struct store *store;
    struct link_options options;
    struct link_callbacks callbacks;
    struct renames renames;
    struct log_repeat trouble;    /* the primary cannot be had */
    const char *run_id;           /* NULL: not told */
    struct state_machine machine; /* enum link_state */
    struct timer *timer;
    struct candidates candidates;
    struct connect_race race; /* connecting: to whose turn it is, and to those beside it */
    struct route route;       /* of all connections to the upstream */
    struct server_conn server_conn;
    struct rdb_receiver rdb_receiver;       /* loading */
    struct stream_receiver stream_receiver; /* streaming */
    struct two_channel two_channel;         /* loading */
    struct ack_tracker ack_tracker;         /* streaming */
    struct refresh_schedule refresh_schedule;
    struct progress_meter sync_progress; /* loading */
    struct ping_period ping_period;
    struct parent_watch parent;
    struct announced_version announced;
    struct compression_use compression;
    bool must_be_primary;    /* who told of it says that it is: a replica is passed over */
    bool is_unconfirmed;     /* a Sentinel is to say who the primary is, and none has yet */
    bool told_wait;          /* that another history waits to be taken */
    bool must_start_anew;    /* the store could not cut the history: only a full sync helps */
    unsigned failures;       /* since the stream flowed last */
    unsigned broken_streams; /* that were refused at broken_at, one after the other */
    uint64_t broken_at;      /* the boundary */
    uint64_t began_offset;   /* the boundary when streaming began */
    unsigned denied;         /* PRIMARY_RIGHT_*, at the last server that answered to PSYNC */
    int64_t full_sync_ms;    /* when the one began behind which no stream has come yet; 0: none */
    struct cut_off cut_off;  /* the last full sync, where the primary ended it */
    bool has_disconnections; /* it told how many it has closed: */
    uint64_t disconnections;
    char cut_what[CUT_OFF_WORDS_MAX]; /* what it said when it was asked; "": it was not yet */
    char cut_advice[CUT_OFF_WORDS_MAX];
    int64_t opened_ms;
    int64_t down_since_ms;
    int64_t old_history_since_ms; /* the primary's history is not here yet; 0: it is */
    int64_t up_since_ms;
    int64_t held_since_ms; /* nothing is read: the store is not ready for more; 0: it is */
    bool is_promoting;     /* the RDB is whole: the store is asked until its history is current */
    bool awaits_settling;  /* no attempt begins before the disk has a cut, or another id */
    bool is_renaming;      /* the store is asked until the history has `next_id` */
    bool awaits_segment;   /* namely until the next segment is made, which is soon */
    int64_t stalled_since_ms; /* nothing is read, since the disk has no room for it; 0: it is */
    int64_t stream_heard_ms;  /* the last byte of the stream, or of a whole RDB; 0: never */
    struct replid next_id;    /* rewinding: the stream goes on under it */
    uint64_t full_syncs;
    uint64_t partial_syncs;
    uint64_t attempts;
    bool chain_is_complete;
    char chain[RUN_ID_CHAIN_TEXT_MAX]; /* run ids above us, since streaming began */
    char last_error[LINK_ERROR_MAX];
    char veto[LINK_WHY_MAX]; /* why a server was passed over */
};

static inline enum link_state link_state(const struct link *link)
{
    return (enum link_state)link->machine.state;
}

#endif
