/* SPDX-License-Identifier: MIT */
#include "waiting.h"

#include <inttypes.h>
#include <stdio.h>

#include "attach.h"
#include "full_sync_limits.h"
#include "full_sync_progress.h"
#include "holds.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/downstream/options.h"
#include "relay/store/rdb_parts.h"

/* A refresh that failed is asked for again after this, while somebody still waits. */
enum { WANT_AGAIN_MS = 5 * 1000 };

void waiting_init(struct waiting *waiting, struct store *store,
                  const struct downstream_callbacks *callbacks, int64_t timeout_ms,
                  struct full_sync_limits *limits, waiting_attached_fn *on_attached, void *arg)
{
    *waiting = (struct waiting){
        .store = store,
        .callbacks = callbacks,
        .on_attached = on_attached,
        .on_attached_arg = arg,
        .timeout_ms = timeout_ms,
        .limits = limits,
    };
    TAILQ_INIT(&waiting->replicas);
}

void waiting_set_timeout(struct waiting *waiting, int64_t timeout_ms)
{
    struct replica *replica;
    waiting->timeout_ms = timeout_ms;
    TAILQ_FOREACH(replica, &waiting->replicas, entry)
    {
        replica->timeout_ms = timeout_ms;
    }
}

static void log_asked(const struct replica *replica)
{
    const struct replica_stats *stats = replica->stats;
    char asked[REPLID_DIGITS + 32] = "?";
    if (replica->has_request && replica->request.has_replid)
        snprintf(asked, sizeof(asked), "%s:%" PRIu64, replica->request.replid.hex,
                 replica->request.offset);
    log_info("downstream: replica id=%" PRIu64 " addr=%s state=handshake->waiting cause=%s "
             "asked=%s listening=%s:%u version=%s carrier=%s",
             stats->id, stats->peer, replica->has_request ? "psync" : "sync", asked,
             stats->terms.address[0] != '\0' ? stats->terms.address : stats->address,
             stats->terms.listening_port,
             stats->terms.version[0] != '\0' ? stats->terms.version : "?", stats->carrier);
}

static uint32_t version_of(const struct replica_stats *stats)
{
    uint32_t version;
    return server_version_parse(bytes_of(stats->terms.version), &version) ? version : 0;
}

/* A server that stays, and no tool that looks. */
static bool is_server(const struct replica_stats *stats)
{
    const struct replica_terms *terms = &stats->terms;
    return stats->acknowledges && terms->listening_port != 0 && !terms->rdb_only &&
           !terms->filter_empty;
}

void waiting_add(struct waiting *waiting, struct replica *replica)
{
    log_asked(replica);
    if (is_server(replica->stats))
        waiting->callbacks->on_version(version_of(replica->stats), waiting->callbacks->arg);
    TAILQ_INSERT_TAIL(&waiting->replicas, replica, entry);
    waiting->count++;
}

void waiting_remove(struct waiting *waiting, struct replica *replica)
{
    CHECK(waiting->count > 0);
    TAILQ_REMOVE(&waiting->replicas, replica, entry);
    waiting->count--;
}

/* Since nobody sends a replica that is ahead anything while upstream is down, time counts only while
 * upstream is up. */
static bool is_stream_wait_over(const struct waiting *waiting, const struct replica *replica)
{
    if (waiting->streaming_since_ms == 0)
        return false;
    int64_t since_ms = replica->since_ms > waiting->streaming_since_ms
                           ? replica->since_ms
                           : waiting->streaming_since_ms;
    return clock_silence_ms(since_ms) > waiting->timeout_ms;
}

/* The RDB of a history that is about to end would only be followed by another. While the new one arrives a
 * full sync waits for it, or takes it as it comes; when the transfer has broken off, for repl-timeout. */
static void look_for_new_history(struct waiting *waiting)
{
    int64_t now_ms = clock_ms();
    const struct downstream_callbacks *callbacks = waiting->callbacks;
    bool is_old = callbacks->is_history_old != NULL && callbacks->is_history_old(callbacks->arg);
    if (waiting->serves_old_history || !is_old)
        waiting->new_until_ms = 0;
    else if (store_arriving(waiting->store) != NULL || waiting->new_until_ms == 0)
        waiting->new_until_ms = now_ms + waiting->timeout_ms;
    waiting->awaits_new_history = now_ms < waiting->new_until_ms;
}

static void want_snapshot(struct waiting *waiting, uint64_t from, int64_t now_ms)
{
    /* Each replica that waits asks at the end of each turn. One question is enough for all of them, and one
     * more now and then for a fetch that has failed. */
    bool is_recent = waiting->wanted_ms != 0 && now_ms - waiting->wanted_ms < WANT_AGAIN_MS;
    if (is_recent && from <= waiting->wanted_from)
        return;
    waiting->wanted_from = from;
    waiting->wanted_ms = now_ms;
    waiting->callbacks->on_snapshot_wanted(from, waiting->callbacks->arg);
}

static struct resync_source source_of(const struct attach_plan *plan)
{
    struct resync_source source = {.history_number = history_number(plan->history)};
    if (!rdb_version_parse(snapshot_magic(plan->snapshot), &source.rdb))
        source.rdb.number = 0; /* its first bytes are not here yet */
    return source;
}

static void log_delayed(const struct replica_stats *stats, int64_t wait_ms)
{
    char magic[RDB_MAGIC_LENGTH + 1];
    rdb_version_format(stats->source.rdb, magic);
    if (stats->reading == RDB_UNREADABLE && stats->terms.is_relay && stats->failures == 0)
        log_info("downstream: replica id=%" PRIu64
                 " addr=%s listening-port=%u version=%s rdb=%s: a relay "
                 "whose replicas cannot read this RDB: full sync delayed by up to %.1f s, until "
                 "there is another",
                 stats->id, stats->peer, stats->terms.listening_port, stats->terms.version, magic,
                 (double)wait_ms / 1000);
    else if (stats->reading == RDB_UNREADABLE)
        log_warnx("downstream: replica id=%" PRIu64 " addr=%s listening-port=%u version=%s "
                  "rdb=%s failed=%u: full sync delayed by %.1f s: this version cannot "
                  "read the RDB, %s can",
                  stats->id, stats->peer, stats->terms.listening_port, stats->terms.version, magic,
                  stats->failures, (double)wait_ms / 1000, rdb_version_readers(stats->source.rdb));
    else
        log_warnx("downstream: replica id=%" PRIu64 " addr=%s listening-port=%u rdb=%s failed=%u: "
                  "full sync delayed by %.1f s: the replica did not acknowledge the previous "
                  "ones; see its log (the RDB is for %s)",
                  stats->id, stats->peer, stats->terms.listening_port, magic, stats->failures,
                  (double)wait_ms / 1000, rdb_version_readers(stats->source.rdb));
}

static void delay_full_sync(struct waiting *waiting, struct replica *replica,
                            const struct resync_source *source, int64_t now_ms)
{
    struct replica_stats *stats = replica->stats;
    stats->source = *source;
    stats->reading = rdb_version_reading(source->rdb, version_of(stats));
    stats->failures = resync_throttle_take(&waiting->throttle, stats, source, now_ms);
    /* A relay keeps any RDB: the version that it announces is that of its replicas. It waits once, for an RDB that
     * they can read; after that only its failures count. */
    bool is_proven = stats->terms.is_relay && stats->failures > 0;
    int64_t wait_ms = resync_wait_ms(stats->failures, is_proven ? RDB_UNKNOWN : stats->reading);
    stats->not_before_ms = now_ms + wait_ms;
    if (wait_ms > 0)
        log_delayed(stats, wait_ms);
}

/* A server that announces no version is a Redis, or older than what writes Valkey's own formats. It is served
 * all the same. */
static void tell_unreadable(struct waiting *waiting, const struct replica_stats *stats)
{
    bool is_foreign = stats->terms.version[0] == '\0' && stats->source.rdb.is_valkey;
    if (stats->reading == RDB_UNREADABLE || (is_foreign && is_server(stats)))
        waiting->callbacks->on_unreadable(version_of(stats), waiting->callbacks->arg);
}

/* True: this full sync has to wait. Decided when it could be had, and anew when it would be of another
 * RDB. One that arrives may be what a replica that cannot read this one can read. */
static bool has_to_wait(struct waiting *waiting, struct replica *replica,
                        const struct attach_plan *plan, int64_t now_ms)
{
    /* The count of failures is taken only once for each source: taking it away from the throttle is what makes
     * this replica the one that failed (resync_throttle.h). */
    const struct replica_stats *stats = replica->stats;
    struct resync_source source = source_of(plan);
    if (stats->not_before_ms == 0 || !resync_source_equal(&stats->source, &source))
        delay_full_sync(waiting, replica, &source, now_ms);
    tell_unreadable(waiting, stats);
    const struct snapshot *arriving = history_arriving_snapshot(plan->history);
    return now_ms < stats->not_before_ms ||
           (stats->reading == RDB_UNREADABLE && arriving != NULL && arriving != plan->snapshot);
}

static void count_sync(struct waiting *waiting, const struct replica *replica,
                       const struct attach_plan *plan)
{
    /* As in redis-server a full sync that is given instead of a partial resync counts as both. */
    bool asked_partial = replica->has_request && replica->request.has_replid;
    if (plan->verdict == ATTACH_CONTINUE) {
        waiting->sync_partial_ok++;
        return;
    }
    waiting->sync_full++;
    if (plan->rdb_begin > 0)
        waiting->sync_full_resumed++;
    if (asked_partial)
        waiting->sync_partial_err++;
}

static void attach(struct waiting *waiting, struct replica *replica, const struct attach_wish *wish,
                   const struct attach_plan *plan)
{
    /* From here on the replica has its cursor, so the backlog behind the snapshot cannot be trimmed away before the
     * worker has it. */
    if (!attach_perform(plan, wish, &replica->feed))
        return;
    if (replica->feed.head.failed) {
        replica_close(replica, CLOSE_MEMORY);
        return;
    }
    if (plan->verdict == ATTACH_FULL) {
        replica_take_place(replica, waiting->limits);
        replica->stats->rdb_begin = plan->rdb_begin;
        full_sync_progress_begin(
            replica->stats, plan->has_length ? plan->length : snapshot_estimate(plan->snapshot),
            !plan->has_length);
    }
    struct replica_stats *stats = replica->stats;
    stats->not_before_ms = 0;
    stats->is_held = false;
    stats->history_number = history_number(plan->history);
    stats->attached_offset = plan->offset;
    /* Its acknowledgements count from now on, and on this branch only; set before the worker can write any. */
    REPLICA_STATS_SET(stats, branch, history_branches(plan->history)->current);
    stats->full_sync = plan->verdict != ATTACH_CONTINUE;
    REPLICA_STATS_SET(stats, limit, wish->limit);
    replica->feed.limit = stats->runs_behind ? &stats->limit : NULL;
    stats->attached_ms = clock_ms();
    /* Who continues says by that what it has. */
    if (!stats->full_sync)
        REPLICA_STATS_SET(stats, acknowledged, plan->offset);
    REPLICA_STATS_SET(stats, sent_offset, plan->offset);
    count_sync(waiting, replica, plan);
    /* Last: the worker may have it, and free it, before this returns. */
    waiting_remove(waiting, replica);
    waiting->on_attached(replica, attach_cause(plan), waiting->on_attached_arg);
}

/* It waits for a place among the full syncs, or does so no longer. */
static void note_held(const struct waiting *waiting, const struct replica *replica, bool is_held)
{
    struct replica_stats *stats = replica->stats;
    bool was_held = stats->is_held;
    stats->is_held = is_held;
    if (is_held && !was_held)
        log_info("downstream: replica id=%" PRIu64
                 " addr=%s: full sync held: %u are under way (repl-max-full-syncs)",
                 stats->id, stats->peer, full_sync_limits_taken(waiting->limits));
}

unsigned waiting_count_held(const struct waiting *waiting)
{
    unsigned count = 0;
    const struct replica *replica;
    TAILQ_FOREACH(replica, &waiting->replicas, entry)
    {
        count += replica->stats->is_held;
    }
    return count;
}

/* What one that runs behind may be given. */
static void apply_delay(const struct waiting *waiting, const struct replica_stats *stats,
                        struct attach_wish *wish)
{
    wish->runs_behind = stats->runs_behind;
    if (stats->runs_behind)
        wish->has_limit =
            hold_limit(holds_find(waiting->holds, stats), waiting->delay, &wish->limit);
}

/* Where one that an operator has stopped stands, is told by what it asks for. */
static void note_place(struct waiting *waiting, const struct replica *replica,
                       const struct attach_plan *plan)
{
    const struct hold *hold =
        plan->history != NULL ? holds_find(waiting->holds, replica->stats) : NULL;
    if (hold != NULL)
        holds_note_place(waiting->holds, holds_edit(waiting->holds, hold),
                         history_number(plan->history), plan->offset);
}

static void ask(struct waiting *waiting, struct replica *replica)
{
    int64_t now_ms = clock_ms();
    /* Decided anew each time, from nothing but the store as it is now: what it was told before may have been
     * replaced, rewound or trimmed since. */
    struct attach_wish wish = {
        .request = replica->has_request ? &replica->request : NULL,
        .terms = &replica->stats->terms,
        .codec = replica->stats->codec,
        .stream_wait_is_over = is_stream_wait_over(waiting, replica),
        .awaits_new_history = waiting->awaits_new_history,
    };
    apply_delay(waiting, replica->stats, &wish);
    struct attach_plan plan = attach_decide(waiting->store, &wish);
    /* Who has a part of the RDB can keep it, and asks for the rest: nothing has failed there. */
    bool waits = plan.verdict == ATTACH_FULL && plan.rdb_begin == 0 &&
                 has_to_wait(waiting, replica, &plan, now_ms);
    note_held(waiting, replica,
              plan.verdict == ATTACH_FULL && !waits &&
                  !full_sync_limits_have_place(waiting->limits));
    switch (plan.verdict) {
    case ATTACH_WAIT_FOR_STORE:
    case ATTACH_WAIT_FOR_STREAM:
        return;
    case ATTACH_WAIT_FOR_DELAY:
        note_place(waiting, replica, &plan);
        return;
    case ATTACH_COMPARE_RDB:
        store_compare_part(waiting->store, &wish.terms->part);
        return;
    case ATTACH_FETCH_SNAPSHOT:
        want_snapshot(waiting, plan.wanted_from, now_ms);
        return;
    case ATTACH_FULL:
        if (waits || replica->stats->is_held)
            return;
        break;
    case ATTACH_CONTINUE:
    case ATTACH_EMPTY:
        break;
    }
    attach(waiting, replica, &wish, &plan);
}

void waiting_ask(struct waiting *waiting)
{
    look_for_new_history(waiting);
    struct replica *next;
    for (struct replica *replica = TAILQ_FIRST(&waiting->replicas); replica != NULL;
         replica = next) {
        next = TAILQ_NEXT(replica, entry);
        ask(waiting, replica);
    }
}

void waiting_tick(struct waiting *waiting)
{
    bool is_streaming = waiting->callbacks->is_upstream_streaming(waiting->callbacks->arg);
    if (!is_streaming)
        waiting->streaming_since_ms = 0;
    else if (waiting->streaming_since_ms == 0)
        waiting->streaming_since_ms = clock_ms();

    /* Also without news from the store: times are over that were waited for (a delay, a hold). */
    waiting_ask(waiting);
    struct replica *next;
    for (struct replica *replica = TAILQ_FIRST(&waiting->replicas); replica != NULL;
         replica = next) {
        next = TAILQ_NEXT(replica, entry);
        replica_handle(replica, REPLICA_EVENT_TICK);
    }
}

bool waiting_close(struct waiting *waiting, uint64_t id, enum close_reason reason)
{
    struct replica *replica;
    TAILQ_FOREACH(replica, &waiting->replicas, entry)
    {
        if (replica->stats->id == id) {
            replica_close(replica, reason);
            return true;
        }
    }
    return false;
}

void waiting_close_all(struct waiting *waiting, enum close_reason reason)
{
    struct replica *replica;
    while ((replica = TAILQ_FIRST(&waiting->replicas)) != NULL)
        replica_close(replica, reason);
}

/* Was it given a full sync that came to nothing by the replica's doing? One that leaves in the midst of
 * the RDB may have had a bad network; but one that does so at once has seen what it cannot read. */
static bool waiting_has_failed(const struct replica_stats *stats, int64_t now_ms)
{
    bool left = stats->reason == CLOSE_ENDED || stats->reason == CLOSE_FAILED;
    if (stats->rdb_sent_ms == 0)
        return left && now_ms - stats->attached_ms <= RESYNC_TORN_MS;
    return left || stats->reason == CLOSE_LAGGED || stats->reason == CLOSE_SILENT;
}

/* One without a count has failed. If one that cannot be told from it waits for the failures before this,
 * these were not its own: it waits no longer. */
static unsigned take_over_failures(struct waiting *waiting, const struct replica_stats *failed,
                                   int64_t now_ms)
{
    struct replica *replica;
    const struct resync_identity of_failed = resync_identity_of(failed);
    TAILQ_FOREACH(replica, &waiting->replicas, entry)
    {
        struct replica_stats *stats = replica->stats;
        const struct resync_identity who = resync_identity_of(stats);
        bool is_delayed = stats->failures > 0 && now_ms < stats->not_before_ms;
        if (!is_delayed || stats->reading == RDB_UNREADABLE ||
            !resync_identity_equal(&who, &of_failed) ||
            !resync_source_equal(&stats->source, &failed->source))
            continue;
        log_info("downstream: replica id=%" PRIu64
                 " addr=%s listening-port=%u: full sync no longer "
                 "delayed: the failures were those of addr=%s, which announces the same address",
                 stats->id, stats->peer, stats->terms.listening_port, failed->peer);
        stats->not_before_ms = now_ms;
        return stats->failures;
    }
    return 0;
}

void waiting_note_gone(struct waiting *waiting, const struct replica_stats *stats)
{
    int64_t now_ms = clock_ms();
    unsigned failures = stats->failures;
    bool was_attached = stats->worker != NULL;
    const struct replica_terms *terms = &stats->terms;
    /* Who wants the RDB only acknowledges nothing. */
    bool is_known = terms->listening_port != 0 && stats->acknowledges && !terms->rdb_only;
    if (!is_known || stats->source.history_number == 0 ||
        (was_attached && (!stats->full_sync || REPLICA_STATS_GET(stats, has_acknowledged))))
        return;
    if (was_attached && waiting_has_failed(stats, now_ms)) {
        if (failures == 0)
            failures = take_over_failures(waiting, stats, now_ms);
        failures++;
        waiting->sync_full_unacknowledged++;
    }
    resync_throttle_keep(&waiting->throttle, stats, failures, now_ms);
}
