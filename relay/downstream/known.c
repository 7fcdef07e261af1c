/* SPDX-License-Identifier: MIT */
#include "relay/downstream/known.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "known_private.h"
#include "relay/base/clock.h"
#include "relay/store/history.h"

void known_init(struct known *known, const struct replica_stats_list *replica_stats_list,
                int64_t timeout_ms, bool was_running, int64_t now_ms)
{
    *known = (struct known){.replica_stats_list = replica_stats_list, .timeout_ms = timeout_ms};
    TAILQ_INIT(&known->away);
    known->unsure_since_ms = was_running ? now_ms : KNOWN_SURE;
}

static void free_replica(struct known_replica *replica)
{
    cursor_detach(&replica->pin);
    free(replica);
}

static void known_forget_place(struct known *known, struct known_replica *replica)
{
    CHECK(known->away_count > 0);
    TAILQ_REMOVE(&known->away, replica, entry);
    known->away_count--;
    free_replica(replica);
}

void known_fini(struct known *known)
{
    struct known_replica *replica;
    while ((replica = TAILQ_FIRST(&known->away)) != NULL)
        known_forget_place(known, replica);
}

bool known_is_about(const struct replica_stats *stats)
{
    return stats->acknowledges && !stats->terms.rdb_only && !stats->runs_behind;
}

/* A version is none of it: a replica that was upgraded meanwhile is the same. */
static bool is_alike(const struct known_replica *replica, const struct replica_stats *stats)
{
    return strcmp(replica->address, stats->address) == 0 &&
           strcmp(replica->user, stats->user) == 0 &&
           strcmp(replica->terms.address, stats->terms.address) == 0 &&
           replica->terms.listening_port == stats->terms.listening_port;
}

/* They are in the order in which they were heard last, as far as clocks go: the first is over first. */
static struct known_replica *take_alike(struct known *known, const struct replica_stats *stats)
{
    struct known_replica *replica;
    TAILQ_FOREACH(replica, &known->away, entry)
    {
        if (!is_alike(replica, stats))
            continue;
        TAILQ_REMOVE(&known->away, replica, entry);
        known->away_count--;
        return replica;
    }
    return NULL;
}

/* Who goes on from where it stands has by that what was before. */
static bool was_in_sync(const struct replica_stats *stats)
{
    return stats->worker != NULL &&
           (!stats->full_sync || REPLICA_STATS_GET(stats, has_acknowledged));
}

/* A connection that we close is quickly followed by the next one, and its end may come to this thread after that: its
 * place is taken as if it had come before. */
static struct known_replica *take_closing_alike(const struct known *known,
                                                const struct replica_stats *stats)
{
    struct replica_stats *other;
    TAILQ_FOREACH(other, known->replica_stats_list, entry)
    {
        struct known_replica *replica = other->known;
        if (other == stats || replica == NULL || replica->is_retired ||
            (enum replica_state)REPLICA_STATS_GET(other, state) != REPLICA_CLOSING ||
            !is_alike(replica, stats))
            continue;
        replica->was_in_sync = replica->was_in_sync || was_in_sync(other);
        other->known = NULL;
        return replica;
    }
    return NULL;
}

bool known_arrive(struct known *known, struct replica_stats *stats)
{
    CHECK(stats->known == NULL && known_is_about(stats));
    struct known_replica *replica = take_alike(known, stats);
    if (replica == NULL)
        replica = take_closing_alike(known, stats);
    if (replica == NULL)
        replica = calloc(1, sizeof(*replica));
    if (replica == NULL)
        return false;
    replica->id = stats->id;
    replica->terms = stats->terms;
    snprintf(replica->peer, sizeof(replica->peer), "%s", stats->peer);
    snprintf(replica->address, sizeof(replica->address), "%s", stats->address);
    snprintf(replica->user, sizeof(replica->user), "%s", stats->user);
    stats->known = replica;
    return true;
}

static void add_away(struct known *known, struct known_replica *replica)
{
    if (known->away_count == KNOWN_AWAY_MAX) {
        struct known_replica *first = TAILQ_FIRST(&known->away);
        /* Its time would have counted from then on: for so long not everybody is here. */
        if (known->unsure_since_ms < first->heard_ms)
            known->unsure_since_ms = first->heard_ms;
        known_forget_place(known, first);
    }
    /* From the end on: nearly always it is the last one. */
    struct known_replica *before = TAILQ_LAST(&known->away, known_replicas);
    while (before != NULL && before->heard_ms > replica->heard_ms)
        before = TAILQ_PREV(before, known_replicas, entry);
    if (before != NULL)
        TAILQ_INSERT_AFTER(&known->away, before, replica, entry);
    else
        TAILQ_INSERT_HEAD(&known->away, replica, entry);
    known->away_count++;
}

void known_leave(struct known *known, struct replica_stats *stats, int64_t now_ms)
{
    struct known_replica *replica = stats->known;
    stats->known = NULL;
    replica->was_in_sync = replica->was_in_sync || was_in_sync(stats);
    replica->acknowledged = REPLICA_STATS_GET(stats, acknowledged);
    /* One that was given up for its silence has been away since it was heard. */
    replica->heard_ms = stats->reason == CLOSE_SILENT ? REPLICA_STATS_GET(stats, life_ms) : now_ms;
    /* Who left by itself asks for what it has, whenever it comes: that is what the window is for. One that we sent
     * away for a new id is back in a moment, and must not be made to pay for it. */
    if (stats->reason != CLOSE_RENAMED)
        cursor_detach(&replica->pin);
    if (replica->is_retired || !replica->was_in_sync)
        free_replica(replica);
    else
        add_away(known, replica);
}

static int64_t left_ms(const struct known *known, const struct known_replica *replica,
                       int64_t now_ms)
{
    int64_t left = replica->heard_ms + known->timeout_ms - now_ms;
    return left > 0 ? left : 0;
}

static bool is_gone(enum cursor_view view)
{
    return view != CURSOR_BYTES && view != CURSOR_AT_END && view != CURSOR_RENAMED;
}

/* The space of a segment that was given up comes back when the last who holds it lets go, and until then the stream
 * waits. A replica that waits for a snapshot ahead of the stream would hold it for ever. */
static void unpin_given_up(struct known_replica *replica)
{
    struct bytes view;
    if (replica != NULL && replica->pin.segment != NULL &&
        is_gone(cursor_peek(&replica->pin, &view)))
        cursor_detach(&replica->pin);
}

static void known_unpin_given_up(struct known *known)
{
    struct known_replica *away;
    TAILQ_FOREACH(away, &known->away, entry)
    {
        unpin_given_up(away);
    }
    const struct replica_stats *stats;
    TAILQ_FOREACH(stats, known->replica_stats_list, entry)
    {
        unpin_given_up(stats->known);
    }
}

void known_tick(struct known *known, int64_t now_ms)
{
    known_unpin_given_up(known);
    struct known_replica *replica;
    while ((replica = TAILQ_FIRST(&known->away)) != NULL && left_ms(known, replica, now_ms) == 0)
        known_forget_place(known, replica);
}

static int64_t unsure_ms(const struct known *known, int64_t now_ms)
{
    int64_t left = known->unsure_since_ms + known->timeout_ms - now_ms;
    return left > 0 ? left : 0;
}

bool known_is_complete(const struct known *known, int64_t now_ms)
{
    /* The last one is over last: with it all are. Looked at by the clock, as known_tick comes once a second only. */
    const struct known_replica *last = TAILQ_LAST(&known->away, known_replicas);
    return unsure_ms(known, now_ms) == 0 && (last == NULL || left_ms(known, last, now_ms) == 0);
}

/* ---------------------------------------------------------------- what is held of the backlog */

/* The new one first, so that nothing is let go of in between. */
static void pin_at(struct known_replica *replica, struct history *history, uint64_t offset)
{
    uint64_t first = history_first(history);
    struct cursor pin = {.segment = NULL};
    if (!history_attach(history, &pin, offset > first ? offset : first))
        pin.segment = NULL;
    cursor_detach(&replica->pin);
    replica->pin = pin;
}

void known_pin(struct known *known, struct history *history)
{
    const struct branches *branches = history_branches(history);
    const struct replica_stats *stats;
    TAILQ_FOREACH(stats, known->replica_stats_list, entry)
    {
        uint64_t branch = REPLICA_STATS_GET(stats, branch);
        if (stats->known == NULL || stats->worker == NULL ||
            stats->history_number != history_number(history))
            continue;
        /* It was attached under the new id: it is not sent away, and nothing would take its pin back. */
        if (branch == branches->current)
            continue;
        /* From what it has acknowledged on, or where it began; never from beyond what is common: that is where it
         * will ask to go on. */
        uint64_t acknowledged = REPLICA_STATS_GET(stats, acknowledged);
        uint64_t offset =
            acknowledged > stats->attached_offset ? acknowledged : stats->attached_offset;
        uint64_t common = branches_common_end(branches, branch);
        pin_at(stats->known, history, offset < common ? offset : common);
    }
}

void known_unpin_one(struct known_replica *replica)
{
    if (replica != NULL)
        cursor_detach(&replica->pin);
}

void known_unpin(struct known *known)
{
    struct known_replica *replica;
    TAILQ_FOREACH(replica, &known->away, entry)
    {
        cursor_detach(&replica->pin);
    }
    const struct replica_stats *stats;
    TAILQ_FOREACH(stats, known->replica_stats_list, entry)
    {
        known_unpin_one(stats->known);
    }
}

/* ---------------------------------------------------------------- told to operators, and by them */

static bool is_address(const struct known_replica *replica, struct bytes address)
{
    return bytes_equal(address, bytes_of(replica->address)) ||
           bytes_equal(address, bytes_of(replica->terms.address));
}

static bool known_matches(const struct known_replica *replica, const struct known_who *who)
{
    if (who->is_anybody)
        return true;
    if (who->address.data == NULL)
        return replica->id == who->id;
    return is_address(replica, who->address) &&
           (!who->has_port || replica->terms.listening_port == who->port);
}

static size_t forget_away(struct known *known, const struct known_who *who)
{
    size_t count = 0;
    struct known_replica *next;
    for (struct known_replica *replica = TAILQ_FIRST(&known->away); replica != NULL;
         replica = next) {
        next = TAILQ_NEXT(replica, entry);
        if (!known_matches(replica, who))
            continue;
        known_forget_place(known, replica);
        count++;
    }
    return count;
}

/* "Everybody" are those that are missed; one that is attached is named to be taken away. */
size_t known_forget(struct known *known, const struct known_who *who)
{
    size_t count = forget_away(known, who);
    if (who->is_anybody) {
        known->unsure_since_ms = KNOWN_SURE;
        return count;
    }
    const struct replica_stats *stats;
    TAILQ_FOREACH(stats, known->replica_stats_list, entry)
    {
        if (stats->known == NULL || !known_matches(stats->known, who))
            continue;
        stats->known->is_retired = true;
        count++;
    }
    return count;
}

void known_each_away(const struct known *known, known_fn *fn, void *arg)
{
    int64_t now_ms = clock_ms();
    const struct known_replica *replica;
    TAILQ_FOREACH(replica, &known->away, entry)
    {
        const struct known_status status = {
            .id = replica->id,
            .peer = replica->peer,
            .address =
                replica->terms.address[0] != '\0' ? replica->terms.address : replica->address,
            .listening_port = replica->terms.listening_port,
            .version = replica->terms.version,
            .acknowledged = replica->acknowledged,
            .heard_ms = replica->heard_ms,
            .left_ms = left_ms(known, replica, now_ms),
        };
        fn(&status, arg);
    }
}

void known_count(const struct known *known, struct known_counts *out)
{
    *out =
        (struct known_counts){.away = known->away_count, .unsure_ms = unsure_ms(known, clock_ms())};
    const struct replica_stats *stats;
    TAILQ_FOREACH(stats, known->replica_stats_list, entry)
    {
        out->attached += stats->known != NULL;
    }
}
