/* SPDX-License-Identifier: MIT */
#include "attach.h"

#include "relay/base/bytes.h"
#include "relay/base/crc64.h"
#include "relay/os/random.h"
#include "relay/store/rdb_parts.h"

static struct attach_plan wait_for(enum attach_verdict verdict)
{
    return (struct attach_plan){.verdict = verdict};
}

/* A replica without `capa psync2` cannot be told a new id: going on under an old one would leave it
 * with an id that dies with its connection (docs/protocol.md 4.2). */
static bool may_keep_its_id(const struct history *history, const struct attach_wish *wish)
{
    return wish->terms->capa_psync2 ||
           replid_equal(&history_identity(history)->replid, &wish->request->replid);
}

static enum continuity continuity_in(const struct history *history, const struct attach_wish *wish)
{
    /* Where it could go on and may not, it is as if its id were unknown: it gets a full sync, and with it the id of
     * now. */
    if (history == NULL || !may_keep_its_id(history, wish))
        return CONTINUITY_STRANGE;
    return history_may_continue(history, &wish->request->replid, wish->request->offset);
}

/* Will it be able to go on with the history that is arriving, once that is current? What arrives may
 * still turn out to be nothing, so it is only waited for. */
static bool is_arriving_its_own(const struct store *store, const struct attach_wish *wish)
{
    enum continuity continuity = continuity_in(store_arriving(store), wish);
    return continuity == CONTINUITY_YES ||
           (continuity == CONTINUITY_AHEAD && !wish->stream_wait_is_over);
}

/* The stream alone, for `redis-cli --replica`: from a place between two commands. */
static struct attach_plan decide_empty(const struct store *store, const struct attach_wish *wish)
{
    struct history *history = store_current(store);
    if (history == NULL)
        return wait_for(ATTACH_WAIT_FOR_STORE);
    /* Behind the last whole command: a stream that begins in the middle of one is no stream. */
    uint64_t boundary = history_boundary(history);
    if (boundary < history_first(history) || boundary > history_published(history))
        return wait_for(
            ATTACH_WAIT_FOR_STORE); /* at the end of this turn, or of a giant transaction */
    if (wish->runs_behind && (!wish->has_limit || wish->limit < history_first(history)))
        return wait_for(ATTACH_WAIT_FOR_DELAY);
    if (wish->runs_behind && wish->limit < boundary)
        boundary = wish->limit;
    return (struct attach_plan){.verdict = ATTACH_EMPTY, .history = history, .offset = boundary};
}

/* Can this snapshot be sent now? One that arrives is only begun when its bytes have begun to flow: a
 * replica that reads it straight into its data set must not be left hanging in it. */
static struct attach_plan decide_snapshot(struct history *history, struct snapshot *snapshot,
                                          const struct attach_wish *wish)
{
    struct attach_plan plan = {
        .verdict = ATTACH_FULL,
        .history = history,
        .snapshot = snapshot,
        .offset = snapshot_offset(snapshot),
        .has_length = false,
    };
    if (plan.offset > history_published(history))
        return wait_for(
            ATTACH_WAIT_FOR_STORE); /* a refresh, taken of what we have not received yet */
    enum snapshot_state state = snapshot_state(snapshot);
    plan.has_length = snapshot_length(snapshot, &plan.length);
    if (state == SNAPSHOT_COMPLETE)
        return plan;
    /* Without a length the RDB ends by a mark, and only who has said `capa eof` knows marks
     * (docs/protocol.md 2.2). The others wait until the whole is here, and so has a length. */
    bool can_take_it = plan.has_length || wish->terms->capa_eof;
    if (state == SNAPSHOT_ARRIVING && can_take_it && snapshot_received(snapshot) > 0)
        return plan;
    return wait_for(ATTACH_WAIT_FOR_STORE);
}

/* The rest of an RDB whose beginning it has. False: there is none to be had, and it gets one anew. */
static bool decide_rest(const struct store *store, const struct attach_wish *wish,
                        struct attach_plan *plan)
{
    const struct replica_terms *terms = wish->terms;
    struct history *history;
    struct snapshot *snapshot;
    if (!terms->has_part || wish->request == NULL ||
        (wish->runs_behind && (!wish->has_limit || terms->part.offset > wish->limit)))
        return false;
    switch (store_match_part(store, &terms->part, !terms->rdb_only, &history, &snapshot)) {
    case PART_OTHER:
        return false;
    case PART_WAITS:
        *plan = wait_for(ATTACH_WAIT_FOR_STORE);
        return true;
    case PART_UNREAD:
        *plan = wait_for(ATTACH_COMPARE_RDB);
        return true;
    case PART_MATCHES:
        *plan = decide_snapshot(history, snapshot, wish);
        plan->rdb_begin = terms->part.bytes;
        return true;
    }
    UNREACHABLE("a match without a case");
}

/* A relay below us that wants nothing but an RDB tells from which offset on one is of use to it. */
static bool attach_is_useful(const struct snapshot *snapshot, const struct attach_wish *wish)
{
    return snapshot != NULL &&
           (!wish->terms->rdb_only || snapshot_offset(snapshot) >= wish->terms->rdb_from);
}

static struct attach_plan decide_fetch(const struct history *current,
                                       const struct attach_wish *wish)
{
    uint64_t from = wish->terms->rdb_only ? wish->terms->rdb_from : 0;
    /* What the primary would fork for now ends before that. */
    if (from > history_published(current))
        return wait_for(ATTACH_WAIT_FOR_STORE);
    return (struct attach_plan){.verdict = ATTACH_FETCH_SNAPSHOT, .wanted_from = from};
}

/* An RDB that is as old as the stream that may follow it. The data that a replica has is older than that of a history
 * that has just begun, so nothing is taken while it arrives. */
static struct attach_plan decide_aged(const struct store *store, const struct attach_wish *wish)
{
    struct history *current = store_current(store);
    if (current == NULL)
        return wait_for(ATTACH_WAIT_FOR_STORE);
    struct snapshot *snapshot =
        wish->has_limit ? history_aged_snapshot(current, wish->limit) : NULL;
    if (attach_is_useful(snapshot, wish))
        return decide_snapshot(current, snapshot, wish);
    if (snapshot != NULL)
        return decide_fetch(current, wish);
    bool has_any = history_usable_snapshot(current) != NULL ||
                   history_arriving_snapshot(current) != NULL ||
                   history_is_proving_snapshot(current) || store_arriving(store) != NULL;
    /* With `snapshot = on-demand` there may be none: one that is fetched now will be old enough. */
    return wait_for(has_any ? ATTACH_WAIT_FOR_DELAY : ATTACH_FETCH_SNAPSHOT);
}

static struct attach_plan decide_full(const struct store *store, const struct attach_wish *wish)
{
    struct attach_plan rest;
    if (decide_rest(store, wish, &rest))
        return rest;
    if (wish->runs_behind)
        return decide_aged(store, wish);
    struct history *current = store_current(store);
    if (current != NULL && !wish->awaits_new_history) {
        struct snapshot *snapshot = history_usable_snapshot(current);
        if (attach_is_useful(snapshot, wish))
            return decide_snapshot(current, snapshot, wish);
    }
    /* The current one cannot serve it. What arrives will replace the current one in a moment, so an RDB of
     * that is the next best; a fetch beside it would only make the primary fork twice. */
    struct history *arriving = store_arriving(store);
    if (arriving != NULL) {
        struct snapshot *snapshot = history_usable_snapshot(arriving);
        if (snapshot != NULL)
            return decide_snapshot(arriving, snapshot, wish);
        return wait_for(ATTACH_WAIT_FOR_STORE);
    }
    /* All three end by themselves: a history comes, a refresh arrives or fails, the proof of an RDB that was found
     * at the start succeeds or fails. Only where nothing is under way has somebody to ask the primary. */
    if (current == NULL || wish->awaits_new_history || history_arriving_snapshot(current) != NULL ||
        history_is_proving_snapshot(current))
        return wait_for(ATTACH_WAIT_FOR_STORE);
    return decide_fetch(current, wish);
}

struct attach_plan attach_decide(const struct store *store, const struct attach_wish *wish)
{
    /* A cut or another id is on its way to the disk: who attached now at the end of the history would know neither the
     * old id's end nor the new id. A cut that waits for room on the disk may do so for hours: meanwhile what stays of the
     * history is served under its old id, and the new one begins after that. */
    const struct history *served = store_current(store);
    if (served != NULL && history_is_settling(served) && !history_awaits_room(served))
        return wait_for(ATTACH_WAIT_FOR_STORE);
    /* A partial resync first: it costs nothing, and it is right whatever snapshots there are. Who wants the RDB
     * alone has no use for it. */
    const struct replica_terms *terms = wish->terms;
    if (wish->request != NULL && wish->request->has_replid && !terms->rdb_only) {
        struct history *current = store_current(store);
        enum continuity continuity = continuity_in(current, wish);
        if (continuity == CONTINUITY_YES && wish->runs_behind &&
            (!wish->has_limit || wish->request->offset >= wish->limit))
            return (struct attach_plan){.verdict = ATTACH_WAIT_FOR_DELAY,
                                        .history = current,
                                        .offset = wish->request->offset};
        if (continuity == CONTINUITY_YES)
            return (struct attach_plan){
                .verdict = ATTACH_CONTINUE, .history = current, .offset = wish->request->offset};
        if (continuity == CONTINUITY_AHEAD && !wish->stream_wait_is_over)
            return wait_for(ATTACH_WAIT_FOR_STREAM);
        if (continuity == CONTINUITY_UNPROVEN)
            return wait_for(ATTACH_WAIT_FOR_STORE); /* for the proof, or for its failure */
        if (continuity == CONTINUITY_STRANGE && is_arriving_its_own(store, wish))
            return wait_for(ATTACH_WAIT_FOR_STORE);
    }
    /* CONTINUITY_AHEAD that has waited long enough, too, ends here: what it has beyond us is lost. */
    if (terms->filter_empty && !terms->rdb_only)
        return wish->awaits_new_history ? wait_for(ATTACH_WAIT_FOR_STORE)
                                        : decide_empty(store, wish);
    return decide_full(store, wish);
}

/* The smallest RDB: a version that every server since 5.0 loads, the end opcode, the CRC-64 of both. */
static void append_empty_rdb(struct text *out)
{
    uint8_t rdb[18] = "REDIS0009\xff";
    uint64_t crc = crc64(0, rdb, 10);
    for (int i = 0; i < 8; i++)
        rdb[10 + i] = (uint8_t)(crc >> (8 * i));
    payload_format_length(out, sizeof(rdb));
    text_append(out, bytes_at(rdb, sizeof(rdb)));
}

/* A compressed RDB has a length that nobody knows before it is sent: only one that takes an end mark gets it. */
static void append_snapshot(const struct attach_plan *plan, const struct attach_wish *wish,
                            struct feed *feed)
{
    bool is_compressed = wish->codec.compression.codec != CODEC_NONE && wish->codec.has_envelope &&
                         wish->terms->capa_eof;
    snapshot_retain(plan->snapshot);
    feed->snapshot = plan->snapshot;
    feed->snapshot_sent = plan->rdb_begin;
    feed->holds_snapshot = wish->terms->is_relay;
    if (plan->has_length && !is_compressed) {
        payload_format_length(&feed->head, plan->length);
        return;
    }
    feed->has_mark = true;
    /* Nobody can have written it into the data set: it is random, and made for this transfer. */
    random_hex(feed->mark, PAYLOAD_MARK_LENGTH);
    payload_format_mark(&feed->head, feed->mark);
}

bool attach_perform(const struct attach_plan *plan, const struct attach_wish *wish,
                    struct feed *feed)
{
    CHECK(plan->history != NULL);
    feed->compression.codec = wish->codec;
    const struct replid *replid = &history_identity(plan->history)->replid;
    if (!wish->terms->rdb_only) {
        /* First of all: from here on the bytes behind the snapshot are kept for this replica. */
        if (!history_attach(plan->history, &feed->cursor, plan->offset))
            return false;
        feed->has_stream = true;
    }
    if (plan->verdict == ATTACH_CONTINUE) {
        psync_format_continue(&feed->head, replid, wish->terms->capa_psync2);
        return true;
    }
    /* SYNC has no reply but the RDB (docs/protocol.md 1.5). */
    if (wish->request != NULL)
        psync_format_fullresync(&feed->head, replid, plan->offset, plan->rdb_begin);
    if (plan->verdict == ATTACH_EMPTY)
        append_empty_rdb(&feed->head);
    else
        append_snapshot(plan, wish, feed);
    return true;
}

const char *attach_cause(const struct attach_plan *plan)
{
    switch (plan->verdict) {
    case ATTACH_WAIT_FOR_STORE:
    case ATTACH_WAIT_FOR_STREAM:
    case ATTACH_FETCH_SNAPSHOT:
    case ATTACH_COMPARE_RDB:
    case ATTACH_WAIT_FOR_DELAY:
        return "waiting";
    case ATTACH_CONTINUE:
        return "continue";
    case ATTACH_EMPTY:
        return "full-sync-empty";
    case ATTACH_FULL:
        if (plan->rdb_begin > 0)
            return "full-sync-resumed";
        return plan->has_length ? "full-sync" : "full-sync-end-mark";
    }
    UNREACHABLE("no such verdict");
}
