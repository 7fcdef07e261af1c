/* SPDX-License-Identifier: MIT
 *
 * When the next attempt is, and at whom.
 *
 *   - A server that was streaming is tried again, after a backoff.
 *   - After one that was of no use the next candidate is tried at once. When all were of no use, the next round
 *     begins after a backoff.
 *   - A candidate whose full sync failed is left out for a time that doubles with each failure.
 *   - A full sync that failed because the disk had no room for the RDB is not asked for again before there is
 *     room, since each attempt costs the primary a fork. Other candidates may be asked. REPLICAOF ends the wait.
 *
 * The times stand in backoff.h.
 */
#include "link_private.h"

#include <inttypes.h>
#include <stdio.h>

#include "backoff.h"
#include "relay/base/clock.h"
#include "relay/base/log.h"
#include "relay/base/text.h"
#include "relay/net/loop.h"
#include "relay/os/random.h"
#include "relay/store/store.h"

enum {
    LOOK_FOR_ROOM_MS = 1000,
    /* Long beside a handshake over a far link, so that the two of a pair seldom turn to the primary at once. */
    YIELD_MS_MIN = 500,
    YIELD_MS_MAX = 5000,
    /* For each answer in the handshake, where there are other candidates. */
    CHOICE_ANSWER_MS = 10 * 1000,
};

void link_note_full_failure(struct link *link)
{
    struct candidate *candidate = candidates_current_row(&link->candidates);
    candidate->full_failures++;
    bool forks = !link->server_conn.handshake.info.is_relay;
    int64_t pause_ms = backoff_ms(forks ? backoff_full_sync : backoff_full_sync_of_relay,
                                  candidate->full_failures);
    candidates_note_full_failure(&link->candidates, clock_ms(), pause_ms);
    bool is_news = (candidate->full_failures & (candidate->full_failures - 1)) == 0; /* 1, 2, 4 */
    log_at(is_news ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG,
           "upstream: full syncs with %s:%" PRIu16 " that came to nothing in a row: %u; %sthe next "
           "attempt at it is in %.1f s (REPLICAOF and a restart end the wait)",
           link_primary(link)->host, link_primary(link)->port, candidate->full_failures,
           forks ? "since each costs it a fork, " : "", (double)pause_ms / 1000);
}

/* Until the next attempt: at the same server, or at the first candidate that may be asked. */
static int64_t retry_delay_ms(struct link *link, bool stays)
{
    int64_t now_ms = clock_ms();
    link->failures++;
    int64_t pause = backoff_ms(backoff_link, link->failures);
    int64_t full_pause =
        stays ? candidates_current_row(&link->candidates)->full_not_before_ms - now_ms
              : candidates_skip_backing_off(&link->candidates, now_ms);
    return full_pause > pause ? full_pause : pause;
}

int64_t link_next_attempt_ms(struct link *link, bool stays, bool *ends_round)
{
    struct candidates_rule rule = link_rule(link);
    rule.yield_ms = YIELD_MS_MIN + (int64_t)random_below(YIELD_MS_MAX - YIELD_MS_MIN + 1);
    uint32_t hanging = connect_race_hanging(&link->race);
    *ends_round = stays || candidates_pass(&link->candidates, &rule, hanging, clock_ms()) ==
                               CANDIDATES_BACKOFF;
    int64_t delay_ms = *ends_round ? retry_delay_ms(link, stays) : 0;
    if (stays)
        candidates_begin_round(&link->candidates);
    return delay_ms;
}

static void tell_no_space(struct link *link, const char *why)
{
    char sum[LOG_REPEAT_SUM_MAX];
    const struct primary_address *primary = link_primary(link);
    snprintf(link->last_error, sizeof(link->last_error), "room: %s", why);
    if (log_repeat_note(&link->trouble, "no room for the RDB", clock_ms(), sum))
        log_warnx("upstream: %s:%" PRIu16 " is not asked for an RDB until there is room%s: %s",
                  primary->host, primary->port, sum, why);
}

bool link_waits_for_room(struct link *link)
{
    const struct candidate *row = candidates_current_row(&link->candidates);
    struct text why;
    text_init(&why, LINK_WHY_MAX);
    bool waits = row->full_failures > 0 && !store_expects_space(link->store, false, &why);
    if (waits) {
        tell_no_space(link, text_string(&why));
        candidates_note_full_failure(&link->candidates, clock_ms(), LOOK_FOR_ROOM_MS);
        int64_t pause_ms = candidates_skip_backing_off(&link->candidates, clock_ms());
        bool is_other = candidates_current_row(&link->candidates) != row;
        timer_arm(link->timer, is_other ? pause_ms : LOOK_FOR_ROOM_MS);
    }
    text_fini(&why);
    return waits;
}

int64_t link_silence_ms_max(const struct link *link)
{
    bool is_asked = link_state(link) == LINK_CONNECTING || link_state(link) == LINK_HANDSHAKE;
    int64_t limit_ms = link->options.timeout_ms;
    if (is_asked && candidates_have_choice(&link->candidates) && limit_ms > CHOICE_ANSWER_MS)
        limit_ms = CHOICE_ANSWER_MS;
    return limit_ms;
}
