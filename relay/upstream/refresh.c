/* SPDX-License-Identifier: MIT */
#include "refresh.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "announced_version.h"
#include "cut_off.h"
#include "primary_choice.h"
#include "rdb_receiver.h"
#include "refresh_note.h"
#include "refresh_pace.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/log_repeat.h"
#include "relay/base/state_machine.h"
#include "relay/base/text.h"
#include "relay/net/loop.h"
#include "relay/store/rdb_parts.h"
#include "relay/store/store.h"
#include "server_conn.h"
#include "snapshot_sources.h"
#include "sync_progress.h"

enum { WHY_MAX = 512, HELD_PAUSE_MS = 20 };

enum refresh_state { REFRESH_IDLE, REFRESH_CONNECTING, REFRESH_HANDSHAKE, REFRESH_LOADING };

struct refresh {
    struct loop *loop;
    struct store *store;
    struct timer
        *timer; /* of a pause: the disk is full until files are freed, or is being written to */
    const struct route *route;
    const char *congestion;
    struct announced_version *announced;
    struct compression_use *compression;
    struct state_machine machine; /* enum refresh_state */
    struct server_conn server_conn;
    struct rdb_receiver rdb_receiver;
    struct handshake_terms terms;
    struct snapshot_sources *sources; /* it is fetched at one of them; NULL: at the primary */
    struct primary_address from;
    struct refresh_pace pace;
    bool is_naming;     /* the RDB is whole: the store is asked until it has its name */
    int64_t loading_ms; /* when the RDB began to come */
    struct progress_meter progress;
    uint64_t count;
    uint64_t failures_total;
    struct log_repeat trouble;         /* none comes whole */
    struct link_refresh_outrun outrun; /* of the last one that came whole */
    size_t report_count;
    struct link_refresh_report reports[LINK_REFRESHES_KEPT]; /* the newest first */
    bool lacks_space; /* one is due, and not tried: `space_error` */
    char space_error[WHY_MAX];
    char error[WHY_MAX]; /* why the last one failed; "": it did not */
};

static conn_event_fn refresh_on_event;
static void resume_reading(void *arg);

#define TO(state) STATE_BIT(REFRESH_##state)

static const struct state_row refresh_rows[] = {
    [REFRESH_IDLE] = {"idle", TO(CONNECTING), NULL},
    [REFRESH_CONNECTING] = {"connecting", TO(HANDSHAKE) | TO(IDLE), NULL},
    [REFRESH_HANDSHAKE] = {"handshake", TO(LOADING) | TO(IDLE), NULL},
    [REFRESH_LOADING] = {"loading", TO(IDLE), NULL},
};

/* What fails is told when that begins, then summed up; it is over when an RDB has come whole. */
static enum log_level refresh_describe(void *owner, unsigned next, enum log_level level,
                                       const char *cause, struct state_words *words)
{
    struct refresh *refresh = owner;
    struct log_repeat *trouble = &refresh->trouble;
    if (level > LOG_LEVEL_INFO)
        return log_repeat_note(trouble, cause, clock_ms(), words->details) ? level
                                                                           : LOG_LEVEL_DEBUG;
    bool is_begin = next == REFRESH_CONNECTING || next == REFRESH_HANDSHAKE;
    return is_begin && log_repeat_goes_on(trouble) ? LOG_LEVEL_DEBUG : level;
}

static const struct state_machine_kind refresh_kind = {
    .name = "upstream: snapshot refresh",
    .rows = refresh_rows,
    .describe = refresh_describe,
};

struct refresh *refresh_new(struct loop *loop, struct store *store, const struct route *route,
                            struct announced_version *announced,
                            struct compression_use *compression)
{
    struct refresh *refresh = calloc(1, sizeof(*refresh));
    if (refresh == NULL)
        return NULL;
    refresh->loop = loop;
    refresh->store = store;
    refresh->route = route;
    refresh->announced = announced;
    refresh->compression = compression;
    state_machine_init(&refresh->machine, &refresh_kind, refresh);
    refresh->timer = timer_new(loop, resume_reading, refresh);
    if (refresh->timer == NULL) {
        free(refresh);
        return NULL;
    }
    refresh_note_recall(store, &refresh->pace);
    return refresh;
}

void refresh_free(struct refresh **refresh)
{
    if (*refresh == NULL)
        return;
    refresh_cancel(*refresh, "the relay stops");
    timer_free(&(*refresh)->timer);
    free(*refresh);
    *refresh = NULL;
}

bool refresh_is_busy(const struct refresh *refresh)
{
    return refresh->machine.state != REFRESH_IDLE;
}

int64_t refresh_next_ms(const struct refresh *refresh, bool somebody_waits, int64_t interval_ms)
{
    return refresh_pace_next_ms(&refresh->pace, somebody_waits, interval_ms);
}

static void refresh_note_begin(struct refresh *refresh, const char *cause)
{
    memmove(refresh->reports + 1, refresh->reports,
            sizeof(refresh->reports) - sizeof(refresh->reports[0]));
    refresh->reports[0] =
        (struct link_refresh_report){.began_ms = clock_ms(), .cause = cause, .outcome = "running"};
    if (refresh->report_count < LINK_REFRESHES_KEPT)
        refresh->report_count++;
}

static struct snapshot *refresh_arriving(const struct refresh *refresh)
{
    return refresh->machine.state == REFRESH_LOADING ? refresh->rdb_receiver.snapshot : NULL;
}

void refresh_report(const struct refresh *refresh, struct link_status *out)
{
    out->refreshes = refresh->count;
    out->refresh_failures = refresh->failures_total;
    out->last_refresh_count = refresh->report_count;
    memcpy(out->last_refreshes, refresh->reports, sizeof(refresh->reports));
    out->refresh_error = refresh->lacks_space ? refresh->space_error : refresh->error;
    out->refresh_lacks_space = refresh->lacks_space;
    out->refresh_outrun = refresh->outrun;
    out->refresh_progress = sync_progress_view(&refresh->progress, refresh_arriving(refresh));
}

/* Back to idle; the caller has entered it. */
static void refresh_note_end(struct refresh *refresh, enum refresh_end end, const char *outcome)
{
    bool was_asking = refresh->pace.is_asking;
    if (refresh->sources != NULL && end != REFRESH_CANCELLED)
        snapshot_sources_note_end(refresh->sources, end == REFRESH_GOOD);
    refresh->reports[0].outcome = outcome;
    refresh_pace_end(&refresh->pace, clock_ms(), end,
                     !refresh->server_conn.handshake.info.is_relay);
    if (was_asking)
        refresh_note_keep(refresh->store, &refresh->pace);
    refresh->is_naming = false;
    timer_disarm(refresh->timer);
    rdb_receiver_end(&refresh->rdb_receiver);
    server_conn_fini(&refresh->server_conn);
}

static void refresh_drop_snapshot(struct refresh *refresh)
{
    struct history *history = store_current(refresh->store);
    if (refresh->machine.state == REFRESH_LOADING && history != NULL)
        history_fail_snapshot(history);
}

static void refresh_note_failure(struct refresh *refresh, const char *why)
{
    snprintf(refresh->error, sizeof(refresh->error), "%s", why);
    refresh->failures_total++;
}

/* What the primary answered to PSYNC says that it has not begun with anything: no fork was paid
 * for, so the next attempt may come sooner (refresh_pace.h). */
static bool is_refused(const struct refresh *refresh)
{
    if (refresh->machine.state != REFRESH_HANDSHAKE)
        return false;
    switch (refresh->server_conn.handshake.reply.verdict) {
    case PSYNC_LATER:
    case PSYNC_DENIED:
    case PSYNC_REFUSED:
        return true;
    case PSYNC_FULLRESYNC:
    case PSYNC_CONTINUE:
    case PSYNC_RDB_CHANNEL: /* was not offered */
    case PSYNC_DUAL_CHANNEL:
    case PSYNC_NONSENSE:
        return false;
    }
    UNREACHABLE("a verdict without a case");
}

/* What has come is kept, where it comes from a relay. True: it has come further than the time before. */
static bool keep_part(struct refresh *refresh)
{
    return refresh->machine.state == REFRESH_LOADING && store_keep_part(refresh->store);
}

static void refresh_fail(struct refresh *refresh, const char *why)
{
    enum refresh_end end = is_refused(refresh) ? REFRESH_REFUSED : REFRESH_FAILED;
    if (keep_part(refresh))
        end = REFRESH_BROKEN;
    refresh_drop_snapshot(refresh);
    refresh_note_failure(refresh, why);
    state_machine_enter(&refresh->machine, REFRESH_IDLE, LOG_LEVEL_WARNING, "failed: %s", why);
    refresh_note_end(refresh, end, end == REFRESH_BROKEN ? "broken" : "failed");
}

void refresh_note_no_space(struct refresh *refresh, const char *why)
{
    char sum[LOG_REPEAT_SUM_MAX];
    refresh->lacks_space = why != NULL;
    if (why == NULL)
        return;
    snprintf(refresh->space_error, sizeof(refresh->space_error), "%s", why);
    if (log_repeat_note(&refresh->trouble, "no room", clock_ms(), sum))
        log_warnx("upstream: no snapshot is fetched%s: %s", sum, why);
}

void refresh_set_congestion(struct refresh *refresh, const char *congestion)
{
    refresh->congestion = congestion;
}

void refresh_set_credentials(struct refresh *refresh, const char *user, const char *password)
{
    if (refresh->sources != NULL)
        return;
    refresh->terms.user = user;
    refresh->terms.password = password;
    server_conn_set_credentials(&refresh->server_conn, user, password);
}

/* Of an RDB that the window has left behind nobody can be served. A relay that is asked has one fetched that is of
 * use. */
static uint64_t refresh_first_useful(const struct refresh *refresh, uint64_t wanted_from)
{
    uint64_t from = history_first(store_current(refresh->store));
    return from > wanted_from ? from : wanted_from;
}

static void refresh_begin(struct refresh *refresh, const struct handshake_terms *terms,
                          const char *cause)
{
    CHECK(refresh->machine.state == REFRESH_IDLE);
    CHECK(store_current(refresh->store) != NULL);
    refresh_note_no_space(refresh, NULL);
    refresh_note_begin(refresh, cause);
    /* Announced as the link is, with port and address, so that neither the primary nor a
     * Sentinel counts two replicas; and PSYNC ? -1, since only the RDB is wanted
     * (docs/protocol.md 2.6). */
    refresh->terms = *terms;
    refresh->terms.rdb_only = true;
    refresh->terms.has_history = false;
    refresh->terms.asks_limits = false;
    refresh->terms.rdb_from = refresh_first_useful(refresh, terms->rdb_from);
    refresh->terms.has_part =
        terms->has_part && terms->part.offset >= refresh->terms.rdb_from &&
        replid_equal(&terms->part.replid, &history_identity(store_current(refresh->store))->replid);
    refresh->terms.veto = NULL;
}

static void refresh_connect(struct refresh *refresh, const struct route *route)
{
    state_machine_enter(&refresh->machine, REFRESH_CONNECTING, LOG_LEVEL_INFO,
                        "%s from=%s:%" PRIu16, refresh->reports[0].cause, refresh->from.host,
                        refresh->from.port);
    bool made = server_conn_init(&refresh->server_conn);
    refresh->server_conn.route = route;
    refresh->server_conn.congestion = refresh->congestion;
    if (!made || !server_conn_open(&refresh->server_conn, refresh->loop, &refresh->from,
                                   refresh_on_event, refresh))
        refresh_fail(refresh, "out of memory");
}

void refresh_start(struct refresh *refresh, const struct primary_address *primary,
                   const struct handshake_terms *terms, const char *cause)
{
    refresh_begin(refresh, terms, cause);
    refresh->sources = NULL;
    refresh->from = *primary;
    refresh_connect(refresh, refresh->route);
}

void refresh_start_at(struct refresh *refresh, struct snapshot_sources *sources,
                      const struct primary_address *source, const struct handshake_terms *terms,
                      const char *cause)
{
    refresh_begin(refresh, terms, cause);
    refresh->sources = sources;
    refresh->from = *source;
    refresh->reports[0].is_from_replica = true;
    refresh->terms.user = sources->user;
    refresh->terms.password = sources->password;
    refresh->terms.renames = NULL; /* those of the primary */
    refresh->terms.has_part = false;
    refresh->terms.veto = snapshot_sources_judge;
    refresh->terms.veto_arg = sources;
    refresh->terms.wants_keys = NULL;
    refresh_connect(refresh, &sources->route);
}

void refresh_cancel(struct refresh *refresh, const char *why)
{
    if (refresh->machine.state == REFRESH_IDLE)
        return;
    (void)keep_part(refresh);
    refresh_drop_snapshot(refresh);
    state_machine_enter(&refresh->machine, REFRESH_IDLE, LOG_LEVEL_INFO, "cancelled: %s", why);
    refresh_note_end(refresh, REFRESH_CANCELLED, "cancelled");
}

/* A restart has to know that the primary was asked, so PSYNC does not leave before the note of it is written. */
static bool holds_psync(const struct refresh *refresh)
{
    return refresh->machine.state == REFRESH_HANDSHAKE && refresh->pace.is_asking &&
           store_note_is_pending(refresh->store, STORE_NOTE_REFRESH);
}

static void refresh_flush(struct refresh *refresh)
{
    if (holds_psync(refresh))
        timer_arm(refresh->timer, HELD_PAUSE_MS);
    else
        server_conn_flush(&refresh->server_conn);
}

void refresh_tick(struct refresh *refresh, int64_t timeout_ms)
{
    sync_progress_tick(&refresh->progress, refresh_arriving(refresh), refresh->store,
                       refresh->server_conn.handshake.info.dataset_bytes, "snapshot refresh");
    if (refresh->machine.state != REFRESH_IDLE && !refresh->server_conn.is_paused &&
        !holds_psync(refresh) && clock_silence_ms(refresh->server_conn.last_io_ms) > timeout_ms)
        refresh_fail(refresh,
                     refresh->sources != NULL ? "the replica is silent" : "the primary is silent");
}

/* Anew, or behind what is here of it. NULL: `why`. */
static struct snapshot *begin_snapshot(struct refresh *refresh, struct history *history,
                                       struct text *why)
{
    const struct handshake *handshake = &refresh->server_conn.handshake;
    uint64_t rdb_begin = handshake->reply.rdb_begin;
    if (rdb_begin == 0)
        store_drop_part(refresh->store);
    struct snapshot *snapshot = history_begin_snapshot(history, handshake->reply.offset, why);
    if (snapshot == NULL)
        return NULL;
    if (rdb_begin > 0 && !store_resume_part(refresh->store, history, &handshake->terms.part, why)) {
        history_fail_snapshot(history);
        return NULL;
    }
    if (rdb_begin == 0 && handshake->info.is_relay)
        store_track_part(refresh->store, history);
    return snapshot;
}

/* PSYNC was answered by +FULLRESYNC: a snapshot of our history, we hope. Between our asking and
 * this answer the primary may have got another id, and then its X means nothing in our stream
 * (docs/protocol.md 2.6). */
static bool begin_loading(struct refresh *refresh, struct text *why)
{
    const struct psync_reply *reply = &refresh->server_conn.handshake.reply;
    struct history *history = store_current(refresh->store);
    CHECK(history != NULL);
    if (!replid_equal(&reply->replid, &history_identity(history)->replid)) {
        text_format(why, "%s history is another by now: %s",
                    refresh->sources != NULL ? "the replica's" : "the primary's",
                    reply->replid.hex);
        return false;
    }
    if (refresh->sources != NULL && reply->offset > history_end(history)) {
        text_format(why,
                    "it offers a snapshot of offset %" PRIu64 ", which we do not have: it is no "
                    "replica of ours",
                    reply->offset);
        return false;
    }
    struct snapshot *snapshot = begin_snapshot(refresh, history, why);
    if (snapshot == NULL)
        return false;
    refresh->reports[0].offset = reply->offset;
    refresh->loading_ms = clock_ms();
    rdb_receiver_begin(&refresh->rdb_receiver, snapshot);
    rdb_receiver_decompress(&refresh->rdb_receiver, &refresh->server_conn.handshake,
                            refresh->compression, conn_is_tls(refresh->server_conn.conn));
    state_machine_enter(&refresh->machine, REFRESH_LOADING, LOG_LEVEL_INFO,
                        "fullresync offset=%" PRIu64, reply->offset);
    return true;
}

/* PSYNC is in `out`, and leaves after this: from then on the primary may fork. */
static void note_asking(struct refresh *refresh)
{
    if (!handshake_has_asked(&refresh->server_conn.handshake) || refresh->pace.is_asking)
        return;
    refresh_pace_ask(&refresh->pace, clock_ms());
    refresh_note_keep(refresh->store, &refresh->pace);
}

static bool take_answers(struct refresh *refresh, struct text *why)
{
    switch (server_conn_shake_hands(&refresh->server_conn, why)) {
    case SERVER_CONN_MORE:
        note_asking(refresh);
        refresh_flush(refresh);
        return true;
    case SERVER_CONN_DONE:
        return begin_loading(refresh, why);
    case SERVER_CONN_PASSED:
    case SERVER_CONN_FAILED:
    case SERVER_CONN_BROKEN:
        return false;
    }
    UNREACHABLE("a result without a case");
}

/* It came whole. But where more is written while it comes than the window holds, its stream is gone by
 * then, and so it will be the next time. */
static void note_use(struct refresh *refresh, enum snapshot_use use, uint64_t written)
{
    if (use != SNAPSHOT_USE_BEHIND_WINDOW) {
        refresh->outrun = (struct link_refresh_outrun){0};
        refresh->error[0] = '\0';
        refresh_note_end(refresh, REFRESH_GOOD, "complete");
        return;
    }
    refresh->outrun = (struct link_refresh_outrun){
        .bytes = written,
        .duration_ms = clock_ms() - refresh->loading_ms,
    };
    log_warnx(
        "upstream: the window has left the snapshot behind while it came: in %.1f s %" PRIu64
        " bytes of the stream were written, and repl-backlog-size holds less: set it to %" PRIu64
        " or more",
        (double)refresh->outrun.duration_ms / 1000, written, 4 * written);
    refresh_note_failure(refresh, "the window has left it behind");
    refresh_note_end(refresh, REFRESH_FAILED, "behind_window");
}

/* Nothing is read until the store can go on. */
static void hold_refresh(struct refresh *refresh)
{
    server_conn_pause(&refresh->server_conn, true);
    timer_arm(refresh->timer, HELD_PAUSE_MS);
}

static bool refresh_finish(struct refresh *refresh, struct text *why)
{
    struct history *history = store_current(refresh->store);
    enum disk_step step = history_complete_snapshot(history, why);
    refresh->is_naming = step == DISK_STEP_PENDING;
    if (step == DISK_STEP_PENDING)
        hold_refresh(refresh);
    if (step != DISK_STEP_DONE)
        return step == DISK_STEP_PENDING;
    const struct snapshot *snapshot = history_snapshot(history);
    refresh->announced->tried = refresh->terms.announce_version;
    refresh->count++;
    state_machine_enter(&refresh->machine, REFRESH_IDLE, LOG_LEVEL_INFO,
                        "complete offset=%" PRIu64 " bytes=%" PRIu64 " proof=%s duration=%.1fs",
                        snapshot_offset(snapshot), snapshot_received(snapshot),
                        snapshot_is_verified(snapshot) ? "crc64" : "length_and_mark",
                        (double)(clock_ms() - refresh->reports[0].began_ms) / 1000);
    char sum[LOG_REPEAT_SUM_MAX];
    if (log_repeat_end(&refresh->trouble, clock_ms(), sum))
        log_info("upstream: snapshots can be fetched again%s", sum);
    uint64_t end = history_end(history);
    uint64_t x = snapshot_offset(snapshot);
    note_use(refresh, history_snapshot_use(history, snapshot), end > x ? end - x : 0);
    return true;
}

/* The connection has ended in the midst of the RDB, and not by our doing. */
static void note_cut_off(struct refresh *refresh, struct text *why)
{
    if (refresh->machine.state != REFRESH_LOADING)
        return;
    const struct payload *payload = &refresh->rdb_receiver.payload;
    const struct cut_off cut = {
        .is_relay = refresh->server_conn.handshake.info.is_relay,
        .phase = payload->state == PAYLOAD_HEADER ? CUT_OFF_BEFORE_RDB : CUT_OFF_IN_RDB,
        .received = payload->received,
        .total = payload->has_length ? payload->length : 0,
        .began_ms = refresh->loading_ms,
        .ended_ms = clock_ms(),
    };
    cut_off_causes(&cut, false, why);
    if (refresh->sources == NULL)
        primary_cut_off(refresh->announced, &refresh->server_conn.handshake, refresh->store);
}

static bool take_rdb(struct refresh *refresh, struct text *why)
{
    switch (rdb_receiver_feed(&refresh->rdb_receiver, &refresh->server_conn.pending, why)) {
    case RDB_RECEIVER_MORE:
        return true;
    case RDB_RECEIVER_HELD:
        hold_refresh(refresh);
        return true;
    case RDB_RECEIVER_BUSY:
        timer_arm(refresh->timer, 0);
        return true;
    case RDB_RECEIVER_DONE:
        return refresh_finish(refresh, why);
    case RDB_RECEIVER_FAILED:
        if (refresh->rdb_receiver.is_garbled)
            compression_use_note_fault(refresh->compression);
        refresh_drop_snapshot(refresh); /* nothing of it is kept */
        return false;
    }
    UNREACHABLE("a result without a case");
}

/* One buffer full a turn, so that the stream on the link goes first. What came behind the answer
 * to PSYNC is the beginning of the RDB. While the snapshot owes bytes to the disk nothing is
 * received: the RDB waits at the primary, and not in our memory. */
static bool read_some(struct refresh *refresh, struct text *why)
{
    struct server_conn *server_conn = &refresh->server_conn;
    bool is_handshake = refresh->machine.state == REFRESH_HANDSHAKE;
    if (is_handshake && !take_answers(refresh, why))
        return false;
    bool receives = !is_handshake && !refresh->is_naming && server_conn->pending.length == 0 &&
                    !rdb_receiver_has_more(&refresh->rdb_receiver) &&
                    !snapshot_owes(refresh->rdb_receiver.snapshot);
    if (receives && !server_conn_receive(server_conn, why)) {
        note_cut_off(refresh, why);
        return false;
    }
    return refresh->machine.state != REFRESH_LOADING || take_rdb(refresh, why);
}

static void refresh_on_event(struct conn *conn, enum conn_event event, void *arg)
{
    struct refresh *refresh = arg;
    struct text why;
    text_init(&why, WHY_MAX);
    bool good = true;
    switch (event) {
    case CONN_EVENT_UP:
        state_machine_enter(&refresh->machine, REFRESH_HANDSHAKE, LOG_LEVEL_INFO, "connected");
        server_conn_start_handshake(&refresh->server_conn, &refresh->terms);
        server_conn_flush(&refresh->server_conn);
        break;
    case CONN_EVENT_READABLE:
        good = read_some(refresh, &why);
        break;
    case CONN_EVENT_WRITABLE:
        refresh_flush(refresh);
        break;
    case CONN_EVENT_DOWN:
        if (refresh->is_naming) /* nothing more is to come */
            break;
        text_format(&why, "%s", conn_error(conn));
        note_cut_off(refresh, &why);
        good = false;
        break;
    }
    if (!good)
        refresh_fail(refresh, text_string(&why));
    text_fini(&why);
}

/* The pause is over. */
static void resume_reading(void *arg)
{
    struct refresh *refresh = arg;
    if (refresh->machine.state == REFRESH_HANDSHAKE) {
        refresh_flush(refresh);
        return;
    }
    /* What was received before the pause is in `pending`: no event comes for it. */
    server_conn_pause(&refresh->server_conn, false);
    refresh_on_event(refresh->server_conn.conn, CONN_EVENT_READABLE, refresh);
}
