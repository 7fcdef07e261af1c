/* SPDX-License-Identifier: MIT
 *
 * The stream while it flows: taken into the store, paused where there is no room, acknowledged.
 */
#include "link_private.h"

#include <inttypes.h>
#include <stdio.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/text.h"
#include "relay/net/loop.h"
#include "relay/store/store.h"

enum {
    NO_SPACE_PAUSE_MS = 1000,
    HELD_PAUSE_MS = 5,
    HELD_TELL_MS = 3000,
    BROKEN_STREAMS_MAX = 5, /* at one boundary: then only another history helps */
};

static struct ack_view ack_view_of(const struct link *link)
{
    const struct history *history = store_current(link->store);
    struct ack_view view = {
        .boundary = history_published_boundary(history), /* no more than is safe from a kill */
        .durable = history_durable(history),
    };
    unsigned rank;
    if (ack_rule_asks_replicas(link->ack_tracker.rule, &rank))
        view.has_replicas = link->callbacks.acknowledged(rank, &view.replicas, link->callbacks.arg);
    return view;
}

/* An ACK is also our sign of life, so it is sent whatever it says. No second one is put behind
 * one that has not left: to a primary that does not read it would say less than the one that is
 * made when there is room. */
void link_acknowledge(struct link *link)
{
    if (link->server_conn.out.length > 0)
        return; /* the one before has not left yet */
    struct ack_view view = ack_view_of(link);
    uint64_t offset = ack_tracker_offset(&link->ack_tracker, &view);
    link->ack_tracker.acknowledged = offset;
    /* More than is durable may have been acknowledged under the rule before: then there is no FACK yet. */
    bool is_durable = link->ack_tracker.rule.policy == ACK_DURABLE && offset <= view.durable;
    server_conn_acknowledge(&link->server_conn, offset, is_durable);
}

/* Who is above us now, for whoever asks us before it follows us. */
static void note_chain(struct link *link)
{
    const struct primary_info *info = &link->server_conn.handshake.info;
    struct run_id_chain chain;
    struct text text;
    text_init(&text, sizeof(link->chain));
    run_id_chain_extend(info->run_id, info->has_role && info->is_primary, &info->chain, &chain);
    run_id_chain_format(&chain, &text);
    snprintf(link->chain, sizeof(link->chain), "%s", text_string(&text));
    link->chain_is_complete = chain.is_complete;
    text_fini(&text);
}

void link_begin_receiving(struct link *link, struct history *history)
{
    stream_receiver_begin(&link->stream_receiver, history, link->server_conn.buffer,
                          SERVER_CONN_BUFFER);
    link->compression.stream_codec = CODEC_NONE;
    stream_receiver_decompress(&link->stream_receiver, &link->server_conn.handshake,
                               &link->compression, &link->server_conn.pending);
}

/* Of the history whose stream comes: while an RDB arrives it is not the current one. */
static uint64_t stream_boundary(const struct link *link)
{
    return history_boundary(link->stream_receiver.history);
}

/* After an end mark the primary holds the stream back until we acknowledge: at once, and every second
 * again (link_tick), since one that comes too early is lost (docs/protocol.md 2.2). */
void link_begin_stream(struct link *link)
{
    if (link->server_conn.is_paused)
        server_conn_pause(&link->server_conn, false);
    note_chain(link);
    link->began_offset = history_boundary(store_current(link->store));
    link->up_since_ms = clock_ms();
    link->old_history_since_ms = 0;
    link->last_error[0] = '\0';
    link->stalled_since_ms = 0;
    link->held_since_ms = 0;
    link->awaits_segment = false;
    connect_race_drop_all(&link->race);
    candidates_settle(&link->candidates);
    link_tell_wait(link);
    ack_tracker_begin(&link->ack_tracker);
    ping_period_restart(&link->ping_period);
    parent_watch_restart(&link->parent);
    bool awaits_ack =
        link->machine.previous == LINK_LOADING && rdb_receiver_had_mark(link_rdb_receiver(link));
    if (link->two_channel.phase == TWO_CHANNEL_OFF)
        link_begin_receiving(link, store_current(link->store));
    link_end_two_channel(link);
    if (awaits_ack)
        link_acknowledge(link);
}

/* Nothing is read for longer than an operator should have to guess at: `cause` says why. */
static void note_stall(struct link *link, const char *cause)
{
    if (link->stalled_since_ms != 0)
        return;
    log_warnx(
        "upstream: the store has no room for more: %s: not reading from the primary until it has; "
        "what is held is still served",
        cause);
    link->stalled_since_ms = clock_ms();
}

/* Stops reading for a moment: the stream waits in the primary's buffer, up to its
 * client-output-buffer-limit (docs/protocol.md 8), and what is held is served on. There is never
 * a hole: what was not read is not acknowledged, and is asked for again if the primary ends the
 * link. */
static void pause_reading(struct link *link, enum stream_receiver_result result)
{
    const struct history *history = link->stream_receiver.history;
    bool is_at_its_end = history_is_at_its_end(history);
    int64_t now_ms = clock_ms();
    if (link->held_since_ms == 0)
        link->held_since_ms = now_ms;
    if (result == STREAM_RECEIVER_NO_SPACE)
        note_stall(link, history_stream_error(history));
    else if (is_at_its_end)
        note_stall(link, "the stream has reached repl-backlog-max-size, and the RDB before it is "
                         "not whole yet");
    else if (now_ms - link->held_since_ms >= HELD_TELL_MS)
        note_stall(
            link,
            "the disk is slow to make the next segment, to fsync what must be durable before "
            "the oldest is given up, or to free segments, or replicas are slow to let go of them, "
            "or what is not archived is kept (on-full = stop)");
    link->awaits_segment = history_awaits_segment(history);
    server_conn_pause(&link->server_conn, true);
    bool is_soon_over = result == STREAM_RECEIVER_HELD && !is_at_its_end;
    timer_arm(link->timer, is_soon_over ? HELD_PAUSE_MS : NO_SPACE_PAUSE_MS);
}

/* The file thread has made the next segment: the timer need not be waited for. */
void link_look_at_pause(struct link *link)
{
    if (!link->awaits_segment || history_awaits_segment(link->stream_receiver.history))
        return;
    link->awaits_segment = false;
    timer_arm(link->timer, 0);
}

static void go_on_reading(struct link *link)
{
    if (link->server_conn.is_paused)
        server_conn_pause(&link->server_conn, false);
    if (link->stalled_since_ms != 0)
        log_info("upstream: the store has room again: reads again from the primary");
    link->stalled_since_ms = 0;
    link->held_since_ms = 0;
    link->awaits_segment = false;
}

/* Not before something came that was good, or a primary that sends the same nonsense each time would
 * be asked for it without a rest. */
static void note_flow(struct link *link)
{
    if (link_state(link) != LINK_STREAMING || stream_boundary(link) <= link->began_offset)
        return;
    link->failures = 0;
    link_forget_cut_off(link);
}

/* What comes is no stream, at this place again and again: it is not for us to be mended by asking. */
static void note_broken(struct link *link)
{
    uint64_t boundary = stream_boundary(link);
    if (link->broken_at != boundary)
        link->broken_streams = 0;
    link->broken_at = boundary;
    if (++link->broken_streams < BROKEN_STREAMS_MAX)
        return;
    log_warnx("upstream: what the primary sends behind offset %" PRIu64
              " was no replication stream "
              "%u times: a full sync is asked for",
              boundary, link->broken_streams);
    link->broken_streams = 0;
    link->must_start_anew = true;
}

/* The primary lives; its PINGs tell how often it says so. */
static void note_heard(struct link *link)
{
    link->stream_heard_ms = link->server_conn.last_io_ms;
    if (stream_receiver_take_ping(&link->stream_receiver))
        ping_period_note(&link->ping_period, link->stream_heard_ms);
}

void link_take_stream(struct link *link, struct link_outcome *outcome)
{
    struct server_conn *server_conn = &link->server_conn;
    struct text why;
    text_init(&why, LINK_WHY_MAX);
    /* What came behind the answer to PSYNC or behind the RDB goes before what is in the socket.
     * It has been received, but nobody has looked at it: it counts as heard below. */
    uint64_t received = server_conn_received(server_conn) - server_conn->pending.length;
    bool had_more = stream_receiver_has_more(&link->stream_receiver);
    enum stream_receiver_result result = STREAM_RECEIVER_OK;
    if (server_conn->pending.length > 0)
        result = stream_receiver_feed(&link->stream_receiver, &server_conn->pending, &why);
    if (result == STREAM_RECEIVER_OK)
        result = stream_receiver_receive(&link->stream_receiver, server_conn->conn, &why);
    switch (result) {
    case STREAM_RECEIVER_OK:
        server_conn->last_io_ms = clock_ms();
        if (server_conn_received(server_conn) != received || had_more)
            note_heard(link);
        note_flow(link);
        go_on_reading(link);
        if (stream_receiver_has_more(&link->stream_receiver))
            timer_arm(link->timer, 0);
        break;
    case STREAM_RECEIVER_NO_SPACE:
    case STREAM_RECEIVER_HELD:
        pause_reading(link, result);
        break;
    case STREAM_RECEIVER_END:
        if (link->is_promoting) /* the RDB is whole: the end is met again when it is the current one's */
            server_conn_pause(server_conn, true);
        else if (link_state(link) == LINK_LOADING)
            link_fail_cut_off(link, outcome, text_string(&why));
        else
            link_fail_stream(link, outcome, text_string(&why));
        break;
    case STREAM_RECEIVER_REWOUND:
        refresh_cancel(link->refresh_schedule.refresh, "the end of the history was cut off");
        link->callbacks.on_news(LINK_NEWS_REWOUND, link->callbacks.arg);
        link_fail(link, outcome, "rewound", text_string(&why));
        break;
    case STREAM_RECEIVER_LOST:
        refresh_cancel(link->refresh_schedule.refresh, "the history cannot go on");
        link->must_start_anew = true;
        link_fail_store(outcome, text_string(&why));
        break;
    case STREAM_RECEIVER_GARBLED:
        compression_use_note_fault(&link->compression);
        link_fail(link, outcome, "compression", text_string(&why));
        break;
    case STREAM_RECEIVER_BROKEN:
        if (link_state(link) == LINK_STREAMING)
            note_broken(link);
        link_fail(link, outcome, "stream", text_string(&why));
        break;
    }
    text_fini(&why);
}

/* What GETACK asks for is the offset behind it; one that includes its own bytes is accepted
 * (docs/protocol.md 3.4). Where the rule waits for the disk or for replicas, the first answer
 * says less, and another follows as soon as there is more to say: WAIT at the primary must not
 * wait for the next second. */
void link_answer_getack(struct link *link)
{
    link_look_at_pause(link);
    if (stream_receiver_take_getack(&link->stream_receiver)) {
        ack_tracker_ask(&link->ack_tracker, history_boundary(store_current(link->store)));
        link_acknowledge(link);
    } else if (ack_tracker_owes(&link->ack_tracker)) {
        struct ack_view view = ack_view_of(link);
        if (ack_tracker_offset(&link->ack_tracker, &view) > link->ack_tracker.acknowledged)
            link_acknowledge(link);
    }
}
