/* SPDX-License-Identifier: MIT */
#include "relay/base/log_repeat.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* FNV-1a: two reasons with one hash are told as one, no more. */
static uint32_t hash(const char *text)
{
    uint32_t value = 2166136261u;
    for (; *text != '\0'; text++)
        value = (value ^ (uint8_t)*text) * 16777619u;
    return value;
}

static bool note_reason(struct log_repeat *repeat, const char *reason)
{
    uint32_t value = hash(reason);
    unsigned known = repeat->reasons < LOG_REPEAT_REASONS ? repeat->reasons : LOG_REPEAT_REASONS;
    for (unsigned i = 0; i < known; i++) {
        if (repeat->reason[i] == value)
            return false;
    }
    /* Who has ever new reasons is summed up, too. */
    if (repeat->reasons >= LOG_REPEAT_REASONS)
        return false;
    repeat->reason[repeat->reasons++] = value;
    return true;
}

static void log_repeat_format_sum(const struct log_repeat *repeat, int64_t now_ms,
                                  char sum[LOG_REPEAT_SUM_MAX])
{
    int64_t seconds = (now_ms - repeat->begun_ms) / 1000;
    if (repeat->count <= 1)
        sum[0] = '\0';
    else if (seconds < 120)
        snprintf(sum, LOG_REPEAT_SUM_MAX, " count=%" PRIu64 " for=%" PRId64 "s", repeat->count,
                 seconds);
    else
        snprintf(sum, LOG_REPEAT_SUM_MAX, " count=%" PRIu64 " for=%" PRId64 "m", repeat->count,
                 seconds / 60);
}

static void log_repeat_begin(struct log_repeat *repeat, int64_t now_ms)
{
    *repeat = (struct log_repeat){
        .begun_ms = now_ms,
        .pause_ms = LOG_REPEAT_FIRST_MS,
        .due_ms = now_ms + LOG_REPEAT_FIRST_MS,
    };
}

bool log_repeat_goes_on(const struct log_repeat *repeat)
{
    return repeat->count > 0 && repeat->ended_ms == 0;
}

bool log_repeat_note(struct log_repeat *repeat, const char *reason, int64_t now_ms,
                     char sum[LOG_REPEAT_SUM_MAX])
{
    bool is_back = repeat->ended_ms != 0 && now_ms - repeat->ended_ms <= LOG_REPEAT_QUIET_MS;
    bool is_old = now_ms - repeat->last_ms > LOG_REPEAT_OVER_MS;
    if (repeat->count == 0 || is_old || (repeat->ended_ms != 0 && !is_back))
        log_repeat_begin(repeat, now_ms);
    repeat->ended_ms = 0;
    repeat->count++;
    repeat->last_ms = now_ms;
    bool is_due = now_ms >= repeat->due_ms;
    if (!note_reason(repeat, reason) && !is_due)
        return false;
    if (is_due) {
        repeat->pause_ms = repeat->pause_ms * 2 < LOG_REPEAT_PAUSE_MS_MAX ? repeat->pause_ms * 2
                                                                          : LOG_REPEAT_PAUSE_MS_MAX;
        repeat->due_ms = now_ms + repeat->pause_ms;
    }
    repeat->is_told = true;
    log_repeat_format_sum(repeat, now_ms, sum);
    return true;
}

bool log_repeat_end(struct log_repeat *repeat, int64_t now_ms, char sum[LOG_REPEAT_SUM_MAX])
{
    if (!log_repeat_goes_on(repeat))
        return false;
    repeat->ended_ms = now_ms;
    bool is_news = repeat->is_told;
    repeat->is_told = false;
    log_repeat_format_sum(repeat, now_ms, sum);
    return is_news;
}

static struct log_repeat_place *log_repeat_find(struct log_repeats *repeats, const char *key,
                                                int64_t now_ms)
{
    struct log_repeat_place *unused = NULL;
    for (int i = 0; i < LOG_REPEATS_PLACES; i++) {
        struct log_repeat_place *place = &repeats->place[i];
        if (strncmp(place->key, key, LOG_REPEAT_KEY_MAX - 1) == 0 && place->key[0] != '\0')
            return place;
        bool is_over = now_ms - place->repeat.last_ms > LOG_REPEAT_OVER_MS;
        if (unused == NULL && (place->key[0] == '\0' || is_over))
            unused = place;
    }
    if (unused != NULL) {
        memset(unused, 0, sizeof(*unused));
        snprintf(unused->key, sizeof(unused->key), "%s", key);
    }
    /* Without a free place the caller sums it up with all others that have none: a crowd of
     * peers must not fill the log either. */
    return unused;
}

bool log_repeats_note(struct log_repeats *repeats, const char *key, const char *reason,
                      int64_t now_ms, char sum[LOG_REPEAT_SUM_MAX])
{
    CHECK(key[0] != '\0');
    struct log_repeat_place *place = log_repeat_find(repeats, key, now_ms);
    if (place != NULL)
        return log_repeat_note(&place->repeat, reason, now_ms, sum);
    bool is_told = log_repeat_note(&repeats->others, reason, now_ms, sum);
    if (is_told) {
        size_t length = strlen(sum);
        snprintf(sum + length, LOG_REPEAT_SUM_MAX - length, " others=yes");
    }
    return is_told;
}

bool log_repeats_take_over(struct log_repeats *repeats, int64_t now_ms,
                           char key[LOG_REPEAT_KEY_MAX], char sum[LOG_REPEAT_SUM_MAX])
{
    for (int i = 0; i < LOG_REPEATS_PLACES; i++) {
        struct log_repeat_place *place = &repeats->place[i];
        if (place->key[0] == '\0' || now_ms - place->repeat.last_ms <= LOG_REPEAT_OVER_MS)
            continue;
        bool is_news = place->repeat.count > 1;
        snprintf(key, LOG_REPEAT_KEY_MAX, "%s", place->key);
        log_repeat_format_sum(&place->repeat, place->repeat.last_ms, sum);
        place->key[0] = '\0';
        if (is_news)
            return true;
    }
    return false;
}
