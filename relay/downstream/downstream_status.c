/* SPDX-License-Identifier: MIT
 *
 * How the downstream side is: what replicas have acknowledged, who is connected, and counts.
 */
#include "component.h"
#include "full_sync_progress.h"
#include "relay/base/clock.h"
#include "relay/downstream/downstream.h"
#include "relay/store/history.h"
#include "relay/store/store.h"
#include "sync_failures.h"

struct replica_stats_list_scope downstream_scope(const struct downstream *downstream)
{
    const struct history *history = store_current(downstream->waiting.store);
    if (history == NULL)
        return (struct replica_stats_list_scope){.branches = NULL};
    return (struct replica_stats_list_scope){.history_number = history_number(history),
                                             .branches = history_branches(history)};
}

bool downstream_acknowledged(const struct downstream *downstream, unsigned rank, uint64_t *offset)
{
    const struct replica_stats_list_scope scope = downstream_scope(downstream);
    /* `ack = all`: somebody is missed who may have less than all that are here. */
    if (rank == 0 && !known_is_complete(&downstream->known, clock_ms()))
        return false;
    return replica_stats_list_acknowledged(&downstream->replica_stats_list, &scope, rank, offset);
}

unsigned downstream_count_acknowledged(const struct downstream *downstream, uint64_t offset)
{
    const struct replica_stats_list_scope scope = downstream_scope(downstream);
    return replica_stats_list_count_acknowledged(&downstream->replica_stats_list, &scope, offset);
}

bool downstream_has_replica(const struct downstream *downstream, const char *address, uint16_t port)
{
    return replica_stats_list_have(&downstream->replica_stats_list, address, port);
}

static int64_t delayed_ms(const struct replica_stats *stats, int64_t now_ms)
{
    return stats->not_before_ms > now_ms ? stats->not_before_ms - now_ms : 0;
}

static enum hold_kind hold_kind_of(const struct downstream *downstream,
                                   const struct replica_stats *stats)
{
    const struct hold *hold = holds_find(&downstream->holds, stats);
    return hold != NULL ? hold->kind : HOLD_NONE;
}

static struct peer_status replica_status(const struct downstream *downstream,
                                         const struct replica_stats *stats,
                                         const struct replica_stats_list_scope *scope)
{
    enum replica_state state = (enum replica_state)REPLICA_STATS_GET(stats, state);
    const char *announced = stats->terms.address;
    return (struct peer_status){
        .id = stats->id,
        .peer = stats->peer,
        .local = stats->local,
        .user = stats->user,
        .state = state,
        .state_name = replica_state_name(state),
        .address = announced[0] != '\0' ? announced : stats->address,
        .listening_port = stats->terms.listening_port,
        .version = stats->terms.version,
        .is_relay = stats->terms.is_relay,
        .runs_behind = stats->runs_behind,
        .is_online = state == REPLICA_STREAMING,
        .acknowledges = stats->acknowledges,
        .acknowledged = replica_stats_list_offset(stats, scope),
        .sent_offset = REPLICA_STATS_GET(stats, sent_offset),
        .last_ack_ms = REPLICA_STATS_GET(stats, life_ms),
        .connected_ms = stats->connected_ms,
        .sent_bytes = REPLICA_STATS_GET(stats, sent_bytes),
        .carrier = stats->carrier,
        .compression = stats->codec.compression.codec,
        .compressed_bytes = REPLICA_STATS_GET(stats, compressed_bytes),
        .uncompressed_bytes = REPLICA_STATS_GET(stats, uncompressed_bytes),
        .delayed_ms = delayed_ms(stats, clock_ms()),
        .stream_missing = stream_watch_missing(&stats->stream),
        .stream_rate = stats->stream.published_rate,
        .limit = REPLICA_STATS_GET(stats, limit),
        .hold = hold_kind_of(downstream, stats),
        .is_held = stats->is_held,
        .full_sync = full_sync_progress_view(stats),
    };
}

void downstream_each_replica(const struct downstream *downstream, peer_status_fn *fn, void *arg)
{
    const struct replica_stats_list_scope scope = downstream_scope(downstream);
    const struct replica_stats *stats;
    TAILQ_FOREACH(stats, &downstream->replica_stats_list, entry)
    {
        struct peer_status status = replica_status(downstream, stats, &scope);
        fn(&status, arg);
    }
}

void downstream_each_sync_failure(const struct downstream *downstream, sync_failure_fn *fn,
                                  void *arg)
{
    struct sync_failures failures = {.fn = fn, .arg = arg, .now_ms = clock_ms()};
    const struct replica_stats *stats;
    TAILQ_FOREACH(stats, &downstream->replica_stats_list, entry)
    {
        sync_failures_add_replica(&failures, stats);
    }
    for (int i = 0; i < RESYNC_PLACES; i++)
        sync_failures_add_place(&failures, &downstream->waiting.throttle.place[i]);
    sync_failures_tell(&failures);
}

void downstream_each_client(const struct downstream *downstream, peer_status_fn *fn, void *arg)
{
    for (struct client *client = client_list_first(&downstream->clients); client != NULL;
         client = client_next(client)) {
        struct peer_status status = {
            .id = client_id(client),
            .peer = client_peer(client),
            .local = client_local(client),
            .client = client,
            .state_name = "",
            .user = "",
            .address = "",
            .version = "",
            .connected_ms = client_connected_ms(client),
            .sent_bytes = client_traffic(client).sent_bytes,
        };
        fn(&status, arg);
    }
}

static void count_traffic(struct downstream_counts *out, struct conn_traffic traffic)
{
    out->sent_bytes += traffic.sent_bytes;
    out->received_bytes += traffic.received_bytes;
    out->reads += traffic.reads;
    out->writes += traffic.writes;
}

static void count_all(const struct downstream *downstream, struct downstream_counts *out)
{
    const struct client_list *clients = &downstream->clients;
    const struct waiting *waiting = &downstream->waiting;
    const struct buffer_peak recent = buffer_peaks_recent(&clients->buffer_peaks, clock_ms());
    *out = (struct downstream_counts){
        .clients = clients->count,
        .replicas = downstream->replica_stats_count,
        .replicas_waiting = waiting->count,
        .full_syncs = full_sync_limits_taken(&downstream->limits),
        .full_syncs_held = waiting_count_held(waiting),
        .connections_received = downstream->connections_received,
        .connections_rejected = downstream->connection_limiter.refused,
        .replicas_refused = clients->replicas_refused,
        .commands = clients->commands,
        .sync_full = waiting->sync_full,
        .sync_partial_ok = waiting->sync_partial_ok,
        .sync_partial_err = waiting->sync_partial_err,
        .sync_full_resumed = waiting->sync_full_resumed,
        .sync_full_unacknowledged = waiting->sync_full_unacknowledged,
        .replica_sent_bytes = downstream->traffic.sent_bytes,
        .compressed_bytes = downstream->compressed_bytes,
        .uncompressed_bytes = downstream->uncompressed_bytes,
        .input_buffer_recent = recent.input_bytes,
        .output_buffer_recent = recent.output_bytes,
    };
    count_traffic(out, downstream->traffic);
    count_traffic(out, clients->traffic);
    for (size_t i = 0; i < CLOSE_REASON_COUNT; i++)
        out->closed[i] = downstream->closed[i] + clients->closed[i];
    for (struct client *client = client_list_first(clients); client != NULL;
         client = client_next(client)) {
        count_traffic(out, client_traffic(client));
    }
}

void downstream_observe(const struct downstream *downstream, struct downstream_counts *out,
                        peer_status_fn *fn, void *arg)
{
    count_all(downstream, out);
    const struct replica_stats_list_scope scope = downstream_scope(downstream);
    const struct replica_stats *stats;
    TAILQ_FOREACH(stats, &downstream->replica_stats_list, entry)
    {
        struct peer_status status = replica_status(downstream, stats, &scope);
        struct conn_traffic traffic = replica_stats_traffic(stats);
        traffic.sent_bytes = status.sent_bytes; /* what `fn` is told, though the worker goes on */
        count_traffic(out, traffic);
        out->replica_sent_bytes += status.sent_bytes;
        out->compressed_bytes += status.compressed_bytes;
        out->uncompressed_bytes += status.uncompressed_bytes;
        fn(&status, arg);
    }
}

static void look_away(const struct peer_status *status, void *arg)
{
    (void)status;
    (void)arg;
}

void downstream_counts(const struct downstream *downstream, struct downstream_counts *out)
{
    downstream_observe(downstream, out, look_away, NULL);
}
