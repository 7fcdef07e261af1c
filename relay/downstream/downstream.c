/* SPDX-License-Identifier: MIT */
#include "relay/downstream/downstream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "client_list.h"
#include "connection_limiter.h"
#include "known_private.h"
#include "ports.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/net/loop.h"
#include "relay/store/history.h"
#include "relay/store/store.h"
#include "replica.h"
#include "replica_stats_list.h"
#include "waiting.h"
#include "worker.h"

enum { WORKERS_MAX = 64 };

struct downstream {
    struct loop *loop;
    struct downstream_options options; /* `bind` is used while opening only */
    struct downstream_callbacks callbacks;
    struct mailbox *mailbox;   /* replica stats that come back */
    struct notifier *notifier; /* acknowledgements have come; rung by workers */
    bool watches;              /* and somebody wants to know */
    struct ports ports;
    struct worker *workers[WORKERS_MAX];
    unsigned loads[WORKERS_MAX]; /* replicas that each has */
    unsigned worker_count;
    struct client_list clients;
    struct waiting waiting;
    struct replica_stats_list replica_stats_list; /* of all replicas, oldest first */
    struct known known;
    uint64_t replica_stats_count;
    bool will_ask; /* somebody has come who must be asked at the end of this turn */
    uint64_t newest_id;
    uint64_t connections_received;
    struct connection_limiter connection_limiter;
    /* Of replicas that have gone. */
    struct conn_traffic traffic;
    uint64_t closed[CLOSE_REASON_COUNT];
};

/* ---------------------------------------------------------------- replicas come */

static void ask_all(void *arg)
{
    struct downstream *downstream = arg;
    downstream->will_ask = false;
    waiting_ask(&downstream->waiting);
}

/* Not at once: we are inside a callback of its connection, which is about to be given away; and at
 * the end of the turn everything that has come in it is published. */
static void ask_later(struct downstream *downstream)
{
    if (downstream->will_ask)
        return;
    downstream->will_ask = true;
    loop_defer(downstream->loop, ask_all, downstream);
}

static void copy(char out[REPLICA_STATS_ADDRESS_MAX], const char *string)
{
    snprintf(out, REPLICA_STATS_ADDRESS_MAX, "%s", string);
}

static struct replica_stats *make_replica_stats(const struct newcomer *newcomer)
{
    struct replica_stats *stats = calloc(1, sizeof(*stats));
    if (stats == NULL)
        return NULL;
    stats->id = newcomer->id;
    stats->connected_ms = newcomer->connected_ms;
    stats->acknowledges = newcomer->request != NULL;
    stats->terms = *newcomer->terms;
    copy(stats->peer, conn_peer(newcomer->conn));
    copy(stats->local, newcomer->local);
    snprintf(stats->user, sizeof(stats->user), "%s", newcomer->user);
    copy(stats->address, conn_peer_address(newcomer->conn));
    return stats;
}

static void on_waiting_gone(struct replica *replica, struct replica_stats *stats, void *arg)
{
    struct downstream *downstream = arg;
    waiting_remove(&downstream->waiting, replica);
    loop_defer(downstream->loop, replica_free, replica);
    mailbox_post(downstream->mailbox, &stats->gone);
}

static void refuse(struct downstream *downstream, struct conn **conn)
{
    log_errorx("downstream: replica addr=%s closed reason=memory: out of memory", conn_peer(*conn));
    downstream->closed[CLOSE_MEMORY]++;
    conn_close(conn);
}

static void on_newcomer(const struct newcomer *newcomer, void *arg)
{
    struct downstream *downstream = arg;
    struct conn *conn = newcomer->conn;
    struct replica_stats *stats = make_replica_stats(newcomer);
    if (stats != NULL && known_is_about(stats) && !known_arrive(&downstream->known, stats)) {
        free(stats);
        stats = NULL;
    }
    struct replica *replica =
        stats == NULL ? NULL
                      : replica_new(stats, newcomer->owed, downstream->options.replica_timeout_ms,
                                    newcomer->request);
    if (replica == NULL || !conn_attach(conn, downstream->loop, replica_on_conn, replica)) {
        if (replica != NULL)
            replica_free(replica);
        if (stats != NULL && stats->known != NULL)
            known_leave(&downstream->known, stats, clock_ms());
        free(stats);
        refuse(downstream, &conn);
        return;
    }
    replica->on_gone = on_waiting_gone;
    replica->on_gone_arg = downstream;
    TAILQ_INSERT_TAIL(&downstream->replica_stats_list, stats, entry);
    downstream->replica_stats_count++;
    waiting_add(&downstream->waiting, replica);
    replica_begin(replica, conn, newcomer->input);
    ask_later(downstream);
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

static void on_attached(struct replica *replica, const char *cause, void *arg)
{
    struct downstream *downstream = arg;
    unsigned number = least_loaded(downstream);
    downstream->loads[number]++;
    replica->stats->worker = downstream->workers[number];
    known_unpin_one(replica->stats->known); /* its own cursor holds what it needs now */
    conn_detach(replica->conn);
    worker_take(downstream->workers[number], replica, cause);
}

/* ---------------------------------------------------------------- replicas go */

static struct conn_traffic replica_traffic(const struct replica_stats *stats)
{
    return (struct conn_traffic){
        .received_bytes = REPLICA_STATS_GET(stats, received_bytes),
        .sent_bytes = REPLICA_STATS_GET(stats, sent_bytes),
        .reads = REPLICA_STATS_GET(stats, reads),
        .writes = REPLICA_STATS_GET(stats, writes),
    };
}

static void unload(struct downstream *downstream, const struct worker *worker)
{
    for (unsigned i = 0; i < downstream->worker_count; i++) {
        if (downstream->workers[i] == worker)
            downstream->loads[i]--;
    }
}

static void on_replica_stats_back(struct message *message, void *arg)
{
    struct downstream *downstream = arg;
    struct replica_stats *stats = (struct replica_stats *)message;
    if (stats->worker != NULL)
        unload(downstream, stats->worker);
    waiting_note_gone(&downstream->waiting, stats);
    downstream->closed[stats->reason]++;
    conn_traffic_add(&downstream->traffic, replica_traffic(stats));
    TAILQ_REMOVE(&downstream->replica_stats_list, stats, entry);
    downstream->replica_stats_count--;
    if (stats->known != NULL)
        known_leave(&downstream->known, stats, clock_ms());
    free(stats);
    /* Who is left may have more than the one who has gone. */
    if (downstream->watches)
        notifier_wake(downstream->notifier);
}

static void on_notified(void *arg)
{
    struct downstream *downstream = arg;
    if (downstream->watches)
        downstream->callbacks.on_acknowledged(downstream->callbacks.arg);
}

/* ---------------------------------------------------------------- open and close */

/* Asked for each time: an operator may change it while we run (prlimit). 0: no limit. */
static uint64_t open_files_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur == RLIM_INFINITY)
        return 0;
    return limit.rlim_cur;
}

static void on_accept(int fd, bool is_tls, void *arg)
{
    struct downstream *downstream = arg;
    downstream->connection_limiter.descriptors_max = open_files_max();
    uint64_t connected =
        downstream->clients.count + downstream->replica_stats_count + conn_draining_count();
    downstream->connections_received++;
    if (connection_limiter_admit(&downstream->connection_limiter, fd, connected, is_tls))
        client_accept(&downstream->clients, fd, is_tls ? downstream->options.tls : NULL,
                      ++downstream->newest_id);
    else
        downstream->closed[CLOSE_REJECTED]++;
}

static bool start_workers(struct downstream *downstream, struct text *why)
{
    unsigned count = downstream->options.threads;
    CHECK(count >= 1 && count <= WORKERS_MAX);
    while (downstream->worker_count < count) {
        struct worker *worker = worker_start(downstream->mailbox, downstream->notifier);
        if (worker == NULL) {
            text_format(why, "cannot start worker %u of %u: %s", downstream->worker_count + 1,
                        count, strerror(errno));
            return false;
        }
        downstream->workers[downstream->worker_count++] = worker;
    }
    return true;
}

static void init_parts(struct downstream *downstream, const struct store *store,
                       const struct downstream_callbacks *callbacks)
{
    const struct downstream_options *options = &downstream->options;
    downstream->clients = (struct client_list){
        .loop = downstream->loop,
        .timeout_ms = options->client_timeout_ms,
        .must_authenticate = options->must_authenticate,
        .keepalive_s = options->keepalive_s,
        .on_command = callbacks->on_command,
        .on_command_arg = callbacks->arg,
        .on_newcomer = on_newcomer,
        .on_newcomer_arg = downstream,
    };
    client_list_init(&downstream->clients);
    downstream->connection_limiter = (struct connection_limiter){
        .clients_max = options->clients_max,
        .local_only = options->local_only,
        .tls_knows_callers = options->tls_knows_callers,
    };
    downstream->callbacks = *callbacks;
    waiting_init(&downstream->waiting, store, &downstream->callbacks, options->replica_timeout_ms,
                 on_attached, downstream);
    downstream->waiting.serves_old_history = options->serves_old_history;
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
    downstream->mailbox = mailbox_new(loop, on_replica_stats_back, downstream);
    downstream->notifier = notifier_new(loop, on_notified, downstream);
    if (downstream->mailbox == NULL || downstream->notifier == NULL)
        text_format(why, "cannot make a mailbox: %s", strerror(errno));
    else if (ports_open(&downstream->ports, loop, options, on_accept, downstream, why) &&
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
    ports_close(&downstream->ports);
    downstream->watches = false;
    client_list_close_all(&downstream->clients, CLOSE_SHUTDOWN);
    waiting_close_all(&downstream->waiting, CLOSE_SHUTDOWN);
    for (unsigned i = 0; i < downstream->worker_count; i++)
        worker_stop(&downstream->workers[i]);
    /* All replica stats are on their way home, or there. */
    mailbox_free(&downstream->mailbox);
    notifier_free(&downstream->notifier);
    CHECK(TAILQ_EMPTY(&downstream->replica_stats_list));
    known_fini(&downstream->known);
    /* What was put aside on the loop, ask_all maybe, comes before this. */
    loop_defer(downstream->loop, free_downstream, downstream);
}

void downstream_change(struct downstream *downstream, const struct downstream_options *options)
{
    downstream->connection_limiter.clients_max = options->clients_max;
    downstream->connection_limiter.local_only = options->local_only;
    downstream->clients.must_authenticate = options->must_authenticate;
    downstream->clients.timeout_ms = options->client_timeout_ms;
    downstream->clients.keepalive_s = options->keepalive_s;
    downstream->waiting.serves_old_history = options->serves_old_history;
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
    return downstream->ports.plain.port;
}

uint16_t downstream_tls_port(const struct downstream *downstream)
{
    return downstream->ports.tls.port;
}

void downstream_set_tls(struct downstream *downstream, struct tls_context *tls, bool knows_callers)
{
    CHECK(tls != NULL);
    downstream->options.tls = tls;
    downstream->connection_limiter.tls_knows_callers = knows_callers;
}

/* ---------------------------------------------------------------- what the composition asks for */

void downstream_wake(struct downstream *downstream)
{
    waiting_ask(&downstream->waiting);
    for (unsigned i = 0; i < downstream->worker_count; i++) {
        if (downstream->loads[i] > 0)
            worker_wake(downstream->workers[i]);
    }
}

void downstream_tick(struct downstream *downstream)
{
    waiting_tick(&downstream->waiting);
    known_tick(&downstream->known, clock_ms());
    client_list_tick(&downstream->clients);
}

void downstream_close_replicas(struct downstream *downstream, enum close_reason reason,
                               uint64_t number_spared)
{
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

static const struct replica_stats *find_replica_stats(const struct downstream *downstream,
                                                      uint64_t id)
{
    const struct replica_stats *stats;
    TAILQ_FOREACH(stats, &downstream->replica_stats_list, entry)
    {
        if (stats->id == id)
            return stats;
    }
    return NULL;
}

static bool close_replica(struct downstream *downstream, uint64_t id, enum close_reason reason)
{
    const struct replica_stats *stats = find_replica_stats(downstream, id);
    if (stats == NULL)
        return false;
    if (stats->worker == NULL)
        return waiting_close(&downstream->waiting, id, reason);
    worker_close(stats->worker, id, reason);
    return true;
}

bool downstream_kill(struct downstream *downstream, uint64_t id)
{
    return downstream_expel(downstream, id, CLOSE_KILLED);
}

bool downstream_expel(struct downstream *downstream, uint64_t id, enum close_reason reason)
{
    struct client *client = find_client(downstream, id);
    if (client == NULL)
        return close_replica(downstream, id, reason);
    client_close(client, reason);
    return true;
}

bool downstream_drop(struct downstream *downstream, uint64_t id)
{
    return close_replica(downstream, id, CLOSE_DROPPED);
}

/* ---------------------------------------------------------------- acknowledgements */

static struct replica_stats_list_scope current_scope(const struct downstream *downstream)
{
    const struct history *history = store_current(downstream->waiting.store);
    if (history == NULL)
        return (struct replica_stats_list_scope){.branches = NULL};
    return (struct replica_stats_list_scope){.history_number = history_number(history),
                                             .branches = history_branches(history)};
}

void downstream_rewound(struct downstream *downstream)
{
    const struct replica_stats_list_scope scope = current_scope(downstream);
    if (scope.branches == NULL)
        return;
    for (unsigned i = 0; i < downstream->worker_count; i++)
        worker_confirm(downstream->workers[i], scope.history_number, scope.branches->current,
                       branches_start(scope.branches));
}

void downstream_renamed(struct downstream *downstream)
{
    const struct replica_stats_list_scope scope = current_scope(downstream);
    CHECK(scope.branches != NULL);
    known_pin(&downstream->known, store_current(downstream->waiting.store));
    for (unsigned i = 0; i < downstream->worker_count; i++)
        worker_rename(downstream->workers[i], branches_start(scope.branches));
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

bool downstream_acknowledged(const struct downstream *downstream, unsigned rank, uint64_t *offset)
{
    const struct replica_stats_list_scope scope = current_scope(downstream);
    if (rank == 0 && !known_is_complete(&downstream->known, clock_ms()))
        return false;
    return replica_stats_list_acknowledged(&downstream->replica_stats_list, &scope, rank, offset);
}

unsigned downstream_count_acknowledged(const struct downstream *downstream, uint64_t offset)
{
    const struct replica_stats_list_scope scope = current_scope(downstream);
    return replica_stats_list_count_acknowledged(&downstream->replica_stats_list, &scope, offset);
}

bool downstream_has_replica(const struct downstream *downstream, const char *address, uint16_t port)
{
    return replica_stats_list_have(&downstream->replica_stats_list, address, port);
}

/* ---------------------------------------------------------------- lists and counts */

static int64_t delayed_ms(const struct replica_stats *stats, int64_t now_ms)
{
    return stats->not_before_ms > now_ms ? stats->not_before_ms - now_ms : 0;
}

static struct peer_status replica_status(const struct replica_stats *stats,
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
        .is_online = state == REPLICA_STREAMING,
        .acknowledges = stats->acknowledges,
        .acknowledged = replica_stats_list_offset(stats, scope),
        .sent_offset = REPLICA_STATS_GET(stats, sent_offset),
        .last_ack_ms = REPLICA_STATS_GET(stats, life_ms),
        .connected_ms = stats->connected_ms,
        .sent_bytes = REPLICA_STATS_GET(stats, sent_bytes),
        .delayed_ms = delayed_ms(stats, clock_ms()),
    };
}

void downstream_each_replica(const struct downstream *downstream, peer_status_fn *fn, void *arg)
{
    const struct replica_stats_list_scope scope = current_scope(downstream);
    const struct replica_stats *stats;
    TAILQ_FOREACH(stats, &downstream->replica_stats_list, entry)
    {
        struct peer_status status = replica_status(stats, &scope);
        fn(&status, arg);
    }
}

static const char *first_set(const char *announced, const char *address)
{
    return announced[0] != '\0' ? announced : address;
}

static void tell_failing_replica_stats(const struct replica_stats *stats, int64_t now_ms,
                                       sync_failure_fn *fn, void *arg)
{
    bool is_over = REPLICA_STATS_GET(stats, has_acknowledged) ||
                   REPLICA_STATS_GET(stats, state) == REPLICA_CLOSING ||
                   (stats->worker != NULL && !stats->full_sync);
    bool is_unreadable = stats->reading == RDB_UNREADABLE && !stats->terms.is_relay;
    if (is_over || (stats->failures <= RESYNC_FREE && !is_unreadable))
        return;
    const struct sync_failure failure = {
        .address = first_set(stats->terms.address, stats->address),
        .listening_port = stats->terms.listening_port,
        .version = stats->terms.version,
        .failures = stats->failures,
        .rdb = stats->source.rdb,
        .reading = stats->reading,
        .delayed_ms = delayed_ms(stats, now_ms),
    };
    fn(&failure, arg);
}

static void tell_failing_place(const struct resync_place *place, sync_failure_fn *fn, void *arg)
{
    bool is_unreadable = place->reading == RDB_UNREADABLE && !place->terms.is_relay;
    if (place->failures <= RESYNC_FREE && !is_unreadable)
        return;
    const struct sync_failure failure = {
        .address = first_set(place->terms.address, place->address),
        .listening_port = place->terms.listening_port,
        .version = place->terms.version,
        .failures = place->failures,
        .rdb = place->source.rdb,
        .reading = place->reading,
    };
    fn(&failure, arg);
}

void downstream_each_sync_failure(const struct downstream *downstream, sync_failure_fn *fn,
                                  void *arg)
{
    const struct resync_throttle *throttle = &downstream->waiting.throttle;
    int64_t now_ms = clock_ms();
    const struct replica_stats *stats;
    TAILQ_FOREACH(stats, &downstream->replica_stats_list, entry)
    {
        tell_failing_replica_stats(stats, now_ms, fn, arg);
    }
    for (int i = 0; i < RESYNC_PLACES; i++) {
        if (!resync_place_is_over(&throttle->place[i], now_ms))
            tell_failing_place(&throttle->place[i], fn, arg);
    }
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

static void count_components(const struct downstream *downstream, struct downstream_counts *out)
{
    const struct client_list *clients = &downstream->clients;
    const struct waiting *waiting = &downstream->waiting;
    const struct buffer_peak recent = buffer_peaks_recent(&clients->buffer_peaks, clock_ms());
    *out = (struct downstream_counts){
        .clients = clients->count,
        .replicas = downstream->replica_stats_count,
        .replicas_waiting = waiting->count,
        .connections_received = downstream->connections_received,
        .connections_rejected = downstream->connection_limiter.refused,
        .replicas_refused = clients->replicas_refused,
        .commands = clients->commands,
        .sync_full = waiting->sync_full,
        .sync_partial_ok = waiting->sync_partial_ok,
        .sync_partial_err = waiting->sync_partial_err,
        .sync_full_unacknowledged = waiting->sync_full_unacknowledged,
        .replica_sent_bytes = downstream->traffic.sent_bytes,
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
    count_components(downstream, out);
    const struct replica_stats_list_scope scope = current_scope(downstream);
    const struct replica_stats *stats;
    TAILQ_FOREACH(stats, &downstream->replica_stats_list, entry)
    {
        struct peer_status status = replica_status(stats, &scope);
        struct conn_traffic traffic = replica_traffic(stats);
        traffic.sent_bytes = status.sent_bytes; /* what `fn` is told, though the worker goes on */
        count_traffic(out, traffic);
        out->replica_sent_bytes += status.sent_bytes;
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
