/* SPDX-License-Identifier: MIT */
#include "relay/upstream/link.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "link_private.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/net/loop.h"
#include "relay/store/rdb_parts.h"
#include "relay/store/store.h"
#include "sync_progress.h"

enum { LOOK_AT_PART_MS = 100 };

/* ------------------------------------------------------------------ states */

static void enter_connecting(void *owner)
{
    link_begin_connecting(owner);
}

static void enter_handshake(void *owner)
{
    link_begin_handshake(owner);
}

static void link_enter_loading(void *owner)
{
    link_begin_loading(owner);
}

static void enter_rewinding(void *owner)
{
    link_begin_rewinding(owner);
}

static void link_enter_streaming(void *owner)
{
    link_begin_stream(owner);
}

#define TO(state) STATE_BIT(LINK_##state)

/* The drawing in link.h as a table. Every state that has a connection leads to retrying, and
 * that edge is taken in link_leave alone, so that each way out closes, notes the reason, and
 * waits alike. */
static const struct state_row link_rows[] = {
    [LINK_IDLE] = {"idle", TO(CONNECTING) | TO(STOPPED), NULL},
    [LINK_CONNECTING] = {"connecting", TO(HANDSHAKE) | TO(RETRYING) | TO(STOPPED),
                         enter_connecting},
    [LINK_HANDSHAKE] = {"handshake",
                        TO(LOADING) | TO(REWINDING) | TO(STREAMING) | TO(RETRYING) | TO(STOPPED),
                        enter_handshake},
    [LINK_LOADING] = {"loading", TO(STREAMING) | TO(RETRYING) | TO(STOPPED), link_enter_loading},
    [LINK_REWINDING] = {"rewinding", TO(STREAMING) | TO(RETRYING) | TO(STOPPED), enter_rewinding},
    [LINK_STREAMING] = {"streaming", TO(RETRYING) | TO(STOPPED), link_enter_streaming},
    [LINK_RETRYING] = {"retrying", TO(CONNECTING) | TO(STOPPED), NULL},
    [LINK_STOPPED] = {"stopped", 0, NULL},
};

/* A primary that cannot be had is told of when that begins, then summed up, and when it ends. */
static enum log_level link_level(struct link *link, enum link_state next, const char *cause,
                                 char sum[LOG_REPEAT_SUM_MAX])
{
    char reason[LINK_WHY_MAX + PRIMARY_HOST_MAX + 16];
    struct log_repeat *trouble = &link->trouble;
    const struct primary_address *primary = link_primary(link);
    switch (next) {
    case LINK_RETRYING:
        snprintf(reason, sizeof(reason), "%s:%u %s", primary->host, (unsigned)primary->port, cause);
        return log_repeat_note(trouble, reason, clock_ms(), sum) ? LOG_LEVEL_WARNING
                                                                 : LOG_LEVEL_DEBUG;
    case LINK_CONNECTING:
    case LINK_HANDSHAKE:
        return log_repeat_goes_on(trouble) ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
    case LINK_STREAMING:
        if (log_repeat_goes_on(trouble) && !log_repeat_end(trouble, clock_ms(), sum))
            return LOG_LEVEL_DEBUG;
        return LOG_LEVEL_INFO;
    case LINK_IDLE:
    case LINK_LOADING:
    case LINK_REWINDING:
    case LINK_STOPPED:
        return LOG_LEVEL_INFO;
    }
    UNREACHABLE("a state without a case");
}

static enum log_level link_describe(void *owner, unsigned next, enum log_level level,
                                    const char *cause, struct state_words *words)
{
    (void)level;
    struct link *link = owner;
    char sum[LOG_REPEAT_SUM_MAX] = "";
    enum log_level it = link_level(link, (enum link_state)next, cause, sum);
    snprintf(words->details, sizeof(words->details), " primary=%s:%" PRIu16 "%s",
             link_primary(link)->host, link_primary(link)->port, sum);
    return it;
}

static void link_disarm(void *owner)
{
    struct link *link = owner;
    timer_disarm(link->timer);
}

static const struct state_machine_kind link_kind = {
    .name = "upstream: link",
    .rows = link_rows,
    .describe = link_describe,
    .on_change = link_disarm,
};

/* ------------------------------------------------------------------ what an event leads to */

/* Closes the connection. What has been received of the stream stays. An RDB of which a part is
 * here is of no use without the rest: its history is abandoned, and the current one is served
 * on. The cursor of the stream receiver is detached in any case, or it would hold a segment
 * while there is no link. */
static void link_let_go(struct link *link)
{
    stream_receiver_end(&link->stream_receiver);
    rdb_receiver_end(&link->rdb_receiver);
    link_end_two_channel(link);
    if (link_state(link) == LINK_LOADING) {
        (void)store_keep_part(link->store);
        store_abandon(link->store);
    }
    link->is_promoting = false;
    if (link_state(link) == LINK_STREAMING)
        link->down_since_ms = clock_ms();
    if (link_state(link) == LINK_CONNECTING)
        connect_race_drop(&link->race, link->candidates.index);
    server_conn_close(&link->server_conn);
}

/* Gives the connection up. The timer says when the next attempt is. The order matters: the
 * failure is counted while the state still says loading; the state changes before another
 * candidate is chosen, so that the line in the log names the server that failed. */
static void link_leave(struct link *link, const struct link_outcome *outcome)
{
    snprintf(link->last_error, sizeof(link->last_error), "%s: %s", outcome->cause, outcome->text);
    bool is_loading =
        link_state(link) == LINK_LOADING && link->two_channel.phase != TWO_CHANNEL_WAITING;
    if (is_loading && link->two_channel.phase == TWO_CHANNEL_OFF)
        link_forget_refusal(link); /* the next one may be over two connections again */
    bool has_come_further = is_loading && store_keep_part(link->store);
    if (has_come_further) /* and costs nobody a fork: it is no failure */
        link->failures = 0;
    else if (is_loading)
        link_note_full_failure(link);
    link_let_go(link);
    state_machine_enter(&link->machine, LINK_RETRYING, LOG_LEVEL_INFO, "%s", link->last_error);
    bool ends_round;
    bool stays = outcome->stays || has_come_further;
    int64_t next_ms = link_next_attempt_ms(link, stays, &ends_round);
    timer_arm(link->timer, next_ms);
    link_tell_wait(link);
    if (ends_round) /* last: it may tell us whom to follow */
        link->callbacks.on_lost(link->callbacks.arg);
}

/* What each state does with bytes that have come, with a broken connection, and when its timer is over. */
struct link_handlers {
    link_event_fn *on_bytes;
    link_event_fn *on_down;
    link_event_fn *on_timer;
};

static link_event_fn link_load, link_lose, link_lose_loading, link_start, link_try_again;

static const struct link_handlers link_handlers[] = {
    [LINK_IDLE] = {NULL, NULL, link_start},
    [LINK_CONNECTING] = {NULL, NULL, link_look_at_race},
    [LINK_HANDSHAKE] = {link_take_answer, link_lose, NULL},
    [LINK_LOADING] = {link_load, link_lose_loading, link_load},
    [LINK_REWINDING] = {link_look_at_rewind, link_lose, link_look_at_rewind},
    [LINK_STREAMING] = {link_take_stream, link_lose, link_take_stream},
    [LINK_RETRYING] = {NULL, NULL, link_try_again},
    [LINK_STOPPED] = {NULL, NULL, NULL},
};

/* The RDB comes over this connection, or over one of its own, and over this one the stream. */
static void link_load(struct link *link, struct link_outcome *outcome)
{
    if (link->two_channel.phase == TWO_CHANNEL_OFF)
        link_take_rdb(link, outcome);
    else
        link_take_two_channel(link, outcome);
}

static void link_lose(struct link *link, struct link_outcome *outcome)
{
    link_fail_broken(link, outcome);
}

/* An RDB that is whole is kept; the stream behind it finds out that the connection is down. */
static void link_lose_loading(struct link *link, struct link_outcome *outcome)
{
    if (link->is_promoting)
        return;
    if (link->two_channel.phase == TWO_CHANNEL_OFF)
        link_fail_cut_off(link, outcome, conn_error(link->server_conn.conn));
    else
        link_lose_two_channel(link, outcome);
}

/* The beginning of an RDB of another history, or of the first, is being read from our disk, so that the rest can be
 * asked for: who asked now would get it anew. True: the timer is armed. */
static bool link_awaits_part(struct link *link)
{
    struct rdb_part part;
    const struct history *current = store_current(link->store);
    bool is_of_ours = false;
    if (store_part(link->store, &part) != STORE_PART_UNPROVEN)
        return false;
    if (current != NULL)
        is_of_ours = replid_equal(&part.replid, &history_identity(current)->replid);
    if (!is_of_ours)
        timer_arm(link->timer, LOOK_AT_PART_MS);
    return !is_of_ours;
}

static void link_start(struct link *link, struct link_outcome *outcome)
{
    if (candidates_current(&link->candidates) != NULL && !link_awaits_part(link))
        link_enter(outcome, LINK_CONNECTING, "start");
}

static void link_try_again(struct link *link, struct link_outcome *outcome)
{
    if (!link_waits_for_settling(link) && !link_awaits_part(link) && !link_waits_for_room(link))
        link_enter(outcome, LINK_CONNECTING, "retry attempt=%u", link->failures + 1);
}

static void link_act(struct link *link, const struct link_outcome *outcome);

static void link_handle(struct link *link, link_event_fn *handler)
{
    struct link_outcome outcome;
    outcome.verdict = LINK_KEEP;
    CHECK(handler != NULL);
    handler(link, &outcome);
    link_act(link, &outcome);
}

/* The state changes here, by REPLICAOF, and by link_close. */
static void link_act(struct link *link, const struct link_outcome *outcome)
{
    switch (outcome->verdict) {
    case LINK_KEEP:
        return;
    case LINK_FAIL:
        link_leave(link, outcome);
        return;
    case LINK_ENTER:
        state_machine_enter(&link->machine, outcome->next, LOG_LEVEL_INFO, "%s", outcome->text);
        /* What came in the same read, behind the answer to PSYNC or behind the RDB, is in
         * `pending`: no event comes for it any more. Loading may lead to streaming in the same
         * way, and streaming to neither, so this ends. */
        if (outcome->next == LINK_LOADING || outcome->next == LINK_STREAMING)
            link_handle(link, link_handlers[outcome->next].on_bytes);
        return;
    }
    UNREACHABLE("a verdict without a case");
}

static void link_on_conn_event(struct conn *conn, enum conn_event event, void *arg)
{
    (void)conn;
    struct link *link = arg;
    const struct link_handlers *row = &link_handlers[link_state(link)];
    switch (event) {
    case CONN_EVENT_READABLE:
        link_handle(link, row->on_bytes);
        return;
    case CONN_EVENT_WRITABLE:
        server_conn_flush(&link->server_conn);
        return;
    case CONN_EVENT_DOWN:
        link_handle(link, row->on_down);
        return;
    case CONN_EVENT_UP:
        UNREACHABLE("a connection is taken when it is up");
    }
    UNREACHABLE("an event without a case");
}

static void link_on_timer(void *arg)
{
    struct link *link = arg;
    link_handle(link, link_handlers[link_state(link)].on_timer);
}

static void link_on_race(size_t place, void *arg)
{
    struct link *link = arg;
    struct link_outcome outcome;
    outcome.verdict = LINK_KEEP;
    link_note_race(link, place, &outcome);
    link_act(link, &outcome);
}

/* ------------------------------------------------------------------ the RDB's own connection */

static void link_on_rdb_begun(void *arg)
{
    link_handle(arg, link_begin_rdb);
}

static void link_on_rdb_whole(void *arg)
{
    link_handle(arg, link_end_rdb);
}

static void link_on_rdb_failed(bool is_answer, const char *why, void *arg)
{
    struct link *link = arg;
    struct link_outcome outcome;
    outcome.verdict = LINK_KEEP;
    link_lose_rdb_channel(link, is_answer, why, &outcome);
    link_act(link, &outcome);
}

/* ------------------------------------------------------------------ opened, told, ticked */

static bool link_prepare(struct link *link)
{
    const struct link_options *options = &link->options;
    link->timer = timer_new(link->loop, link_on_timer, link);
    bool refresh_schedule = refresh_schedule_init(
        &link->refresh_schedule, link->loop, link->store, &link->route, &link->announced,
        &link->compression, options->snapshot_always_ready, options->refresh_pause_ms);
    const struct rdb_channel_callbacks callbacks = {
        .on_begun = link_on_rdb_begun,
        .on_whole = link_on_rdb_whole,
        .on_failed = link_on_rdb_failed,
        .arg = link,
    };
    bool rdb_channel = rdb_channel_init(&link->two_channel.rdb_channel, link->loop, &link->route,
                                        &link->compression, &callbacks);
    struct snapshot_sources *sources = &link->refresh_schedule.sources;
    sources->setting = options->snapshot_source;
    sources->user = options->snapshot_source_user;
    sources->password = options->snapshot_source_password;
    sources->replicas = link->callbacks.snapshot_replicas;
    sources->arg = link->callbacks.arg;
    bool server_conn = server_conn_init(&link->server_conn);
    link->server_conn.route = &link->route;
    return server_conn && refresh_schedule && rdb_channel && link->timer != NULL;
}

struct link *link_open(struct loop *loop, struct store *store, const struct link_options *options,
                       const struct link_callbacks *callbacks)
{
    struct link *link = calloc(1, sizeof(*link));
    if (link == NULL)
        return NULL;
    link->loop = loop;
    link->store = store;
    state_machine_init(&link->machine, &link_kind, link);
    link->options = *options;
    if (options->rename_command != NULL) /* the settings have looked at it */
        CHECK(renames_parse(bytes_of(options->rename_command), &link->renames));
    link->callbacks = *callbacks;
    link->ack_tracker.rule = options->ack;
    connect_race_init(&link->race, loop, link_on_race, link_on_conn_event, link);
    link->route.proxy = options->proxy;
    parent_watch_init(&link->parent, loop, &link->route);
    link->parent.user = options->user;
    link->parent.password = options->password;
    link->opened_ms = clock_ms();
    link->is_unconfirmed = options->asks_sentinels;
    link->announced.fixed = options->announce_version;
    link->compression.wanted = options->compression;
    link->two_channel.is_wanted = options->rdb_channel;
    announced_version_recall(store, &link->announced);
    candidates_init(&link->candidates, &options->primary, options->prefer);
    static_assert(LINK_IDLE == 0, "a new link is idle");
    if (!link_prepare(link)) {
        link_close(&link);
        return NULL;
    }
    link_set_congestion(link, options->congestion);
    timer_arm(link->timer, 0);
    return link;
}

void link_close(struct link **link)
{
    struct link *it = *link;
    if (it == NULL)
        return;
    refresh_schedule_fini(&it->refresh_schedule);
    parent_watch_fini(&it->parent);
    connect_race_drop_all(&it->race);
    link_let_go(it);
    if (it->timer != NULL) {
        state_machine_enter(&it->machine, LINK_STOPPED, LOG_LEVEL_INFO, "close");
        timer_free(&it->timer);
    }
    rdb_channel_fini(&it->two_channel.rdb_channel);
    server_conn_fini(&it->server_conn);
    free(it);
    *link = NULL;
}

static bool link_follows(const struct link *link, const struct primary_address *primary)
{
    return primary_address_equal(link_primary(link), primary);
}

/* All that came from the primary before ends before the list of candidates is replaced: a
 * refresh would go on with the RDB of a history that parts from ours now, and the places of the
 * race are indices of the old list. */
static void link_switch(struct link *link, const struct primary_address *primary)
{
    log_info("upstream: told to follow %s:%" PRIu16, primary->host, primary->port);
    refresh_cancel(link->refresh_schedule.refresh, "the primary is another now");
    connect_race_drop_all(&link->race);
    link_let_go(link);
    link->old_history_since_ms = 0; /* that was said by the one before */
    link->failures = 0;
    if (link_state(link) != LINK_RETRYING && link_state(link) != LINK_IDLE)
        state_machine_enter(&link->machine, LINK_RETRYING, LOG_LEVEL_INFO,
                            "replicaof: told to follow another primary");
    link->trouble = (struct log_repeat){.count = 0}; /* that was with the one before */
    const struct primary_candidates list = {.count = 1, .at = {*primary}};
    candidates_init(&link->candidates, &list, link->options.prefer);
    link_tell_wait(link);
    timer_arm(link->timer, 0);
}

/* The address that is followed already is an answer, too, where another history waits to be
 * taken: an operator who names that server takes what it has (link_choice.c). */
void link_follow(struct link *link, const struct primary_address *primary)
{
    bool waits = link->candidates.waits_since_ms != 0 ||
                 (link->is_unconfirmed && link_state(link) == LINK_RETRYING);
    link->must_be_primary = false;
    link->is_unconfirmed = false;
    if (!link_follows(link, primary) || waits)
        link_switch(link, primary);
}

/* Sentinels say the same address again and again, which changes nothing. But the first answer of
 * one frees an attempt that was held until then, since nobody knew whether that server is the
 * primary. */
void link_follow_primary(struct link *link, const struct primary_address *primary)
{
    bool was_held = link->is_unconfirmed && link_state(link) == LINK_RETRYING;
    link->must_be_primary = true;
    link->is_unconfirmed = false;
    if (!link_follows(link, primary)) {
        link_switch(link, primary);
    } else if (was_held) {
        link->candidates.waits_since_ms = 0;
        link_retry(link);
    }
}

/* A silent server is not the first to be tried again, also where it was good: it may be behind
 * us, or hang. While we do not read, the silence is ours. A primary says something every few
 * seconds: PING in the stream, a newline while an RDB is made (docs/protocol.md 1.3, 3.2). */
static void link_check_silence(struct link *link)
{
    bool listens = link_state(link) == LINK_CONNECTING ||
                   (link->server_conn.conn != NULL && !link->server_conn.is_paused &&
                    link->two_channel.phase != TWO_CHANNEL_WAITING);
    int64_t limit_ms = link_silence_ms_max(link);
    if (!listens || clock_silence_ms(link->server_conn.last_io_ms) <= limit_ms)
        return;
    char why[LINK_WHY_MAX];
    const char *words = limit_ms == link->options.timeout_ms
                            ? "nothing came from the primary for repl-timeout"
                            : "it does not answer, and there are others to be asked";
    struct link_outcome outcome;
    link_fail(link, &outcome, "silent", link_at_step(link, words, why));
    outcome.stays = false;
    link_act(link, &outcome);
}

void link_tick(struct link *link)
{
    /* Also when nothing has moved: a primary gives up a replica that does not acknowledge for
     * its repl-timeout, and the first ACK after an RDB may have come too early (docs/protocol.md
     * 1.3, 2.2). */
    if (link_state(link) == LINK_STREAMING)
        link_acknowledge(link);
    if (link->two_channel.phase != TWO_CHANNEL_OFF)
        link_tick_two_channel(link);
    connect_race_tick(&link->race);
    link_check_silence(link);
    refresh_tick(link->refresh_schedule.refresh, link->options.timeout_ms);
    sync_progress_tick(&link->sync_progress, link_arriving(link), link->store,
                       link->server_conn.handshake.info.dataset_bytes, "full sync");
    link_consider_refresh(link);
    bool is_relay = link_state(link) == LINK_STREAMING && link->server_conn.handshake.info.is_relay;
    parent_watch_tick(&link->parent, is_relay ? link_primary(link) : NULL);
}

/* This turn's bytes are published by now. A GETACK is answered only here: an ACK must not name a
 * byte that a kill would lose. */
void link_turn_end(struct link *link)
{
    link_look_at_disk(link);
    if (link_state(link) == LINK_STREAMING)
        link_answer_getack(link);
    else if (link->two_channel.phase == TWO_CHANNEL_FLOWING)
        link_look_at_pause(link);
}
