/* SPDX-License-Identifier: MIT */
#include "resync_throttle.h"

#include <stdio.h>
#include <string.h>

enum { FIRST_WAIT_MS = 1000 };

bool resync_source_equal(const struct resync_source *a, const struct resync_source *b)
{
    return a->history_number == b->history_number && rdb_version_equal(a->rdb, b->rdb);
}

static bool have_equal_terms(const struct replica_terms *a, const struct replica_terms *b)
{
    return a->listening_port == b->listening_port && a->capa_eof == b->capa_eof &&
           a->capa_psync2 == b->capa_psync2 && strcmp(a->address, b->address) == 0 &&
           strcmp(a->version, b->version) == 0;
}

struct resync_identity resync_identity_of(const struct replica_stats *stats)
{
    return (struct resync_identity){stats->address, stats->user, &stats->terms};
}

struct resync_identity resync_place_identity(const struct resync_place *place)
{
    return (struct resync_identity){place->address, place->user, &place->terms};
}

bool resync_identity_equal(const struct resync_identity *a, const struct resync_identity *b)
{
    return strcmp(a->address, b->address) == 0 && strcmp(a->user, b->user) == 0 &&
           have_equal_terms(a->terms, b->terms);
}

static bool is_of(const struct resync_place *place, const struct replica_stats *stats)
{
    const struct resync_identity of_place = resync_place_identity(place);
    const struct resync_identity of_stats = resync_identity_of(stats);
    return place->failures > 0 && resync_identity_equal(&of_place, &of_stats);
}

bool resync_place_is_over(const struct resync_place *place, int64_t now_ms)
{
    return place->failures == 0 || now_ms - place->last_ms > RESYNC_RETURN_MS;
}

static int64_t doubled(int64_t first_ms, unsigned times, int64_t most_ms)
{
    for (; times > 0 && first_ms < most_ms; times--)
        first_ms *= 2;
    return first_ms < most_ms ? first_ms : most_ms;
}

int64_t resync_wait_ms(unsigned failures, enum rdb_reading reading)
{
    if (reading == RDB_UNREADABLE && failures == 0)
        return RESYNC_UNREADABLE_FIRST_MS;
    if (reading == RDB_UNREADABLE)
        return doubled(RESYNC_UNREADABLE_MS, failures - 1, RESYNC_UNREADABLE_MS_MAX);
    if (failures <= RESYNC_FREE)
        return 0;
    /* Short while it may be a healthy one that waits in the place of the failing one. */
    if (failures <= RESYNC_IN_DOUBT)
        return doubled(FIRST_WAIT_MS, failures - RESYNC_FREE - 1, RESYNC_DOUBT_MS_MAX);
    return doubled(RESYNC_DOUBT_MS_MAX, failures - RESYNC_IN_DOUBT, RESYNC_MS_MAX);
}

/* Of several the one with most: who fails is back sooner than others come. */
static struct resync_place *resync_throttle_find(struct resync_throttle *throttle,
                                                 const struct replica_stats *stats,
                                                 const struct resync_source *source, int64_t now_ms)
{
    struct resync_place *found = NULL;
    for (int i = 0; i < RESYNC_PLACES; i++) {
        struct resync_place *place = &throttle->place[i];
        if (!resync_place_is_over(place, now_ms) && is_of(place, stats) &&
            resync_source_equal(&place->source, source) &&
            (found == NULL || place->failures > found->failures))
            found = place;
    }
    return found;
}

unsigned resync_throttle_take(struct resync_throttle *throttle, const struct replica_stats *stats,
                              const struct resync_source *source, int64_t now_ms)
{
    struct resync_place *place = resync_throttle_find(throttle, stats, source, now_ms);
    if (place == NULL)
        return 0;
    /* Taken away: a second one that says the same of itself is another replica, and does not wait. */
    unsigned failures = place->failures;
    memset(place, 0, sizeof(*place));
    return failures;
}

static struct resync_place *free_place(struct resync_throttle *throttle, int64_t now_ms)
{
    struct resync_place *oldest = &throttle->place[0];
    for (int i = 0; i < RESYNC_PLACES; i++) {
        struct resync_place *place = &throttle->place[i];
        if (resync_place_is_over(place, now_ms))
            return place;
        if (place->last_ms < oldest->last_ms)
            oldest = place;
    }
    return oldest;
}

void resync_throttle_keep(struct resync_throttle *throttle, const struct replica_stats *stats,
                          unsigned failures, int64_t now_ms)
{
    if (failures == 0)
        return;
    struct resync_place *place = free_place(throttle, now_ms);
    *place = (struct resync_place){
        .failures = failures,
        .last_ms = now_ms,
        .source = stats->source,
        .reading = stats->reading,
        .terms = stats->terms,
    };
    snprintf(place->address, sizeof(place->address), "%s", stats->address);
    snprintf(place->user, sizeof(place->user), "%s", stats->user);
}
