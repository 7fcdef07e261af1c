/* SPDX-License-Identifier: MIT */
#include "fetch.h"

#include <inttypes.h>
#include <stdlib.h>

#include "delivery.h"
#include "dialog.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/text.h"
#include "relay/store/store.h"

enum { WHY_MAX = 512 };

enum fetch_step { FETCH_IDLE, FETCH_CONNECTING, FETCH_GREETING, FETCH_LOADING };

struct fetch {
    struct loop *loop;
    struct store *store;
    struct tls_context *tls;
    enum fetch_step step;
    struct dialog dialog;
    struct delivery delivery;
    struct greeting_terms terms;
    int64_t started_ms;
    uint64_t count;
    unsigned failures;
};

static conn_event_fn on_event;

struct fetch *fetch_new(struct loop *loop, struct store *store)
{
    struct fetch *fetch = calloc(1, sizeof(*fetch));
    if (fetch == NULL)
        return NULL;
    fetch->loop = loop;
    fetch->store = store;
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
    return fetch->step != FETCH_IDLE;
}

uint64_t fetch_count(const struct fetch *fetch)
{
    return fetch->count;
}

unsigned fetch_failures(const struct fetch *fetch)
{
    return fetch->failures;
}

int64_t fetch_started_ms(const struct fetch *fetch)
{
    return fetch->started_ms;
}

static void end(struct fetch *fetch)
{
    dialog_fini(&fetch->dialog);
    fetch->step = FETCH_IDLE;
}

static void fail(struct fetch *fetch, const char *why)
{
    log_warnx("upstream: snapshot fetch failed: %s", why);
    fetch->failures++;
    struct history *history = store_current(fetch->store);
    if (fetch->step == FETCH_LOADING && history != NULL)
        history_fail_snapshot(history);
    end(fetch);
}

void fetch_set_tls(struct fetch *fetch, struct tls_context *tls)
{
    fetch->tls = tls;
}

void fetch_start(struct fetch *fetch, const char *host, uint16_t port,
                 const struct greeting_terms *terms, const char *cause)
{
    CHECK(fetch->step == FETCH_IDLE);
    CHECK(store_current(fetch->store) != NULL);
    log_info("upstream: snapshot fetch begins cause=%s", cause);
    fetch->started_ms = clock_ms();
    fetch->terms = *terms;
    fetch->terms.rdb_only = true;
    fetch->terms.has_history = false;
    fetch->step = FETCH_CONNECTING;
    bool made = dialog_init(&fetch->dialog);
    fetch->dialog.tls = fetch->tls;
    if (!made || !dialog_open(&fetch->dialog, fetch->loop, host, port, on_event, fetch)) {
        fail(fetch, "memory is out");
        return;
    }
}

void fetch_cancel(struct fetch *fetch, const char *why)
{
    if (fetch->step != FETCH_IDLE)
        fail(fetch, why);
}

void fetch_tick(struct fetch *fetch, int64_t timeout_ms)
{
    if (fetch->step != FETCH_IDLE && clock_ms() - fetch->dialog.last_io_ms > timeout_ms)
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
    delivery_begin(&fetch->delivery, snapshot);
    fetch->step = FETCH_LOADING;
    log_info("upstream: snapshot fetch state=loading offset=%" PRIu64, reply->offset);
    return true;
}

static bool greet(struct fetch *fetch, struct text *why)
{
    struct dialog *dialog = &fetch->dialog;
    switch (greeting_feed(&dialog->greeting, &dialog->pending, &dialog->out)) {
    case GREETING_MORE:
        return true;
    case GREETING_DONE:
        return begin_loading(fetch, why);
    case GREETING_FAILED:
        text_format(why, "%s", dialog->greeting.error);
        return false;
    }
    UNREACHABLE("a result without a case");
}

static bool finish(struct fetch *fetch, struct text *why)
{
    struct history *history = store_current(fetch->store);
    if (!history_complete_snapshot(history, why))
        return false;
    const struct snapshot *snapshot = history_snapshot(history);
    log_info("upstream: snapshot fetch complete offset=%" PRIu64 " bytes=%" PRIu64
             " proof=%s duration=%.1fs",
             snapshot_offset(snapshot), snapshot_received(snapshot),
             snapshot_is_verified(snapshot) ? "crc64" : "length_and_mark",
             (double)(clock_ms() - fetch->started_ms) / 1000);
    fetch->count++;
    fetch->failures = 0;
    end(fetch);
    return true;
}

/* One buffer full a turn, so that the stream on the link goes first. */
static bool read_some(struct fetch *fetch, struct text *why)
{
    struct dialog *dialog = &fetch->dialog;
    if (!dialog_receive(dialog, why))
        return false;
    while (dialog->pending.length > 0 && fetch->step == FETCH_GREETING) {
        if (!greet(fetch, why))
            return false;
    }
    if (!dialog_flush(dialog)) {
        text_format(why, "%s", conn_error(dialog->conn));
        return false;
    }
    if (fetch->step != FETCH_LOADING)
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
        fetch->step = FETCH_GREETING;
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
        good = false;
        break;
    }
    if (!good && why.length == 0)
        text_format(&why, "%s", conn_error(conn));
    if (!good)
        fail(fetch, text_string(&why));
    text_fini(&why);
}
