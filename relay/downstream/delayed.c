/* SPDX-License-Identifier: MIT
 *
 * Replicas that run behind: their limits (delay.h), what the store keeps for them, and those that an operator has
 * stopped (holds.h).
 */
#include "relay/downstream/delayed.h"

#include <inttypes.h>

#include "component.h"
#include "delayed_private.h"
#include "relay/base/log.h"
#include "relay/downstream/known.h"
#include "relay/store/history.h"
#include "relay/store/store.h"
#include "replicas.h"
#include "worker.h"

enum { NOTE_MAX = 64 * 1024, WHY_MAX = 512 };

bool delayed_has_port(const struct downstream *downstream)
{
    const struct delayed_options *delayed = &downstream->options.delayed;
    return delayed->port != 0 || delayed->tls_port != 0;
}

/* ------------------------------------------------------------------ the note of the holds */

void delayed_load(struct downstream *downstream)
{
    struct text note;
    struct text why;
    text_init(&note, NOTE_MAX);
    text_init(&why, WHY_MAX);
    if (!store_read_note(downstream->waiting.store, STORE_NOTE_HOLDS, &note, &why))
        log_errorx("downstream: cannot read which replicas are paused: %s", text_string(&why));
    else if (!holds_parse(&downstream->holds, text_bytes(&note)))
        log_errorx(
            "downstream: the file %s in the data directory is damaged: not all replicas that "
            "were paused are known; look at RELAY PAUSED",
            STORE_NOTE_HOLDS);
    if (downstream->holds.count > 0)
        log_info("downstream: replicas that are paused, or have a target: %zu",
                 downstream->holds.count);
    text_fini(&why);
    text_fini(&note);
}

static void save_holds(struct downstream *downstream)
{
    struct holds *holds = &downstream->holds;
    struct store *store = downstream->waiting.store;
    struct text note;
    struct text why;
    if (!holds->has_changed)
        return;
    text_init(&note, NOTE_MAX);
    text_init(&why, WHY_MAX);
    holds_format(holds, &note);
    if (holds->count == 0)
        store_drop_note(store, STORE_NOTE_HOLDS);
    else if (note.failed || !store_keep_note(store, STORE_NOTE_HOLDS, text_bytes(&note), &why))
        log_errorx("downstream: cannot note which replicas are paused: %s", text_string(&why));
    holds->has_changed = false;
    text_fini(&why);
    text_fini(&note);
}

/* ------------------------------------------------------------------ limits */

/* Those that are sent the current history. */
static void set_limits(struct downstream *downstream)
{
    struct replica_stats *stats;
    TAILQ_FOREACH(stats, &downstream->replica_stats_list, entry)
    {
        uint64_t limit;
        if (!stats->runs_behind || stats->history_number != downstream->delay.history_number)
            continue;
        (void)hold_limit(holds_find(&downstream->holds, stats), &downstream->delay, &limit);
        REPLICA_STATS_SET(stats, limit, limit);
    }
    for (unsigned i = 0; i < downstream->worker_count; i++)
        worker_wake(downstream->workers[i]);
}

/* What they have not been sent is needed, and as much before it as one that was away may ask for; and what comes behind
 * where those that are held stand. */
static void tell_store(struct downstream *downstream, struct history *history)
{
    const struct delay *delay = &downstream->delay;
    uint64_t kept = downstream->options.window_bytes;
    uint64_t from = delay->due > kept ? delay->due - kept : 0;
    uint64_t held = holds_needed_from(&downstream->holds, delay->history_number);
    const struct history_need need = {.from = held < from ? held : from, .due = delay->due};
    history_set_need(history, &need);
}

/* Those that are paused. A full sync goes on first, so that what it loads is not lost: looked at each second. */
static void close_paused(struct downstream *downstream)
{
    struct replica_stats *stats;
    TAILQ_FOREACH(stats, &downstream->replica_stats_list, entry)
    {
        const struct hold *hold = holds_find(&downstream->holds, stats);
        bool is_loading = stats->full_sync && !REPLICA_STATS_GET(stats, has_acknowledged);
        if (stats->worker != NULL && hold != NULL && hold->kind == HOLD_PAUSED && !is_loading)
            worker_close(stats->worker, stats->id, CLOSE_PAUSED);
    }
}

void delayed_update(struct downstream *downstream)
{
    struct history *history = store_current(downstream->waiting.store);
    if (!delayed_has_port(downstream))
        return;
    if (delay_look(&downstream->delay, history))
        set_limits(downstream);
    if (history != NULL)
        tell_store(downstream, history);
    close_paused(downstream);
    save_holds(downstream);
}

void delayed_cut(struct downstream *downstream, uint64_t offset)
{
    holds_cut(&downstream->holds, downstream->delay.history_number, offset);
    delayed_update(downstream);
    set_limits(downstream);
}

/* ------------------------------------------------------------------ RELAY PAUSE, RELAY RESUME */

static bool is_attached(const struct downstream *downstream, const struct replica_stats *stats)
{
    return stats->worker != NULL && stats->history_number == downstream->delay.history_number;
}

/* What it has been sent of the current history, as far as is known. */
static uint64_t sent_until(const struct downstream *downstream, const struct replica_stats *stats)
{
    return is_attached(downstream, stats) ? REPLICA_STATS_GET(stats, sent_offset) : 0;
}

static void settle(struct downstream *downstream)
{
    set_limits(downstream);
    delayed_update(downstream);
    waiting_ask(&downstream->waiting);
}

const char *downstream_pause(struct downstream *downstream, uint64_t id)
{
    const struct replica_stats *stats = replicas_find(downstream, id);
    if (stats == NULL)
        return "ERR No such replica";
    if (!stats->runs_behind)
        return "ERR The replica does not run behind: only one that is attached to a port of "
               "[delayed] "
               "can be paused";
    struct hold *hold = holds_take(&downstream->holds, stats);
    if (hold == NULL)
        return "ERR Too many replicas are paused";
    hold->kind = HOLD_PAUSED;
    downstream->holds.has_changed = true;
    const struct replica_stats_list_scope scope = downstream_scope(downstream);
    if (is_attached(downstream, stats))
        holds_note_place(&downstream->holds, hold, stats->history_number,
                         replica_stats_list_offset(stats, &scope));
    log_info("downstream: replica id=%" PRIu64 " addr=%s paused at offset=%" PRIu64, stats->id,
             stats->peer, hold->from);
    settle(downstream);
    return NULL;
}

/* The hold that is meant: of a replica that is here, or of one that is away. */
static struct hold *find_hold(struct downstream *downstream, const struct known_who *who,
                              const struct replica_stats *stats)
{
    if (stats != NULL)
        return holds_edit(&downstream->holds, holds_find(&downstream->holds, stats));
    for (size_t i = 0; i < downstream->holds.count; i++) {
        if (hold_is(&downstream->holds.at[i], who))
            return &downstream->holds.at[i];
    }
    return NULL;
}

static const char *check_target(const struct downstream *downstream, const struct hold *hold,
                                const struct replica_stats *stats, uint64_t until)
{
    const struct history *history = store_current(downstream->waiting.store);
    uint64_t place = stats != NULL ? sent_until(downstream, stats) : 0;
    if (history == NULL || until > history_published(history))
        return "ERR The target is behind the end of the stream";
    if (hold != NULL && hold->history_number == history_number(history) && hold->from > place)
        place = hold->from;
    if (until < place)
        return "ERR The target is before what the replica has already: its offset is in RELAY "
               "REPLICAS "
               "and RELAY PAUSED";
    if (until < history_first(history))
        return "ERR The target is before the backlog";
    return NULL;
}

const char *downstream_resume(struct downstream *downstream, const struct known_who *who,
                              const uint64_t *until)
{
    const struct replica_stats *stats = who->id != 0 ? replicas_find(downstream, who->id) : NULL;
    struct hold *hold = find_hold(downstream, who, stats);
    if (hold == NULL && (stats == NULL || !stats->runs_behind))
        return "ERR No such replica";
    if (hold == NULL && until == NULL)
        return "ERR The replica is not paused";
    const char *why = until != NULL ? check_target(downstream, hold, stats, *until) : NULL;
    if (why != NULL)
        return why;
    if (hold == NULL)
        hold = holds_take(&downstream->holds, stats);
    if (hold == NULL)
        return "ERR Too many replicas are paused";
    if (until == NULL) {
        log_info("downstream: replica %s:%u resumed", hold->address, hold->port);
        holds_remove(&downstream->holds, hold);
    } else {
        log_info("downstream: replica %s:%u resumed until offset=%" PRIu64, hold->address,
                 hold->port, *until);
        if (hold->history_number != downstream->delay.history_number)
            hold->from = 0; /* where it stands is told by its next PSYNC */
        hold->history_number = downstream->delay.history_number;
        hold->kind = HOLD_TARGET;
        hold->until = *until;
        downstream->holds.has_changed = true;
    }
    settle(downstream);
    return NULL;
}

static uint64_t delayed_id_of(const struct downstream *downstream, const struct hold *hold)
{
    const struct replica_stats *stats;
    TAILQ_FOREACH(stats, &downstream->replica_stats_list, entry)
    {
        if (holds_find(&downstream->holds, stats) == hold)
            return stats->id;
    }
    return 0;
}

void downstream_each_hold(const struct downstream *downstream, hold_fn *fn, void *arg)
{
    for (size_t i = 0; i < downstream->holds.count; i++) {
        const struct hold *hold = &downstream->holds.at[i];
        const struct hold_status status = {
            .id = delayed_id_of(downstream, hold),
            .address = hold->announced[0] != '\0' ? hold->announced : hold->address,
            .port = hold->port,
            .kind = hold->kind,
            .until = hold->until,
            .offset = hold->from,
            .is_current = hold->history_number == downstream->delay.history_number,
        };
        fn(&status, arg);
    }
}

void downstream_delayed(const struct downstream *downstream, struct delayed_status *out)
{
    *out = (struct delayed_status){
        .is_on = delayed_has_port(downstream),
        .delay_ms = downstream->delay.delay_ms,
        .has_due = downstream->delay.has_due,
        .due = downstream->delay.due,
        .holds = downstream->holds.count,
    };
    const struct replica_stats *stats;
    TAILQ_FOREACH(stats, &downstream->replica_stats_list, entry)
    {
        out->replicas += stats->runs_behind;
    }
}
