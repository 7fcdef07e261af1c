/* SPDX-License-Identifier: MIT */
#include "readiness.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "relay/base/bytes.h"
#include "relay/base/duration.h"

static bool PRINTF_LIKE(2, 3) refuse(char why[READINESS_WHY_MAX], const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(why, READINESS_WHY_MAX, format, list);
    va_end(list);
    return false;
}

static bool refuse_without_history(const struct picture *picture, char why[READINESS_WHY_MAX])
{
    if (picture->link.sync_in_progress)
        return refuse(why, "the first RDB is still arriving from upstream");
    if (picture->link.last_error[0] != '\0')
        return refuse(why, "%s", picture->link.last_error);
    return refuse(why, "there is no RDB yet");
}

bool readiness_look(const struct picture *picture, int64_t max_silence_ms,
                    char why[READINESS_WHY_MAX])
{
    why[0] = '\0';
    if (!picture->store.is_served)
        return refuse_without_history(picture, why);
    if (picture->old_history_ms >= 0 && !picture->serves_old_history)
        return refuse(why,
                      "an old history has been served for %" PRId64
                      " s: upstream has a new one, whose RDB is not complete yet",
                      picture->old_history_ms / 1000);
    if (max_silence_ms > 0 && picture->root_silence_ms > max_silence_ms)
        return refuse(why, "nothing has arrived from upstream for %" PRId64 " s%s%s",
                      picture->root_silence_ms / 1000,
                      picture->link.last_error[0] != '\0' ? ": " : "", picture->link.last_error);
    return true;
}

bool readiness_read_query(const char *query, int64_t *max_silence_ms)
{
    static const char key[] = "max-silence=";
    uint64_t ms;
    for (const char *rest = query; *rest != '\0';) {
        struct bytes pair = bytes_at(rest, strcspn(rest, "&"));
        rest += pair.length;
        rest += *rest == '&';
        if (!bytes_starts(pair, key))
            continue;
        if (!duration_parse_ms(bytes_skip(pair, sizeof(key) - 1), &ms) || ms > INT64_MAX)
            return false;
        *max_silence_ms = (int64_t)ms;
    }
    return true;
}
