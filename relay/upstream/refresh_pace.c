/* SPDX-License-Identifier: MIT */
#include "refresh_pace.h"

#include "backoff.h"
#include "relay/base/check.h"

enum { WAITED_FOR_MS_MAX = 5 * 60 * 1000 };

void refresh_pace_recall(struct refresh_pace *pace, int64_t now_ms, int64_t age_ms)
{
    pace->has_asked = true;
    pace->asked_ms = now_ms - age_ms;
}

void refresh_pace_ask(struct refresh_pace *pace, int64_t now_ms)
{
    CHECK(!pace->is_asking);
    /* Kept for the case that the primary refuses: that costs it no fork, and counts as if it had
     * not been asked. */
    pace->had_asked = pace->has_asked;
    pace->before_ms = pace->asked_ms;
    pace->is_asking = true;
    pace->has_asked = true;
    pace->asked_ms = now_ms;
}

void refresh_pace_end(struct refresh_pace *pace, int64_t now_ms, enum refresh_end end, bool forks)
{
    bool may_have_forked = pace->is_asking && end != REFRESH_REFUSED && end != REFRESH_BROKEN;
    /* From its end on, and not from its beginning: an RDB that takes longer than the interval
     * would otherwise be followed by the next one without a rest. */
    if (may_have_forked) {
        pace->took_ms = now_ms - pace->asked_ms;
        pace->asked_ms = now_ms;
    } else if (pace->is_asking) {
        pace->has_asked = pace->had_asked;
        pace->asked_ms = pace->before_ms;
    }
    pace->is_asking = false;
    pace->ended_ms = now_ms;
    if (end == REFRESH_GOOD || end == REFRESH_BROKEN)
        pace->failures = 0;
    else if (end == REFRESH_FAILED || end == REFRESH_REFUSED)
        pace->failures++;
    pace->pause_ms = backoff_ms(
        may_have_forked && forks ? backoff_refresh : backoff_refresh_refused, pace->failures);
}

int64_t refresh_pace_next_ms(const struct refresh_pace *pace, bool somebody_waits,
                             int64_t interval_ms)
{
    int64_t next_ms = pace->ended_ms + pace->pause_ms;
    if (!pace->has_asked)
        return next_ms;
    /* Who waits is kept waiting for as long as the last RDB took, five minutes at the most: the primary
     * has a rest after each. */
    int64_t took_ms = pace->took_ms < WAITED_FOR_MS_MAX ? pace->took_ms : WAITED_FOR_MS_MAX;
    int64_t after_ms = pace->asked_ms + (somebody_waits ? took_ms : interval_ms);
    return after_ms > next_ms ? after_ms : next_ms;
}
