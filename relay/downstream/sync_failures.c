/* SPDX-License-Identifier: MIT */
#include "sync_failures.h"

/* Who can read it is told of where it is known that this one cannot. */
static void merge_failure(struct sync_failure *into, const struct sync_failure *other)
{
    unsigned failures = into->failures > other->failures ? into->failures : other->failures;
    int64_t delayed_ms =
        into->delayed_ms > other->delayed_ms ? into->delayed_ms : other->delayed_ms;
    bool is_unreadable = into->reading == RDB_UNREADABLE;
    if ((other->reading == RDB_UNREADABLE && !is_unreadable) ||
        ((other->reading == RDB_UNREADABLE) == is_unreadable && other->failures > into->failures))
        *into = *other;
    into->failures = failures;
    into->delayed_ms = delayed_ms;
}

static void sync_failures_add(struct sync_failures *failures, const struct resync_identity *who,
                              const struct sync_failure *failure)
{
    for (size_t i = 0; i < failures->count; i++) {
        if (resync_identity_equal(&failures->rows[i].who, who)) {
            merge_failure(&failures->rows[i].failure, failure);
            return;
        }
    }
    if (failures->count == SYNC_FAILURES_APART) {
        failures->fn(failure, failures->arg);
        return;
    }
    failures->rows[failures->count++] =
        (struct sync_failures_row){.who = *who, .failure = *failure};
}

static const char *first_set(const char *announced, const char *address)
{
    return announced[0] != '\0' ? announced : address;
}

void sync_failures_add_replica(struct sync_failures *failures, const struct replica_stats *stats)
{
    bool is_over = REPLICA_STATS_GET(stats, has_acknowledged) ||
                   REPLICA_STATS_GET(stats, state) == REPLICA_CLOSING ||
                   (stats->worker != NULL && !stats->full_sync);
    bool is_unreadable = stats->reading == RDB_UNREADABLE && !stats->terms.is_relay;
    if (is_over || (stats->failures <= RESYNC_FREE && !is_unreadable))
        return;
    int64_t left_ms = stats->not_before_ms - failures->now_ms;
    const struct resync_identity who = resync_identity_of(stats);
    const struct sync_failure failure = {
        .address = first_set(stats->terms.address, stats->address),
        .listening_port = stats->terms.listening_port,
        .version = stats->terms.version,
        .failures = stats->failures,
        .rdb = stats->source.rdb,
        .reading = stats->reading,
        .delayed_ms = left_ms > 0 ? left_ms : 0,
    };
    sync_failures_add(failures, &who, &failure);
}

void sync_failures_add_place(struct sync_failures *failures, const struct resync_place *place)
{
    bool is_unreadable = place->reading == RDB_UNREADABLE && !place->terms.is_relay;
    if (resync_place_is_over(place, failures->now_ms) ||
        (place->failures <= RESYNC_FREE && !is_unreadable))
        return;
    const struct resync_identity who = resync_place_identity(place);
    const struct sync_failure failure = {
        .address = first_set(place->terms.address, place->address),
        .listening_port = place->terms.listening_port,
        .version = place->terms.version,
        .failures = place->failures,
        .rdb = place->source.rdb,
        .reading = place->reading,
    };
    sync_failures_add(failures, &who, &failure);
}

void sync_failures_tell(const struct sync_failures *failures)
{
    for (size_t i = 0; i < failures->count; i++)
        failures->fn(&failures->rows[i].failure, failures->arg);
}
