/* SPDX-License-Identifier: MIT
 *
 * What we ask the primary for, and what its answer makes of our history: it goes on, it goes on under
 * another id from an earlier place, or another one begins.
 */
#include "link_private.h"

#include <inttypes.h>

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/text.h"
#include "relay/net/loop.h"
#include "relay/store/rdb_parts.h"
#include "relay/store/store.h"
#include "relay/upstream/primary_rights.h"

enum { REWIND_LOOK_MS = 100 }; /* beside what the store tells */

const char *link_user(const struct link *link)
{
    const char *user = link->options.user;
    return string_is_given(user) ? user : "default";
}

/* Who we are; and to continue where the last complete command of the current history ends, if
 * the window still holds that place. The boundary, and not our end: the second offset of a
 * promoted replica is at a boundary, and nobody can have executed what is beyond ours
 * (docs/protocol.md 4.1). */
struct handshake_terms link_terms(struct link *link)
{
    struct handshake_terms terms = {
        .user = link->options.user,
        .password = link->options.password,
        .announce_ip = link->options.announce_ip,
        .renames = &link->renames,
        .announce_port = link->options.announce_port,
        .veto = link_judge,
        .wants_keys = link_wants_keys,
        .announce_version = link_version_now(link),
        .compression = &link->compression,
        .offers_rdb_channel = link_offers_rdb_channel(link),
        .asks_limits = link_asks_limits(link),
        .veto_arg = link,
    };
    terms.has_part = store_part(link->store, &terms.part) == STORE_PART_READY;
    struct history *history = store_current(link->store);
    if (history != NULL && !link->must_start_anew && !history_is_lost(history) &&
        history_boundary(history) >= history_first(history)) {
        terms.has_history = true;
        terms.replid = history_identity(history)->replid;
        terms.offset = history_boundary(history);
        terms.offset_min = history_window_first(history);
    }
    return terms;
}

void link_begin_handshake(struct link *link)
{
    const struct handshake_terms terms = link_terms(link);
    server_conn_start_handshake(&link->server_conn, &terms);
    server_conn_flush(&link->server_conn);
}

/* A history that begins with the RDB that is announced. NULL: `why`. */
static struct history *begin_history(struct link *link, const struct psync_reply *reply,
                                     struct text *why)
{
    struct store *store = link->store;
    if (reply->rdb_begin == 0)
        store_drop_part(store);
    struct history *history = store_begin_history(store, &reply->replid, reply->offset, why);
    if (history == NULL)
        return NULL;
    if (reply->rdb_begin > 0 &&
        !store_resume_part(store, history, &link->server_conn.handshake.terms.part, why)) {
        store_abandon(store);
        return NULL;
    }
    if (reply->rdb_begin == 0 && link->server_conn.handshake.info.is_relay)
        store_track_part(store, history);
    return history;
}

/* The current history stays, and is served, until the RDB of the new one is whole
 * (store_promote): a full sync that breaks off costs our replicas nothing. The id and X are
 * those of the reply, never of an INFO asked before (docs/protocol.md 4). */
bool link_begin_history(struct link *link, const struct psync_reply *reply,
                        struct link_outcome *outcome)
{
    struct text why;
    text_init(&why, LINK_WHY_MAX);
    if (reply->rdb_begin == 0) /* else it is the one of before, that goes on */
        link->full_syncs++;
    refresh_cancel(link->refresh_schedule.refresh, "a full sync begins on the link");
    struct history *history = begin_history(link, reply, &why);
    bool is_begun = history != NULL && !history_is_refused(history, &why);
    if (!is_begun) {
        link_note_full_failure(link);
        store_abandon(link->store);
        link_fail_store(outcome, text_string(&why));
    } else {
        if (store_current(link->store) != NULL && link->old_history_since_ms == 0)
            link->old_history_since_ms = clock_ms();
        link->full_sync_ms = clock_ms();
        link->is_promoting = false;
    }
    text_fini(&why);
    return is_begun;
}

static void begin_full_sync(struct link *link, const struct psync_reply *reply,
                            struct link_outcome *outcome)
{
    if (!link_begin_history(link, reply, outcome))
        return;
    rdb_receiver_begin(&link->rdb_receiver, history_arriving_snapshot(store_arriving(link->store)));
    rdb_receiver_decompress(&link->rdb_receiver, &link->server_conn.handshake, &link->compression,
                            conn_is_tls(link->server_conn.conn));
    link_enter(outcome, LINK_LOADING, "fullresync replid=%s offset=%" PRIu64, reply->replid.hex,
               reply->offset);
}

/* The primary goes on from `from`. What we hold beyond is none of this history any more: the beginning
 * of a command, or what a primary that is gone had told only us. */
static bool link_handshake_cut_at(struct link *link, uint64_t from, struct text *why)
{
    struct history *history = store_current(link->store);
    uint64_t boundary = history_boundary(history);
    if (from < boundary)
        log_warnx("upstream: the primary goes on from offset %" PRIu64 ": %" PRIu64
                  " bytes that were lost with the primary before it are cut off",
                  from, boundary - from);
    if (from == history_end(history) || history_rewind(history, from, why))
        return true;
    link->must_start_anew = true;
    return false;
}

/* The same bytes go on under another id, `next_id`: another server is the primary now. Replicas must come back to learn
 * the id (docs/protocol.md 3.7); they are told when the disk has it, so that a restart knows it as well, and before a
 * byte of the new branch is published. */
static enum disk_step adopt_id(struct link *link, struct text *why)
{
    struct history *history = store_current(link->store);
    enum disk_step step = history_rename(history, &link->next_id, why);
    link->is_renaming = step == DISK_STEP_PENDING;
    if (step == DISK_STEP_DONE)
        link->callbacks.on_news(LINK_NEWS_RENAMED, link->callbacks.arg);
    return step;
}

static void stream_on(struct link *link, struct link_outcome *outcome)
{
    struct history *history = store_current(link->store);
    struct rdb_part part;
    /* What is here of another history's RDB will not be asked for any more. */
    if (store_part(link->store, &part) != STORE_PART_NONE &&
        !replid_equal(&part.replid, &history_identity(history)->replid))
        store_drop_part(link->store);
    link->partial_syncs++;
    link_enter(outcome, LINK_STREAMING, "continue replid=%s offset=%" PRIu64,
               history_identity(history)->replid.hex, history_boundary(history));
}

/* What came behind the reply waits, in the connection and in the socket. Were it stored before
 * the cut is on the disk, a power failure could leave the bytes that were cut off in front of
 * it. */
void link_begin_rewinding(struct link *link)
{
    connect_race_drop_all(&link->race);
    server_conn_pause(&link->server_conn, true);
    timer_arm(link->timer, REWIND_LOOK_MS);
}

/* Does the disk still have to take what the state waits for? */
static bool is_disk_awaited(const struct link *link)
{
    const struct history *history = store_current(link->store);
    return history_is_settling(history) ||
           (link_state(link) == LINK_REWINDING && history_cut(history) == HISTORY_CUT_PENDING);
}

void link_look_at_disk(struct link *link)
{
    bool is_over = false;
    if (link_state(link) == LINK_REWINDING ||
        (link_state(link) == LINK_RETRYING && link->awaits_settling))
        is_over = !is_disk_awaited(link);
    if (link_state(link) == LINK_LOADING)
        is_over = link_loading_goes_on(link);
    if (is_over && link->two_channel.phase != TWO_CHANNEL_OFF)
        rdb_channel_go_on(&link->two_channel.rdb_channel);
    else if (is_over)
        timer_arm(link->timer, 0); /* what comes then is published by the end of that turn */
}

bool link_waits_for_settling(struct link *link)
{
    struct history *history = store_current(link->store);
    struct text why;
    text_init(&why, LINK_WHY_MAX);
    if (link->is_renaming && adopt_id(link, &why) == DISK_STEP_FAILED)
        log_warnx("upstream: the history cannot go on under another id: %s", text_string(&why));
    text_fini(&why);
    link->awaits_settling = history != NULL && history_is_settling(history);
    if (link->awaits_settling)
        timer_arm(link->timer, REWIND_LOOK_MS);
    return link->awaits_settling;
}

void link_look_at_rewind(struct link *link, struct link_outcome *outcome)
{
    timer_arm(link->timer, REWIND_LOOK_MS);
    enum history_cut cut = history_cut(store_current(link->store));
    if (cut == HISTORY_CUT_PENDING)
        return;
    struct text why;
    text_init(&why, LINK_WHY_MAX);
    enum disk_step step = DISK_STEP_FAILED;
    if (cut == HISTORY_CUT_DONE) {
        step = adopt_id(link, &why);
    } else {
        link->must_start_anew = true;
        text_format(&why, "the disk refused to cut the end of the history off");
    }
    if (step == DISK_STEP_DONE)
        stream_on(link, outcome);
    else if (step == DISK_STEP_FAILED)
        link_fail_store(outcome, text_string(&why));
    text_fini(&why);
}

/* Where it goes on from before our boundary, it has parted from the id that we have, also if its answer
 * does not say so: what it sends must not be known under the id of what was cut off. */
static struct replid id_from_now_on(const struct link *link, const struct psync_reply *reply,
                                    uint64_t from)
{
    const struct history *history = store_current(link->store);
    const struct replid *ours = &history_identity(history)->replid;
    if (reply->has_replid && !replid_equal(&reply->replid, ours))
        return reply->replid;
    return from < history_boundary(history) ? link->server_conn.handshake.info.replid : *ours;
}

/* What is beyond `from` goes; a snapshot that is being fetched comes from the primary before. */
static bool leave_branch(struct link *link, const struct replid *replid, uint64_t from,
                         struct text *why)
{
    struct history *history = store_current(link->store);
    bool is_cut = from < history_end(history);
    log_info("upstream: replication id %s goes on as %s from offset %" PRIu64,
             history_identity(history)->replid.hex, replid->hex, from);
    refresh_cancel(link->refresh_schedule.refresh, "another server is the primary");
    if (!link_handshake_cut_at(link, from, why))
        return false;
    if (is_cut)
        link->callbacks.on_news(LINK_NEWS_REWOUND, link->callbacks.arg);
    link->next_id = *replid;
    return true;
}

/* FAILED: `why`. PENDING: the disk has to take a cut, or another id. First the cut, then the id: under the new id
 * nothing may be found that was cut off, not even after a power failure. */
static enum disk_step rejoin(struct link *link, const struct psync_reply *reply, uint64_t from,
                             struct text *why)
{
    struct history *history = store_current(link->store);
    if (from < history_first(history)) {
        text_format(why,
                    from >= history_window_first(history)
                        ? "offset %" PRIu64 " is in a part of the window that is being proven"
                        : "the window has left offset %" PRIu64 " behind meanwhile",
                    from);
        return DISK_STEP_FAILED;
    }
    struct replid replid = id_from_now_on(link, reply, from);
    if (replid_equal(&replid, &history_identity(history)->replid))
        return DISK_STEP_DONE;
    if (!leave_branch(link, &replid, from, why))
        return DISK_STEP_FAILED;
    return history_cut(history) != HISTORY_CUT_DONE ? DISK_STEP_PENDING : adopt_id(link, why);
}

static void continue_stream(struct link *link, const struct psync_reply *reply,
                            struct link_outcome *outcome)
{
    struct text why;
    text_init(&why, LINK_WHY_MAX);
    /* +CONTINUE names no offset: it is the one that was asked for (docs/protocol.md 1.4). */
    uint64_t from = link->server_conn.handshake.terms.offset;
    switch (rejoin(link, reply, from, &why)) {
    case DISK_STEP_DONE:
        stream_on(link, outcome);
        break;
    case DISK_STEP_PENDING:
        link_enter(outcome, LINK_REWINDING, "cut offset=%" PRIu64, from);
        break;
    case DISK_STEP_FAILED:
        link_fail_store(outcome, text_string(&why));
        break;
    }
    text_fini(&why);
}

/* It is told once, and again when it has changed. */
static void link_handshake_note_rights(struct link *link)
{
    unsigned denied = link->server_conn.handshake.denied;
    if (denied == link->denied)
        return;
    link->denied = denied;
    if (denied == 0)
        return;
    struct text words;
    struct text costs;
    text_init(&words, LINK_WHY_MAX);
    text_init(&costs, 4 * LINK_WHY_MAX);
    primary_rights_words(denied, &words);
    primary_rights_costs(denied, &costs);
    const struct primary_address *primary = link_primary(link);
    log_warnx(
        "upstream: user \"%s\" lacks rights at %s:%" PRIu16 ": %s (ACL SETUSER gives them). %s",
        link_user(link), primary->host, primary->port, text_string(&words), text_string(&costs));
    text_fini(&words);
    text_fini(&costs);
}

static void act_on_reply(struct link *link, struct link_outcome *outcome)
{
    /* A copy: the state that follows may overwrite the handshake's. */
    const struct psync_reply reply = link->server_conn.handshake.reply;
    if (reply.verdict == PSYNC_RDB_CHANNEL || reply.verdict == PSYNC_DUAL_CHANNEL) {
        link_choose_two_channel(link, &reply, outcome);
        return;
    }
    if (reply.verdict != PSYNC_FULLRESYNC) {
        continue_stream(link, &reply, outcome);
        return;
    }
    struct text why;
    text_init(&why, LINK_WHY_MAX);
    if (link_may_begin(link, &reply, &why)) {
        begin_full_sync(link, &reply, outcome);
    } else {
        link_note_full_failure(link);
        link_fail(link, outcome, "declined", text_string(&why));
    }
    text_fini(&why);
}

void link_take_answer(struct link *link, struct link_outcome *outcome)
{
    struct text why;
    text_init(&why, LINK_WHY_MAX);
    switch (server_conn_shake_hands(&link->server_conn, &why)) {
    case SERVER_CONN_MORE:
        server_conn_flush(&link->server_conn);
        break;
    case SERVER_CONN_DONE:
        link_handshake_note_rights(link);
        link_judge_cut_off(link);
        act_on_reply(link, outcome);
        break;
    case SERVER_CONN_PASSED:
        link_fail(link, outcome, "passed_over", text_string(&why));
        break;
    case SERVER_CONN_FAILED:
        /* An attempt that ended before PSYNC has not tried all that takes a right. */
        if (handshake_has_asked(&link->server_conn.handshake))
            link_handshake_note_rights(link);
        link_fail(link, outcome, "refused", text_string(&why));
        break;
    case SERVER_CONN_BROKEN:
        link_fail(link, outcome, "broken", text_string(&why));
        break;
    }
    text_fini(&why);
}
