/* SPDX-License-Identifier: MIT */
#include "waiter.h"

#include "relay/base/clock.h"
#include "relay/downstream/client.h"
#include "relay/downstream/downstream.h"
#include "relay/net/loop.h"
#include "relay/store/cursor.h"
#include "relay/store/history.h"
#include "relay/store/store.h"

/* The timer is armed again when it has fired too early. */
enum { REPLY_MAX = 256, TIMER_MS_MAX = 60 * 60 * 1000 };

#define UNBLOCKED "UNBLOCKED client unblocked via CLIENT UNBLOCK"
#define HISTORY_LOST                                                                               \
    "UNBLOCKED the primary has another history now, which does not contain the offset of this "    \
    "WAIT"

/* Where the store stands. */
struct store_mark {
    uint64_t history_number;
    uint64_t published;
    const struct branches *branches;
};

static struct store_mark read_store_mark(const struct waiters *waiters)
{
    struct history *history = store_current(waiters->needs.store);
    if (history == NULL)
        return (struct store_mark){.history_number = 0};
    return (struct store_mark){.history_number = history_number(history),
                               .published = history_published(history),
                               .branches = history_branches(history)};
}

static void waiter_watch_acknowledged(const struct waiters *waiters, bool watch)
{
    waiters->needs.watch_acknowledged(watch, waiters->needs.arg);
}

/* ---------------------------------------------------------------- answers */

static void waiter_unlist(struct waiters *waiters, struct waiter *waiter)
{
    CHECK(waiter->is_blocked && waiters->count > 0);
    waiter->is_blocked = false;
    TAILQ_REMOVE(&waiters->list, waiter, entry);
    waiters->count--;
    if (waiters->count == 0)
        waiter_watch_acknowledged(waiters, false);
}

/* `error` NULL: the number. */
static void waiter_answer(struct waiters *waiters, struct waiter *waiter, unsigned acknowledged,
                          const char *error)
{
    struct text reply;
    text_init(&reply, REPLY_MAX);
    struct writer writer = {.out = &reply, .protocol = client_session(waiter->client)->protocol};
    if (error != NULL)
        write_error(&writer, "%s", error);
    else
        write_integer(&writer, acknowledged);
    error_stats_note(waiters->needs.errors, text_bytes(&reply));
    waiter_unlist(waiters, waiter);
    client_resume(waiter->client, text_bytes(&reply));
    text_fini(&reply);
}

/* Clients that came in the same turn wait for the same offset: the replicas are counted once for all of them. */
struct acknowledged_count {
    bool is_counted;
    uint64_t offset;
    unsigned count;
};

static unsigned count_acknowledged(const struct waiters *waiters, uint64_t offset,
                                   struct acknowledged_count *last)
{
    if (!last->is_counted || last->offset != offset)
        *last = (struct acknowledged_count){
            .is_counted = true,
            .offset = offset,
            .count = downstream_count_acknowledged(waiters->needs.downstream, offset)};
    return last->count;
}

/* The history is another one, or was cut before the offset, however long it has become since: its offsets say
 * nothing about what the client has meant. */
static bool is_offset_lost(const struct waiter *waiter, const struct store_mark *mark)
{
    if (waiter->history_number != mark->history_number || waiter->offset > mark->published)
        return true;
    return mark->branches != NULL &&
           waiter->offset > branches_common_end(mark->branches, waiter->branch);
}

static bool is_waiter_due(const struct waiter *waiter, int64_t now_ms)
{
    return waiter->deadline_ms != 0 && waiter->deadline_ms <= now_ms;
}

/* Nobody is closed in here, but a client that is answered leaves the list. */
void waiters_check(struct waiters *waiters)
{
    struct store_mark mark = read_store_mark(waiters);
    struct acknowledged_count last = {.is_counted = false};
    int64_t now_ms = clock_ms();
    struct waiter *next;
    for (struct waiter *waiter = TAILQ_FIRST(&waiters->list); waiter != NULL; waiter = next) {
        next = TAILQ_NEXT(waiter, entry);
        /* What is lost comes first: a new history may have more acknowledged bytes than the old one had. */
        unsigned acknowledged = count_acknowledged(waiters, waiter->offset, &last);
        if (is_offset_lost(waiter, &mark))
            waiter_answer(waiters, waiter, 0, HISTORY_LOST);
        else if (acknowledged >= waiter->replicas || is_waiter_due(waiter, now_ms))
            waiter_answer(waiters, waiter, acknowledged, NULL);
    }
}

bool waiters_unblock(struct waiters *waiters, uint64_t client_id_wanted, bool with_error)
{
    struct waiter *waiter = TAILQ_FIRST(&waiters->list);
    while (waiter != NULL && client_id(waiter->client) != client_id_wanted)
        waiter = TAILQ_NEXT(waiter, entry);
    if (waiter == NULL)
        return false;
    struct store_mark mark = read_store_mark(waiters);
    struct acknowledged_count last = {.is_counted = false};
    unsigned acknowledged =
        is_offset_lost(waiter, &mark) ? 0 : count_acknowledged(waiters, waiter->offset, &last);
    waiter_answer(waiters, waiter, acknowledged, with_error ? UNBLOCKED : NULL);
    return true;
}

void waiters_forget(struct waiters *waiters, struct waiter *waiter)
{
    if (waiter->is_blocked)
        waiter_unlist(waiters, waiter);
}

/* ---------------------------------------------------------------- deadlines */

static void waiter_arm_timer(struct waiters *waiters, int64_t deadline_ms)
{
    int64_t now_ms = clock_ms();
    if (waiters->timer_ms != 0 && waiters->timer_ms <= deadline_ms)
        return;
    int64_t delay_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
    delay_ms = delay_ms < TIMER_MS_MAX ? delay_ms : TIMER_MS_MAX;
    waiters->timer_ms = now_ms + delay_ms;
    timer_arm(waiters->timer, delay_ms);
}

static void waiter_on_timer(void *arg)
{
    struct waiters *waiters = arg;
    waiters->timer_ms = 0;
    waiters_check(waiters);
    const struct waiter *waiter;
    TAILQ_FOREACH(waiter, &waiters->list, entry)
    {
        if (waiter->deadline_ms != 0)
            waiter_arm_timer(waiters, waiter->deadline_ms);
    }
}

bool waiters_open(struct waiters *waiters, const struct waiters_dependencies *needs)
{
    CHECK(needs->watch_acknowledged != NULL);
    *waiters = (struct waiters){.needs = *needs};
    TAILQ_INIT(&waiters->list);
    waiters->timer = timer_new(needs->loop, waiter_on_timer, waiters);
    return waiters->timer != NULL;
}

void waiters_close(struct waiters *waiters)
{
    CHECK(waiters->count == 0); /* the states of all clients have ended before */
    if (waiters->timer != NULL)
        timer_free(&waiters->timer);
}

/* ---------------------------------------------------------------- WAIT */

static void waiter_block(struct waiters *waiters, struct waiter *waiter)
{
    waiter->is_blocked = true;
    TAILQ_INSERT_TAIL(&waiters->list, waiter, entry);
    waiters->count++;
    if (waiter->deadline_ms != 0)
        waiter_arm_timer(waiters, waiter->deadline_ms);
    client_hold(waiter->client);
}

/* Watching begins before the replicas are counted: an acknowledgement that comes after the count is told. */
bool waiters_ask(struct waiters *waiters, struct waiter *waiter, struct client *client,
                 int64_t replicas, int64_t deadline_ms, unsigned *acknowledged)
{
    struct store_mark mark = read_store_mark(waiters);
    /* Only while somebody waits do the workers ring thread 0 at each acknowledgement. */
    bool is_first = waiter != NULL && waiters->count == 0;
    if (is_first)
        waiter_watch_acknowledged(waiters, true);
    *acknowledged = downstream_count_acknowledged(waiters->needs.downstream, mark.published);
    if (waiter != NULL && *acknowledged < replicas) {
        *waiter = (struct waiter){.client = client,
                                  .replicas = replicas,
                                  .offset = mark.published,
                                  .history_number = mark.history_number,
                                  .branch = mark.branches != NULL ? mark.branches->current : 0,
                                  .deadline_ms = deadline_ms};
        waiter_block(waiters, waiter);
        return false;
    }
    if (is_first)
        waiter_watch_acknowledged(waiters, false);
    return true;
}
