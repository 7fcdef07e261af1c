/* SPDX-License-Identifier: MIT */
#include "backoff.h"

#include "relay/base/check.h"
#include "relay/os/random.h"

const struct backoff backoff_link = {.ms_min = 100, .ms_max = 5000};
const struct backoff backoff_full_sync = {.ms_min = 1000, .ms_max = 5 * 60 * 1000};
const struct backoff backoff_full_sync_of_relay = {.ms_min = 500, .ms_max = 10 * 1000};
const struct backoff backoff_refresh_refused = {.ms_min = 1000, .ms_max = 30 * 1000};
const struct backoff backoff_refresh = {.ms_min = 1000, .ms_max = 5 * 60 * 1000};
const struct backoff backoff_sentinels = {.ms_min = 100, .ms_max = 5000};

int64_t backoff_ms(struct backoff backoff, unsigned failures)
{
    CHECK(backoff.ms_min > 0);
    CHECK(backoff.ms_min <= backoff.ms_max);
    if (failures == 0)
        return 0;
    int64_t longest = backoff.ms_min;
    for (unsigned i = 1; i < failures && longest < backoff.ms_max; i++)
        longest *= 2;
    if (longest > backoff.ms_max)
        longest = backoff.ms_max;
    /* A half is certain, so that there is a rest; a half is chance, so that many do not come at
     * once. */
    int64_t half = longest / 2;
    return longest - half + (int64_t)random_below((uint64_t)half + 1);
}
