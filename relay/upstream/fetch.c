/* SPDX-License-Identifier: MIT */
#include "fetch.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "announced_version.h"
#include "cut_off.h"
#include "delivery.h"
#include "dialog.h"
#include "origin_choice.h"
#include "refresh_note.h"
#include "refresh_pace.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/log_repeat.h"
#include "relay/base/text.h"
#include "relay/store/store.h"

enum { WHY_MAX = 512 };

enum fetch_state { FETCH_IDLE, FETCH_CONNECTING, FETCH_GREETING, FETCH_LOADING };

struct fetch {
    struct loop *loop;
    struct store *store;
    struct tls_context *tls;
    struct announced_version *announced;
    enum fetch_state state;
    struct dialog dialog;
    struct delivery delivery;
    struct greeting_terms terms;
    struct refresh_pace pace;
    int64_t loading_ms; /* when the RDB began to come */
    uint64_t count;
    uint64_t failures_total;
    struct log_repeat trouble;         /* none comes whole */
    struct link_refresh_outrun outrun; /* of the last one that came whole */
    size_t report_count;
    struct link_refresh_report reports[LINK_REFRESHES_KEPT]; /* the newest first */
    bool lacks_room; /* `error` is about the disk, and nothing was tried */
    char error[WHY_MAX];
};

static conn_event_fn on_event;

#define TO(state) (1u << FETCH_##state)

static const struct state_row {
    const char *name;
    unsigned next;
} states[] = {
    [FETCH_IDLE] = {"idle", TO(CONNECTING)},
    [FETCH_CONNECTING] = {"connecting", TO(GREETING) | TO(IDLE)},
    [FETCH_GREETING] = {"greeting", TO(LOADING) | TO(IDLE)},
    [FETCH_LOADING] = {"loading", TO(IDLE)},
};

/* What fails is told when that begins, then summed up; it is over when an RDB has come whole. */
static enum log_level level_of_change(struct fetch *fetch, enum fetch_state state,
                                      enum log_level level, const char *cause,
                                      char sum[LOG_REPEAT_SUM_MAX])
{
    struct log_repeat *trouble = &fetch->trouble;
    sum[0] = '\0';
    if (level > LOG_LEVEL_INFO)
        return log_repeat_note(trouble, cause, clock_ms(), sum) ? level : LOG_LEVEL_DEBUG;
    bool is_begin = state == FETCH_CONNECTING || state == FETCH_GREETING;
    return is_begin && log_repeat_goes_on(trouble) ? LOG_LEVEL_DEBUG : level;
}

/* The only place where the state changes. */
static void PRINTF_LIKE(4, 5) fetch_enter(struct fetch *fetch, enum fetch_state state,
                                          enum log_level level, const char *cause, ...)
{
    char text[WHY_MAX];
    va_list list;
    va_start(list, cause);
    vsnprintf(text, sizeof(text), cause, list);
    va_end(list);
    CHECK(states[fetch->state].next & 1u << state);
    char sum[LOG_REPEAT_SUM_MAX];
    log_at(level_of_change(fetch, state, level, text, sum),
           "upstream: snapshot fetch state=%s->%s%s cause=%s", states[fetch->state].name,
           states[state].name, sum, text);
    fetch->state = state;
}

struct fetch *fetch_new(struct loop *loop, struct store *store, struct announced_version *announced)
{
    struct fetch *fetch = calloc(1, sizeof(*fetch));
    if (fetch == NULL)
        return NULL;
    fetch->loop = loop;
    fetch->store = store;
    fetch->announced = announced;
    refresh_note_recall(store, &fetch->pace);
    return fetch;
}

void fetch_free(struct fetch **fetch)
{
    if (*fetch == NULL)
        return;
    fetch_cancel(*fetch, "the relay stops");
    free(*fetch);
    *fetch = NULL;
}

bool fetch_is_busy(const struct fetch *fetch)
{
    return fetch->state != FETCH_IDLE;
}

int64_t fetch_next_ms(const struct fetch *fetch, bool somebody_waits, int64_t interval_ms)
{
    return refresh_pace_next_ms(&fetch->pace, somebody_waits, interval_ms);
}

static void note_begin(struct fetch *fetch, const char *cause)
{
    memmove(fetch->reports + 1, fetch->reports, sizeof(fetch->reports) - sizeof(fetch->reports[0]));
    fetch->reports[0] =
        (struct link_refresh_report){.began_ms = clock_ms(), .cause = cause, .outcome = "running"};
    if (fetch->report_count < LINK_REFRESHES_KEPT)
        fetch->report_count++;
}

void fetch_report(const struct fetch *fetch, struct link_status *out)
{
    out->refreshes = fetch->count;
    out->refresh_failures = fetch->failures_total;
    out->last_refresh_count = fetch->report_count;
    memcpy(out->last_refreshes, fetch->reports, sizeof(fetch->reports));
    out->refresh_error = fetch->error;
    out->refresh_lacks_room = fetch->lacks_room;
    out->refresh_outrun = fetch->outrun;
}

/* Back to idle; the caller has entered it. */
static void note_end(struct fetch *fetch, enum refresh_end end, const char *outcome)
{
    bool was_asking = fetch->pace.is_asking;
    fetch->reports[0].outcome = outcome;
    refresh_pace_end(&fetch->pace, clock_ms(), end, !fetch->dialog.greeting.info.is_relay);
    if (was_asking)
        refresh_note_keep(fetch->store, &fetch->pace);
    dialog_fini(&fetch->dialog);
}

static void drop_snapshot(struct fetch *fetch)
{
    struct history *history = store_current(fetch->store);
    if (fetch->state == FETCH_LOADING && history != NULL)
        history_fail_snapshot(history);
}

static void note_failure(struct fetch *fetch, const char *why)
{
    snprintf(fetch->error, sizeof(fetch->error), "%s", why);
    fetch->failures_total++;
}

/* What the origin answered to PSYNC says that it has not begun with anything. */
static bool is_refused(const struct fetch *fetch)
{
    if (fetch->state != FETCH_GREETING)
        return false;
    switch (fetch->dialog.greeting.reply.verdict) {
    case PSYNC_LATER:
    case PSYNC_DENIED:
    case PSYNC_REFUSED:
        return true;
    case PSYNC_FULLRESYNC:
    case PSYNC_CONTINUE:
    case PSYNC_NONSENSE:
        return false;
    }
    UNREACHABLE("a verdict without a case");
}

static void fail(struct fetch *fetch, const char *why)
{
    enum refresh_end end = is_refused(fetch) ? REFRESH_REFUSED : REFRESH_FAILED;
    drop_snapshot(fetch);
    note_failure(fetch, why);
    fetch_enter(fetch, FETCH_IDLE, LOG_LEVEL_WARNING, "failed: %s", why);
    note_end(fetch, end, "failed");
}

void fetch_note_no_room(struct fetch *fetch, const char *why)
{
    char sum[LOG_REPEAT_SUM_MAX];
    if (why == NULL) {
        if (fetch->lacks_room)
            fetch->error[0] = '\0';
        fetch->lacks_room = false;
        return;
    }
    fetch->lacks_room = true;
    snprintf(fetch->error, sizeof(fetch->error), "%s", why);
    if (log_repeat_note(&fetch->trouble, "no room", clock_ms(), sum))
        log_warnx("upstream: no snapshot is fetched%s: %s", sum, why);
}

void fetch_set_tls(struct fetch *fetch, struct tls_context *tls)
{
    fetch->tls = tls;
}

void fetch_set_credentials(struct fetch *fetch, const char *user, const char *password)
{
    fetch->terms.user = user;
    fetch->terms.password = password;
    dialog_set_credentials(&fetch->dialog, user, password);
}

void fetch_start(struct fetch *fetch, const char *host, uint16_t port,
                 const struct greeting_terms *terms, const char *cause)
{
    CHECK(fetch->state == FETCH_IDLE);
    CHECK(store_current(fetch->store) != NULL);
    fetch_note_no_room(fetch, NULL);
    note_begin(fetch, cause);
    fetch->terms = *terms;
    fetch->terms.rdb_only = true;
    fetch->terms.has_history = false;
    fetch->terms.asks_limits = false;
    fetch->terms.veto = NULL;
    fetch_enter(fetch, FETCH_CONNECTING, LOG_LEVEL_INFO, "%s", cause);
    bool made = dialog_init(&fetch->dialog);
    fetch->dialog.tls = fetch->tls;
    if (!made || !dialog_open(&fetch->dialog, fetch->loop, host, port, on_event, fetch)) {
        fail(fetch, "memory is out");
        return;
    }
}

void fetch_cancel(struct fetch *fetch, const char *why)
{
    if (fetch->state == FETCH_IDLE)
        return;
    drop_snapshot(fetch);
    fetch_enter(fetch, FETCH_IDLE, LOG_LEVEL_INFO, "cancelled: %s", why);
    note_end(fetch, REFRESH_CANCELLED, "cancelled");
}

void fetch_tick(struct fetch *fetch, int64_t timeout_ms)
{
    if (fetch->state != FETCH_IDLE && clock_silence_ms(fetch->dialog.last_io_ms) > timeout_ms)
        fail(fetch, "the origin is silent");
}

/* PSYNC was answered by +FULLRESYNC: a snapshot of our history, we hope. */
static bool begin_loading(struct fetch *fetch, struct text *why)
{
    const struct psync_reply *reply = &fetch->dialog.greeting.reply;
    struct history *history = store_current(fetch->store);
    CHECK(history != NULL);
    if (!replid_equal(&reply->replid, &history_identity(history)->replid)) {
        text_format(why, "the origin's history is another by now: %s", reply->replid.hex);
        return false;
    }
    struct snapshot *snapshot = history_begin_snapshot(history, reply->offset, why);
    if (snapshot == NULL)
        return false;
    fetch->reports[0].offset = reply->offset;
    fetch->loading_ms = clock_ms();
    delivery_begin(&fetch->delivery, snapshot);
    fetch_enter(fetch, FETCH_LOADING, LOG_LEVEL_INFO, "fullresync offset=%" PRIu64, reply->offset);
    return true;
}

/* PSYNC is in `out`, and leaves after this: from then on the origin may fork. */
static void note_asking(struct fetch *fetch)
{
    if (!greeting_has_asked(&fetch->dialog.greeting) || fetch->pace.is_asking)
        return;
    refresh_pace_ask(&fetch->pace, clock_ms());
    refresh_note_keep(fetch->store, &fetch->pace);
}

static bool greet(struct fetch *fetch, struct text *why)
{
    struct dialog *dialog = &fetch->dialog;
    switch (greeting_feed(&dialog->greeting, &dialog->pending, &dialog->out)) {
    case GREETING_MORE:
        note_asking(fetch);
        return true;
    case GREETING_DONE:
        return begin_loading(fetch, why);
    case GREETING_PASSED:
    case GREETING_FAILED:
        text_format(why, "%s", dialog->greeting.error);
        return false;
    }
    UNREACHABLE("a result without a case");
}

/* It came whole. But where more is written while it comes than the window holds, its stream is gone by
 * then, and so it will be the next time. */
static void note_use(struct fetch *fetch, enum snapshot_use use, uint64_t written)
{
    if (use != SNAPSHOT_USE_BEHIND_WINDOW) {
        fetch->outrun = (struct link_refresh_outrun){0};
        fetch->error[0] = '\0';
        note_end(fetch, REFRESH_GOOD, "complete");
        return;
    }
    fetch->outrun = (struct link_refresh_outrun){
        .bytes = written,
        .duration_ms = clock_ms() - fetch->loading_ms,
    };
    log_warnx(
        "upstream: the window has left the snapshot behind while it came: in %.1f s %" PRIu64
        " bytes of the stream were written, and repl-backlog-size holds less: set it to %" PRIu64
        " or more",
        (double)fetch->outrun.duration_ms / 1000, written, 4 * written);
    note_failure(fetch, "the window has left it behind");
    note_end(fetch, REFRESH_FAILED, "behind_window");
}

static bool finish(struct fetch *fetch, struct text *why)
{
    struct history *history = store_current(fetch->store);
    if (!history_complete_snapshot(history, why))
        return false;
    const struct snapshot *snapshot = history_snapshot(history);
    fetch->announced->tried = fetch->terms.announce_version;
    fetch->count++;
    fetch_enter(fetch, FETCH_IDLE, LOG_LEVEL_INFO,
                "complete offset=%" PRIu64 " bytes=%" PRIu64 " proof=%s duration=%.1fs",
                snapshot_offset(snapshot), snapshot_received(snapshot),
                snapshot_is_verified(snapshot) ? "crc64" : "length_and_mark",
                (double)(clock_ms() - fetch->reports[0].began_ms) / 1000);
    char sum[LOG_REPEAT_SUM_MAX];
    if (log_repeat_end(&fetch->trouble, clock_ms(), sum))
        log_info("upstream: snapshots can be fetched again%s", sum);
    uint64_t end = backlog_end(history_backlog(history));
    uint64_t x = snapshot_offset(snapshot);
    note_use(fetch, history_snapshot_use(history, snapshot), end > x ? end - x : 0);
    return true;
}

/* The connection has ended in the midst of the RDB, and not by our doing. */
static void note_cut_off(struct fetch *fetch, struct text *why)
{
    if (fetch->state != FETCH_LOADING)
        return;
    const struct payload *payload = &fetch->delivery.payload;
    const struct cut_off cut = {
        .phase = payload->state == PAYLOAD_HEADER ? CUT_OFF_BEFORE_RDB : CUT_OFF_IN_RDB,
        .received = payload->received,
        .total = payload->has_length ? payload->length : 0,
        .began_ms = fetch->loading_ms,
        .ended_ms = clock_ms(),
    };
    cut_off_causes(&cut, false, why);
    origin_cut_off(fetch->announced, &fetch->dialog.greeting, fetch->store);
}

/* One buffer full a turn, so that the stream on the link goes first. */
static bool read_some(struct fetch *fetch, struct text *why)
{
    struct dialog *dialog = &fetch->dialog;
    if (!dialog_receive(dialog, why)) {
        if (fetch->state == FETCH_GREETING)
            text_format(why, " after %s", greeting_step(&dialog->greeting));
        note_cut_off(fetch, why);
        return false;
    }
    while (dialog->pending.length > 0 && fetch->state == FETCH_GREETING) {
        if (!greet(fetch, why))
            return false;
    }
    if (!dialog_flush(dialog)) {
        text_format(why, "%s", conn_error(dialog->conn));
        return false;
    }
    if (fetch->state != FETCH_LOADING)
        return true;
    switch (delivery_feed(&fetch->delivery, &dialog->pending, why)) {
    case DELIVERY_MORE:
        return true;
    case DELIVERY_DONE:
        return finish(fetch, why);
    case DELIVERY_FAILED:
        return false;
    }
    UNREACHABLE("a result without a case");
}

static void on_event(struct conn *conn, enum conn_event event, void *arg)
{
    struct fetch *fetch = arg;
    struct text why;
    text_init(&why, WHY_MAX);
    bool good = true;
    switch (event) {
    case CONN_EVENT_UP:
        fetch_enter(fetch, FETCH_GREETING, LOG_LEVEL_INFO, "connected");
        dialog_greet(&fetch->dialog, &fetch->terms);
        good = dialog_flush(&fetch->dialog);
        break;
    case CONN_EVENT_READABLE:
        good = read_some(fetch, &why);
        break;
    case CONN_EVENT_WRITABLE:
        good = dialog_flush(&fetch->dialog);
        break;
    case CONN_EVENT_DOWN:
        text_format(&why, "%s", conn_error(conn));
        note_cut_off(fetch, &why);
        good = false;
        break;
    }
    if (!good && why.length == 0)
        text_format(&why, "%s", conn_error(conn));
    if (!good)
        fail(fetch, text_string(&why));
    text_fini(&why);
}
