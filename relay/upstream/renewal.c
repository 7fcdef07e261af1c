/* SPDX-License-Identifier: MIT */
#include "renewal.h"

#include "backoff.h"
#include "relay/base/clock.h"
#include "relay/store/store.h"

static const struct backoff after_failure = {.ms_min = 1000, .ms_max = 30000};

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

static bool somebody_waits(const struct renewal *renewal)
{
    struct history *history = store_current(renewal->store);
    return renewal->wanted && history != NULL && history_usable_snapshot(history) == NULL;
}

void renewal_consider(struct renewal *renewal, const struct origin_address *origin,
                      const struct greeting_terms *terms)
{
    if (fetch_is_busy(renewal->fetch))
        return;
    renewal->wanted = somebody_waits(renewal);
    if (!renewal->wanted && !(renewal->always_ready && store_snapshot_is_due(renewal->store)))
        return;
    /* After a failure there is nothing new yet: tried again soon, also where nobody waits. */
    bool has_failed = fetch_failures(renewal->fetch) > 0;
    int64_t pause = backoff_ms(after_failure, fetch_failures(renewal->fetch));
    if (!renewal->wanted && !has_failed)
        pause = renewal->pause_ms;
    int64_t started = fetch_started_ms(renewal->fetch);
    if (started != 0 && clock_ms() - started < pause)
        return;
    fetch_start(renewal->fetch, origin->host, origin->port, terms,
                renewal->wanted ? "a replica waits for it"
                                : "the window leaves the old one behind");
}

bool renewal_demand(struct renewal *renewal, const struct origin_address *origin,
                    const struct greeting_terms *terms)
{
    if (fetch_is_busy(renewal->fetch))
        return false;
    fetch_start(renewal->fetch, origin->host, origin->port, terms, "RELAY SNAPSHOT");
    return true;
}
