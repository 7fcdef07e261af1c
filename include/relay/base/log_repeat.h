/* SPDX-License-Identifier: MIT
 *
 * A failure that repeats, for the log: it is told when it begins, then summed up ever more rarely, and its
 * end is told. Without this a primary that is down for a night fills the log, and hides what else happened.
 *
 *     char sum[LOG_REPEAT_SUM_MAX];
 *     if (log_repeat_note(&repeat, "Connection refused", now_ms, sum))
 *         log_warnx("... failed%s: Connection refused", sum);      " count=57 for=12m", or ""
 *     ...
 *     if (log_repeat_end(&repeat, now_ms, sum))
 *         log_info("... works again%s", sum);
 *
 * Told are the first, each reason that is new (of a few), and then a sum after a minute, two, four, up to an
 * hour. What comes within LOG_REPEAT_QUIET_MS of an end goes on where that was, so that what flaps is summed
 * up as well. Failures without an end, those of unauthenticated clients, are kept by who they are of: log_repeats.
 *
 * Pure. Thread: the owner's.
 */
#ifndef RELAY_BASE_LOG_REPEAT_H
#define RELAY_BASE_LOG_REPEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/base/check.h"

enum {
    LOG_REPEAT_REASONS = 16,
    LOG_REPEAT_SUM_MAX = 64,
    LOG_REPEAT_FIRST_MS = 60 * 1000,
    LOG_REPEAT_PAUSE_MS_MAX = 60 * 60 * 1000,
    LOG_REPEAT_QUIET_MS = 10 * 1000,
    LOG_REPEAT_KEY_MAX = 96,
    LOG_REPEATS_PLACES = 32,
    LOG_REPEAT_OVER_MS = 10 * 60 * 1000, /* without one more it is over */
};

/* All zeros: nothing has failed. */
struct log_repeat {
    uint64_t count; /* since it began; 0: it has not */
    int64_t begun_ms;
    int64_t last_ms;
    int64_t due_ms;   /* the next sum */
    int64_t pause_ms; /* before it */
    int64_t ended_ms; /* 0: it goes on */
    bool is_told;     /* and its end is still to be told */
    unsigned reasons; /* how many were told; the places below are used in turn */
    uint32_t reason[LOG_REPEAT_REASONS];
};

/* One more. True: it is to be told, with `sum` behind what failed. */
MUST_CHECK bool log_repeat_note(struct log_repeat *repeat, const char *reason, int64_t now_ms,
                                char sum[LOG_REPEAT_SUM_MAX]);

/* It works. True: that is news, with `sum` behind it. */
MUST_CHECK bool log_repeat_end(struct log_repeat *repeat, int64_t now_ms,
                               char sum[LOG_REPEAT_SUM_MAX]);

/* Has it failed and not worked since? */
bool log_repeat_goes_on(const struct log_repeat *repeat);

/* Those of many: of addresses, mostly. Where there are more at a time than places, the rest is summed up
 * as one, so that a crowd cannot make the log long. */
struct log_repeats {
    struct log_repeat_place {
        char key[LOG_REPEAT_KEY_MAX]; /* "": free */
        struct log_repeat repeat;
    } place[LOG_REPEATS_PLACES];
    struct log_repeat others;
};

/* As log_repeat_note, for one of `key`; `sum` says " others=yes" where the places are taken. */
MUST_CHECK bool log_repeats_note(struct log_repeats *repeats, const char *key, const char *reason,
                                 int64_t now_ms, char sum[LOG_REPEAT_SUM_MAX]);

/* One that has been quiet for LOG_REPEAT_OVER_MS and had not been told whole: its key and its sum. False:
 * there is none. Ask until it says so. */
MUST_CHECK bool log_repeats_take_over(struct log_repeats *repeats, int64_t now_ms,
                                      char key[LOG_REPEAT_KEY_MAX], char sum[LOG_REPEAT_SUM_MAX]);

#endif
