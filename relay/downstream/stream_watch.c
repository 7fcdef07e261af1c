/* SPDX-License-Identifier: MIT */
#include "stream_watch.h"

static void begin_quarter(struct stream_watch *watch, int64_t now_ms, uint64_t published,
                          uint64_t acknowledged)
{
    watch->began_ms = now_ms;
    watch->published = published;
    watch->acknowledged = acknowledged;
    watch->lag_least = UINT64_MAX;
}

static uint64_t rate_over(uint64_t bytes, int64_t ms)
{
    return (uint64_t)((double)bytes * 1000 / (double)ms);
}

/* In a quarter in which `published` and `acknowledged` bytes more were. */
static bool has_lag_grown(const struct stream_watch *watch, uint64_t published,
                          uint64_t acknowledged)
{
    uint64_t noise = published / STREAM_WATCH_NOISE_PART;
    if (noise < STREAM_WATCH_NOISE_BYTES)
        noise = STREAM_WATCH_NOISE_BYTES;
    return acknowledged > 0 && watch->lag_least > watch->lag_before &&
           watch->lag_least - watch->lag_before > noise;
}

/* True: the verdict changes. */
static bool judge_quarter(struct stream_watch *watch, bool has_grown)
{
    watch->grown = has_grown ? watch->grown + 1 : 0;
    watch->not_grown = has_grown ? 0 : watch->not_grown + 1;
    unsigned against = watch->is_short ? watch->not_grown : watch->grown;
    if (against < STREAM_WATCH_QUARTERS)
        return false;
    watch->is_short = !watch->is_short;
    return true;
}

bool stream_watch_note(struct stream_watch *watch, int64_t now_ms, int64_t window_ms,
                       uint64_t published, uint64_t acknowledged)
{
    /* After a rewind both may be less: that is another stream. */
    if (watch->began_ms == 0 || published < watch->published ||
        acknowledged < watch->acknowledged) {
        watch->has_before = false;
        begin_quarter(watch, now_ms, published, acknowledged);
        return false;
    }
    uint64_t lag = published > acknowledged ? published - acknowledged : 0;
    if (lag < watch->lag_least)
        watch->lag_least = lag;
    int64_t ms = now_ms - watch->began_ms;
    if (ms < window_ms / STREAM_WATCH_QUARTERS || ms <= 0)
        return false;
    uint64_t more_published = published - watch->published;
    uint64_t more_acknowledged = acknowledged - watch->acknowledged;
    bool has_grown = watch->has_before && has_lag_grown(watch, more_published, more_acknowledged);
    watch->published_rate = rate_over(more_published, ms);
    watch->acknowledged_rate = rate_over(more_acknowledged, ms);
    watch->lag_before = watch->lag_least;
    watch->has_before = true;
    begin_quarter(watch, now_ms, published, acknowledged);
    return judge_quarter(watch, has_grown);
}

uint64_t stream_watch_missing(const struct stream_watch *watch)
{
    bool is_missing = watch->is_short && watch->published_rate > watch->acknowledged_rate;
    return is_missing ? watch->published_rate - watch->acknowledged_rate : 0;
}

void stream_watch_reset(struct stream_watch *watch)
{
    *watch = (struct stream_watch){.began_ms = 0};
}
