/* SPDX-License-Identifier: MIT */
#include "relay/downstream/downstream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cards.h"
#include "client_room.h"
#include "doorman.h"
#include "known_private.h"
#include "ports.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/net/loop.h"
#include "relay/store/history.h"
#include "relay/store/store.h"
#include "replica.h"
#include "waiting.h"
#include "worker.h"

enum { WORKERS_MAX = 64 };

struct downstream {
    struct loop *loop;
    struct downstream_options options; /* `bind` is used while opening only */
    struct downstream_doors doors;
    struct mailbox *mailbox; /* cards that come back */
    struct bell *bell;       /* acknowledgements have come; rung by workers */
    bool watches;            /* and somebody wants to know */
    struct ports ports;
    struct worker *workers[WORKERS_MAX];
    unsigned loads[WORKERS_MAX]; /* replicas that each has */
    unsigned worker_count;
    struct client_room clients;
    struct waiting waiting;
    struct cards cards; /* of all replicas, oldest first */
    struct known known;
    uint64_t card_count;
    bool will_ask; /* somebody has come who must be asked at the end of this turn */
    uint64_t newest_id;
    uint64_t connections_received;
    struct doorman doorman;
    /* Of replicas that have gone. */
    uint64_t sent_bytes;
    uint64_t received_bytes;
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

static void copy(char out[CARD_ADDRESS_MAX], const char *string)
{
    snprintf(out, CARD_ADDRESS_MAX, "%s", string);
}

static struct card *make_card(const struct newcomer *newcomer)
{
    struct card *card = calloc(1, sizeof(*card));
    if (card == NULL)
        return NULL;
    card->id = newcomer->id;
    card->connected_ms = newcomer->connected_ms;
    card->acknowledges = newcomer->request != NULL;
    card->terms = *newcomer->terms;
    copy(card->peer, conn_peer(newcomer->conn));
    copy(card->local, newcomer->local);
    snprintf(card->user, sizeof(card->user), "%s", newcomer->user);
    copy(card->address, conn_peer_address(newcomer->conn));
    return card;
}

static void on_waiting_gone(struct replica *replica, struct card *card, void *arg)
{
    struct downstream *downstream = arg;
    waiting_remove(&downstream->waiting, replica);
    loop_defer(downstream->loop, replica_free, replica);
    mailbox_post(downstream->mailbox, &card->gone);
}

static void refuse(struct downstream *downstream, struct conn **conn)
{
    log_errorx("downstream: replica addr=%s closed reason=memory: memory is out", conn_peer(*conn));
    downstream->closed[CLOSE_MEMORY]++;
    conn_close(conn);
}

static void on_newcomer(const struct newcomer *newcomer, void *arg)
{
    struct downstream *downstream = arg;
    struct conn *conn = newcomer->conn;
    struct card *card = make_card(newcomer);
    if (card != NULL && known_is_about(card) && !known_arrive(&downstream->known, card)) {
        free(card);
        card = NULL;
    }
    struct replica *replica =
        card == NULL ? NULL
                     : replica_new(card, newcomer->owed, downstream->options.replica_timeout_ms,
                                   newcomer->request);
    if (replica == NULL || !conn_attach(conn, downstream->loop, replica_on_conn, replica)) {
        if (replica != NULL)
            replica_free(replica);
        if (card != NULL && card->known != NULL)
            known_leave(&downstream->known, card, clock_ms());
        free(card);
        refuse(downstream, &conn);
        return;
    }
    replica->on_gone = on_waiting_gone;
    replica->on_gone_arg = downstream;
    TAILQ_INSERT_TAIL(&downstream->cards, card, entry);
    downstream->card_count++;
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
    replica->card->worker = downstream->workers[number];
    known_unpin_one(replica->card->known); /* its own cursor holds what it needs now */
    conn_detach(replica->conn);
    worker_take(downstream->workers[number], replica, cause);
}

/* ---------------------------------------------------------------- replicas go */

static void unload(struct downstream *downstream, const struct worker *worker)
{
    for (unsigned i = 0; i < downstream->worker_count; i++) {
        if (downstream->workers[i] == worker)
            downstream->loads[i]--;
    }
}

static void on_card_back(struct letter *letter, void *arg)
{
    struct downstream *downstream = arg;
    struct card *card = (struct card *)letter;
    if (card->worker != NULL)
        unload(downstream, card->worker);
    waiting_note_gone(&downstream->waiting, card);
    downstream->closed[card->reason]++;
    downstream->sent_bytes += CARD_GET(card, sent_bytes);
    downstream->received_bytes += CARD_GET(card, received_bytes);
    TAILQ_REMOVE(&downstream->cards, card, entry);
    downstream->card_count--;
    if (card->known != NULL)
        known_leave(&downstream->known, card, clock_ms());
    free(card);
    /* Who is left may have more than the one who has gone. */
    if (downstream->watches)
        bell_ring(downstream->bell);
}

static void on_bell(void *arg)
{
    struct downstream *downstream = arg;
    if (downstream->watches)
        downstream->doors.on_acknowledged(downstream->doors.arg);
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
    downstream->doorman.descriptors_max = open_files_max();
    uint64_t connected = downstream->clients.count + downstream->card_count + conn_draining_count();
    downstream->connections_received++;
    if (doorman_admit(&downstream->doorman, fd, connected, is_tls))
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
        struct worker *worker = worker_start(downstream->mailbox, downstream->bell);
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
                       const struct downstream_doors *doors)
{
    const struct downstream_options *options = &downstream->options;
    downstream->clients = (struct client_room){
        .loop = downstream->loop,
        .timeout_ms = options->client_timeout_ms,
        .must_authenticate = options->must_authenticate,
        .keepalive_s = options->keepalive_s,
        .on_command = doors->on_command,
        .on_command_arg = doors->arg,
        .on_newcomer = on_newcomer,
        .on_newcomer_arg = downstream,
    };
    client_room_init(&downstream->clients);
    downstream->doorman = (struct doorman){
        .clients_max = options->clients_max,
        .local_only = options->local_only,
        .tls_knows_callers = options->tls_knows_callers,
    };
    downstream->doors = *doors;
    waiting_init(&downstream->waiting, store, &downstream->doors, options->replica_timeout_ms,
                 on_attached, downstream);
    downstream->waiting.serves_old_history = options->serves_old_history;
    TAILQ_INIT(&downstream->cards);
    known_init(&downstream->known, &downstream->cards, options->replica_timeout_ms,
               store_current(store) != NULL, clock_ms());
}

struct downstream *downstream_open(struct loop *loop, struct store *store,
                                   const struct downstream_options *options,
                                   const struct downstream_doors *doors, struct text *why)
{
    struct downstream *downstream = calloc(1, sizeof(*downstream));
    if (downstream == NULL) {
        text_append_string(why, "memory is out");
        return NULL;
    }
    downstream->loop = loop;
    downstream->options = *options;
    downstream->options.bind = NULL;
    init_parts(downstream, store, doors);
    downstream->mailbox = mailbox_new(loop, on_card_back, downstream);
    downstream->bell = bell_new(loop, on_bell, downstream);
    if (downstream->mailbox == NULL || downstream->bell == NULL)
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
    client_room_close_all(&downstream->clients, CLOSE_SHUTDOWN);
    waiting_close_all(&downstream->waiting, CLOSE_SHUTDOWN);
    for (unsigned i = 0; i < downstream->worker_count; i++)
        worker_stop(&downstream->workers[i]);
    /* All cards are on their way home, or there. */
    mailbox_free(&downstream->mailbox);
    bell_free(&downstream->bell);
    CHECK(TAILQ_EMPTY(&downstream->cards));
    known_fini(&downstream->known);
    /* What was put aside on the loop, ask_all maybe, comes before this. */
    loop_defer(downstream->loop, free_downstream, downstream);
}

void downstream_change(struct downstream *downstream, const struct downstream_options *options)
{
    downstream->doorman.clients_max = options->clients_max;
    downstream->doorman.local_only = options->local_only;
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
    downstream->doorman.tls_knows_callers = knows_callers;
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
    client_room_tick(&downstream->clients);
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
    struct client *client = client_room_first(&downstream->clients);
    while (client != NULL && client_id(client) != id)
        client = client_next(client);
    return client;
}

static const struct card *find_card(const struct downstream *downstream, uint64_t id)
{
    const struct card *card;
    TAILQ_FOREACH(card, &downstream->cards, entry)
    {
        if (card->id == id)
            return card;
    }
    return NULL;
}

static bool close_replica(struct downstream *downstream, uint64_t id, enum close_reason reason)
{
    const struct card *card = find_card(downstream, id);
    if (card == NULL)
        return false;
    if (card->worker == NULL)
        return waiting_close(&downstream->waiting, id, reason);
    worker_close(card->worker, id, reason);
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

static struct cards_scope current_scope(const struct downstream *downstream)
{
    const struct history *history = store_current(downstream->waiting.store);
    if (history == NULL)
        return (struct cards_scope){.branches = NULL};
    return (struct cards_scope){.history_number = history_number(history),
                                .branches = history_branches(history)};
}

void downstream_rewound(struct downstream *downstream)
{
    const struct cards_scope scope = current_scope(downstream);
    if (scope.branches == NULL)
        return;
    for (unsigned i = 0; i < downstream->worker_count; i++)
        worker_confirm(downstream->workers[i], scope.history_number, scope.branches->current,
                       branches_start(scope.branches));
}

void downstream_renamed(struct downstream *downstream)
{
    const struct cards_scope scope = current_scope(downstream);
    CHECK(scope.branches != NULL);
    known_pin(&downstream->known, store_current(downstream->waiting.store));
    for (unsigned i = 0; i < downstream->worker_count; i++)
        worker_rename(downstream->workers[i], branches_start(scope.branches));
}

void downstream_watch_acknowledged(struct downstream *downstream, bool watch)
{
    CHECK(!watch || downstream->doors.on_acknowledged != NULL);
    if (downstream->watches == watch)
        return;
    downstream->watches = watch;
    for (unsigned i = 0; i < downstream->worker_count; i++)
        worker_watch(downstream->workers[i], watch);
}

bool downstream_acknowledged(const struct downstream *downstream, unsigned rank, uint64_t *offset)
{
    const struct cards_scope scope = current_scope(downstream);
    if (rank == 0 && !known_is_complete(&downstream->known, clock_ms()))
        return false;
    return cards_acknowledged(&downstream->cards, &scope, rank, offset);
}

unsigned downstream_count_acknowledged(const struct downstream *downstream, uint64_t offset)
{
    const struct cards_scope scope = current_scope(downstream);
    return cards_count_acknowledged(&downstream->cards, &scope, offset);
}

bool downstream_has_replica(const struct downstream *downstream, const char *address, uint16_t port)
{
    return cards_have(&downstream->cards, address, port);
}

/* ---------------------------------------------------------------- lists and counts */

static int64_t delayed_ms(const struct card *card, int64_t now_ms)
{
    return card->not_before_ms > now_ms ? card->not_before_ms - now_ms : 0;
}

static struct peer_status replica_status(const struct card *card, const struct cards_scope *scope)
{
    enum replica_state state = (enum replica_state)CARD_GET(card, state);
    const char *announced = card->terms.address;
    return (struct peer_status){
        .id = card->id,
        .peer = card->peer,
        .local = card->local,
        .user = card->user,
        .state = state,
        .state_name = replica_state_name(state),
        .address = announced[0] != '\0' ? announced : card->address,
        .listening_port = card->terms.listening_port,
        .version = card->terms.version,
        .is_online = state == REPLICA_STREAMING,
        .acknowledges = card->acknowledges,
        .acknowledged = cards_offset(card, scope),
        .sent_offset = CARD_GET(card, sent_offset),
        .last_ack_ms = CARD_GET(card, life_ms),
        .connected_ms = card->connected_ms,
        .sent_bytes = CARD_GET(card, sent_bytes),
        .delayed_ms = delayed_ms(card, clock_ms()),
    };
}

void downstream_each_replica(const struct downstream *downstream, peer_status_fn *fn, void *arg)
{
    const struct cards_scope scope = current_scope(downstream);
    const struct card *card;
    TAILQ_FOREACH(card, &downstream->cards, entry)
    {
        struct peer_status status = replica_status(card, &scope);
        fn(&status, arg);
    }
}

static const char *first_set(const char *announced, const char *address)
{
    return announced[0] != '\0' ? announced : address;
}

static void tell_failing_card(const struct card *card, int64_t now_ms, sync_failure_fn *fn,
                              void *arg)
{
    bool is_over = CARD_GET(card, has_acknowledged) || CARD_GET(card, state) == REPLICA_CLOSING ||
                   (card->worker != NULL && !card->full_sync);
    bool is_unreadable = card->reading == RDB_UNREADABLE && !card->terms.is_relay;
    if (is_over || (card->failures <= RESYNC_FREE && !is_unreadable))
        return;
    const struct sync_failure failure = {
        .address = first_set(card->terms.address, card->address),
        .listening_port = card->terms.listening_port,
        .version = card->terms.version,
        .failures = card->failures,
        .rdb = card->source.rdb,
        .reading = card->reading,
        .delayed_ms = delayed_ms(card, now_ms),
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
    const struct card *card;
    TAILQ_FOREACH(card, &downstream->cards, entry)
    {
        tell_failing_card(card, now_ms, fn, arg);
    }
    for (int i = 0; i < RESYNC_PLACES; i++) {
        if (!resync_place_is_over(&throttle->place[i], now_ms))
            tell_failing_place(&throttle->place[i], fn, arg);
    }
}

void downstream_each_client(const struct downstream *downstream, peer_status_fn *fn, void *arg)
{
    for (struct client *client = client_room_first(&downstream->clients); client != NULL;
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
            .sent_bytes = client_sent_bytes(client),
        };
        fn(&status, arg);
    }
}

static void count_rooms(const struct downstream *downstream, struct downstream_counts *out)
{
    const struct client_room *clients = &downstream->clients;
    const struct waiting *waiting = &downstream->waiting;
    *out = (struct downstream_counts){
        .clients = clients->count,
        .replicas = downstream->card_count,
        .replicas_waiting = waiting->count,
        .connections_received = downstream->connections_received,
        .connections_rejected = downstream->doorman.refused,
        .replicas_refused = clients->replicas_refused,
        .commands = clients->commands,
        .sync_full = waiting->sync_full,
        .sync_partial_ok = waiting->sync_partial_ok,
        .sync_partial_err = waiting->sync_partial_err,
        .sync_full_unacknowledged = waiting->sync_full_unacknowledged,
        .sent_bytes = downstream->sent_bytes + clients->sent_bytes,
        .replica_sent_bytes = downstream->sent_bytes,
        .received_bytes = downstream->received_bytes + clients->received_bytes,
    };
    for (size_t i = 0; i < CLOSE_REASON_COUNT; i++)
        out->closed[i] = downstream->closed[i] + clients->closed[i];
    for (struct client *client = client_room_first(clients); client != NULL;
         client = client_next(client)) {
        out->sent_bytes += client_sent_bytes(client);
        out->received_bytes += client_received_bytes(client);
    }
}

void downstream_observe(const struct downstream *downstream, struct downstream_counts *out,
                        peer_status_fn *fn, void *arg)
{
    count_rooms(downstream, out);
    const struct cards_scope scope = current_scope(downstream);
    const struct card *card;
    TAILQ_FOREACH(card, &downstream->cards, entry)
    {
        struct peer_status status = replica_status(card, &scope);
        out->sent_bytes += status.sent_bytes;
        out->replica_sent_bytes += status.sent_bytes;
        out->received_bytes += CARD_GET(card, received_bytes);
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
