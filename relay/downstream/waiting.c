/* SPDX-License-Identifier: MIT */
#include "waiting.h"

#include <inttypes.h>
#include <stdio.h>

#include "attach.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"

/* A fetch that failed is asked for again after this, while somebody still waits. */
enum { WANT_AGAIN_MS = 5 * 1000 };

void waiting_init(struct waiting *waiting, const struct store *store,
                  const struct downstream_doors *doors, int64_t timeout_ms,
                  waiting_attached_fn *on_attached, void *arg)
{
    *waiting = (struct waiting){
        .store = store,
        .doors = doors,
        .on_attached = on_attached,
        .on_attached_arg = arg,
        .timeout_ms = timeout_ms,
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
    const struct card *card = replica->card;
    char asked[REPLID_DIGITS + 32] = "?";
    if (replica->has_request && replica->request.has_replid)
        snprintf(asked, sizeof(asked), "%s:%" PRIu64, replica->request.replid.hex,
                 replica->request.offset);
    log_info("downstream: replica id=%" PRIu64 " addr=%s state=greeting->waiting cause=%s "
             "asked=%s listening=%s:%u version=%s",
             card->id, card->peer, replica->has_request ? "psync" : "sync", asked,
             card->terms.address[0] != '\0' ? card->terms.address : card->address,
             card->terms.listening_port,
             card->terms.version[0] != '\0' ? card->terms.version : "?");
}

void waiting_add(struct waiting *waiting, struct replica *replica)
{
    log_asked(replica);
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
static bool is_hold_over(const struct waiting *waiting, const struct replica *replica)
{
    if (waiting->streaming_since_ms == 0)
        return false;
    int64_t since_ms = replica->since_ms > waiting->streaming_since_ms
                           ? replica->since_ms
                           : waiting->streaming_since_ms;
    return clock_silence_ms(since_ms) > waiting->timeout_ms;
}

static void want_snapshot(struct waiting *waiting, int64_t now_ms)
{
    if (waiting->wanted_ms != 0 && now_ms - waiting->wanted_ms < WANT_AGAIN_MS)
        return;
    waiting->wanted_ms = now_ms;
    waiting->doors->on_snapshot_wanted(waiting->doors->arg);
}

/* True: this full sync has to wait. Asked once a replica, when it could be had. */
static bool is_slowed_down(struct waiting *waiting, struct replica *replica, int64_t now_ms)
{
    const struct card *card = replica->card;
    if (replica->not_before_ms != 0)
        return now_ms < replica->not_before_ms;
    int64_t wait_ms =
        slowdown_ms(&waiting->slowdown, card->address, card->terms.listening_port, now_ms);
    replica->not_before_ms = now_ms + wait_ms;
    if (wait_ms == 0)
        return false;
    log_warnx("downstream: replica id=%" PRIu64 " addr=%s listening-port=%u asks for a full sync "
              "right after one: it waits for %" PRId64 " s (can it read an RDB of the origin's "
              "version? see its log)",
              card->id, card->peer, card->terms.listening_port, wait_ms / 1000);
    return true;
}

static void count_sync(struct waiting *waiting, const struct replica *replica,
                       enum attach_verdict verdict)
{
    bool asked_partial = replica->has_request && replica->request.has_replid;
    if (verdict == ATTACH_CONTINUE) {
        waiting->sync_partial_ok++;
        return;
    }
    waiting->sync_full++;
    if (asked_partial)
        waiting->sync_partial_err++;
}

static void attach(struct waiting *waiting, struct replica *replica, const struct attach_wish *wish,
                   const struct attach_plan *plan)
{
    if (!attach_perform(plan, wish, &replica->feed))
        return;
    if (replica->feed.head.failed) {
        replica_close(replica, CLOSE_MEMORY);
        return;
    }
    struct card *card = replica->card;
    card->history_number = history_number(plan->history);
    card->full_sync = plan->verdict != ATTACH_CONTINUE;
    /* Who continues says by that what it has. */
    if (!card->full_sync)
        CARD_SET(card, acknowledged, plan->offset);
    CARD_SET(card, sent_offset, plan->offset);
    count_sync(waiting, replica, plan->verdict);
    waiting_remove(waiting, replica);
    waiting->on_attached(replica, attach_cause(plan), waiting->on_attached_arg);
}

static void ask(struct waiting *waiting, struct replica *replica)
{
    int64_t now_ms = clock_ms();
    struct attach_wish wish = {
        .request = replica->has_request ? &replica->request : NULL,
        .terms = &replica->card->terms,
        .hold_is_over = is_hold_over(waiting, replica),
    };
    struct attach_plan plan = attach_decide(waiting->store, &wish);
    switch (plan.verdict) {
    case ATTACH_WAIT:
    case ATTACH_HOLD:
        return;
    case ATTACH_WANT:
        want_snapshot(waiting, now_ms);
        return;
    case ATTACH_FULL:
        if (is_slowed_down(waiting, replica, now_ms))
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
    struct replica *next;
    for (struct replica *replica = TAILQ_FIRST(&waiting->replicas); replica != NULL;
         replica = next) {
        next = TAILQ_NEXT(replica, entry);
        ask(waiting, replica);
    }
}

void waiting_tick(struct waiting *waiting)
{
    bool is_streaming = waiting->doors->is_upstream_streaming(waiting->doors->arg);
    if (!is_streaming)
        waiting->streaming_since_ms = 0;
    else if (waiting->streaming_since_ms == 0)
        waiting->streaming_since_ms = clock_ms();

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
        if (replica->card->id == id) {
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

void waiting_note_gone(struct waiting *waiting, const struct card *card)
{
    uint16_t port = card->terms.listening_port;
    bool by_itself =
        card->reason == CLOSE_ENDED || card->reason == CLOSE_FAILED || card->reason == CLOSE_LAGGED;
    if (card->has_acknowledged)
        slowdown_forget(&waiting->slowdown, card->address, port);
    else if (by_itself && card->acknowledges)
        slowdown_note(&waiting->slowdown, card->address, port, card->rdb_sent_ms, clock_ms());
}
