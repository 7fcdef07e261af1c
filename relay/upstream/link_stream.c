/* SPDX-License-Identifier: MIT
 *
 * The stream while it flows: taken into the store, paused where there is no room, acknowledged.
 */
#include "link_parts.h"

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
    if (ack_rule_asks_replicas(link->acker.rule, &rank))
        view.has_replicas = link->doors.acknowledged(rank, &view.replicas, link->doors.arg);
    return view;
}

void link_acknowledge(struct link *link)
{
    if (link->dialog.out.length > 0)
        return; /* the one before has not left yet */
    struct ack_view view = ack_view_of(link);
    uint64_t offset = acker_offset(&link->acker, &view);
    link->acker.acknowledged = offset;
    /* More than is durable may have been acknowledged under the rule before: then there is no FACK yet. */
    bool is_durable = link->acker.rule.policy == ACK_DURABLE && offset <= view.durable;
    if (!dialog_acknowledge(&link->dialog, offset, is_durable))
        link_fail_broken(link);
}

/* Who is above us now, for whoever asks us before it follows us. */
static void note_chain(struct link *link)
{
    const struct origin_info *info = &link->dialog.greeting.info;
    struct run_id_chain chain;
    struct text text;
    text_init(&text, sizeof(link->chain));
    run_id_chain_extend(info->run_id, info->has_role && info->is_primary, &info->chain, &chain);
    run_id_chain_format(&chain, &text);
    snprintf(link->chain, sizeof(link->chain), "%s", text_string(&text));
    link->chain_is_complete = chain.is_complete;
    text_fini(&text);
}

void link_begin_stream(struct link *link)
{
    note_chain(link);
    link->began_offset = history_boundary(store_current(link->store));
    link->up_since_ms = clock_ms();
    link->old_history_since_ms = 0;
    link->last_error[0] = '\0';
    link->stalled_since_ms = 0;
    candidates_settle(&link->candidates);
    link_tell_wait(link);
    acker_begin(&link->acker);
    ping_period_restart(&link->ping_period);
    parent_watch_restart(&link->parent);
    intake_begin(&link->intake, store_current(link->store), link->dialog.buffer, DIALOG_BUFFER);
}

/* Stops reading for a moment: the stream waits in the origin's buffer, what is held is served on. */
static void pause_reading(struct link *link, enum intake_result result)
{
    if (result == INTAKE_NO_SPACE && link->stalled_since_ms == 0) {
        const struct backlog *backlog = history_backlog(store_current(link->store));
        log_warnx("upstream: the store has no room for more: %s: not reading from the origin until "
                  "it has; what is held is still served",
                  backlog_error(backlog));
        link->stalled_since_ms = clock_ms();
    }
    dialog_rest(&link->dialog, true);
    timer_arm(link->timer, result == INTAKE_HELD ? HELD_PAUSE_MS : NO_SPACE_PAUSE_MS);
}

static void go_on_reading(struct link *link)
{
    if (link->dialog.is_resting)
        dialog_rest(&link->dialog, false);
    if (link->stalled_since_ms != 0)
        log_info("upstream: the store has room again: reads again from the origin");
    link->stalled_since_ms = 0;
}

/* Not before something came that was good, or an origin that sends the same nonsense each time would
 * be asked for it without a rest. */
static void note_flow(struct link *link)
{
    if (history_boundary(store_current(link->store)) <= link->began_offset)
        return;
    link->failures = 0;
    link_forget_cut_off(link);
}

/* What comes is no stream, at this place again and again: it is not for us to be mended by asking. */
static void note_broken(struct link *link)
{
    uint64_t boundary = history_boundary(store_current(link->store));
    if (link->broken_at != boundary)
        link->broken_streams = 0;
    link->broken_at = boundary;
    if (++link->broken_streams < BROKEN_STREAMS_MAX)
        return;
    log_warnx("upstream: what the origin sends behind offset %" PRIu64 " was no replication stream "
              "%u times: a full sync is asked for",
              boundary, link->broken_streams);
    link->broken_streams = 0;
    link->must_start_anew = true;
}

/* The origin lives; its PINGs tell how often it says so. */
static void note_heard(struct link *link)
{
    link->stream_heard_ms = link->dialog.last_io_ms;
    if (intake_take_ping(&link->intake))
        ping_period_note(&link->ping_period, link->stream_heard_ms);
}

void link_take_stream(struct link *link)
{
    struct dialog *dialog = &link->dialog;
    struct text why;
    text_init(&why, LINK_WHY_MAX);
    uint64_t received = dialog_received(dialog) - dialog->pending.length;
    enum intake_result result = INTAKE_OK;
    if (dialog->pending.length > 0)
        result = intake_feed(&link->intake, &dialog->pending, &why);
    if (result == INTAKE_OK)
        result = intake_receive(&link->intake, dialog->conn, &why);
    switch (result) {
    case INTAKE_OK:
        dialog->last_io_ms = clock_ms();
        if (dialog_received(dialog) != received)
            note_heard(link);
        note_flow(link);
        go_on_reading(link);
        break;
    case INTAKE_NO_SPACE:
    case INTAKE_HELD:
        pause_reading(link, result);
        break;
    case INTAKE_END:
        link_fail_stream(link, text_string(&why));
        break;
    case INTAKE_REWOUND:
        fetch_cancel(link->renewal.fetch, "the end of the history was cut off");
        link->doors.on_news(LINK_NEWS_REWOUND, link->doors.arg);
        link_fail(link, "rewound", text_string(&why));
        break;
    case INTAKE_LOST:
        fetch_cancel(link->renewal.fetch, "the history cannot go on");
        link->must_start_anew = true;
        link_fail_store(link, text_string(&why));
        break;
    case INTAKE_BROKEN:
        note_broken(link);
        link_fail(link, "stream", text_string(&why));
        break;
    }
    text_fini(&why);
}

void link_turn_end(struct link *link)
{
    link_look(link);
    if (link->state != LINK_STREAMING)
        return;
    if (intake_take_getack(&link->intake)) {
        acker_ask(&link->acker, history_boundary(store_current(link->store)));
        link_acknowledge(link);
    } else if (acker_owes(&link->acker)) {
        struct ack_view view = ack_view_of(link);
        if (acker_offset(&link->acker, &view) > link->acker.acknowledged)
            link_acknowledge(link);
    }
}
