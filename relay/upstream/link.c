/* SPDX-License-Identifier: MIT */
#include "relay/upstream/link.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "link_private.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/text.h"
#include "relay/net/loop.h"
#include "relay/store/store.h"

enum {
    REWIND_LOOK_MS = 100,   /* beside what the store tells */
    RDB_HELD_PAUSE_MS = 20, /* until files are freed */
};

static const struct backoff link_backoff = {.ms_min = 100, .ms_max = 5000};

/* Each costs the primary a fork, and all of its data once over the network; a relay serves from its disk. */
static const struct backoff full_backoff = {.ms_min = 1000, .ms_max = 5 * 60 * 1000};
static const struct backoff relay_full_backoff = {.ms_min = 500, .ms_max = 10 * 1000};

/* Where there are others to be asked. */
enum {
    CHOICE_ANSWER_MS =
        10 * 1000, /* to the name of its host, to connect, to each step of the handshake */
};

struct state_row {
    const char *name;
    unsigned next; /* states that may follow: TO() of each */
    void (*enter)(struct link *link);
    void (*on)(struct link *link, enum link_event event);
};

#define TO(state) (1u << LINK_##state)

static void enter_loading(struct link *link);
static void enter_rewinding(struct link *link);
static void on_idle(struct link *link, enum link_event event);
static void on_connecting(struct link *link, enum link_event event);
static void on_handshake(struct link *link, enum link_event event);
static void on_loading(struct link *link, enum link_event event);
static void on_rewinding(struct link *link, enum link_event event);
static void on_streaming(struct link *link, enum link_event event);
static void on_retrying(struct link *link, enum link_event event);
static void on_stopped(struct link *link, enum link_event event);

static const struct state_row states[] = {
    [LINK_IDLE] = {"idle", TO(CONNECTING) | TO(STOPPED), NULL, on_idle},
    [LINK_CONNECTING] = {"connecting", TO(HANDSHAKE) | TO(RETRYING) | TO(STOPPED),
                         link_begin_connecting, on_connecting},
    [LINK_HANDSHAKE] = {"handshake",
                        TO(LOADING) | TO(REWINDING) | TO(STREAMING) | TO(RETRYING) | TO(STOPPED),
                        NULL, on_handshake},
    [LINK_LOADING] = {"loading", TO(STREAMING) | TO(RETRYING) | TO(STOPPED), enter_loading,
                      on_loading},
    [LINK_REWINDING] = {"rewinding", TO(STREAMING) | TO(RETRYING) | TO(STOPPED), enter_rewinding,
                        on_rewinding},
    [LINK_STREAMING] = {"streaming", TO(RETRYING) | TO(STOPPED), link_begin_stream, on_streaming},
    [LINK_RETRYING] = {"retrying", TO(CONNECTING) | TO(STOPPED), NULL, on_retrying},
    [LINK_STOPPED] = {"stopped", 0, NULL, on_stopped},
};

const struct primary_address *link_primary(const struct link *link)
{
    static const struct primary_address nobody = {.host = "", .port = 0};
    const struct primary_address *current = candidates_current(&link->candidates);
    return current != NULL ? current : &nobody;
}

const char *link_user(const struct link *link)
{
    const char *user = link->options.user;
    return user != NULL && user[0] != '\0' ? user : "default";
}

/* A primary that cannot be had is told of when that begins, then summed up, and when it ends. */
static enum log_level level_of_change(struct link *link, enum link_state state, const char *cause,
                                      char sum[LOG_REPEAT_SUM_MAX])
{
    char reason[LINK_WHY_MAX + PRIMARY_HOST_MAX + 16];
    struct log_repeat *trouble = &link->trouble;
    const struct primary_address *primary = link_primary(link);
    sum[0] = '\0';
    switch (state) {
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

void link_enter(struct link *link, enum link_state state, const char *cause, ...)
{
    char text[LINK_WHY_MAX];
    va_list list;
    va_start(list, cause);
    vsnprintf(text, sizeof(text), cause, list);
    va_end(list);
    CHECK(states[link->state].next & 1u << state);
    char sum[LOG_REPEAT_SUM_MAX];
    log_at(level_of_change(link, state, text, sum),
           "upstream: link state=%s->%s primary=%s:%" PRIu16 "%s cause=%s",
           states[link->state].name, states[state].name, link_primary(link)->host,
           link_primary(link)->port, sum, text);
    timer_disarm(link->timer);
    link->state = state;
    if (states[state].enter != NULL)
        states[state].enter(link);
}

/* ------------------------------------------------------------------ failing and retrying */

/* Leaves whatever it is in the middle of; what has been received stays. */
static void let_go(struct link *link)
{
    stream_receiver_end(&link->stream_receiver);
    if (link->state == LINK_LOADING)
        store_abandon(link->store);
    if (link->state == LINK_STREAMING)
        link->down_since_ms = clock_ms();
    if (link->state == LINK_CONNECTING)
        connect_race_drop(&link->race, link->candidates.index);
    server_conn_close(&link->server_conn);
}

void link_note_full_failure(struct link *link)
{
    struct candidate *candidate = candidates_current_row(&link->candidates);
    candidate->full_failures++;
    bool forks = !link->server_conn.handshake.info.is_relay;
    int64_t pause_ms =
        backoff_ms(forks ? full_backoff : relay_full_backoff, candidate->full_failures);
    candidates_note_full_failure(&link->candidates, clock_ms(), pause_ms);
    bool is_news = (candidate->full_failures & (candidate->full_failures - 1)) == 0; /* 1, 2, 4 */
    log_at(is_news ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG,
           "upstream: full syncs with %s:%" PRIu16 " that came to nothing in a row: %u; %sthe next "
           "attempt at it is in %.1f s (REPLICAOF and a restart end the wait)",
           link_primary(link)->host, link_primary(link)->port, candidate->full_failures,
           forks ? "since each costs it a fork, " : "", (double)pause_ms / 1000);
}

/* Until the next turn. One that is of use is waited for; else all who may be asked are. */
static int64_t retry_delay_ms(struct link *link, bool is_of_use)
{
    int64_t now_ms = clock_ms();
    link->failures++;
    int64_t pause = backoff_ms(link_backoff, link->failures);
    int64_t full_pause =
        is_of_use ? candidates_current_row(&link->candidates)->full_not_before_ms - now_ms
                  : candidates_skip_backing_off(&link->candidates, now_ms);
    return full_pause > pause ? full_pause : pause;
}

/* One that was good is tried again first; after one that was of no use the next candidate is, at once,
 * and only when all were, there is a rest. */
static void leave(struct link *link, const char *cause, const char *why, bool is_of_use)
{
    /* A copy: `why` may be the connection's, which goes. */
    snprintf(link->last_error, sizeof(link->last_error), "%s: %s", cause, why);
    if (link->state == LINK_LOADING)
        link_note_full_failure(link);
    let_go(link);
    link_enter(link, LINK_RETRYING, "%s", link->last_error);
    const struct candidates_rule rule = link_rule(link);
    bool rests =
        is_of_use || candidates_pass(&link->candidates, &rule, connect_race_hanging(&link->race),
                                     clock_ms()) == CANDIDATES_REST;
    timer_arm(link->timer, rests ? retry_delay_ms(link, is_of_use) : 0);
    link_tell_wait(link);
    if (rests) /* last: it may tell us whom to follow */
        link->callbacks.on_lost(link->callbacks.arg);
}

void link_fail(struct link *link, const char *cause, const char *why)
{
    leave(link, cause, why, link->state == LINK_STREAMING);
}

void link_fail_store(struct link *link, const char *why)
{
    leave(link, "store", why, true);
}

/* In the handshake the reason names the command that was not answered. */
static const char *at_step(const struct link *link, const char *why, char out[LINK_WHY_MAX])
{
    bool is_handshake = link->state == LINK_HANDSHAKE;
    snprintf(out, LINK_WHY_MAX, "%s%s%s", why, is_handshake ? " after " : "",
             is_handshake ? handshake_step(&link->server_conn.handshake) : "");
    return out;
}

void link_fail_broken(struct link *link)
{
    char why[LINK_WHY_MAX];
    link_fail(link, "broken", at_step(link, conn_error(link->server_conn.conn), why));
}

static void on_retrying(struct link *link, enum link_event event)
{
    if (event == LINK_TIMER && !link_waits_for_room(link))
        link_enter(link, LINK_CONNECTING, "retry attempt=%u", link->failures + 1);
}

static void on_idle(struct link *link, enum link_event event)
{
    if (event == LINK_TIMER && candidates_current(&link->candidates) != NULL)
        link_enter(link, LINK_CONNECTING, "start");
}

static void on_stopped(struct link *link, enum link_event event)
{
    (void)link;
    (void)event;
}

/* ------------------------------------------------------------------ connecting and handshake */

static void on_conn_event(struct conn *conn, enum conn_event event, void *arg)
{
    (void)conn;
    struct link *link = arg;
    static const enum link_event events[] = {
        [CONN_EVENT_UP] = LINK_UP,
        [CONN_EVENT_READABLE] = LINK_READABLE,
        [CONN_EVENT_WRITABLE] = LINK_WRITABLE,
        [CONN_EVENT_DOWN] = LINK_DOWN,
    };
    states[link->state].on(link, events[event]);
}

static void on_timer(void *arg)
{
    struct link *link = arg;
    states[link->state].on(link, LINK_TIMER);
}

static void on_connecting(struct link *link, enum link_event event)
{
    CHECK(event == LINK_TIMER);
    link_look_at_race(link);
}

/* Handshake, loading and streaming differ in what they do with what has come. Up came before all three;
 * loading and streaming have a timer for their pauses, and take it themselves. */
static void on_server_conn(struct link *link, enum link_event event,
                           void (*take)(struct link *link))
{
    switch (event) {
    case LINK_READABLE:
        take(link);
        return;
    case LINK_WRITABLE:
        if (!server_conn_flush(&link->server_conn))
            link_fail_broken(link);
        return;
    case LINK_DOWN:
        if (link->state == LINK_LOADING)
            link_fail_cut_off(link, conn_error(link->server_conn.conn));
        else
            link_fail_broken(link);
        return;
    case LINK_UP:
    case LINK_TIMER:
        UNREACHABLE("no timer of theirs, and up came before");
    }
}

static void greet(struct link *link)
{
    link_greet(link);
    /* What came behind the reply in the same read. */
    if (link->state == LINK_LOADING || link->state == LINK_STREAMING)
        states[link->state].on(link, LINK_READABLE);
}

static void on_handshake(struct link *link, enum link_event event)
{
    on_server_conn(link, event, greet);
}

/* ------------------------------------------------------------------ rewinding */

static void enter_rewinding(struct link *link)
{
    connect_race_drop_all(&link->race);
    server_conn_pause(&link->server_conn, true);
    timer_arm(link->timer, REWIND_LOOK_MS);
}

/* What came behind the reply waits, in the connection and in the socket. */
static void look_at_rewind(struct link *link)
{
    timer_arm(link->timer, REWIND_LOOK_MS);
    link_rewind(link);
    if (link->state != LINK_STREAMING)
        return;
    server_conn_pause(&link->server_conn, false);
    states[link->state].on(link, LINK_READABLE);
}

static void on_rewinding(struct link *link, enum link_event event)
{
    if (event == LINK_TIMER)
        look_at_rewind(link);
    else
        on_server_conn(link, event, look_at_rewind);
}

void link_look(struct link *link)
{
    if (link->state == LINK_REWINDING &&
        history_cut(store_current(link->store)) != HISTORY_CUT_PENDING)
        timer_arm(link->timer, 0); /* what comes then is published by the end of that turn */
}

/* ------------------------------------------------------------------ loading */

static void enter_loading(struct link *link)
{
    connect_race_drop_all(&link->race);
}

/* After an end mark the primary holds the stream back until we acknowledge: at once, and every second
 * again (link_tick), since one that comes too early is lost (docs/protocol.md 2.2). */
static void finish_loading(struct link *link, struct text *why)
{
    if (!store_promote(link->store, why)) {
        link->callbacks.on_news(LINK_NEWS_WITHDRAWN, link->callbacks.arg);
        link_fail(link, "rdb", text_string(why));
        return;
    }
    link->must_start_anew = false;
    link->stream_heard_ms = clock_ms();
    candidates_current_row(&link->candidates)->full_failures = 0;
    link->announced.tried = link->server_conn.handshake.terms.announce_version;
    struct history *history = store_current(link->store);
    const struct snapshot *snapshot = history_snapshot(history);
    link->callbacks.on_news(LINK_NEWS_REPLACED, link->callbacks.arg);
    link_enter(link, LINK_STREAMING, "rdb_complete bytes=%" PRIu64 " proof=%s",
               snapshot_received(snapshot),
               snapshot_is_verified(snapshot) ? "crc64" : "length_and_mark");
    if (rdb_receiver_had_mark(&link->rdb_receiver))
        link_acknowledge(link);
    if (link->state == LINK_STREAMING)
        on_streaming(link, LINK_READABLE);
}

static void load(struct link *link)
{
    struct server_conn *server_conn = &link->server_conn;
    struct text why;
    text_init(&why, LINK_WHY_MAX);
    bool receives = server_conn->pending.length == 0 && !snapshot_owes(link->rdb_receiver.snapshot);
    if (receives && !server_conn_receive(server_conn, &why)) {
        link_fail_cut_off(link, text_string(&why));
    } else {
        switch (rdb_receiver_feed(&link->rdb_receiver, &server_conn->pending, &why)) {
        case RDB_RECEIVER_MORE:
            break;
        case RDB_RECEIVER_HELD:
            server_conn_pause(&link->server_conn, true);
            timer_arm(link->timer, RDB_HELD_PAUSE_MS);
            break;
        case RDB_RECEIVER_DONE:
            finish_loading(link, &why);
            break;
        case RDB_RECEIVER_FAILED:
            link_fail(link, "rdb", text_string(&why));
            break;
        }
    }
    text_fini(&why);
}

static void on_loading(struct link *link, enum link_event event)
{
    if (event == LINK_TIMER) { /* the pause is over */
        server_conn_pause(&link->server_conn, false);
        load(link);
    } else {
        on_server_conn(link, event, load);
    }
}

static void on_streaming(struct link *link, enum link_event event)
{
    if (event == LINK_TIMER) /* the pause is over */
        link_take_stream(link);
    else
        on_server_conn(link, event, link_take_stream);
}

/* ------------------------------------------------------------------ opened, told, ticked */

void link_set_tls(struct link *link, struct tls_context *tls)
{
    link->server_conn.tls = tls;
    refresh_set_tls(link->refresh_schedule.refresh, tls);
    link->parent.tls = tls;
}

void link_set_credentials(struct link *link, const char *user, const char *password)
{
    link->options.user = user;
    link->options.password = password;
    server_conn_set_credentials(&link->server_conn, user, password);
    refresh_set_credentials(link->refresh_schedule.refresh, user, password);
    link->parent.user = user;
    link->parent.password = password;
}

static bool prepare(struct link *link)
{
    const struct link_options *options = &link->options;
    link->timer = timer_new(link->loop, on_timer, link);
    bool refresh_schedule =
        refresh_schedule_init(&link->refresh_schedule, link->loop, link->store, &link->announced,
                              options->snapshot_always_ready, options->refresh_pause_ms);
    return server_conn_init(&link->server_conn) && refresh_schedule && link->timer != NULL;
}

struct link *link_open(struct loop *loop, struct store *store, const struct link_options *options,
                       const struct link_callbacks *callbacks)
{
    struct link *link = calloc(1, sizeof(*link));
    if (link == NULL)
        return NULL;
    link->loop = loop;
    link->store = store;
    link->options = *options;
    if (options->rename_command != NULL) /* the settings have looked at it */
        CHECK(renames_parse(bytes_of(options->rename_command), &link->renames));
    link->callbacks = *callbacks;
    link->ack_tracker.rule = options->ack;
    connect_race_init(&link->race, loop, link_on_race, on_conn_event, link);
    parent_watch_init(&link->parent, loop);
    link->parent.user = options->user;
    link->parent.password = options->password;
    link->opened_ms = clock_ms();
    link->is_unconfirmed = options->asks_sentinels;
    link->announced.fixed = options->announce_version;
    announced_version_recall(store, &link->announced);
    candidates_init(&link->candidates, &options->primary);
    static_assert(LINK_IDLE == 0, "a new link is idle");
    if (!prepare(link)) {
        link_close(&link);
        return NULL;
    }
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
    let_go(it);
    if (it->timer != NULL) {
        link_enter(it, LINK_STOPPED, "close");
        timer_free(&it->timer);
    }
    server_conn_fini(&it->server_conn);
    free(it);
    *link = NULL;
}

static bool follows(const struct link *link, const struct primary_address *primary)
{
    const struct primary_address *current = link_primary(link);
    return strcmp(current->host, primary->host) == 0 && current->port == primary->port;
}

static void follow(struct link *link, const struct primary_address *primary)
{
    log_info("upstream: told to follow %s:%" PRIu16, primary->host, primary->port);
    refresh_cancel(link->refresh_schedule.refresh, "the primary is another now");
    connect_race_drop_all(&link->race);
    let_go(link);
    link->old_history_since_ms = 0; /* that was said by the one before */
    link->failures = 0;
    if (link->state != LINK_RETRYING && link->state != LINK_IDLE)
        link_enter(link, LINK_RETRYING, "replicaof: told to follow another primary");
    link->trouble = (struct log_repeat){.count = 0}; /* that was with the one before */
    const struct primary_candidates list = {.count = 1, .at = {*primary}};
    candidates_init(&link->candidates, &list);
    link_tell_wait(link);
    timer_arm(link->timer, 0);
}

void link_follow(struct link *link, const struct primary_address *primary)
{
    bool waits = link->candidates.waits_since_ms != 0 ||
                 (link->is_unconfirmed && link->state == LINK_RETRYING);
    link->must_be_primary = false;
    link->is_unconfirmed = false;
    if (!follows(link, primary) || waits)
        follow(link, primary);
}

void link_follow_primary(struct link *link, const struct primary_address *primary)
{
    bool was_held = link->is_unconfirmed && link->state == LINK_RETRYING;
    link->must_be_primary = true;
    link->is_unconfirmed = false;
    if (!follows(link, primary)) {
        follow(link, primary);
    } else if (was_held) {
        link->candidates.waits_since_ms = 0;
        link_retry(link);
    }
}

void link_retry(struct link *link)
{
    link->failures = 0;
    candidates_forget_full_failures(&link->candidates);
    if (link->state == LINK_RETRYING)
        timer_arm(link->timer, 0);
}

void link_set_ack(struct link *link, struct ack_rule rule)
{
    link->ack_tracker.rule = rule;
}

void link_change(struct link *link, const struct link_options *options)
{
    link_set_ack(link, options->ack);
    link->options.timeout_ms = options->timeout_ms;
    link->options.failover_grace_ms = options->failover_grace_ms;
    link->announced.fixed = options->announce_version;
    link->refresh_schedule.always_ready = options->snapshot_always_ready;
    link->refresh_schedule.pause_ms = options->refresh_pause_ms;
}

struct ack_rule link_ack(const struct link *link)
{
    return link->ack_tracker.rule;
}

void link_set_run_id(struct link *link, const char *run_id)
{
    link->run_id = run_id;
}

void link_consider_refresh(struct link *link)
{
    if (link->state != LINK_STREAMING)
        return;
    struct handshake_terms terms = link_terms(link);
    refresh_schedule_consider(&link->refresh_schedule, link_primary(link), &terms);
}

void link_refresh(struct link *link)
{
    refresh_schedule_wish(&link->refresh_schedule);
    link_consider_refresh(link);
}

const char *link_refresh_now(struct link *link)
{
    if (link->state != LINK_STREAMING)
        return link->state == LINK_LOADING ? "one is being received, with a new history"
                                           : "there is no stream from the primary";
    struct handshake_terms terms = link_terms(link);
    return refresh_schedule_demand(&link->refresh_schedule, link_primary(link), &terms)
               ? NULL
               : "one is being fetched already";
}

/* Where there are others, one that does not answer does not keep us from them for repl-timeout. */
static int64_t silence_ms_max(const struct link *link)
{
    bool is_asked = link->state == LINK_CONNECTING || link->state == LINK_HANDSHAKE;
    int64_t limit_ms = link->options.timeout_ms;
    if (is_asked && candidates_have_choice(&link->candidates) && limit_ms > CHOICE_ANSWER_MS)
        limit_ms = CHOICE_ANSWER_MS;
    return limit_ms;
}

void link_tick(struct link *link)
{
    if (link->state == LINK_STREAMING)
        link_acknowledge(link);
    bool listens = link->state == LINK_CONNECTING ||
                   (link->server_conn.conn != NULL && !link->server_conn.is_paused);
    connect_race_tick(&link->race);
    /* Also one that was good is not asked again first: it may be behind us, or hang. */
    char why[LINK_WHY_MAX];
    int64_t limit_ms = silence_ms_max(link);
    const char *words = limit_ms == link->options.timeout_ms
                            ? "nothing came from the primary for repl-timeout"
                            : "it does not answer, and there are others to be asked";
    if (listens && clock_silence_ms(link->server_conn.last_io_ms) > limit_ms)
        leave(link, "silent", at_step(link, words, why), false);
    refresh_tick(link->refresh_schedule.refresh, link->options.timeout_ms);
    link_consider_refresh(link);
    bool is_relay = link->state == LINK_STREAMING && link->server_conn.handshake.info.is_relay;
    parent_watch_tick(&link->parent, is_relay ? link_primary(link) : NULL);
}

const char *link_state_name(const struct link *link)
{
    return states[link->state].name;
}
