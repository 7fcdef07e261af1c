/* SPDX-License-Identifier: MIT */
#include "replicas.h"

#include <stdio.h>
#include <stdlib.h>

#include "component.h"
#include "relay/base/bytes.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/net/loop.h"
#include "relay/store/rdb_parts.h"
#include "worker.h"

static void ask_waiting(void *arg)
{
    struct downstream *downstream = arg;
    downstream->will_ask = false;
    waiting_ask(&downstream->waiting);
}

/* Not at once: we are inside a callback of its connection, which is about to be given away; and at
 * the end of the turn everything that has come in it is published. */
static void ask_waiting_later(struct downstream *downstream)
{
    if (downstream->will_ask)
        return;
    downstream->will_ask = true;
    loop_defer(downstream->loop, ask_waiting, downstream);
}

static void copy_address(char out[REPLICA_STATS_ADDRESS_MAX], const char *string)
{
    snprintf(out, REPLICA_STATS_ADDRESS_MAX, "%s", string);
}

static struct replica_stats *make_replica_stats(const struct newcomer *newcomer,
                                                struct compression compression)
{
    struct replica_stats *stats = calloc(1, sizeof(*stats));
    if (stats == NULL)
        return NULL;
    stats->id = newcomer->id;
    stats->connected_ms = newcomer->connected_ms;
    stats->acknowledges = newcomer->request != NULL;
    stats->terms = *newcomer->terms;
    stats->carrier = conn_carrier(newcomer->conn);
    stats->runs_behind = newcomer->runs_behind;
    /* A compressed piece is shared by all who come to its place, and may reach beyond the limit of one that runs
     * behind: those are sent plain bytes. */
    if (!stats->runs_behind)
        stats->codec =
            replica_codec_choose(newcomer->terms, compression, conn_is_tls(newcomer->conn));
    copy_address(stats->peer, conn_peer(newcomer->conn));
    copy_address(stats->local, newcomer->local);
    snprintf(stats->user, sizeof(stats->user), "%s", newcomer->user);
    copy_address(stats->address, conn_peer_address(newcomer->conn));
    return stats;
}

static void on_waiting_gone(struct replica *replica, struct replica_stats *stats, void *arg)
{
    struct downstream *downstream = arg;
    waiting_remove(&downstream->waiting, replica);
    loop_defer(downstream->loop, replica_free, replica);
    mailbox_post(downstream->mailbox, &stats->gone);
}

static void refuse_newcomer(struct downstream *downstream, struct conn **conn)
{
    log_errorx("downstream: replica addr=%s closed reason=memory: out of memory", conn_peer(*conn));
    downstream->closed[CLOSE_MEMORY]++;
    conn_close(conn);
}

void downstream_on_newcomer(const struct newcomer *newcomer, void *arg)
{
    struct downstream *downstream = arg;
    struct conn *conn = newcomer->conn;
    struct replica_stats *stats = make_replica_stats(newcomer, downstream->options.compression);
    /* Before it is in any list: from its PSYNC on `ack = all` has to wait for it. */
    if (stats != NULL && known_is_about(stats) && !known_arrive(&downstream->known, stats)) {
        free(stats);
        stats = NULL;
    }
    struct replica *replica =
        stats == NULL ? NULL
                      : replica_new(stats, newcomer->unsent_replies,
                                    downstream->options.replica_timeout_ms, newcomer->request);
    if (replica == NULL || !conn_attach(conn, downstream->loop, replica_on_conn, replica)) {
        if (replica != NULL)
            replica_free(replica);
        if (stats != NULL && stats->known != NULL)
            known_leave(&downstream->known, stats, clock_ms());
        free(stats);
        refuse_newcomer(downstream, &conn);
        return;
    }
    conn_limit_unsent(conn);
    if (string_is_given(downstream->options.congestion))
        conn_set_congestion(conn, downstream->options.congestion);
    replica->on_gone = on_waiting_gone;
    replica->on_gone_arg = downstream;
    TAILQ_INSERT_TAIL(&downstream->replica_stats_list, stats, entry);
    downstream->replica_stats_count++;
    /* In the list first: replica_begin may close it at once, which takes it out again. */
    waiting_add(&downstream->waiting, replica);
    replica_begin(replica, conn, newcomer->input);
    ask_waiting_later(downstream);
}

static unsigned least_loaded(const struct downstream *downstream)
{
    unsigned found = 0;
    for (unsigned i = 1; i < downstream->worker_count; i++) {
        if (downstream->loads[i] < downstream->loads[found])
            found = i;
    }
    return found;
}

/* All replicas of one codec have one worker, which compresses once for all of them (piece_cache.h). */
static unsigned choose_worker(const struct downstream *downstream, const struct replica *replica)
{
    enum codec codec = replica->stats->codec.compression.codec;
    return codec == CODEC_NONE ? least_loaded(downstream)
                               : (unsigned)codec % downstream->worker_count;
}

void downstream_on_attached(struct replica *replica, const char *cause, void *arg)
{
    struct downstream *downstream = arg;
    unsigned number = choose_worker(downstream, replica);
    downstream->loads[number]++;
    replica->stats->worker = downstream->workers[number];
    known_unpin_one(replica->stats->known); /* its own cursor holds what it needs now */
    /* Nothing of the replica may be touched here from worker_take on, its stats alone are read. */
    conn_detach(replica->conn);
    worker_take(downstream->workers[number], replica, cause);
}

static void unload(struct downstream *downstream, const struct worker *worker)
{
    for (unsigned i = 0; i < downstream->worker_count; i++) {
        if (downstream->workers[i] == worker)
            downstream->loads[i]--;
    }
}

void downstream_on_gone(struct message *message, void *arg)
{
    struct downstream *downstream = arg;
    struct replica_stats *stats = (struct replica_stats *)message;
    /* Of a replica that waited on thread 0, too: so there is one place where replicas end, whoever had them. */
    if (stats->worker != NULL)
        unload(downstream, stats->worker);
    waiting_note_gone(&downstream->waiting, stats);
    downstream->closed[stats->reason]++;
    conn_traffic_add(&downstream->traffic, replica_stats_traffic(stats));
    downstream->compressed_bytes += REPLICA_STATS_GET(stats, compressed_bytes);
    downstream->uncompressed_bytes += REPLICA_STATS_GET(stats, uncompressed_bytes);
    TAILQ_REMOVE(&downstream->replica_stats_list, stats, entry);
    downstream->replica_stats_count--;
    if (stats->known != NULL)
        known_leave(&downstream->known, stats, clock_ms());
    if (stats->left_snapshot != NULL)
        store_keep_fetched(downstream->waiting.store, stats->history_number, &stats->left_snapshot,
                           &stats->left_cursor, downstream->options.replica_timeout_ms);
    free(stats);
    /* Who is left may have more than the one who has gone. */
    if (downstream->watches)
        notifier_wake(downstream->notifier);
}

const struct replica_stats *replicas_find(const struct downstream *downstream, uint64_t id)
{
    const struct replica_stats *stats;
    TAILQ_FOREACH(stats, &downstream->replica_stats_list, entry)
    {
        if (stats->id == id)
            return stats;
    }
    return NULL;
}

bool replicas_close(struct downstream *downstream, uint64_t id, enum close_reason reason)
{
    const struct replica_stats *stats = replicas_find(downstream, id);
    if (stats == NULL)
        return false;
    /* True also where the worker has closed it meanwhile: it was there when it was asked for. */
    if (stats->worker == NULL)
        return waiting_close(&downstream->waiting, id, reason);
    worker_close(stats->worker, id, reason);
    return true;
}
