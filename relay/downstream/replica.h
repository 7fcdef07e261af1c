/* SPDX-License-Identifier: MIT
 *
 * One replica, from its PSYNC or SYNC to its end:
 *
 *     (a client says PSYNC or SYNC)
 *              |
 *              v        full sync                  the RDB is sent; after `$EOF:` the first ACK has come
 *           waiting --------------> loading -----------------------------------+
 *              |  |                    |                                       v
 *              |  +-- continue --------|-----------------------------------> streaming
 *              |                       |                                       |
 *              +----- any reason ------+---------------------------------------+----> closing
 *
 * It waits on thread 0, and belongs to one worker from then on. It is told events and never asks for
 * the time to pass by itself. What it sends is feed.h; what it says is counted on its replica stats.
 *
 * One that is up to date is sent what is new at once. One that is behind, or loads, queues for its
 * piece (loop_put_off), behind all that are up to date; and it waits, without a place in that queue, while
 * its next bytes are read ahead from the disk (readahead.h).
 *
 * Owner: who made it until replica_start, then the worker. Thread: that of its connection's loop.
 */
#ifndef RELAY_DOWNSTREAM_REPLICA_H
#define RELAY_DOWNSTREAM_REPLICA_H

#include <stdbool.h>
#include <stdint.h>

#include "feed.h"
#include "relay/base/check.h"
#include "relay/base/queue.h"
#include "relay/base/state_machine.h"
#include "relay/base/text.h"
#include "relay/downstream/peer_status.h"
#include "relay/net/conn.h"
#include "relay/net/loop.h"
#include "relay/resp/psync.h"
#include "relay/resp/reader.h"
#include "replica_stats.h"
#include "sync_rate.h"

struct full_sync_limits;
struct readahead;
struct readahead_job;
struct replica;

enum { REPLICA_INPUT_BYTES = 512 }; /* the longest command that it may send has a quarter of that */

enum replica_event {
    REPLICA_EVENT_READABLE,
    REPLICA_EVENT_WRITABLE,
    REPLICA_EVENT_DOWN,
    REPLICA_EVENT_WAKE, /* the store has something new */
    REPLICA_EVENT_TICK, /* a second has passed */
};

/* Told when it has closed, with its replica stats, which it has let go of: the replica is to be freed, but not
 * at once. */
typedef void replica_gone_fn(struct replica *replica, struct replica_stats *stats, void *arg);

/* Told when it has acknowledged something, after its replica stats. */
typedef void replica_acknowledged_fn(void *arg);

struct replica {
    TAILQ_ENTRY(replica) entry;   /* of who has it */
    struct state_machine machine; /* enum replica_state */
    struct conn *conn;            /* NULL: closed */
    bool wants_write;
    bool
        is_renamed; /* has been sent all that is known under its id, and has not loaded its RDB yet */
    struct replica_stats *stats; /* NULL: given back through on_gone */
    struct feed feed;
    int64_t timeout_ms;
    struct loop *loop;           /* of the worker, */
    struct readahead *readahead; /* and what reads for it; NULL both: thread 0 has it */
    struct chore chore;          /* it is behind, and its turn comes */
    struct readahead_job *job;   /* NULL: it has not needed one */
    struct feed_piece piece;     /* what the job reads, while it is under way */
    bool waits_for_disk;
    struct full_sync_limits *limits;   /* of all full syncs; NULL: there are none */
    bool has_place;                    /* among those that may be under way at a time */
    bool waits_for_rate;               /* until its piece is due */
    struct sync_rate_piece rate_piece; /* reserved; bytes 0: none */
    struct timer *rate_timer;          /* NULL: it has not had to wait */
    int64_t unanswered_since_ms;       /* its system has not answered TCP since then; 0: it has */
    uint64_t sent_seen;                /* feed.sent_bytes at the last look, and */
    int64_t progress_ms;               /* when it had grown */
    replica_gone_fn *on_gone;
    void *on_gone_arg;
    replica_acknowledged_fn *on_acknowledged; /* NULL: nobody is told */
    void *on_acknowledged_arg;

    /* While it waits (waiting.c). */
    bool has_request; /* false: it said SYNC */
    struct psync_request request;
    int64_t since_ms; /* it waits since then */

    struct reader reader;
    unsigned input_length;
    uint8_t input[REPLICA_INPUT_BYTES];
};

TAILQ_HEAD(replicas, replica);

/* Makes one that waits; the replies to the commands before its PSYNC are moved out. `request` NULL:
 * SYNC. NULL: out of memory, nothing was taken. The caller sets on_gone. */
MUST_CHECK struct replica *replica_new(struct replica_stats *stats, struct text *unsent_replies,
                                       int64_t timeout_ms, const struct psync_request *request);

/* Gives it its connection, whose events go to replica_on_conn, and what had been read already. */
void replica_begin(struct replica *replica, struct conn *conn, struct bytes input);

/* Its full sync begins, within these limits, which outlive it: takes a place. Thread 0. */
void replica_take_place(struct replica *replica, struct full_sync_limits *limits);

/* Fed and on the loop of its worker: begins to send. */
void replica_start(struct replica *replica, const char *cause);

void replica_handle(struct replica *replica, enum replica_event event);

/* The rate of full syncs is another: one that waits reserves anew. */
void replica_note_rate_changed(struct replica *replica);

/* The job that it has submitted has come home. Frees the job of a replica that has closed meanwhile. */
void replica_on_read(struct readahead_job *job);

/* The same for conn.h; `arg` is the replica. */
conn_event_fn replica_on_conn;

/* The history goes on under another id from `offset` on, which a replica learns by coming back: closes it,
 * unless it is in the middle of a full sync. That is finished first, RDB and stream up to `offset`, and it is
 * closed when it has said that it has loaded it: so it comes back for a partial resync. A snapshot that was
 * taken beyond `offset` is of a branch that was lost. */
void replica_rename(struct replica *replica, uint64_t offset);

/* The history has been cut at `offset`, and `branch` begins there: closes it where it stands beyond the cut,
 * else says on its replica stats that it goes on with that branch. */
void replica_confirm_branch(struct replica *replica, uint64_t branch, uint64_t offset);

/* Closes it, whatever its state; once closed, has no effect. */
void replica_close(struct replica *replica, enum close_reason reason);

/* Frees a closed one. `arg` is the replica: for loop_defer. */
void replica_free(void *arg);

const char *replica_state_name(enum replica_state state);

#endif
