/* SPDX-License-Identifier: MIT */
#include "replica.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "readahead.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "replconf.h"

enum {
    RECEIVES_A_TURN = 4,
    KEEPALIVE_SHARE = 6,  /* of repl-timeout: the system of a silent one is asked after it */
    VANISHED_SHARE = 3,   /* of repl-timeout: no answer from its system for so long ends it */
    DRAIN_MS = 10 * 1000, /* for the last bytes of an RDB to arrive */
};

static void replica_enter_loading(void *owner, unsigned from);
static void replica_enter_streaming(void *owner, unsigned from);
static void enter_closing(void *owner, unsigned from);

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

static void replica_enter(struct replica *replica, enum replica_state state, const char *cause)
{
    state_machine_enter(&replica->machine, state, LOG_LEVEL_INFO, "%s", cause);
}

struct replica *replica_new(struct replica_stats *stats, struct text *owed, int64_t timeout_ms,
                            const struct psync_request *request)
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
    feed_init(&replica->feed, owed);
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

static void want(struct replica *replica, bool write)
{
    if (replica->wants_write == write)
        return;
    replica->wants_write = write;
    conn_want(replica->conn, true, write);
}

static void show_traffic(struct replica *replica)
{
    const struct conn_traffic traffic = conn_traffic(replica->conn);
    REPLICA_STATS_SET(replica->stats, sent_bytes, traffic.sent_bytes);
    REPLICA_STATS_SET(replica->stats, received_bytes, traffic.received_bytes);
    REPLICA_STATS_SET(replica->stats, reads, traffic.reads);
    REPLICA_STATS_SET(replica->stats, writes, traffic.writes);
}

static void show_sent(struct replica *replica)
{
    if (replica->sent_seen != replica->feed.sent_bytes) {
        replica->sent_seen = replica->feed.sent_bytes;
        replica->progress_ms = clock_ms();
    }
    show_traffic(replica);
    REPLICA_STATS_SET(replica->stats, sent_offset, replica->feed.cursor.offset);
}

/* What a feed's result means for the replica. */
static const struct {
    bool wants_write;
    bool closes;
    enum close_reason reason;
} outcomes[] = {
    [FEED_IDLE] = {.wants_write = false},
    [FEED_BLOCKED] = {.wants_write = true},
    [FEED_MORE] = {.wants_write = true},
    [FEED_COLD] = {.wants_write = false},
    [FEED_FINISHED] = {.closes = true, .reason = CLOSE_SERVED},
    [FEED_BROKEN] = {.closes = true, .reason = CLOSE_FAILED},
    [FEED_UNREADABLE] = {.closes = true, .reason = CLOSE_UNREADABLE},
    [FEED_NOT_WHOLE] = {.closes = true, .reason = CLOSE_SNAPSHOT},
    [FEED_LAGGED] = {.closes = true, .reason = CLOSE_LAGGED},
    [FEED_NO_SPACE] = {.closes = true, .reason = CLOSE_DISK_FULL},
    [FEED_REWOUND] = {.closes = true, .reason = CLOSE_REWOUND},
    [FEED_RENAMED] = {.closes = true, .reason = CLOSE_RENAMED},
};

/* Has it been attached with an RDB, of which it has not said yet that it has loaded it? What was sent last may
 * still lie in the kernel, where closing would throw it away. SYNC never says so. */
static bool is_full_syncing(const struct replica *replica)
{
    const struct replica_stats *stats = replica->stats;
    if (replica->machine.state == REPLICA_LOADING)
        return true;
    return stats->full_sync && stats->acknowledges && !REPLICA_STATS_GET(stats, has_acknowledged);
}

static void replica_settle(struct replica *replica, enum feed_result result)
{
    CHECK(result < LENGTH_OF(outcomes));
    replica->is_renamed = result == FEED_RENAMED && is_full_syncing(replica);
    if (replica->is_renamed)
        want(replica, false);
    else if (outcomes[result].closes)
        replica_close(replica, outcomes[result].reason);
    else
        want(replica, outcomes[result].wants_write);
}

/* Segments that are needed elsewhere are let go of here, also where nothing can be sent. */
static void replica_check(struct replica *replica)
{
    enum feed_result standing = feed_check(&replica->feed);
    if (standing != FEED_IDLE)
        replica_settle(replica, standing);
}

static void queue_for_piece(struct replica *replica);

static void note_life(struct replica *replica)
{
    REPLICA_STATS_SET(replica->stats, life_ms, clock_ms());
}

/* A replica that takes its RDB to disk says nothing until it has all of it: its time to say something
 * begins here. */
static void note_rdb_sent(struct replica *replica)
{
    struct replica_stats *stats = replica->stats;
    if (!stats->full_sync || stats->rdb_sent_ms != 0 || replica->feed.step <= FEED_MARK)
        return;
    stats->rdb_sent_ms = clock_ms();
    note_life(replica);
}

/* Where descriptors or memory are out, the next tick tries again. */
static void read_ahead(struct replica *replica)
{
    if (replica->job == NULL)
        replica->job = calloc(1, sizeof(*replica->job));
    struct readahead_job *job = replica->job;
    struct feed_piece piece;
    if (job == NULL || job->is_under_way || !feed_wants(&replica->feed, &piece))
        return;
    job->owner = replica;
    job->file = piece.file;
    job->position = piece.position;
    job->length = piece.length;
    replica->piece = piece;
    if (!readahead_submit(replica->readahead, job))
        log_warn("downstream: replica id=%" PRIu64 " addr=%s: cannot read ahead",
                 replica->stats->id, replica->stats->peer);
}

static void pump(struct replica *replica)
{
    enum feed_result result = feed_pump(&replica->feed, replica->conn);
    show_sent(replica);
    note_rdb_sent(replica);
    if (replica->machine.state == REPLICA_LOADING && replica->feed.step == FEED_STREAM)
        replica_enter(replica, REPLICA_STREAMING, "rdb-sent");
    replica->waits_for_disk = result == FEED_COLD;
    replica_settle(replica, result);
    if (replica->machine.state != REPLICA_CLOSING && replica->feed.is_cold)
        read_ahead(replica);
}

static void pump_piece(void *arg)
{
    pump(arg);
}

static void queue_for_piece(struct replica *replica)
{
    if (!chore_is_queued(&replica->chore))
        loop_put_off(replica->loop, CHORE_WORK, &replica->chore, pump_piece, replica);
}

static void send_on(struct replica *replica)
{
    if (replica->waits_for_disk || feed_is_behind(&replica->feed))
        queue_for_piece(replica);
    else
        pump(replica);
}

/* Offsets only move forward. One beyond what was sent is none of ours: it counts as life, no more. */
static void note_offset(struct replica *replica, uint64_t offset)
{
    struct replica_stats *stats = replica->stats;
    bool was_sent =
        replica->machine.state == REPLICA_STREAMING && offset <= replica->feed.cursor.offset;
    if (stats->acknowledges && was_sent && offset > REPLICA_STATS_GET(stats, acknowledged))
        REPLICA_STATS_SET(stats, acknowledged, offset);
}

static void on_ack(struct replica *replica, uint64_t offset)
{
    note_life(replica);
    bool is_first = feed_acknowledge(&replica->feed);
    if (is_first)
        replica_enter(replica, REPLICA_STREAMING, "first-ack");
    /* What is said before the RDB is through does not say that it was loaded. */
    if (replica->machine.state == REPLICA_STREAMING)
        REPLICA_STATS_SET(replica->stats, has_acknowledged, true);
    note_offset(replica, offset);
    if (replica->on_acknowledged != NULL)
        replica->on_acknowledged(replica->on_acknowledged_arg);
    if (is_first)
        send_on(replica);
    else if (replica->is_renamed)
        replica_check(replica);
}

static void replica_on_command(struct replica *replica, const struct command *command)
{
    uint64_t offset;
    if (command->argument_count == 0) {
        note_life(replica);
        return;
    }
    switch (replconf_on_link(command, &offset)) {
    case REPLCONF_ACK:
        on_ack(replica, offset);
        return;
    case REPLCONF_NO_REPLY:
        return;
    case REPLCONF_UNEXPECTED:
        replica_close(replica, CLOSE_UNEXPECTED);
        return;
    }
    UNREACHABLE("no such word");
}

/* Takes the complete commands out of the input. */
static void read_commands(struct replica *replica)
{
    struct command command;
    unsigned taken = 0;
    while (replica->machine.state != REPLICA_CLOSING && taken < replica->input_length) {
        enum reader_result result = reader_next(&replica->reader, replica->input + taken,
                                                replica->input_length - taken, &command);
        if (result == READER_MORE)
            break;
        if (result == READER_ERROR) {
            replica_close(replica, CLOSE_UNEXPECTED);
            return;
        }
        replica_on_command(replica, &command);
        taken += (unsigned)command.length;
    }
    memmove(replica->input, replica->input + taken, replica->input_length - taken);
    replica->input_length -= taken;
    if (replica->machine.state != REPLICA_CLOSING &&
        replica->input_length == sizeof(replica->input))
        replica_close(replica, CLOSE_UNEXPECTED); /* a command of this length needs a reply */
}

static void receive(struct replica *replica)
{
    for (int i = 0; i < RECEIVES_A_TURN && replica->machine.state != REPLICA_CLOSING; i++) {
        size_t received = 0;
        enum conn_io io = conn_receive(replica->conn, replica->input + replica->input_length,
                                       sizeof(replica->input) - replica->input_length, &received);
        if (io == CONN_AGAIN)
            return;
        if (io != CONN_OK) {
            replica_close(replica, io == CONN_END ? CLOSE_ENDED : CLOSE_FAILED);
            return;
        }
        show_traffic(replica);
        replica->input_length += (unsigned)received;
        read_commands(replica);
    }
}

void replica_begin(struct replica *replica, struct conn *conn, struct bytes input)
{
    CHECK(replica->machine.state == REPLICA_WAITING);
    replica->conn = conn;
    conn_want(conn, true, false);
    while (input.length > 0 && replica->machine.state != REPLICA_CLOSING) {
        size_t room = sizeof(replica->input) - replica->input_length;
        size_t part = input.length < room ? input.length : room;
        memcpy(replica->input + replica->input_length, input.data, part);
        replica->input_length += (unsigned)part;
        input = bytes_skip(input, part);
        read_commands(replica);
    }
    if (replica->machine.state != REPLICA_CLOSING)
        replica_handle(replica, REPLICA_EVENT_WRITABLE);
}

/* A replica says something each second, so tcp-keepalive, which is for clients, is far too long. */
static void keep_alive(const struct replica *replica)
{
    int64_t keepalive_s = replica->timeout_ms / 1000 / KEEPALIVE_SHARE;
    conn_keep_alive(replica->conn, keepalive_s > 0 ? (int)keepalive_s : 1);
}

void replica_start(struct replica *replica, const char *cause)
{
    CHECK(replica->machine.state == REPLICA_WAITING);
    replica->wants_write = false;
    conn_want(replica->conn, true, false);
    keep_alive(replica);
    replica_enter(replica, replica->stats->full_sync ? REPLICA_LOADING : REPLICA_STREAMING, cause);
    if (replica->machine.state != REPLICA_CLOSING)
        send_on(replica);
}

static void replica_enter_loading(void *owner, unsigned from)
{
    (void)from;
    struct replica *replica = owner;
    replica->progress_ms = clock_ms();
}

static void replica_enter_streaming(void *owner, unsigned from)
{
    (void)from;
    struct replica *replica = owner;
    note_life(replica);
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

/* One that is under way frees itself when it comes home. */
static void let_go_of_job(struct replica *replica)
{
    if (replica->job->is_under_way)
        replica->job->owner = NULL;
    else
        free(replica->job);
    replica->job = NULL;
}

static void enter_closing(void *owner, unsigned from)
{
    (void)from;
    struct replica *replica = owner;
    log_closed(replica);
    chore_leave(replica->loop, &replica->chore);
    if (replica->job != NULL)
        let_go_of_job(replica);
    /* It has all that it was to have, maybe in the kernel still. */
    bool is_served = replica->stats->reason == CLOSE_SERVED ||
                     (replica->stats->reason == CLOSE_RENAMED && replica->stats->full_sync);
    feed_fini(&replica->feed);
    if (is_served)
        conn_drain(&replica->conn, DRAIN_MS);
    else
        conn_close(&replica->conn);
    struct replica_stats *stats = replica->stats;
    replica->stats = NULL;
    replica->on_gone(replica, stats, replica->on_gone_arg);
}

static void flush_owed(struct replica *replica)
{
    enum feed_result result = feed_flush(&replica->feed, replica->conn);
    show_sent(replica);
    replica_settle(replica, result);
}

/* A newline before the reply to PSYNC tells a replica that we are still there (docs/protocol.md 1.4). Where
 * there is no room for it, enough is on its way. */
static void say_alive(struct replica *replica)
{
    if (replica->wants_write)
        return;
    size_t sent = 0;
    if (conn_send(replica->conn, bytes_of("\n"), false, &sent) == CONN_FAILED)
        replica_close(replica, CLOSE_FAILED);
    else
        show_sent(replica);
}

static void on_waiting(struct replica *replica, enum replica_event event)
{
    switch (event) {
    case REPLICA_EVENT_READABLE:
        receive(replica);
        return;
    case REPLICA_EVENT_WRITABLE:
        flush_owed(replica);
        return;
    case REPLICA_EVENT_DOWN:
        replica_close(replica, CLOSE_FAILED);
        return;
    case REPLICA_EVENT_TICK:
        say_alive(replica);
        return;
    case REPLICA_EVENT_WAKE: /* waiting.c asks for it */
        return;
    }
    UNREACHABLE("no such event");
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* A sign of life is an acknowledgement or a newline. Progress counts only for one who has something to
 * take and does not take it; a SYNC replica, which never acknowledges, is judged by nothing else, and
 * not once it has its RDB. */
static bool is_silent(const struct replica *replica)
{
    int64_t life_ms = REPLICA_STATS_GET(replica->stats, life_ms);
    bool has_rdb = replica->feed.step > FEED_MARK;
    if (has_rdb)
        return replica->stats->acknowledges && clock_silence_ms(life_ms) > replica->timeout_ms;
    if (!replica->wants_write)
        return false;
    return clock_silence_ms(later(life_ms, replica->progress_ms)) > replica->timeout_ms;
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
    else if (is_full_syncing(replica))
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
    if (replica->machine.state != REPLICA_CLOSING)
        REPLICA_STATS_SET(replica->stats, branch, branch);
}

/* A program may be busy for long, and stop reading; its system answers TCP all the same, and when that is
 * silent the host or the way to it is gone. Asked once a second; each answer begins it anew. */
static bool update_unanswered(struct replica *replica)
{
    int64_t now_ms = clock_ms();
    if (!conn_is_unanswered(replica->conn))
        replica->unanswered_since_ms = 0;
    else if (replica->unanswered_since_ms == 0)
        replica->unanswered_since_ms = now_ms;
    return replica->unanswered_since_ms != 0 &&
           now_ms - replica->unanswered_since_ms > replica->timeout_ms / VANISHED_SHARE;
}

static bool is_waiting(const struct replica *replica)
{
    return replica->wants_write || replica->waits_for_disk || chore_is_queued(&replica->chore);
}

static void on_attached(struct replica *replica, enum replica_event event)
{
    switch (event) {
    case REPLICA_EVENT_READABLE:
        receive(replica);
        return;
    case REPLICA_EVENT_WRITABLE:
        send_on(replica);
        return;
    case REPLICA_EVENT_DOWN:
        replica_close(replica, CLOSE_FAILED);
        return;
    case REPLICA_EVENT_WAKE:
        if (is_waiting(replica))
            replica_check(replica);
        else
            send_on(replica);
        return;
    case REPLICA_EVENT_TICK:
        replica_check(replica);
        if (replica->machine.state != REPLICA_CLOSING && is_silent(replica))
            replica_close(replica, CLOSE_SILENT);
        if (replica->machine.state != REPLICA_CLOSING && update_unanswered(replica))
            replica_close(replica, CLOSE_VANISHED);
        if (replica->machine.state != REPLICA_CLOSING && replica->waits_for_disk)
            read_ahead(replica);
        return;
    }
    UNREACHABLE("no such event");
}

/* What was only to be read for later is asked for again when it is due. */
static void replica_on_unreadable(struct replica *replica, int error)
{
    if (!replica->waits_for_disk)
        return;
    replica_check(replica);
    if (replica->machine.state == REPLICA_CLOSING)
        return;
    errno = error;
    log_warn("downstream: replica id=%" PRIu64 " addr=%s: cannot read what comes next",
             replica->stats->id, replica->stats->peer);
    if (error == EIO || error == ENODATA)
        feed_note_unreadable(&replica->feed);
    replica_close(replica, CLOSE_UNREADABLE);
}

void replica_on_read(struct readahead_job *job)
{
    struct replica *replica = job->owner;
    job->is_under_way = false;
    if (replica == NULL) {
        free(job);
        return;
    }
    if (job->error != 0) {
        replica_on_unreadable(replica, job->error);
        return;
    }
    feed_note_read(&replica->feed, &replica->piece, job->was_cached);
    if (replica->waits_for_disk)
        queue_for_piece(replica);
    read_ahead(replica);
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
    if (replica->machine.state == REPLICA_CLOSING)
        return;
    replica->stats->reason = reason;
    show_traffic(replica);
    replica_enter(replica, REPLICA_CLOSING, close_reason_name(reason));
}
