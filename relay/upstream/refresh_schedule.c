/* SPDX-License-Identifier: MIT */
#include "refresh_schedule.h"

#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/store/rdb_parts.h"
#include "relay/store/store.h"

bool refresh_schedule_init(struct refresh_schedule *refresh_schedule, struct loop *loop,
                           struct store *store, const struct route *route,
                           struct announced_version *announced, struct compression_use *compression,
                           bool always_ready, int64_t pause_ms)
{
    *refresh_schedule = (struct refresh_schedule){
        .store = store,
        .refresh = refresh_new(loop, store, route, announced, compression),
        .always_ready = always_ready,
        .pause_ms = pause_ms,
        .sources = {.store = store},
    };
    return refresh_schedule->refresh != NULL;
}

void refresh_schedule_fini(struct refresh_schedule *refresh_schedule)
{
    refresh_free(&refresh_schedule->refresh);
}

void refresh_schedule_wish(struct refresh_schedule *refresh_schedule, uint64_t from)
{
    /* Of several who wait, one that helps who asks for most helps all. */
    if (!refresh_schedule->has_wish || from > refresh_schedule->wish_from)
        refresh_schedule->wish_from = from;
    refresh_schedule->has_wish = true;
    refresh_schedule->wish_ms = clock_ms();
}

void refresh_schedule_wish_other(struct refresh_schedule *refresh_schedule)
{
    refresh_schedule->has_other_wish = true;
    refresh_schedule->other_wish_ms = clock_ms();
}

int64_t refresh_schedule_next_ms(const struct refresh_schedule *refresh_schedule)
{
    return refresh_schedule->always_ready
               ? refresh_next_ms(refresh_schedule->refresh, false, refresh_schedule->pause_ms)
               : 0;
}

static bool is_old(int64_t wish_ms)
{
    return clock_ms() - wish_ms > REFRESH_SCHEDULE_WISH_MS;
}

/* Who waits says so again and again. A wish that is old is of one who has left; and once there is one that can
 * be served, who waits is served that. */
static void forget_old_wishes(struct refresh_schedule *refresh_schedule)
{
    struct history *history = store_current(refresh_schedule->store);
    const struct snapshot *usable = history != NULL ? history_usable_snapshot(history) : NULL;
    bool is_served = usable != NULL && snapshot_offset(usable) >= refresh_schedule->wish_from;
    if (is_old(refresh_schedule->wish_ms) || history == NULL || is_served)
        refresh_schedule->has_wish = false;
    if (is_old(refresh_schedule->other_wish_ms) || history == NULL)
        refresh_schedule->has_other_wish = false;
}

/* What is here of an RDB of this history. */
static enum store_part part_of_ours(const struct refresh_schedule *refresh_schedule)
{
    struct rdb_part part;
    const struct history *history = store_current(refresh_schedule->store);
    enum store_part state = store_part(refresh_schedule->store, &part);
    if (state == STORE_PART_NONE || history == NULL || !refresh_schedule->is_at_relay ||
        !replid_equal(&part.replid, &history_identity(history)->replid))
        return STORE_PART_NONE;
    return state;
}

/* NULL: there is no need. */
static const char *cause_of(const struct refresh_schedule *refresh_schedule)
{
    if (part_of_ours(refresh_schedule) == STORE_PART_READY)
        return "the rest of one is to come";
    if (refresh_schedule->has_wish)
        return "a replica waits for it";
    if (refresh_schedule->has_other_wish)
        return "a replica cannot read the one that is held";
    if (refresh_schedule->always_ready && store_snapshot_is_due(refresh_schedule->store))
        return "the window leaves the old one behind";
    return NULL;
}

/* From which offset on an RDB is of use to those for whom it is fetched; 0: any is. Where nobody waits, the window is
 * about to leave the one that is held, and one that is no newer helps nobody. One who cannot read that one may want
 * another of the same offset. */
static uint64_t refresh_schedule_first_useful(const struct refresh_schedule *refresh_schedule,
                                              bool waits)
{
    const struct snapshot *held = history_usable_snapshot(store_current(refresh_schedule->store));
    if (refresh_schedule->has_wish)
        return refresh_schedule->wish_from;
    return waits || held == NULL ? 0 : snapshot_offset(held) + 1;
}

static bool lacks_space(struct refresh_schedule *refresh_schedule)
{
    struct text why;
    text_init(&why, 256);
    bool lacks = !store_expects_space(refresh_schedule->store, true, &why);
    if (lacks)
        refresh_note_no_space(refresh_schedule->refresh, text_string(&why));
    text_fini(&why);
    return lacks;
}

/* `waits`: a replica of ours waits for it, or an operator. False: there is nobody to ask now. */
static bool refresh_schedule_start(struct refresh_schedule *refresh_schedule, bool waits,
                                   const struct primary_address *primary,
                                   const struct handshake_terms *terms, const char *cause)
{
    struct snapshot_sources *sources = &refresh_schedule->sources;
    struct primary_address source;
    switch (snapshot_sources_pick(sources, waits, &source)) {
    case SNAPSHOT_SOURCES_NOBODY:
        if (!refresh_schedule->lacks_source)
            log_warnx("upstream: no snapshot is fetched, since no replica can give one now "
                      "(snapshot-source); the primary is asked when a replica waits for it");
        refresh_schedule->lacks_source = true;
        return false;
    case SNAPSHOT_SOURCES_OTHER:
        snapshot_sources_note_asked(sources, &source);
        refresh_start_at(refresh_schedule->refresh, sources, &source, terms, cause);
        break;
    case SNAPSHOT_SOURCES_PRIMARY:
        if (sources->setting.kind != SNAPSHOT_SOURCE_UPSTREAM) {
            log_warnx(
                "upstream: the primary is asked for a snapshot, since no replica can give one "
                "(snapshot-source)");
            snapshot_sources_note_asked(sources, NULL);
        }
        refresh_start(refresh_schedule->refresh, primary, terms, cause);
        break;
    }
    refresh_schedule->lacks_source = false;
    return true;
}

void refresh_schedule_consider(struct refresh_schedule *refresh_schedule,
                               const struct primary_address *primary,
                               const struct handshake_terms *terms)
{
    enum store_part part = part_of_ours(refresh_schedule);
    if (refresh_is_busy(refresh_schedule->refresh) || part == STORE_PART_UNPROVEN)
        return;
    forget_old_wishes(refresh_schedule);
    bool waits =
        refresh_schedule->has_wish || refresh_schedule->has_other_wish || part == STORE_PART_READY;
    const char *cause = cause_of(refresh_schedule);
    if (cause == NULL) {
        refresh_note_no_space(refresh_schedule->refresh, NULL);
        refresh_schedule->lacks_source = false;
    }
    if (cause == NULL ||
        clock_ms() < refresh_next_ms(refresh_schedule->refresh, waits, refresh_schedule->pause_ms))
        return;
    if (lacks_space(refresh_schedule))
        return;
    struct handshake_terms wanted = *terms;
    wanted.rdb_from = refresh_schedule_first_useful(refresh_schedule, waits);
    /* Of another format is only what the primary writes for what we announce; and only a relay has the rest of one. */
    bool is_of_primary = refresh_schedule->has_other_wish || part == STORE_PART_READY;
    if (!is_of_primary && !refresh_schedule_start(refresh_schedule, waits, primary, &wanted, cause))
        return;
    if (is_of_primary)
        refresh_start(refresh_schedule->refresh, primary, &wanted, cause);
    /* Whoever still waits when this one has failed says so again within seconds. */
    refresh_schedule->has_wish = false;
    refresh_schedule->has_other_wish = false;
}

bool refresh_schedule_demand(struct refresh_schedule *refresh_schedule,
                             const struct primary_address *primary,
                             const struct handshake_terms *terms)
{
    if (refresh_is_busy(refresh_schedule->refresh))
        return false;
    return refresh_schedule_start(refresh_schedule, true, primary, terms, "RELAY SNAPSHOT");
}
