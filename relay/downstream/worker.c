/* SPDX-License-Identifier: MIT
 *
 * No wake-up is lost. The two sides are
 *
 *     thread 0                                 worker, at the end of each turn
 *       publishes (store)                        looked = wakes        (1)
 *       wakes++               (a)                sends to those who are caught up
 *       if sleeping is set    (b)                sleeping = true       (2)
 *           clear it, ring                       if wakes != looked    (3)
 *                                                    ring its own notifier
 *
 * and all of (a), (b), (2), (3) are sequentially consistent, so they have one order. If (a) comes
 * before (3), the worker sees it and turns once more. If it comes after, then (2), which is before
 * (3), comes before (b), and thread 0 rings. In both cases the worker looks at the store after what
 * was published: (a) is a release of it, and (1) or (3) of the next turn an acquire.
 *
 * While the worker is busy `sleeping` is clear as soon as one wake-up has been told, and thread 0 makes
 * no system call. A worker that was woken by a socket has the flag still set, which costs one ring
 * too many, and nothing else.
 *
 * The other way round, no acknowledgement is lost on who begins to watch:
 *
 *     thread 0                                 worker
 *       watched = true        (c)                writes the replica stats                    (4)
 *       looks at the replica stats    (d)                at the end of the turn: watched?   (5)
 *                                                    rings
 *
 * (c) and (5) both read and write `watched`, so one of them sees the other. If (5) comes after (c), it
 * rings. If before, (c) acquires what (5) released, and (d) sees what (4) wrote. Replica stats are relaxed and
 * need no more; and a worker without acknowledgements does not look at all.
 */
#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "piece_cache.h"
#include "readahead.h"
#include "relay/base/log.h"
#include "relay/base/thread.h"
#include "relay/net/loop.h"
#include "replica.h"

enum { TICK_MS = 1000, CODECS = CODEC_ZSTD + 1 };

enum order_kind {
    ORDER_TAKE,
    ORDER_CLOSE,
    ORDER_CLOSE_ALL,
    ORDER_RENAME,
    ORDER_CONFIRM,
    ORDER_TIMEOUT,
    ORDER_RATE,
    ORDER_COMPRESSION,
    ORDER_STOP,
};

struct order {
    struct message message; /* first: the message is the order */
    enum order_kind kind;
    struct replica *replica;
    const char *cause;
    uint64_t id; /* of a replica; of a history */
    uint64_t branch;
    uint64_t offset;
    enum close_reason reason;
    int64_t timeout_ms;
    int level;
    int64_t latency_ms;
};

struct worker {
    /* Constant. */
    struct mailbox *home;
    struct notifier *acknowledged;
    struct mailbox *mailbox;
    struct mailbox *jobs; /* of replicas, that come home */
    struct readahead *readahead;
    struct loop *loop;
    struct notifier *notifier;
    struct timer *timer;
    pthread_t thread;
    bool has_thread;

    /* The worker's. */
    struct replicas replicas;
    int level;                          /* of zstd */
    int64_t latency_ms;                 /* repl-compression-max-latency */
    struct piece_cache *caches[CODECS]; /* NULL: no replica has had that codec yet */
    struct timer *gather_timer;         /* pieces of the stream are due */
    uint64_t looked;
    bool has_acknowledgements; /* of this turn */

    /* Shared with thread 0: see above. */
    _Atomic uint64_t wakes;
    atomic_bool sleeping;
    atomic_uint watched;
};

/* ---------------------------------------------------------------- the worker's side */

static void on_gone(struct replica *replica, struct replica_stats *stats, void *arg)
{
    struct worker *worker = arg;
    TAILQ_REMOVE(&worker->replicas, replica, entry);
    /* It may be closing in one of its own callbacks: freed at the end of the turn. */
    loop_defer(worker->loop, replica_free, replica);
    /* The last touch: the stats are thread 0's from here on. Posting is a release, so it sees what was written. */
    mailbox_post(worker->home, &stats->gone);
}

static void worker_on_acknowledged(void *arg)
{
    struct worker *worker = arg;
    worker->has_acknowledgements = true;
}

static void on_piece_due(int64_t delay_ms, void *arg)
{
    struct worker *worker = arg;
    timer_arm(worker->gather_timer, delay_ms);
}

/* Gives its feed the pieces of its codec. False: out of memory. */
static bool give_cache(struct worker *worker, struct replica *replica)
{
    struct feed_compression *compression = &replica->feed.compression;
    struct piece_cache **cache = &worker->caches[compression->codec.compression.codec];
    if (compression->codec.compression.codec == CODEC_NONE)
        return true;
    if (*cache == NULL) {
        struct compression kind = compression->codec.compression;
        kind.level = worker->level;
        *cache = piece_cache_new(kind, worker->latency_ms, on_piece_due, worker);
    }
    compression->cache = *cache;
    return *cache != NULL;
}

static void worker_take_replica(struct worker *worker, struct replica *replica, const char *cause)
{
    TAILQ_INSERT_TAIL(&worker->replicas, replica, entry);
    replica->loop = worker->loop;
    replica->readahead = worker->readahead;
    replica->on_gone = on_gone;
    replica->on_gone_arg = worker;
    replica->on_acknowledged = worker_on_acknowledged;
    replica->on_acknowledged_arg = worker;
    /* Thread 0 has detached the connection, so no event of it was lost in between: what has come meanwhile makes its
     * socket readable here. */
    if (give_cache(worker, replica) &&
        conn_attach(replica->conn, worker->loop, replica_on_conn, replica))
        replica_start(replica, cause);
    else
        replica_close(replica, CLOSE_MEMORY);
}

/* To each, also when it closes at that. */
static void tell_all(struct worker *worker, enum replica_event event)
{
    struct replica *next;
    for (struct replica *replica = TAILQ_FIRST(&worker->replicas); replica != NULL;
         replica = next) {
        next = TAILQ_NEXT(replica, entry);
        replica_handle(replica, event);
    }
}

/* By id, and not by pointer: it may have closed while the order was under way, and its memory be another's. */
static void close_one(struct worker *worker, uint64_t id, enum close_reason reason)
{
    struct replica *replica;
    TAILQ_FOREACH(replica, &worker->replicas, entry)
    {
        if (replica->stats->id == id) {
            replica_close(replica, reason);
            return;
        }
    }
}

static void close_all(struct worker *worker, enum close_reason reason, uint64_t number_spared)
{
    struct replica *next;
    for (struct replica *replica = TAILQ_FIRST(&worker->replicas); replica != NULL;
         replica = next) {
        next = TAILQ_NEXT(replica, entry);
        if (number_spared == 0 || replica->stats->history_number != number_spared)
            replica_close(replica, reason);
    }
}

/* The place of the rename comes with the order: by the time that it is here there may be another one, with an order
 * of its own behind this. Who was attached on that branch already has been told the id. */
static void rename_all(struct worker *worker, uint64_t branch, uint64_t offset)
{
    struct replica *next;
    for (struct replica *replica = TAILQ_FIRST(&worker->replicas); replica != NULL;
         replica = next) {
        next = TAILQ_NEXT(replica, entry);
        if (REPLICA_STATS_GET(replica->stats, branch) != branch)
            replica_rename(replica, offset);
    }
}

static void worker_confirm_branch(struct worker *worker, uint64_t number, uint64_t branch,
                                  uint64_t offset)
{
    struct replica *next;
    for (struct replica *replica = TAILQ_FIRST(&worker->replicas); replica != NULL;
         replica = next) {
        next = TAILQ_NEXT(replica, entry);
        /* One that waits to be closed for another history has nothing to do with this branch. */
        if (replica->stats->history_number == number)
            replica_confirm_branch(replica, branch, offset);
    }
    worker->has_acknowledgements = true; /* that did not count, and do now */
}

static void set_timeout(struct worker *worker, int64_t timeout_ms)
{
    struct replica *replica;
    TAILQ_FOREACH(replica, &worker->replicas, entry)
    {
        replica->timeout_ms = timeout_ms;
    }
}

static void worker_change_compression(struct worker *worker, int level, int64_t latency_ms)
{
    worker->level = level;
    worker->latency_ms = latency_ms;
    for (unsigned i = 0; i < CODECS; i++) {
        if (worker->caches[i] != NULL)
            piece_cache_change(worker->caches[i], level, latency_ms);
    }
}

static void note_rate_changed(struct worker *worker)
{
    struct replica *replica;
    TAILQ_FOREACH(replica, &worker->replicas, entry)
    {
        replica_note_rate_changed(replica);
    }
}

static void on_message(struct message *message, void *arg)
{
    struct worker *worker = arg;
    struct order *order = (struct order *)message;
    switch (order->kind) {
    case ORDER_TAKE:
        worker_take_replica(worker, order->replica, order->cause);
        break;
    case ORDER_CLOSE:
        close_one(worker, order->id, order->reason);
        break;
    case ORDER_CLOSE_ALL:
        close_all(worker, order->reason, order->id);
        break;
    case ORDER_CONFIRM:
        worker_confirm_branch(worker, order->id, order->branch, order->offset);
        break;
    case ORDER_RENAME:
        rename_all(worker, order->branch, order->offset);
        break;
    case ORDER_TIMEOUT:
        set_timeout(worker, order->timeout_ms);
        break;
    case ORDER_RATE:
        note_rate_changed(worker);
        break;
    case ORDER_COMPRESSION:
        worker_change_compression(worker, order->level, order->latency_ms);
        break;
    case ORDER_STOP: /* the last one: orders come in the order in which they were given */
        close_all(worker, CLOSE_SHUTDOWN, 0);
        loop_stop(worker->loop);
        break;
    }
    free(order);
}

static void on_job(struct message *message, void *arg)
{
    (void)arg;
    replica_on_read((struct readahead_job *)message);
}

static void worker_on_tick(void *arg)
{
    struct worker *worker = arg;
    tell_all(worker, REPLICA_EVENT_TICK);
    timer_arm(worker->timer, TICK_MS);
}

/* Those that wait for more take what there is. */
static void worker_on_gathered(void *arg)
{
    tell_all(arg, REPLICA_EVENT_WAKE);
}

/* The end of this turn does what there is to do. */
static void worker_on_notified(void *arg)
{
    (void)arg;
}

static void tell_acknowledgements(struct worker *worker)
{
    worker->has_acknowledgements = false;
    if (atomic_fetch_or_explicit(&worker->watched, 0, memory_order_acq_rel) != 0)
        notifier_wake(worker->acknowledged);
}

static void worker_on_turn_end(void *arg)
{
    struct worker *worker = arg;
    /* Once a turn, however many replicas have acknowledged in it. */
    if (worker->has_acknowledgements)
        tell_acknowledgements(worker);
    /* (1) to (3) of the proof above. */
    uint64_t wakes = atomic_load(&worker->wakes);
    if (wakes != worker->looked) {
        worker->looked = wakes;
        tell_all(worker, REPLICA_EVENT_WAKE);
    }
    atomic_store(&worker->sleeping, true);
    if (atomic_load(&worker->wakes) != worker->looked)
        notifier_wake(worker->notifier);
}

static void *worker_run(void *arg)
{
    struct worker *worker = arg;
    thread_set_name("worker");
    timer_arm(worker->timer, TICK_MS);
    loop_run(worker->loop);
    return NULL;
}

/* ---------------------------------------------------------------- thread 0's side */

static bool make_parts(struct worker *worker, struct error *error)
{
    worker->loop = loop_new(error);
    if (worker->loop == NULL)
        return false;
    loop_at_turn_end(worker->loop, worker_on_turn_end, worker);
    worker->mailbox = mailbox_new(worker->loop, on_message, worker);
    worker->jobs = mailbox_new(worker->loop, on_job, worker);
    worker->notifier = notifier_new(worker->loop, worker_on_notified, worker);
    worker->timer = timer_new(worker->loop, worker_on_tick, worker);
    worker->gather_timer = timer_new(worker->loop, worker_on_gathered, worker);
    bool is_whole = worker->mailbox != NULL && worker->jobs != NULL && worker->notifier != NULL &&
                    worker->timer != NULL && worker->gather_timer != NULL;
    worker->readahead = is_whole ? readahead_new(worker->jobs) : NULL;
    return worker->readahead != NULL ||
           error_set(error, ERROR_EXHAUSTED, "out of memory or descriptors");
}

/* Takes a half-made one, too. The thread is gone: its things are ours. */
static void free_worker(struct worker *worker)
{
    CHECK(TAILQ_EMPTY(&worker->replicas));
    readahead_free(&worker->readahead);
    for (unsigned i = 0; i < CODECS; i++)
        piece_cache_free(&worker->caches[i]);
    timer_free(&worker->gather_timer);
    timer_free(&worker->timer);
    notifier_free(&worker->notifier);
    mailbox_free(&worker->jobs); /* after those who post to it */
    mailbox_free(&worker->mailbox);
    loop_free(&worker->loop);
    free(worker);
}

struct worker *worker_start(struct mailbox *home, struct notifier *acknowledged,
                            struct error *error)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL) {
        (void)error_set(error, ERROR_EXHAUSTED, "out of memory");
        return NULL;
    }
    worker->home = home;
    worker->acknowledged = acknowledged;
    TAILQ_INIT(&worker->replicas);
    worker->has_thread =
        make_parts(worker, error) && (thread_start(&worker->thread, worker_run, worker) ||
                                      error_set_system(error, errno, "cannot start a thread"));
    if (worker->has_thread)
        return worker;
    free_worker(worker);
    return NULL;
}

static void worker_give(struct worker *worker, struct order wanted)
{
    struct order *order = malloc(sizeof(*order));
    /* An order that is lost would leave a replica on bytes that are no longer so. */
    CHECK(order != NULL);
    *order = wanted;
    mailbox_post(worker->mailbox, &order->message);
}

void worker_stop(struct worker **where)
{
    struct worker *worker = *where;
    *where = NULL;
    if (worker == NULL)
        return;
    worker_give(worker, (struct order){.kind = ORDER_STOP});
    CHECK(pthread_join(worker->thread, NULL) == 0);
    free_worker(worker);
}

void worker_take(struct worker *worker, struct replica *replica, const char *cause)
{
    worker_give(worker, (struct order){.kind = ORDER_TAKE, .replica = replica, .cause = cause});
}

void worker_close(struct worker *worker, uint64_t id, enum close_reason reason)
{
    worker_give(worker, (struct order){.kind = ORDER_CLOSE, .id = id, .reason = reason});
}

void worker_close_all(struct worker *worker, enum close_reason reason, uint64_t number_spared)
{
    worker_give(worker,
                (struct order){.kind = ORDER_CLOSE_ALL, .id = number_spared, .reason = reason});
}

void worker_rename(struct worker *worker, uint64_t branch, uint64_t offset)
{
    worker_give(worker, (struct order){.kind = ORDER_RENAME, .branch = branch, .offset = offset});
}

void worker_confirm(struct worker *worker, uint64_t history_number, uint64_t branch,
                    uint64_t offset)
{
    worker_give(worker, (struct order){.kind = ORDER_CONFIRM,
                                       .id = history_number,
                                       .branch = branch,
                                       .offset = offset});
}

void worker_set_timeout(struct worker *worker, int64_t timeout_ms)
{
    worker_give(worker, (struct order){.kind = ORDER_TIMEOUT, .timeout_ms = timeout_ms});
}

void worker_set_compression(struct worker *worker, struct compression compression,
                            int64_t latency_ms)
{
    worker_give(worker, (struct order){.kind = ORDER_COMPRESSION,
                                       .level = compression.level,
                                       .latency_ms = latency_ms});
}

void worker_note_rate_changed(struct worker *worker)
{
    worker_give(worker, (struct order){.kind = ORDER_RATE});
}

void worker_watch(struct worker *worker, bool watch)
{
    (void)atomic_exchange_explicit(&worker->watched, watch ? 1 : 0, memory_order_acq_rel);
}

void worker_wake(struct worker *worker)
{
    atomic_fetch_add(&worker->wakes, 1);
    /* A plain look first: the exchange would take the cache line from a busy worker each time. */
    if (atomic_load(&worker->sleeping) && atomic_exchange(&worker->sleeping, false))
        notifier_wake(worker->notifier);
}
