/* SPDX-License-Identifier: MIT */
#include "renewal.h"

#include "relay/base/clock.h"
#include "relay/store/store.h"

bool renewal_init(struct renewal *renewal, struct loop *loop, struct store *store,
                  struct announced_version *announced, bool always_ready, int64_t pause_ms)
{
    *renewal = (struct renewal){
        .store = store,
        .fetch = fetch_new(loop, store, announced),
        .always_ready = always_ready,
        .pause_ms = pause_ms,
    };
    return renewal->fetch != NULL;
}

void renewal_fini(struct renewal *renewal)
{
    fetch_free(&renewal->fetch);
}

void renewal_wish(struct renewal *renewal)
{
    renewal->has_wish = true;
    renewal->wish_ms = clock_ms();
}

void renewal_wish_other(struct renewal *renewal)
{
    renewal->has_other_wish = true;
    renewal->other_wish_ms = clock_ms();
}

int64_t renewal_next_ms(const struct renewal *renewal)
{
    return renewal->always_ready ? fetch_next_ms(renewal->fetch, false, renewal->pause_ms) : 0;
}

static bool is_old(int64_t wish_ms)
{
    return clock_ms() - wish_ms > RENEWAL_WISH_MS;
}

/* Who waits says so again and again. A wish that is old is of one who has left; and once there is one that can
 * be served, who waits is served that. */
static void forget_old_wishes(struct renewal *renewal)
{
    struct history *history = store_current(renewal->store);
    if (is_old(renewal->wish_ms) || history == NULL || history_usable_snapshot(history) != NULL)
        renewal->has_wish = false;
    if (is_old(renewal->other_wish_ms) || history == NULL)
        renewal->has_other_wish = false;
}

/* NULL: there is no need. */
static const char *cause_of(const struct renewal *renewal)
{
    if (renewal->has_wish)
        return "a replica waits for it";
    if (renewal->has_other_wish)
        return "a replica cannot read the one that is held";
    if (renewal->always_ready && store_snapshot_is_due(renewal->store))
        return "the window leaves the old one behind";
    return NULL;
}

static bool lacks_room(struct renewal *renewal)
{
    struct text why;
    text_init(&why, 256);
    bool lacks = !store_expects_room(renewal->store, true, &why);
    if (lacks)
        fetch_note_no_room(renewal->fetch, text_string(&why));
    text_fini(&why);
    return lacks;
}

void renewal_consider(struct renewal *renewal, const struct origin_address *origin,
                      const struct greeting_terms *terms)
{
    if (fetch_is_busy(renewal->fetch))
        return;
    forget_old_wishes(renewal);
    bool waits = renewal->has_wish || renewal->has_other_wish;
    const char *cause = cause_of(renewal);
    if (cause == NULL)
        fetch_note_no_room(renewal->fetch, NULL);
    if (cause == NULL || clock_ms() < fetch_next_ms(renewal->fetch, waits, renewal->pause_ms))
        return;
    if (lacks_room(renewal))
        return;
    renewal->has_wish = false;
    renewal->has_other_wish = false;
    fetch_start(renewal->fetch, origin->host, origin->port, terms, cause);
}

bool renewal_demand(struct renewal *renewal, const struct origin_address *origin,
                    const struct greeting_terms *terms)
{
    if (fetch_is_busy(renewal->fetch))
        return false;
    fetch_start(renewal->fetch, origin->host, origin->port, terms, "RELAY SNAPSHOT");
    return true;
}
