/* SPDX-License-Identifier: MIT */
#include "relay/downstream/downstream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cards.h"
#include "client_room.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/net/listener.h"
#include "relay/net/loop.h"
#include "replica.h"
#include "waiting.h"
#include "worker.h"

enum { WORKERS_MAX = 64, LISTENERS_MAX = 16, ADDRESS_MAX = 256, DESCRIPTORS_KEPT = 64 };

struct downstream {
    struct loop *loop;
    struct downstream_options options; /* `bind` is used while opening only */
    struct downstream_doors doors;
    struct mailbox *mailbox; /* cards that come back */
    struct bell *bell;       /* acknowledgements have come; rung by workers */
    bool watches;            /* and somebody wants to know */
    struct listener *listeners[LISTENERS_MAX];
    size_t listener_count;
    struct worker *workers[WORKERS_MAX];
    unsigned loads[WORKERS_MAX]; /* replicas that each has */
    unsigned worker_count;
    struct client_room clients;
    struct waiting waiting;
    struct cards cards; /* of all replicas, oldest first */
    uint64_t card_count;
    bool will_ask; /* somebody has come who must be asked at the end of this turn */
    bool is_short; /* of descriptors: said so, and not recovered yet */
    uint64_t newest_id;
    uint64_t connections_received;
    uint64_t connections_rejected;
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
    struct replica *replica =
        card == NULL ? NULL
                     : replica_new(card, newcomer->owed, downstream->options.replica_timeout_ms,
                                   newcomer->request);
    if (replica == NULL || !conn_attach(conn, downstream->loop, replica_on_conn, replica)) {
        if (replica != NULL)
            replica_free(replica);
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
    if (card->worker != NULL) {
        unload(downstream, card->worker);
        waiting_note_gone(&downstream->waiting, card);
    }
    downstream->closed[card->reason]++;
    downstream->sent_bytes += CARD_GET(card, sent_bytes);
    downstream->received_bytes += CARD_GET(card, received_bytes);
    TAILQ_REMOVE(&downstream->cards, card, entry);
    downstream->card_count--;
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

/* The store opens files as the stream goes on, and upstream its connections: the last descriptors are
 * theirs, or a flood of clients would stop the stream for everybody. A new descriptor has the lowest
 * number that is free, so it tells how many are in use. */
static bool is_kept(int fd)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_cur == RLIM_INFINITY)
        return false;
    rlim_t kept = limit.rlim_cur / 4 < DESCRIPTORS_KEPT ? limit.rlim_cur / 4 : DESCRIPTORS_KEPT;
    return (rlim_t)fd >= limit.rlim_cur - kept;
}

/* Closed at once: one that is told and waited for would hold its descriptor meanwhile. */
static void turn_away(struct downstream *downstream, int fd)
{
    static const char error[] = "-ERR max number of clients reached\r\n";
    if (!downstream->is_short)
        log_warnx("downstream: nearly all file descriptors are in use, connections are refused: "
                  "raise the limit (ulimit -n, LimitNOFILE) or lower maxclients");
    downstream->is_short = true;
    downstream->connections_received++;
    downstream->connections_rejected++;
    (void)send(fd, error, sizeof(error) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    close(fd);
}

static void on_accept(int fd, void *arg)
{
    struct downstream *downstream = arg;
    if (is_kept(fd)) {
        turn_away(downstream, fd);
        return;
    }
    downstream->is_short = false;
    uint64_t connected = downstream->clients.count + downstream->card_count;
    bool rejected = connected >= downstream->options.clients_max;
    downstream->connections_received++;
    downstream->connections_rejected += rejected ? 1 : 0;
    client_accept(&downstream->clients, fd, ++downstream->newest_id, rejected);
}

/* One address of `bind`. False: it is needed and cannot be had. */
static bool listen_on(struct downstream *downstream, const char *address, struct text *why)
{
    bool may_miss = address[0] == '-';
    if (may_miss)
        address++;
    if (downstream->listener_count == LISTENERS_MAX) {
        text_format(why, "bind: more than %d addresses", LISTENERS_MAX);
        return false;
    }
    /* Where any port will do, all addresses share the one that the first was given. */
    uint16_t port =
        downstream->listener_count > 0 ? downstream_port(downstream) : downstream->options.port;
    struct text error;
    text_init(&error, 512);
    struct listener *listener =
        listener_open(downstream->loop, address, port, on_accept, downstream, &error);
    if (listener != NULL) {
        downstream->listeners[downstream->listener_count++] = listener;
        log_info("downstream: listening on %s port %u", address, listener_port(listener));
    } else if (may_miss) {
        log_warnx("downstream: %s (goes on without it: the address has a '-')",
                  text_string(&error));
    } else {
        text_append_string(why, text_string(&error));
    }
    text_fini(&error);
    return listener != NULL || may_miss;
}

static bool listen_on_all(struct downstream *downstream, const char *bind, struct text *why)
{
    while (*(bind += strspn(bind, " \t")) != '\0') {
        size_t length = strcspn(bind, " \t");
        char address[ADDRESS_MAX];
        if (length >= sizeof(address)) {
            text_append_string(why, "bind: an address is too long");
            return false;
        }
        memcpy(address, bind, length);
        address[length] = '\0';
        if (!listen_on(downstream, address, why))
            return false;
        bind += length;
    }
    if (downstream->listener_count == 0)
        text_append_string(why, "bind: there is no address to listen on");
    return downstream->listener_count > 0;
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
        .keepalive_s = options->keepalive_s,
        .on_command = doors->on_command,
        .on_command_arg = doors->arg,
        .on_newcomer = on_newcomer,
        .on_newcomer_arg = downstream,
    };
    client_room_init(&downstream->clients);
    downstream->doors = *doors;
    waiting_init(&downstream->waiting, store, &downstream->doors, options->replica_timeout_ms,
                 on_attached, downstream);
    TAILQ_INIT(&downstream->cards);
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
    else if (listen_on_all(downstream, options->bind, why) && start_workers(downstream, why))
        return downstream;
    downstream_close(&downstream);
    return NULL;
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
    for (size_t i = 0; i < downstream->listener_count; i++)
        listener_close(&downstream->listeners[i]);
    downstream->watches = false;
    client_room_close_all(&downstream->clients, CLOSE_SHUTDOWN);
    waiting_close_all(&downstream->waiting, CLOSE_SHUTDOWN);
    for (unsigned i = 0; i < downstream->worker_count; i++)
        worker_stop(&downstream->workers[i]);
    /* All cards are on their way home, or there. */
    mailbox_free(&downstream->mailbox);
    bell_free(&downstream->bell);
    CHECK(TAILQ_EMPTY(&downstream->cards));
    /* What was put aside on the loop, ask_all maybe, comes before this. */
    loop_defer(downstream->loop, free_downstream, downstream);
}

uint16_t downstream_port(const struct downstream *downstream)
{
    CHECK(downstream->listener_count > 0);
    return listener_port(downstream->listeners[0]);
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
    client_room_tick(&downstream->clients);
}

void downstream_close_replicas(struct downstream *downstream, enum close_reason reason,
                               uint64_t number_spared)
{
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

bool downstream_kill(struct downstream *downstream, uint64_t id)
{
    struct client *client = find_client(downstream, id);
    if (client != NULL) {
        client_close(client, CLOSE_KILLED);
        return true;
    }
    const struct card *card = find_card(downstream, id);
    if (card == NULL)
        return false;
    if (card->worker == NULL)
        return waiting_close(&downstream->waiting, id, CLOSE_KILLED);
    worker_close(card->worker, id, CLOSE_KILLED);
    return true;
}

/* ---------------------------------------------------------------- acknowledgements */

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
    return cards_acknowledged(&downstream->cards, rank, offset);
}

unsigned downstream_count_acknowledged(const struct downstream *downstream, uint64_t offset)
{
    return cards_count_acknowledged(&downstream->cards, offset);
}

bool downstream_has_replica(const struct downstream *downstream, const char *address, uint16_t port)
{
    return cards_have(&downstream->cards, address, port);
}

/* ---------------------------------------------------------------- lists and counts */

static struct peer_status replica_status(const struct card *card)
{
    enum replica_state state = (enum replica_state)CARD_GET(card, state);
    const char *announced = card->terms.address;
    return (struct peer_status){
        .id = card->id,
        .peer = card->peer,
        .local = card->local,
        .state = state,
        .state_name = replica_state_name(state),
        .address = announced[0] != '\0' ? announced : card->address,
        .listening_port = card->terms.listening_port,
        .version = card->terms.version,
        .is_online = state == REPLICA_STREAMING,
        .acknowledges = card->acknowledges,
        .acknowledged = CARD_GET(card, acknowledged),
        .sent_offset = CARD_GET(card, sent_offset),
        .last_ack_ms = CARD_GET(card, life_ms),
        .connected_ms = card->connected_ms,
        .sent_bytes = CARD_GET(card, sent_bytes),
    };
}

void downstream_each_replica(const struct downstream *downstream, peer_status_fn *fn, void *arg)
{
    const struct card *card;
    TAILQ_FOREACH(card, &downstream->cards, entry)
    {
        struct peer_status status = replica_status(card);
        fn(&status, arg);
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
            .address = "",
            .version = "",
            .connected_ms = client_connected_ms(client),
            .sent_bytes = client_sent_bytes(client),
        };
        fn(&status, arg);
    }
}

void downstream_counts(const struct downstream *downstream, struct downstream_counts *out)
{
    const struct client_room *clients = &downstream->clients;
    const struct waiting *waiting = &downstream->waiting;
    *out = (struct downstream_counts){
        .clients = clients->count,
        .replicas = downstream->card_count,
        .replicas_waiting = waiting->count,
        .connections_received = downstream->connections_received,
        .connections_rejected = downstream->connections_rejected,
        .commands = clients->commands,
        .sync_full = waiting->sync_full,
        .sync_partial_ok = waiting->sync_partial_ok,
        .sync_partial_err = waiting->sync_partial_err,
        .sent_bytes = downstream->sent_bytes + clients->sent_bytes,
        .replica_sent_bytes = downstream->sent_bytes,
        .received_bytes = downstream->received_bytes + clients->received_bytes,
    };
    for (size_t i = 0; i < CLOSE_REASON_COUNT; i++)
        out->closed[i] = downstream->closed[i] + clients->closed[i];
    const struct card *card;
    TAILQ_FOREACH(card, &downstream->cards, entry)
    {
        uint64_t sent_bytes = CARD_GET(card, sent_bytes);
        out->sent_bytes += sent_bytes;
        out->replica_sent_bytes += sent_bytes;
        out->received_bytes += CARD_GET(card, received_bytes);
    }
    for (struct client *client = client_room_first(clients); client != NULL;
         client = client_next(client)) {
        out->sent_bytes += client_sent_bytes(client);
        out->received_bytes += client_received_bytes(client);
    }
}
