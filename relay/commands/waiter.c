/* SPDX-License-Identifier: MIT */
#include "waiter.h"

#include "client_state.h"
#include "command_table.h"
#include "relay/base/clock.h"
#include "relay/net/loop.h"
#include "relay/store/cursor.h"
#include "relay/store/history.h"
#include "relay/store/store.h"
#include "request.h"

/* The timer is armed anew when it has fired too early. */
enum { REPLY_MAX = 256, TIMER_MS_MAX = 60 * 60 * 1000 };

#define UNBLOCKED "UNBLOCKED client unblocked via CLIENT UNBLOCK"
#define HISTORY_LOST                                                                               \
    "UNBLOCKED what was waited for is no part of the history any more: the primary has another"

/* Where the store stands. */
struct mark {
    uint64_t history_number;
    uint64_t published;
    const struct branches *branches;
};

static struct mark read_mark(const struct commands *commands)
{
    struct history *history = store_current(commands->store);
    if (history == NULL)
        return (struct mark){.history_number = 0};
    return (struct mark){.history_number = history_number(history),
                         .published = history_published(history),
                         .branches = history_branches(history)};
}

/* ---------------------------------------------------------------- answers */

static void leave(struct commands *commands, struct waiter *waiter)
{
    CHECK(waiter->is_waiting && commands->waiters.count > 0);
    waiter->is_waiting = false;
    TAILQ_REMOVE(&commands->waiters.list, waiter, entry);
    commands->waiters.count--;
    if (commands->waiters.count == 0)
        commands->callbacks.watch_acknowledged(false, commands->callbacks.arg);
}

/* `error` NULL: the number. */
static void answer(struct commands *commands, struct waiter *waiter, unsigned count,
                   const char *error)
{
    struct text reply;
    text_init(&reply, REPLY_MAX);
    struct writer writer = {.out = &reply, .protocol = client_session(waiter->client)->protocol};
    if (error != NULL)
        write_error(&writer, "%s", error);
    else
        write_integer(&writer, count);
    leave(commands, waiter);
    client_resume(waiter->client, text_bytes(&reply));
    text_fini(&reply);
}

/* Those who came in the same turn wait for the same offset: the replicas are looked at once for all. */
struct tally {
    bool is_counted;
    uint64_t offset;
    unsigned count;
};

static unsigned count_for(const struct commands *commands, const struct waiter *waiter,
                          struct tally *tally)
{
    if (!tally->is_counted || tally->offset != waiter->offset) {
        tally->is_counted = true;
        tally->offset = waiter->offset;
        tally->count = downstream_count_acknowledged(commands->downstream, waiter->offset);
    }
    return tally->count;
}

/* Another history, or one that was cut before that place, however long it has become since: its offsets
 * say nothing of what was meant. */
static bool is_lost(const struct waiter *waiter, const struct mark *mark)
{
    if (waiter->history_number != mark->history_number || waiter->offset > mark->published)
        return true;
    return mark->branches != NULL &&
           waiter->offset > branches_common_end(mark->branches, waiter->branch);
}

static bool is_due(const struct waiter *waiter, int64_t now_ms)
{
    return waiter->deadline_ms != 0 && waiter->deadline_ms <= now_ms;
}

/* Nobody is closed in here, but who is answered leaves the list. */
void waiters_look(struct commands *commands)
{
    struct mark mark = read_mark(commands);
    struct tally tally = {.is_counted = false};
    int64_t now_ms = clock_ms();
    struct waiter *next;
    for (struct waiter *waiter = TAILQ_FIRST(&commands->waiters.list); waiter != NULL;
         waiter = next) {
        next = TAILQ_NEXT(waiter, entry);
        unsigned count = count_for(commands, waiter, &tally);
        if (is_lost(waiter, &mark))
            answer(commands, waiter, 0, HISTORY_LOST);
        else if (count >= waiter->replicas || is_due(waiter, now_ms))
            answer(commands, waiter, count, NULL);
    }
}

bool waiters_unblock(struct commands *commands, uint64_t client_id_wanted, bool with_error)
{
    struct waiter *waiter = TAILQ_FIRST(&commands->waiters.list);
    while (waiter != NULL && client_id(waiter->client) != client_id_wanted)
        waiter = TAILQ_NEXT(waiter, entry);
    if (waiter == NULL)
        return false;
    struct mark mark = read_mark(commands);
    struct tally tally = {.is_counted = false};
    unsigned count = is_lost(waiter, &mark) ? 0 : count_for(commands, waiter, &tally);
    answer(commands, waiter, count, with_error ? UNBLOCKED : NULL);
    return true;
}

void waiter_forget(struct commands *commands, struct waiter *waiter)
{
    if (waiter->is_waiting)
        leave(commands, waiter);
}

/* ---------------------------------------------------------------- time */

static void arm(struct waiters *waiters, int64_t deadline_ms)
{
    int64_t now_ms = clock_ms();
    if (waiters->timer_ms != 0 && waiters->timer_ms <= deadline_ms)
        return;
    int64_t delay_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
    delay_ms = delay_ms < TIMER_MS_MAX ? delay_ms : TIMER_MS_MAX;
    waiters->timer_ms = now_ms + delay_ms;
    timer_arm(waiters->timer, delay_ms);
}

static void on_timer(void *arg)
{
    struct commands *commands = arg;
    commands->waiters.timer_ms = 0;
    waiters_look(commands);
    const struct waiter *waiter;
    TAILQ_FOREACH(waiter, &commands->waiters.list, entry)
    {
        if (waiter->deadline_ms != 0)
            arm(&commands->waiters, waiter->deadline_ms);
    }
}

bool waiters_open(struct commands *commands)
{
    TAILQ_INIT(&commands->waiters.list);
    commands->waiters.timer = timer_new(commands->loop, on_timer, commands);
    return commands->waiters.timer != NULL;
}

void waiters_close(struct commands *commands)
{
    CHECK(commands->waiters.count == 0);
    if (commands->waiters.timer != NULL)
        timer_free(&commands->waiters.timer);
}

/* ---------------------------------------------------------------- WAIT */

/* In redis-server's words. */
static bool parse_timeout(struct request *request, struct bytes word, int64_t *deadline_ms)
{
    int64_t timeout_ms;
    if (!bytes_to_i64(word, &timeout_ms))
        write_error(request->writer, "ERR timeout is not an integer or out of range");
    else if (timeout_ms < 0)
        write_error(request->writer, "ERR timeout is negative");
    else if (timeout_ms > INT64_MAX - clock_ms())
        write_error(request->writer, "ERR timeout is out of range");
    else {
        *deadline_ms = timeout_ms > 0 ? clock_ms() + timeout_ms : 0;
        return true;
    }
    return false;
}

static void wait(struct request *request, struct waiter *waiter)
{
    struct commands *commands = request->commands;
    waiter->is_waiting = true;
    TAILQ_INSERT_TAIL(&commands->waiters.list, waiter, entry);
    commands->waiters.count++;
    if (waiter->deadline_ms != 0)
        arm(&commands->waiters, waiter->deadline_ms);
    client_hold(request->client);
}

/* Watching begins before the look: what comes after it is told. */
void on_wait(struct request *request)
{
    struct commands *commands = request->commands;
    struct mark mark = read_mark(commands);
    struct waiter wanted = {.offset = mark.published,
                            .history_number = mark.history_number,
                            .branch = mark.branches != NULL ? mark.branches->current : 0};
    if (!bytes_to_i64(argument(request, 1), &wanted.replicas)) {
        write_error(request->writer, "ERR value is not an integer or out of range");
        return;
    }
    if (!parse_timeout(request, argument(request, 2), &wanted.deadline_ms))
        return;
    struct client_state *client_state =
        request->is_queued ? NULL : client_state_get(commands, request->client);
    bool is_first = client_state != NULL && commands->waiters.count == 0;
    if (is_first)
        commands->callbacks.watch_acknowledged(true, commands->callbacks.arg);
    unsigned count = downstream_count_acknowledged(commands->downstream, wanted.offset);
    if (client_state != NULL && count < wanted.replicas) {
        wanted.client = request->client;
        client_state->waiter = wanted;
        wait(request, &client_state->waiter);
        return;
    }
    /* Inside a transaction nobody waits, as in redis-server. */
    write_integer(request->writer, count);
    if (is_first)
        commands->callbacks.watch_acknowledged(false, commands->callbacks.arg);
}

void on_waitaof(struct request *request)
{
    write_error(request->writer, "ERR WAITAOF cannot be used with a relay: it has no append-only "
                                 "file; its own part of a write is durable as `ack durable` says, "
                                 "and WAIT tells what its replicas have");
}
