/* SPDX-License-Identifier: MIT */
#include "relay/downstream/downstream.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "component.h"
#include "delayed_private.h"
#include "full_sync_progress.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/net/loop.h"
#include "relay/store/history.h"
#include "relay/store/store.h"
#include "replicas.h"
#include "worker.h"

static void downstream_on_notified(void *arg)
{
    struct downstream *downstream = arg;
    if (downstream->watches)
        downstream->callbacks.on_acknowledged(downstream->callbacks.arg);
}

/* A full sync is over: the next one that is held may begin. */
static void downstream_on_place_left(void *arg)
{
    struct downstream *downstream = arg;
    if (downstream->waiting.count > 0)
        waiting_ask(&downstream->waiting);
}

/* Asked for each time: an operator may change it while we run (prlimit). 0: no limit. */
static uint64_t open_files_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur == RLIM_INFINITY)
        return 0;
    return limit.rlim_cur;
}

static void downstream_on_accept(int fd, enum port_kind kind, void *arg)
{
    struct downstream *downstream = arg;
    downstream->connection_limiter.descriptors_max = open_files_max();
    uint64_t connected =
        downstream->clients.count + downstream->replica_stats_count + conn_draining_count();
    downstream->connections_received++;
    const struct websocket_rules *rules = kind == PORT_WS    ? &downstream->ws_rules
                                          : kind == PORT_WSS ? &downstream->wss_rules
                                                             : NULL;
    bool is_tls = port_has_tls(kind);
    if (connection_limiter_admit(&downstream->connection_limiter, fd, connected, is_tls,
                                 port_has_websocket(kind)))
        client_accept(&downstream->clients, fd, is_tls ? downstream->options.tls : NULL, rules,
                      port_is_delayed(kind), ++downstream->newest_id);
    else
        downstream->closed[CLOSE_REJECTED]++;
}

static bool start_workers(struct downstream *downstream, struct text *why)
{
    unsigned count = downstream->options.threads;
    CHECK(count >= 1 && count <= WORKERS_MAX);
    while (downstream->worker_count < count) {
        struct error error;
        struct worker *worker = worker_start(downstream->mailbox, downstream->notifier, &error);
        if (worker == NULL) {
            text_format(why, "cannot start worker %u of %u: %s", downstream->worker_count + 1,
                        count, error.text);
            return false;
        }
        downstream->workers[downstream->worker_count++] = worker;
        worker_set_compression(worker, downstream->options.compression,
                               downstream->options.compression_latency_ms);
    }
    return true;
}

/* A client certificate is as good as a password also behind an ingress, which has shown its own. */
static void set_websocket_rules(struct downstream *downstream,
                                const struct downstream_options *options)
{
    downstream->ws_rules = (struct websocket_rules){
        .path = downstream->options.ws_path,
        .trusted = options->trusted_proxies,
        .local_only = options->local_only,
    };
    downstream->wss_rules = downstream->ws_rules;
    downstream->wss_rules.needs_tls = true;
    downstream->wss_rules.local_only =
        options->local_only && !downstream->connection_limiter.tls_knows_callers;
}

static void init_parts(struct downstream *downstream, struct store *store,
                       const struct downstream_callbacks *callbacks)
{
    const struct downstream_options *options = &downstream->options;
    downstream->clients = (struct client_list){
        .loop = downstream->loop,
        .timeout_ms = options->client_timeout_ms,
        .must_authenticate = options->must_authenticate,
        .keepalive_s = options->keepalive_s,
        .sends_frames = options->compression.codec == CODEC_ZSTD,
        .on_command = callbacks->on_command,
        .on_command_arg = callbacks->arg,
        .on_newcomer = downstream_on_newcomer,
        .on_newcomer_arg = downstream,
    };
    client_list_init(&downstream->clients);
    downstream->connection_limiter = (struct connection_limiter){
        .clients_max = options->clients_max,
        .local_only = options->local_only,
        .tls_knows_callers = options->tls_knows_callers,
    };
    set_websocket_rules(downstream, options);
    downstream->callbacks = *callbacks;
    waiting_init(&downstream->waiting, store, &downstream->callbacks, options->replica_timeout_ms,
                 &downstream->limits, downstream_on_attached, downstream);
    sync_rate_set(&downstream->limits.rate, options->full_sync_rate, clock_us());
    downstream->limits.places_max = options->full_syncs_max;
    downstream->waiting.serves_old_history = options->serves_old_history;
    delay_init(&downstream->delay, options->delayed.delay_ms);
    downstream->waiting.delay = &downstream->delay;
    downstream->waiting.holds = &downstream->holds;
    if (delayed_has_port(downstream))
        delayed_load(downstream);
    TAILQ_INIT(&downstream->replica_stats_list);
    known_init(&downstream->known, &downstream->replica_stats_list, options->replica_timeout_ms,
               store_current(store) != NULL, clock_ms());
}

struct downstream *downstream_open(struct loop *loop, struct store *store,
                                   const struct downstream_options *options,
                                   const struct downstream_callbacks *callbacks, struct text *why)
{
    struct downstream *downstream = calloc(1, sizeof(*downstream));
    if (downstream == NULL) {
        text_append_string(why, "out of memory");
        return NULL;
    }
    downstream->loop = loop;
    downstream->options = *options;
    downstream->options.bind = NULL;
    init_parts(downstream, store, callbacks);
    downstream->mailbox = mailbox_new(loop, downstream_on_gone, downstream);
    downstream->notifier = notifier_new(loop, downstream_on_notified, downstream);
    downstream->place_left = notifier_new(loop, downstream_on_place_left, downstream);
    downstream->limits.on_leaving = downstream->place_left;
    if (downstream->mailbox == NULL || downstream->notifier == NULL ||
        downstream->place_left == NULL)
        text_append_string(why, "cannot make a mailbox: out of memory or descriptors");
    else if (ports_open(&downstream->ports, loop, options, downstream_on_accept, downstream, why) &&
             start_workers(downstream, why))
        return downstream;
    downstream_close(&downstream);
    return NULL;
}

bool downstream_probe(const struct downstream_options *options, struct text *taken,
                      struct text *why)
{
    return ports_probe(options, taken, why);
}

static void free_downstream(void *arg)
{
    free(arg);
}

void downstream_close(struct downstream **where)
{
    struct downstream *downstream = *where;
    *where = NULL;
    if (downstream == NULL)
        return;
    /* Nobody comes any more, then everybody goes, then the threads end: so each list is empty when its owner is
     * freed. */
    ports_close(&downstream->ports);
    downstream->watches = false;
    client_list_close_all(&downstream->clients, CLOSE_SHUTDOWN);
    waiting_close_all(&downstream->waiting, CLOSE_SHUTDOWN);
    for (unsigned i = 0; i < downstream->worker_count; i++)
        worker_stop(&downstream->workers[i]);
    /* All replica stats are on their way home, or there. */
    mailbox_free(&downstream->mailbox);
    notifier_free(&downstream->notifier);
    notifier_free(&downstream->place_left);
    CHECK(TAILQ_EMPTY(&downstream->replica_stats_list));
    known_fini(&downstream->known);
    /* What was put aside on the loop, ask_waiting maybe, comes before this. */
    loop_defer(downstream->loop, free_downstream, downstream);
}

static void change_full_sync_limits(struct downstream *downstream,
                                    const struct downstream_options *options)
{
    struct downstream_options *now = &downstream->options;
    bool has_other_rate = now->full_sync_rate != options->full_sync_rate;
    bool has_other_places = now->full_syncs_max != options->full_syncs_max;
    now->full_sync_rate = options->full_sync_rate;
    now->full_syncs_max = downstream->limits.places_max = options->full_syncs_max;
    if (has_other_rate) {
        sync_rate_set(&downstream->limits.rate, options->full_sync_rate, clock_us());
        for (unsigned i = 0; i < downstream->worker_count; i++)
            worker_note_rate_changed(downstream->workers[i]);
    }
    if (has_other_places)
        notifier_wake(downstream->place_left);
}

static void downstream_change_compression(struct downstream *downstream,
                                          const struct downstream_options *options)
{
    downstream->options.compression = options->compression;
    downstream->options.compression_latency_ms = options->compression_latency_ms;
    downstream->clients.sends_frames = options->compression.codec == CODEC_ZSTD;
    for (unsigned i = 0; i < downstream->worker_count; i++)
        worker_set_compression(downstream->workers[i], options->compression,
                               options->compression_latency_ms);
}

void downstream_change(struct downstream *downstream, const struct downstream_options *options)
{
    downstream->connection_limiter.clients_max = options->clients_max;
    downstream->connection_limiter.local_only = options->local_only;
    set_websocket_rules(downstream, options);
    downstream->clients.must_authenticate = options->must_authenticate;
    downstream->clients.timeout_ms = options->client_timeout_ms;
    downstream->clients.keepalive_s = options->keepalive_s;
    downstream->waiting.serves_old_history = options->serves_old_history;
    downstream->options.congestion = options->congestion;
    downstream->options.stream_rate_warning_ms = options->stream_rate_warning_ms;
    delay_set(&downstream->delay, options->delayed.delay_ms);
    downstream->options.window_bytes = options->window_bytes;
    change_full_sync_limits(downstream, options);
    downstream_change_compression(downstream, options);
    if (downstream->options.replica_timeout_ms == options->replica_timeout_ms)
        return;
    downstream->options.replica_timeout_ms = options->replica_timeout_ms;
    downstream->known.timeout_ms = options->replica_timeout_ms;
    waiting_set_timeout(&downstream->waiting, options->replica_timeout_ms);
    for (unsigned i = 0; i < downstream->worker_count; i++)
        worker_set_timeout(downstream->workers[i], options->replica_timeout_ms);
}

struct known *downstream_known(struct downstream *downstream)
{
    return &downstream->known;
}

uint16_t downstream_port(const struct downstream *downstream)
{
    return downstream->ports.sides[PORT_PLAIN].port;
}

uint16_t downstream_tls_port(const struct downstream *downstream)
{
    return downstream->ports.sides[PORT_TLS].port;
}

uint16_t downstream_ws_port(const struct downstream *downstream)
{
    return downstream->ports.sides[PORT_WS].port;
}

uint16_t downstream_ws_tls_port(const struct downstream *downstream)
{
    return downstream->ports.sides[PORT_WSS].port;
}

void downstream_set_tls(struct downstream *downstream, struct tls_context *tls, bool knows_callers)
{
    CHECK(tls != NULL);
    downstream->options.tls = tls;
    downstream->connection_limiter.tls_knows_callers = knows_callers;
    downstream->wss_rules.local_only = downstream->ws_rules.local_only && !knows_callers;
}

void downstream_wake(struct downstream *downstream)
{
    waiting_ask(&downstream->waiting);
    /* A worker without replicas looks when it is given one. */
    for (unsigned i = 0; i < downstream->worker_count; i++) {
        if (downstream->loads[i] > 0)
            worker_wake(downstream->workers[i]);
    }
}

static void log_stream(const struct replica_stats *stats)
{
    const struct stream_watch *watch = &stats->stream;
    if (watch->is_short)
        log_warnx("downstream: replica id=%" PRIu64 " addr=%s: the stream does not fit its link: "
                  "published=%" PRIu64 " acknowledged=%" PRIu64 " missing=%" PRIu64
                  " bytes a second",
                  stats->id, stats->peer, watch->published_rate, watch->acknowledged_rate,
                  stream_watch_missing(watch));
    else
        log_info("downstream: replica id=%" PRIu64 " addr=%s: the stream fits its link again",
                 stats->id, stats->peer);
}

/* Does the stream fit the way to each replica that is online? */
static void watch_streams(struct downstream *downstream)
{
    const struct replica_stats_list_scope scope = downstream_scope(downstream);
    const struct history *history = store_current(downstream->waiting.store);
    int64_t window_ms = downstream->options.stream_rate_warning_ms;
    struct replica_stats *stats;
    TAILQ_FOREACH(stats, &downstream->replica_stats_list, entry)
    {
        bool is_online = REPLICA_STATS_GET(stats, state) == (int)REPLICA_STREAMING &&
                         REPLICA_STATS_GET(stats, acknowledged) > 0;
        if (history == NULL || window_ms == 0 || !is_online || !stats->acknowledges ||
            stats->runs_behind || stats->history_number != scope.history_number)
            stream_watch_reset(&stats->stream);
        else if (stream_watch_note(&stats->stream, clock_ms(), window_ms,
                                   history_published(history),
                                   replica_stats_list_offset(stats, &scope)))
            log_stream(stats);
    }
}

void downstream_tick(struct downstream *downstream)
{
    delayed_update(downstream);
    watch_streams(downstream);
    waiting_tick(&downstream->waiting);
    full_sync_progress_tick(&downstream->replica_stats_list, &downstream->progress_logged_ms);
    known_tick(&downstream->known, clock_ms());
    client_list_tick(&downstream->clients);
}

void downstream_close_replicas(struct downstream *downstream, enum close_reason reason,
                               uint64_t number_spared)
{
    /* Nobody can go on in what is no more. */
    if (reason == CLOSE_REPLACED)
        known_unpin(&downstream->known);
    for (unsigned i = 0; i < downstream->worker_count; i++)
        worker_close_all(downstream->workers[i], reason, number_spared);
}

static struct client *find_client(const struct downstream *downstream, uint64_t id)
{
    struct client *client = client_list_first(&downstream->clients);
    while (client != NULL && client_id(client) != id)
        client = client_next(client);
    return client;
}

bool downstream_kill(struct downstream *downstream, uint64_t id)
{
    return downstream_expel(downstream, id, CLOSE_KILLED);
}

bool downstream_expel(struct downstream *downstream, uint64_t id, enum close_reason reason)
{
    struct client *client = find_client(downstream, id);
    if (client == NULL)
        return replicas_close(downstream, id, reason);
    client_close(client, reason);
    return true;
}

bool downstream_drop(struct downstream *downstream, uint64_t id)
{
    return replicas_close(downstream, id, CLOSE_DROPPED);
}

void downstream_rewound(struct downstream *downstream)
{
    const struct replica_stats_list_scope scope = downstream_scope(downstream);
    if (scope.branches == NULL)
        return;
    /* Before a byte of the new branch comes: delay.h. */
    delayed_cut(downstream, branches_start(scope.branches));
    for (unsigned i = 0; i < downstream->worker_count; i++)
        worker_confirm(downstream->workers[i], scope.history_number, scope.branches->current,
                       branches_start(scope.branches));
}

void downstream_renamed(struct downstream *downstream)
{
    const struct replica_stats_list_scope scope = downstream_scope(downstream);
    CHECK(scope.branches != NULL);
    /* Before they are closed: once a cursor is gone the window may move on. */
    known_pin(&downstream->known, store_current(downstream->waiting.store));
    for (unsigned i = 0; i < downstream->worker_count; i++)
        worker_rename(downstream->workers[i], scope.branches->current,
                      branches_start(scope.branches));
}

void downstream_watch_acknowledged(struct downstream *downstream, bool watch)
{
    CHECK(!watch || downstream->callbacks.on_acknowledged != NULL);
    if (downstream->watches == watch)
        return;
    downstream->watches = watch;
    for (unsigned i = 0; i < downstream->worker_count; i++)
        worker_watch(downstream->workers[i], watch);
}
