/* SPDX-License-Identifier: MIT */
#include "replica.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "replica_private.h"

enum { DRAIN_MS = 10 * 1000 }; /* for the last bytes of an RDB to arrive */

static void replica_enter_loading(void *owner);
static void replica_enter_streaming(void *owner);
static void enter_closing(void *owner);

#define TO(state) STATE_BIT(REPLICA_##state)

static const struct state_row replica_rows[] = {
    [REPLICA_WAITING] = {"waiting", TO(LOADING) | TO(STREAMING) | TO(CLOSING), NULL},
    [REPLICA_LOADING] = {"loading", TO(STREAMING) | TO(CLOSING), replica_enter_loading},
    [REPLICA_STREAMING] = {"streaming", TO(CLOSING), replica_enter_streaming},
    [REPLICA_CLOSING] = {"closing", 0, enter_closing},
};

static enum log_level replica_describe(void *owner, unsigned next, enum log_level level,
                                       const char *cause, struct state_words *words)
{
    (void)next;
    (void)cause;
    const struct replica *replica = owner;
    snprintf(words->subject, sizeof(words->subject), " id=%" PRIu64 " addr=%s", replica->stats->id,
             replica->stats->peer);
    return level;
}

/* For whoever lists the replicas, on any thread. */
static void show_state(void *owner)
{
    const struct replica *replica = owner;
    REPLICA_STATS_SET(replica->stats, state, (int)replica->machine.state);
}

static const struct state_machine_kind replica_kind = {
    .name = "downstream: replica",
    .rows = replica_rows,
    .describe = replica_describe,
    .on_change = show_state,
};

const char *replica_state_name(enum replica_state state)
{
    CHECK(state < LENGTH_OF(replica_rows));
    return replica_rows[state].name;
}

void replica_enter(struct replica *replica, enum replica_state state, const char *cause)
{
    state_machine_enter(&replica->machine, state, LOG_LEVEL_INFO, "%s", cause);
}

struct replica *replica_new(struct replica_stats *stats, struct text *unsent_replies,
                            int64_t timeout_ms, const struct psync_request *request)
{
    struct replica *replica = calloc(1, sizeof(*replica));
    if (replica == NULL)
        return NULL;
    static_assert(REPLICA_WAITING == 0, "a new replica waits");
    state_machine_init(&replica->machine, &replica_kind, replica);
    replica->stats = stats;
    replica->timeout_ms = timeout_ms;
    replica->since_ms = clock_ms();
    if (request != NULL) {
        replica->has_request = true;
        replica->request = *request;
    }
    feed_init(&replica->feed, unsent_replies);
    reader_init(&replica->reader);
    REPLICA_STATS_SET(stats, state, (int)REPLICA_WAITING);
    REPLICA_STATS_SET(stats, life_ms, replica->since_ms);
    return replica;
}

void replica_free(void *arg)
{
    struct replica *replica = arg;
    CHECK(replica->conn == NULL);
    feed_fini(&replica->feed);
    free(replica);
}

void replica_begin(struct replica *replica, struct conn *conn, struct bytes input)
{
    CHECK(replica->machine.state == REPLICA_WAITING);
    replica->conn = conn;
    conn_want(conn, true, false);
    /* What it has pipelined behind its PSYNC: an early REPLCONF ACK, newlines. */
    replica_take_input(replica, input);
    if (!replica_is_closing(replica))
        replica_handle(replica, REPLICA_EVENT_WRITABLE);
}

void replica_start(struct replica *replica, const char *cause)
{
    CHECK(replica->machine.state == REPLICA_WAITING);
    replica->wants_write = false;
    conn_want(replica->conn, true, false);
    replica_keep_alive(replica);
    replica_enter(replica, replica->stats->full_sync ? REPLICA_LOADING : REPLICA_STREAMING, cause);
    if (!replica_is_closing(replica))
        replica_send(replica);
}

static void replica_enter_loading(void *owner)
{
    struct replica *replica = owner;
    replica->progress_ms = clock_ms();
}

static void replica_enter_streaming(void *owner)
{
    struct replica *replica = owner;
    replica_note_life(replica);
    replica_leave_place(replica);
}

static void log_closed(const struct replica *replica)
{
    const struct replica_stats *stats = replica->stats;
    enum close_reason reason = stats->reason;
    const char *error = reason == CLOSE_FAILED ? conn_error(replica->conn) : "";
    log_at(close_reason_level(reason),
           "downstream: replica id=%" PRIu64 " addr=%s closed reason=%s sent=%" PRIu64
           " received=%" PRIu64 " duration=%.3fs: %s%s%s",
           stats->id, stats->peer, close_reason_name(reason), conn_sent_total(replica->conn),
           conn_received_total(replica->conn), (double)(clock_ms() - stats->connected_ms) / 1000.0,
           close_reason_text(reason), error[0] != '\0' ? ": " : "", error);
}

/* It may have lost what the kernel has, also where it was served. */
static bool may_want_rest(enum close_reason reason)
{
    return reason == CLOSE_ENDED || reason == CLOSE_FAILED || reason == CLOSE_SILENT ||
           reason == CLOSE_VANISHED || reason == CLOSE_SERVED;
}

/* A relay may come back for the rest of the RDB: what it was being sent is handed on, with its stats (rdb_parts.h). */
static void leave_rest(struct replica *replica)
{
    struct replica_stats *stats = replica->stats;
    struct feed *feed = &replica->feed;
    if (!stats->terms.is_relay || !may_want_rest(stats->reason) || feed->snapshot == NULL ||
        feed->snapshot_sent == 0)
        return;
    stats->left_snapshot = feed->snapshot;
    stats->left_cursor = feed->cursor;
    feed->snapshot = NULL;
    feed->cursor.segment = NULL;
}

static void enter_closing(void *owner)
{
    struct replica *replica = owner;
    log_closed(replica);
    leave_rest(replica);
    chore_leave(replica->loop, &replica->chore);
    if (replica->job != NULL)
        replica_let_go_of_job(replica);
    replica_leave_rate(replica);
    replica_leave_place(replica);
    /* It has all that it was to have, maybe in the kernel still. */
    bool is_served = replica->stats->reason == CLOSE_SERVED ||
                     (replica->stats->reason == CLOSE_RENAMED && replica->stats->full_sync);
    feed_fini(&replica->feed);
    /* Closing at once would have the kernel throw away what it has not sent, if the peer has said anything that we
     * have not read. */
    if (is_served)
        conn_drain(&replica->conn, DRAIN_MS);
    else
        conn_close(&replica->conn);
    /* Its owner may give them to another thread at once. */
    struct replica_stats *stats = replica->stats;
    replica->stats = NULL;
    replica->on_gone(replica, stats, replica->on_gone_arg);
}

static void on_waiting(struct replica *replica, enum replica_event event)
{
    switch (event) {
    case REPLICA_EVENT_READABLE:
        replica_receive(replica);
        return;
    case REPLICA_EVENT_WRITABLE:
        replica_flush_replies(replica);
        return;
    case REPLICA_EVENT_DOWN:
        replica_close(replica, CLOSE_FAILED);
        return;
    case REPLICA_EVENT_TICK:
        replica_say_alive(replica);
        return;
    case REPLICA_EVENT_WAKE: /* waiting.c asks for it */
        return;
    }
    UNREACHABLE("no such event");
}

/* Is it sent an RDB alone that was taken beyond `offset`? With a stream its cursor would tell. */
static bool is_beyond(const struct replica *replica, uint64_t offset)
{
    return !replica->feed.has_stream && replica->feed.snapshot != NULL &&
           snapshot_offset(replica->feed.snapshot) > offset;
}

void replica_rename(struct replica *replica, uint64_t offset)
{
    if (is_beyond(replica, offset))
        replica_close(replica, CLOSE_REWOUND);
    else if (replica_is_full_syncing(replica))
        replica_check(replica);
    else
        replica_close(replica, CLOSE_RENAMED);
}

/* No acknowledgement beyond the cursor is taken (note_offset), and the cursor is not beyond the cut. */
void replica_confirm_branch(struct replica *replica, uint64_t branch, uint64_t offset)
{
    if (is_beyond(replica, offset))
        replica_close(replica, CLOSE_REWOUND);
    else
        replica_check(replica);
    if (!replica_is_closing(replica))
        REPLICA_STATS_SET(replica->stats, branch, branch);
}

static void on_attached(struct replica *replica, enum replica_event event)
{
    switch (event) {
    case REPLICA_EVENT_READABLE:
        replica_receive(replica);
        return;
    case REPLICA_EVENT_WRITABLE:
        replica_send(replica);
        return;
    case REPLICA_EVENT_DOWN:
        replica_close(replica, CLOSE_FAILED);
        return;
    case REPLICA_EVENT_WAKE:
        if (replica_will_send(replica))
            replica_check(replica);
        else
            replica_send(replica);
        return;
    case REPLICA_EVENT_TICK:
        replica_check(replica);
        if (!replica_is_closing(replica))
            replica_check_liveness(replica);
        if (!replica_is_closing(replica) && replica->waits_for_disk)
            replica_read_ahead(replica);
        return;
    }
    UNREACHABLE("no such event");
}

void replica_handle(struct replica *replica, enum replica_event event)
{
    switch ((enum replica_state)replica->machine.state) {
    case REPLICA_WAITING:
        on_waiting(replica, event);
        return;
    case REPLICA_LOADING:
    case REPLICA_STREAMING:
        on_attached(replica, event);
        return;
    case REPLICA_CLOSING: /* it has no connection any more, and may still be met in a list before it is freed */
        return;
    }
    UNREACHABLE("no such state");
}

void replica_on_conn(struct conn *conn, enum conn_event event, void *arg)
{
    struct replica *replica = arg;
    CHECK(replica->conn == conn);
    switch (event) {
    case CONN_EVENT_UP: /* it was up long before */
        return;
    case CONN_EVENT_READABLE:
        replica_handle(replica, REPLICA_EVENT_READABLE);
        return;
    case CONN_EVENT_WRITABLE:
        replica_handle(replica, REPLICA_EVENT_WRITABLE);
        return;
    case CONN_EVENT_DOWN:
        replica_handle(replica, REPLICA_EVENT_DOWN);
        return;
    }
    UNREACHABLE("no such event");
}

void replica_close(struct replica *replica, enum close_reason reason)
{
    if (replica_is_closing(replica))
        return;
    replica->stats->reason = reason;
    replica_show_traffic(replica);
    replica_enter(replica, REPLICA_CLOSING, close_reason_name(reason));
}
