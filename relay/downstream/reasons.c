/* SPDX-License-Identifier: MIT */
#include "relay/downstream/reasons.h"

#include "relay/base/check.h"

static const struct {
    const char *name;
    enum log_level level;
    const char *text;
} reasons[] = {
#define REASON(upper, lower, level, text) [CLOSE_##upper] = {#lower, LOG_LEVEL_##level, text},
    CLOSE_REASONS(REASON)
#undef REASON
};

const char *close_reason_name(enum close_reason reason)
{
    CHECK(reason < CLOSE_REASON_COUNT);
    return reasons[reason].name;
}

const char *close_reason_text(enum close_reason reason)
{
    CHECK(reason < CLOSE_REASON_COUNT);
    return reasons[reason].text;
}

enum log_level close_reason_level(enum close_reason reason)
{
    CHECK(reason < CLOSE_REASON_COUNT);
    return reasons[reason].level;
}
