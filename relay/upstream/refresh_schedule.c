/* SPDX-License-Identifier: MIT */
#include "refresh_schedule.h"

#include "relay/base/clock.h"
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
    };
    return refresh_schedule->refresh != NULL;
}

void refresh_schedule_fini(struct refresh_schedule *refresh_schedule)
{
    refresh_free(&refresh_schedule->refresh);
}

void refresh_schedule_wish(struct refresh_schedule *refresh_schedule)
{
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
    if (is_old(refresh_schedule->wish_ms) || history == NULL ||
        history_usable_snapshot(history) != NULL)
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
    if (cause == NULL)
        refresh_note_no_space(refresh_schedule->refresh, NULL);
    if (cause == NULL ||
        clock_ms() < refresh_next_ms(refresh_schedule->refresh, waits, refresh_schedule->pause_ms))
        return;
    if (lacks_space(refresh_schedule))
        return;
    /* Whoever still waits when this one has failed says so again within seconds. */
    refresh_schedule->has_wish = false;
    refresh_schedule->has_other_wish = false;
    refresh_start(refresh_schedule->refresh, primary, terms, cause);
}

bool refresh_schedule_demand(struct refresh_schedule *refresh_schedule,
                             const struct primary_address *primary,
                             const struct handshake_terms *terms)
{
    if (refresh_is_busy(refresh_schedule->refresh))
        return false;
    refresh_start(refresh_schedule->refresh, primary, terms, "RELAY SNAPSHOT");
    return true;
}
