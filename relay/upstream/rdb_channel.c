/* SPDX-License-Identifier: MIT */
#include "rdb_channel.h"

#include <stdio.h>

#include "compression_use.h"
#include "relay/base/clock.h"
#include "relay/base/text.h"
#include "relay/net/loop.h"
#include "relay/store/snapshot.h"
#include "relay/upstream/primary_address.h"

enum { RDB_CHANNEL_WHY_MAX = 512, RDB_CHANNEL_PAUSE_MS = 20 };

enum rdb_channel_state {
    RDB_CHANNEL_CLOSED,
    RDB_CHANNEL_CONNECTING,
    RDB_CHANNEL_HANDSHAKE,
    RDB_CHANNEL_BEGUN,
    RDB_CHANNEL_LOADING,
    RDB_CHANNEL_WHOLE,
    RDB_CHANNEL_FAILED, /* told, and not closed yet */
};

#define TO(state) STATE_BIT(RDB_CHANNEL_##state)

static const struct state_row rdb_channel_rows[] = {
    [RDB_CHANNEL_CLOSED] = {"closed", TO(CONNECTING), NULL},
    [RDB_CHANNEL_CONNECTING] = {"connecting", TO(HANDSHAKE) | TO(FAILED) | TO(CLOSED), NULL},
    [RDB_CHANNEL_HANDSHAKE] = {"handshake", TO(BEGUN) | TO(FAILED) | TO(CLOSED), NULL},
    [RDB_CHANNEL_BEGUN] = {"begun", TO(LOADING) | TO(CLOSED), NULL},
    [RDB_CHANNEL_LOADING] = {"loading", TO(WHOLE) | TO(FAILED) | TO(CLOSED), NULL},
    [RDB_CHANNEL_WHOLE] = {"whole", TO(CLOSED), NULL},
    [RDB_CHANNEL_FAILED] = {"failed", TO(CLOSED), NULL},
};

static const struct state_machine_kind rdb_channel_kind = {
    .name = "upstream: rdb channel",
    .rows = rdb_channel_rows,
};

static conn_event_fn rdb_channel_on_event;
static void rdb_channel_on_timer(void *arg);

static enum rdb_channel_state rdb_channel_state(const struct rdb_channel *channel)
{
    return (enum rdb_channel_state)channel->machine.state;
}

static void rdb_channel_enter(struct rdb_channel *channel, enum rdb_channel_state state,
                              const char *cause)
{
    state_machine_enter(&channel->machine, state, LOG_LEVEL_INFO, "%s", cause);
}

bool rdb_channel_init(struct rdb_channel *channel, struct loop *loop, const struct route *route,
                      struct compression_use *compression,
                      const struct rdb_channel_callbacks *callbacks)
{
    channel->loop = loop;
    channel->callbacks = *callbacks;
    channel->route = route;
    channel->compression = compression;
    state_machine_init(&channel->machine, &rdb_channel_kind, channel);
    channel->timer = timer_new(loop, rdb_channel_on_timer, channel);
    return channel->timer != NULL;
}

void rdb_channel_fini(struct rdb_channel *channel)
{
    if (channel->timer == NULL)
        return;
    rdb_channel_close(channel);
    timer_free(&channel->timer);
}

bool rdb_channel_is_open(const struct rdb_channel *channel)
{
    return rdb_channel_state(channel) != RDB_CHANNEL_CLOSED;
}

void rdb_channel_close(struct rdb_channel *channel)
{
    if (!rdb_channel_is_open(channel))
        return;
    rdb_channel_enter(channel, RDB_CHANNEL_CLOSED, "close");
    timer_disarm(channel->timer);
    rdb_receiver_end(&channel->rdb_receiver);
    conn_traffic_add(&channel->closed, server_conn_traffic(&channel->server_conn));
    server_conn_fini(&channel->server_conn);
}

static void rdb_channel_fail(struct rdb_channel *channel, const char *why)
{
    rdb_channel_enter(channel, RDB_CHANNEL_FAILED, why);
    timer_disarm(channel->timer);
    channel->callbacks.on_failed(channel->was_answered, why, channel->callbacks.arg);
}

void rdb_channel_open(struct rdb_channel *channel, const struct primary_address *primary,
                      const struct handshake_terms *terms)
{
    const char *congestion = channel->server_conn.congestion;
    channel->terms = *terms;
    channel->was_answered = false;
    rdb_channel_enter(channel, RDB_CHANNEL_CONNECTING, "open");
    bool is_made = server_conn_init(&channel->server_conn);
    channel->server_conn.route = channel->route;
    channel->server_conn.congestion = congestion;
    if (!is_made || !server_conn_open(&channel->server_conn, channel->loop, primary,
                                      rdb_channel_on_event, channel))
        timer_arm(channel->timer, 0); /* not from within this call */
}

const struct psync_reply *rdb_channel_reply(const struct rdb_channel *channel)
{
    return &channel->server_conn.handshake.reply;
}

void rdb_channel_receive(struct rdb_channel *channel, struct snapshot *snapshot)
{
    CHECK(rdb_channel_state(channel) == RDB_CHANNEL_BEGUN);
    rdb_channel_enter(channel, RDB_CHANNEL_LOADING, "rdb");
    rdb_receiver_begin(&channel->rdb_receiver, snapshot);
    rdb_receiver_decompress(&channel->rdb_receiver, &channel->server_conn.handshake,
                            channel->compression, conn_is_tls(channel->server_conn.conn));
}

struct snapshot *rdb_channel_snapshot(const struct rdb_channel *channel)
{
    bool has_one = rdb_channel_state(channel) == RDB_CHANNEL_LOADING ||
                   rdb_channel_state(channel) == RDB_CHANNEL_WHOLE;
    return has_one ? channel->rdb_receiver.snapshot : NULL;
}

bool rdb_channel_is_whole(const struct rdb_channel *channel)
{
    return rdb_channel_state(channel) == RDB_CHANNEL_WHOLE;
}

void rdb_channel_tick(struct rdb_channel *channel, int64_t timeout_ms)
{
    enum rdb_channel_state state = rdb_channel_state(channel);
    bool listens = state == RDB_CHANNEL_CONNECTING || state == RDB_CHANNEL_HANDSHAKE ||
                   state == RDB_CHANNEL_LOADING;
    if (listens && !channel->server_conn.is_paused &&
        clock_silence_ms(channel->server_conn.last_io_ms) > timeout_ms)
        rdb_channel_fail(channel, "the primary is silent");
}

struct conn_traffic rdb_channel_traffic(const struct rdb_channel *channel)
{
    struct conn_traffic sum = channel->closed;
    if (rdb_channel_is_open(channel))
        conn_traffic_add(&sum, server_conn_traffic(&channel->server_conn));
    return sum;
}

void rdb_channel_set_credentials(struct rdb_channel *channel, const char *user,
                                 const char *password)
{
    channel->terms.user = user;
    channel->terms.password = password;
    if (rdb_channel_is_open(channel))
        server_conn_set_credentials(&channel->server_conn, user, password);
}

/* Nothing is read until the store can go on. */
static void rdb_channel_hold(struct rdb_channel *channel)
{
    server_conn_pause(&channel->server_conn, true);
    timer_arm(channel->timer, RDB_CHANNEL_PAUSE_MS);
}

/* The primary closes when the RDB is whole: nobody listens any more. */
static void end_rdb(struct rdb_channel *channel)
{
    if (rdb_channel_state(channel) == RDB_CHANNEL_LOADING)
        rdb_channel_enter(channel, RDB_CHANNEL_WHOLE, "rdb_complete");
    rdb_channel_hold(channel);
    channel->callbacks.on_whole(channel->callbacks.arg);
}

/* False: `why`. */
static bool feed_rdb(struct rdb_channel *channel, struct text *why)
{
    switch (rdb_receiver_feed(&channel->rdb_receiver, &channel->server_conn.pending, why)) {
    case RDB_RECEIVER_MORE:
        return true;
    case RDB_RECEIVER_HELD:
        rdb_channel_hold(channel);
        return true;
    case RDB_RECEIVER_BUSY:
        timer_arm(channel->timer, 0);
        return true;
    case RDB_RECEIVER_DONE:
        end_rdb(channel);
        return true;
    case RDB_RECEIVER_FAILED:
        if (channel->rdb_receiver.is_garbled)
            compression_use_note_fault(channel->compression);
        channel->was_answered = true;
        return false;
    }
    UNREACHABLE("a result without a case");
}

/* One buffer full a turn, so that the stream goes first. */
static bool load_rdb(struct rdb_channel *channel, struct text *why)
{
    struct server_conn *server_conn = &channel->server_conn;
    bool receives = server_conn->pending.length == 0 &&
                    !rdb_receiver_has_more(&channel->rdb_receiver) &&
                    !snapshot_owes(channel->rdb_receiver.snapshot);
    if (receives && !server_conn_receive(server_conn, why))
        return false;
    return feed_rdb(channel, why);
}

/* What came behind the reply is the beginning of the RDB. */
static bool begin_rdb(struct rdb_channel *channel, struct text *why)
{
    rdb_channel_enter(channel, RDB_CHANNEL_BEGUN, "reply");
    channel->callbacks.on_begun(channel->callbacks.arg);
    return rdb_channel_state(channel) != RDB_CHANNEL_LOADING || feed_rdb(channel, why);
}

static bool rdb_channel_shake_hands(struct rdb_channel *channel, struct text *why)
{
    switch (server_conn_shake_hands(&channel->server_conn, why)) {
    case SERVER_CONN_MORE:
        server_conn_flush(&channel->server_conn);
        return true;
    case SERVER_CONN_DONE:
        return begin_rdb(channel, why);
    case SERVER_CONN_PASSED:
    case SERVER_CONN_FAILED:
        channel->was_answered = true;
        return false;
    case SERVER_CONN_BROKEN:
        return false;
    }
    UNREACHABLE("a result without a case");
}

static bool rdb_channel_read(struct rdb_channel *channel, struct text *why)
{
    switch (rdb_channel_state(channel)) {
    case RDB_CHANNEL_HANDSHAKE:
        return rdb_channel_shake_hands(channel, why);
    case RDB_CHANNEL_LOADING:
        return load_rdb(channel, why);
    case RDB_CHANNEL_WHOLE:
        end_rdb(channel);
        return true;
    case RDB_CHANNEL_CLOSED:
    case RDB_CHANNEL_CONNECTING:
    case RDB_CHANNEL_BEGUN:
    case RDB_CHANNEL_FAILED:
        return true;
    }
    UNREACHABLE("a state without a case");
}

static void rdb_channel_on_event(struct conn *conn, enum conn_event event, void *arg)
{
    struct rdb_channel *channel = arg;
    struct text why;
    text_init(&why, RDB_CHANNEL_WHY_MAX);
    bool is_good = true;
    switch (event) {
    case CONN_EVENT_UP:
        rdb_channel_enter(channel, RDB_CHANNEL_HANDSHAKE, "connected");
        server_conn_start_handshake(&channel->server_conn, &channel->terms);
        server_conn_flush(&channel->server_conn);
        break;
    case CONN_EVENT_READABLE:
        is_good = rdb_channel_read(channel, &why);
        break;
    case CONN_EVENT_WRITABLE:
        server_conn_flush(&channel->server_conn);
        break;
    case CONN_EVENT_DOWN:
        is_good = rdb_channel_is_whole(channel);
        text_format(&why, "%s", conn_error(conn));
        break;
    }
    if (!is_good)
        rdb_channel_fail(channel, text_string(&why));
    text_fini(&why);
}

/* The pause is over. What was received before it is in `pending`: no event comes for it. */
static void rdb_channel_on_timer(void *arg)
{
    struct rdb_channel *channel = arg;
    if (channel->server_conn.conn == NULL) {
        rdb_channel_fail(channel, "out of memory");
        return;
    }
    if (channel->server_conn.is_paused && !rdb_channel_is_whole(channel))
        server_conn_pause(&channel->server_conn, false);
    rdb_channel_on_event(channel->server_conn.conn, CONN_EVENT_READABLE, channel);
}

void rdb_channel_go_on(struct rdb_channel *channel)
{
    if (channel->server_conn.is_paused)
        timer_arm(channel->timer, 0);
}
