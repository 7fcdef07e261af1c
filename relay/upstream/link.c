/* SPDX-License-Identifier: MIT */
#include "relay/upstream/link.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "delivery.h"
#include "dialog.h"
#include "fetch.h"
#include "intake.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/text.h"
#include "relay/net/loop.h"
#include "relay/store/store.h"

enum {
    WHY_MAX = 512,
    NO_SPACE_PAUSE_MS = 1000,
    HELD_PAUSE_MS = 5,
};

static const struct backoff link_backoff = {.ms_min = 100, .ms_max = 5000};
static const struct backoff fetch_backoff = {.ms_min = 1000, .ms_max = 30000};

/* Events reach the state's handler; CONN_EVENT_* of the connection and our own timer. */
enum link_event { LINK_UP, LINK_READABLE, LINK_WRITABLE, LINK_DOWN, LINK_TIMER };

struct link {
    struct loop *loop;
    struct store *store;
    struct link_options options; /* its strings point into the fields below, or to the caller's */
    char host[LINK_HOST_MAX];
    link_news_fn *fn;
    void *arg;
    enum link_state state;
    struct timer *timer;
    struct dialog dialog;
    struct delivery delivery; /* loading */
    struct intake intake;     /* streaming */
    struct fetch *fetch;
    bool refresh_wanted;   /* somebody waits for a snapshot */
    bool must_start_anew;  /* the store could not cut the history: only a full sync helps */
    unsigned failures;     /* since the stream flowed last */
    uint64_t began_offset; /* the boundary when streaming began */
    uint64_t acknowledged;
    int64_t down_since_ms;
    int64_t up_since_ms;
    uint64_t full_syncs;
    uint64_t partial_syncs;
    uint64_t attempts;
    char last_error[WHY_MAX];
};

struct state_row {
    const char *name;
    unsigned next; /* states that may follow: TO() of each */
    void (*enter)(struct link *link);
    void (*on)(struct link *link, enum link_event event);
};

#define TO(state) (1u << LINK_##state)

static void enter_connecting(struct link *link);
static void enter_streaming(struct link *link);
static void enter_resting(struct link *link);
static void on_idle(struct link *link, enum link_event event);
static void on_connecting(struct link *link, enum link_event event);
static void on_greeting(struct link *link, enum link_event event);
static void on_loading(struct link *link, enum link_event event);
static void on_streaming(struct link *link, enum link_event event);
static void on_resting(struct link *link, enum link_event event);
static void on_stopped(struct link *link, enum link_event event);

static const struct state_row states[] = {
    [LINK_IDLE] = {"idle", TO(CONNECTING) | TO(STOPPED), NULL, on_idle},
    [LINK_CONNECTING] = {"connecting", TO(GREETING) | TO(RESTING) | TO(STOPPED), enter_connecting,
                         on_connecting},
    [LINK_GREETING] = {"greeting", TO(LOADING) | TO(STREAMING) | TO(RESTING) | TO(STOPPED), NULL,
                       on_greeting},
    [LINK_LOADING] = {"loading", TO(STREAMING) | TO(RESTING) | TO(STOPPED), NULL, on_loading},
    [LINK_STREAMING] = {"streaming", TO(RESTING) | TO(STOPPED), enter_streaming, on_streaming},
    [LINK_RESTING] = {"resting", TO(CONNECTING) | TO(STOPPED), enter_resting, on_resting},
    [LINK_STOPPED] = {"stopped", 0, NULL, on_stopped},
};

/* The only place where the state changes. `cause` ends the log line: a word, then what belongs to it. */
static void PRINTF_LIKE(3, 4)
    link_enter(struct link *link, enum link_state state, const char *cause, ...)
{
    char text[WHY_MAX];
    va_list list;
    va_start(list, cause);
    vsnprintf(text, sizeof(text), cause, list);
    va_end(list);
    CHECK(states[link->state].next & 1u << state);
    log_at(state == LINK_RESTING ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
           "upstream: link state=%s->%s origin=%s:%" PRIu16 " cause=%s", states[link->state].name,
           states[state].name, link->host, link->options.port, text);
    timer_disarm(link->timer);
    link->state = state;
    if (states[state].enter != NULL)
        states[state].enter(link);
}

/* ------------------------------------------------------------------ failing and resting */

/* Leaves whatever it is in the middle of; what has been received stays. */
static void let_go(struct link *link)
{
    intake_end(&link->intake);
    if (link->state == LINK_LOADING)
        store_abandon(link->store);
    if (link->state == LINK_STREAMING)
        link->down_since_ms = clock_ms();
    dialog_close(&link->dialog);
}

static void fail(struct link *link, const char *cause, const char *why)
{
    /* A copy: `why` may be the connection's, which goes. */
    snprintf(link->last_error, sizeof(link->last_error), "%s: %s", cause, why);
    let_go(link);
    link_enter(link, LINK_RESTING, "%s", link->last_error);
}

static void fail_broken(struct link *link)
{
    fail(link, "broken", conn_error(link->dialog.conn));
}

static void enter_resting(struct link *link)
{
    link->failures++;
    timer_arm(link->timer, backoff_ms(link_backoff, link->failures));
}

static void on_resting(struct link *link, enum link_event event)
{
    if (event == LINK_TIMER)
        link_enter(link, LINK_CONNECTING, "retry attempt=%u", link->failures + 1);
}

static void on_idle(struct link *link, enum link_event event)
{
    if (event == LINK_TIMER)
        link_enter(link, LINK_CONNECTING, "start");
}

static void on_stopped(struct link *link, enum link_event event)
{
    (void)link;
    (void)event;
}

/* ------------------------------------------------------------------ connecting and greeting */

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

static void enter_connecting(struct link *link)
{
    link->attempts++;
    if (!dialog_open(&link->dialog, link->loop, link->host, link->options.port, on_conn_event,
                     link))
        timer_arm(link->timer, 0);
}

/* Who we are; and to continue where the last complete command of the current history ends, if the
 * window still holds that place. */
static struct greeting_terms terms_of(const struct link *link)
{
    struct greeting_terms terms = {
        .user = link->options.user,
        .password = link->options.password,
        .announce_ip = link->options.announce_ip,
        .announce_port = link->options.announce_port,
    };
    struct history *history = store_current(link->store);
    if (history != NULL && !link->must_start_anew &&
        history_boundary(history) >= backlog_first(history_backlog(history))) {
        terms.has_history = true;
        terms.replid = history_identity(history)->replid;
        terms.offset = history_boundary(history);
    }
    return terms;
}

static void on_connecting(struct link *link, enum link_event event)
{
    switch (event) {
    case LINK_UP:
        link_enter(link, LINK_GREETING, "connected");
        struct greeting_terms terms = terms_of(link);
        dialog_greet(&link->dialog, &terms);
        if (!dialog_flush(&link->dialog))
            fail_broken(link);
        return;
    case LINK_DOWN:
        fail(link, "unreachable", conn_error(link->dialog.conn));
        return;
    case LINK_TIMER:
        fail(link, "unreachable", "memory is out");
        return;
    case LINK_READABLE:
    case LINK_WRITABLE:
        UNREACHABLE("nothing is wanted of a connection that is not up");
    }
}

static void begin_full_sync(struct link *link, const struct psync_reply *reply)
{
    struct text why;
    text_init(&why, WHY_MAX);
    link->full_syncs++;
    fetch_cancel(link->fetch, "a full sync begins on the link");
    struct history *history = store_begin_history(link->store, &reply->replid, reply->offset, &why);
    if (history == NULL) {
        fail(link, "store", text_string(&why));
    } else {
        delivery_begin(&link->delivery, history_arriving_snapshot(history));
        link_enter(link, LINK_LOADING, "fullresync replid=%s offset=%" PRIu64, reply->replid.hex,
                   reply->offset);
    }
    text_fini(&why);
}

/* The same bytes go on under another id: another server is the primary now. What we hold beyond the
 * boundary was the beginning of a command that it may not have, and a snapshot that is being fetched
 * comes from the one before it. */
static bool adopt_id(struct link *link, const struct replid *replid, struct text *why)
{
    struct history *history = store_current(link->store);
    uint64_t boundary = history_boundary(history);
    log_info("upstream: replication id %s goes on as %s from offset %" PRIu64,
             history_identity(history)->replid.hex, replid->hex, boundary);
    fetch_cancel(link->fetch, "another server is the primary");
    if (boundary < backlog_end(history_backlog(history)) &&
        !history_rewind(history, boundary, why)) {
        link->must_start_anew = true;
        return false;
    }
    if (!history_rename(history, replid, why))
        return false;
    link->fn(LINK_NEWS_RENAMED, link->arg);
    return true;
}

static void continue_stream(struct link *link, const struct psync_reply *reply)
{
    struct text why;
    text_init(&why, WHY_MAX);
    struct history *history = store_current(link->store);
    const struct replid *ours = &history_identity(history)->replid;
    bool renamed = reply->has_replid && !replid_equal(&reply->replid, ours);
    if (renamed && !adopt_id(link, &reply->replid, &why)) {
        fail(link, "store", text_string(&why));
    } else {
        link->partial_syncs++;
        link_enter(link, LINK_STREAMING, "continue replid=%s offset=%" PRIu64 "%s", ours->hex,
                   history_boundary(history), renamed ? " (a new id)" : "");
    }
    text_fini(&why);
}

static void act_on_reply(struct link *link)
{
    /* A copy: the state that follows may overwrite the greeting's. */
    const struct psync_reply reply = link->dialog.greeting.reply;
    if (reply.verdict == PSYNC_FULLRESYNC)
        begin_full_sync(link, &reply);
    else
        continue_stream(link, &reply);
}

static void greet(struct link *link)
{
    struct dialog *dialog = &link->dialog;
    struct text why;
    text_init(&why, WHY_MAX);
    if (!dialog_receive(dialog, &why)) {
        fail(link, "broken", text_string(&why));
    } else if (dialog->pending.length > 0) {
        switch (greeting_feed(&dialog->greeting, &dialog->pending, &dialog->out)) {
        case GREETING_MORE:
            if (!dialog_flush(dialog))
                fail_broken(link);
            break;
        case GREETING_DONE:
            act_on_reply(link);
            /* What came behind the reply in the same read. */
            if (link->state == LINK_LOADING || link->state == LINK_STREAMING)
                states[link->state].on(link, LINK_READABLE);
            break;
        case GREETING_FAILED:
            fail(link, "refused", dialog->greeting.error);
            break;
        }
    }
    text_fini(&why);
}

static void on_greeting(struct link *link, enum link_event event)
{
    switch (event) {
    case LINK_READABLE:
        greet(link);
        return;
    case LINK_WRITABLE:
        if (!dialog_flush(&link->dialog))
            fail_broken(link);
        return;
    case LINK_DOWN:
        fail_broken(link);
        return;
    case LINK_UP:
    case LINK_TIMER:
        UNREACHABLE("greeting has no timer, and up came before it");
    }
}

/* ------------------------------------------------------------------ loading */

static void acknowledge(struct link *link)
{
    uint64_t offset = history_boundary(store_current(link->store));
    if (!dialog_acknowledge(&link->dialog, offset))
        fail_broken(link);
    else
        link->acknowledged = offset;
}

/* After an end mark the origin holds the stream back until we acknowledge: at once, and every second
 * again (link_tick), since one that comes too early is lost (protocol 2.2). */
static void finish_loading(struct link *link, struct text *why)
{
    if (!store_promote(link->store, why)) {
        fail(link, "rdb", text_string(why));
        return;
    }
    link->must_start_anew = false;
    struct history *history = store_current(link->store);
    const struct snapshot *snapshot = history_snapshot(history);
    link->fn(LINK_NEWS_REPLACED, link->arg);
    link_enter(link, LINK_STREAMING, "rdb_complete bytes=%" PRIu64 " proof=%s",
               snapshot_received(snapshot),
               snapshot_is_verified(snapshot) ? "crc64" : "length_and_mark");
    if (delivery_had_mark(&link->delivery))
        acknowledge(link);
    if (link->state == LINK_STREAMING)
        on_streaming(link, LINK_READABLE);
}

static void load(struct link *link)
{
    struct dialog *dialog = &link->dialog;
    struct text why;
    text_init(&why, WHY_MAX);
    if (dialog->pending.length == 0 && !dialog_receive(dialog, &why)) {
        fail(link, "broken", text_string(&why));
    } else {
        switch (delivery_feed(&link->delivery, &dialog->pending, &why)) {
        case DELIVERY_MORE:
            break;
        case DELIVERY_DONE:
            finish_loading(link, &why);
            break;
        case DELIVERY_FAILED:
            fail(link, "rdb", text_string(&why));
            break;
        }
    }
    text_fini(&why);
}

static void on_loading(struct link *link, enum link_event event)
{
    switch (event) {
    case LINK_READABLE:
        load(link);
        return;
    case LINK_WRITABLE:
        if (!dialog_flush(&link->dialog))
            fail_broken(link);
        return;
    case LINK_DOWN:
        fail_broken(link);
        return;
    case LINK_UP:
    case LINK_TIMER:
        UNREACHABLE("loading has no timer, and up came before it");
    }
}

/* ------------------------------------------------------------------ streaming */

static void enter_streaming(struct link *link)
{
    link->began_offset = history_boundary(store_current(link->store));
    link->up_since_ms = clock_ms();
    link->last_error[0] = '\0';
    intake_begin(&link->intake, store_current(link->store), link->dialog.buffer, DIALOG_BUFFER);
}

/* Stops reading for a moment: the stream waits in the origin's buffer, what is held is served on. */
static void pause_reading(struct link *link, enum intake_result result)
{
    if (result == INTAKE_NO_SPACE && !link->dialog.is_resting)
        log_warnx(
            "upstream: the store has no room for more: not reading from the origin until it has; "
            "what is held is still served");
    dialog_rest(&link->dialog, true);
    timer_arm(link->timer, result == INTAKE_HELD ? HELD_PAUSE_MS : NO_SPACE_PAUSE_MS);
}

/* Not before something came that was good, or an origin that sends the same nonsense each time would
 * be asked for it without a rest. */
static void note_flow(struct link *link)
{
    if (history_boundary(store_current(link->store)) > link->began_offset)
        link->failures = 0;
}

static void take_stream(struct link *link)
{
    struct dialog *dialog = &link->dialog;
    struct text why;
    text_init(&why, WHY_MAX);
    enum intake_result result = INTAKE_OK;
    if (dialog->pending.length > 0)
        result = intake_feed(&link->intake, &dialog->pending, &why);
    if (result == INTAKE_OK)
        result = intake_receive(&link->intake, dialog->conn, &why);
    switch (result) {
    case INTAKE_OK:
        dialog->last_io_ms = clock_ms();
        note_flow(link);
        if (dialog->is_resting)
            dialog_rest(dialog, false);
        break;
    case INTAKE_NO_SPACE:
    case INTAKE_HELD:
        pause_reading(link, result);
        break;
    case INTAKE_END:
        fail(link, "broken", text_string(&why));
        break;
    case INTAKE_REWOUND:
        fetch_cancel(link->fetch, "the end of the history was cut off");
        link->fn(LINK_NEWS_REWOUND, link->arg);
        fail(link, "rewound", text_string(&why));
        break;
    case INTAKE_LOST:
        fetch_cancel(link->fetch, "the history cannot go on");
        link->must_start_anew = true;
        fail(link, "store", text_string(&why));
        break;
    case INTAKE_BROKEN:
        fail(link, "stream", text_string(&why));
        break;
    }
    text_fini(&why);
}

static void on_streaming(struct link *link, enum link_event event)
{
    switch (event) {
    case LINK_READABLE:
    case LINK_TIMER: /* the pause is over */
        take_stream(link);
        return;
    case LINK_WRITABLE:
        if (!dialog_flush(&link->dialog))
            fail_broken(link);
        return;
    case LINK_DOWN:
        fail_broken(link);
        return;
    case LINK_UP:
        UNREACHABLE("up came before");
    }
}

/* ------------------------------------------------------------------ opened, told, ticked */

void link_set_tls(struct link *link, struct tls_context *tls)
{
    link->dialog.tls = tls;
    fetch_set_tls(link->fetch, tls);
}

static bool prepare(struct link *link)
{
    link->timer = timer_new(link->loop, on_timer, link);
    link->fetch = fetch_new(link->loop, link->store);
    return dialog_init(&link->dialog) && link->timer != NULL && link->fetch != NULL;
}

struct link *link_open(struct loop *loop, struct store *store, const struct link_options *options,
                       link_news_fn *fn, void *arg)
{
    struct link *link = calloc(1, sizeof(*link));
    if (link == NULL)
        return NULL;
    link->loop = loop;
    link->store = store;
    link->options = *options;
    snprintf(link->host, sizeof(link->host), "%s", options->host);
    link->fn = fn;
    link->arg = arg;
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
    fetch_free(&it->fetch);
    let_go(it);
    if (it->timer != NULL) {
        link_enter(it, LINK_STOPPED, "close");
        timer_free(&it->timer);
    }
    dialog_fini(&it->dialog);
    free(it);
    *link = NULL;
}

void link_point_at(struct link *link, const char *host, uint16_t port)
{
    fetch_cancel(link->fetch, "the origin is another now");
    snprintf(link->host, sizeof(link->host), "%s", host);
    link->options.port = port;
    link->failures = 0;
    if (link->state == LINK_RESTING || link->state == LINK_IDLE)
        timer_arm(link->timer, 0);
    else
        fail(link, "replicaof", "told to follow another origin");
}

static bool somebody_needs_a_snapshot(const struct link *link)
{
    struct history *history = store_current(link->store);
    return link->refresh_wanted && history != NULL && history_usable_snapshot(history) == NULL;
}

/* Starts a fetch if one is due, and it is not too soon after the one before. */
static void refresh(struct link *link, const char *cause)
{
    if (link->state != LINK_STREAMING || fetch_is_busy(link->fetch))
        return;
    bool needed = somebody_needs_a_snapshot(link);
    if (!needed)
        link->refresh_wanted = false;
    if (!needed && !(link->options.snapshot_always_ready && store_snapshot_is_due(link->store)))
        return;
    int64_t pause = backoff_ms(fetch_backoff, fetch_failures(link->fetch));
    if (!needed && pause < link->options.refresh_pause_ms)
        pause = link->options.refresh_pause_ms;
    int64_t started = fetch_started_ms(link->fetch);
    if (started != 0 && clock_ms() - started < pause)
        return;
    struct greeting_terms terms = terms_of(link);
    fetch_start(link->fetch, link->host, link->options.port, &terms,
                needed ? cause : "the window leaves the old one behind");
}

void link_refresh(struct link *link, const char *cause)
{
    link->refresh_wanted = true;
    refresh(link, cause);
}

void link_turn_end(struct link *link)
{
    if (link->state == LINK_STREAMING && intake_take_getack(&link->intake))
        acknowledge(link);
}

void link_tick(struct link *link)
{
    if (link->state == LINK_STREAMING)
        acknowledge(link);
    bool listens = link->dialog.conn != NULL && !link->dialog.is_resting;
    if (listens && clock_ms() - link->dialog.last_io_ms > link->options.timeout_ms)
        fail(link, "silent", "nothing came from the origin for repl-timeout");
    fetch_tick(link->fetch, link->options.timeout_ms);
    refresh(link, "a replica waits for it");
}

void link_status(const struct link *link, struct link_status *out)
{
    const struct payload *payload = &link->delivery.payload;
    const struct greeting *greeting = &link->dialog.greeting;
    bool loading = link->state == LINK_LOADING;
    *out = (struct link_status){
        .host = link->host,
        .port = link->options.port,
        .state = link->state,
        .state_name = states[link->state].name,
        .is_up = link->state == LINK_STREAMING,
        .sync_in_progress = loading,
        .sync_total_bytes = loading && payload->has_length ? payload->length : 0,
        .sync_read_bytes = loading ? payload->received : 0,
        .last_io_ms = link->dialog.last_io_ms,
        .down_since_ms = link->down_since_ms,
        .up_since_ms = link->up_since_ms,
        .received_bytes = dialog_received(&link->dialog),
        .acknowledged = link->acknowledged,
        .full_syncs = link->full_syncs,
        .partial_syncs = link->partial_syncs,
        .attempts = link->attempts,
        .refreshes = fetch_count(link->fetch),
        .last_error = link->last_error,
        .server_version = greeting->server_version,
        .valkey_version = greeting->valkey_version,
    };
}
