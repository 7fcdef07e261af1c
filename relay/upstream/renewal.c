/* SPDX-License-Identifier: MIT */
#include "renewal.h"

#include "relay/base/clock.h"
#include "relay/store/store.h"

bool renewal_init(struct renewal *renewal, struct loop *loop, struct store *store,
                  bool always_ready, int64_t pause_ms)
{
    *renewal = (struct renewal){
        .store = store,
        .fetch = fetch_new(loop, store),
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

int64_t renewal_next_ms(const struct renewal *renewal)
{
    return renewal->always_ready ? fetch_next_ms(renewal->fetch, false, renewal->pause_ms) : 0;
}

/* Who waits says so again and again. A wish that is old is of one who has left; and once there is one that can
 * be served, who waits is served that. */
static void forget_old_wish(struct renewal *renewal)
{
    struct history *history = store_current(renewal->store);
    bool is_old = clock_ms() - renewal->wish_ms > RENEWAL_WISH_MS;
    if (is_old || history == NULL || history_usable_snapshot(history) != NULL)
        renewal->has_wish = false;
}

void renewal_consider(struct renewal *renewal, const struct origin_address *origin,
                      const struct greeting_terms *terms)
{
    if (fetch_is_busy(renewal->fetch))
        return;
    forget_old_wish(renewal);
    bool waits = renewal->has_wish;
    if (!waits && !(renewal->always_ready && store_snapshot_is_due(renewal->store)))
        return;
    if (clock_ms() < fetch_next_ms(renewal->fetch, waits, renewal->pause_ms))
        return;
    renewal->has_wish = false;
    fetch_start(renewal->fetch, origin->host, origin->port, terms,
                waits ? "a replica waits for it" : "the window leaves the old one behind");
}

bool renewal_demand(struct renewal *renewal, const struct origin_address *origin,
                    const struct greeting_terms *terms)
{
    if (fetch_is_busy(renewal->fetch))
        return false;
    fetch_start(renewal->fetch, origin->host, origin->port, terms, "RELAY SNAPSHOT");
    return true;
}
