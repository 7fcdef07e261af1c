/* SPDX-License-Identifier: MIT
 *
 * When the primary may be asked for another RDB on a connection of its own. Each may cost it a fork, so:
 *
 *   - where nobody waits for it, not before `snapshot-min-interval` after the end of the last one that the primary
 *     may have forked for, whatever came of that one, and over restarts (refresh_note.h);
 *   - where a replica waits, not before as much time has gone by as the last one took, so that the primary spends
 *     no more than half of its time on them;
 *   - after failures, not before a pause that grows with each of them, counted from the end of the last.
 *
 * Pure. Owner: the refresh.
 */
#ifndef RELAY_UPSTREAM_REFRESH_PACE_H
#define RELAY_UPSTREAM_REFRESH_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum refresh_end {
    REFRESH_GOOD,      /* an RDB is there, and can be served */
    REFRESH_FAILED,    /* or it came to nothing */
    REFRESH_REFUSED,   /* the primary said no before it did anything */
    REFRESH_BROKEN,    /* it has come further, and the rest can be asked for: no fork, no failure */
    REFRESH_CANCELLED, /* nobody is to blame */
};

struct refresh_pace {
    bool has_asked;    /* at any time */
    int64_t asked_ms;  /* when an RDB was asked for last; once that has ended, when it ended */
    bool is_asking;    /* one has been asked for and has not ended */
    bool had_asked;    /* has_asked before that one */
    int64_t before_ms; /* asked_ms before it */
    int64_t took_ms;   /* from asking to the end, of the last one that was asked for */
    unsigned failures; /* since one was good */
    int64_t ended_ms;  /* of the last attempt, asked for or not */
    int64_t pause_ms;  /* after that */
};

/* The last one was asked for, or ended, so long ago, by a process before this. */
void refresh_pace_recall(struct refresh_pace *pace, int64_t now_ms, int64_t age_ms);

/* PSYNC is about to be sent. */
void refresh_pace_ask(struct refresh_pace *pace, int64_t now_ms);

/* The attempt has ended. `forks`: the other side is a server, and not a relay, that serves from its disk. */
void refresh_pace_end(struct refresh_pace *pace, int64_t now_ms, enum refresh_end end, bool forks);

/* From when on the next may begin; in the past, or 0: now. */
int64_t refresh_pace_next_ms(const struct refresh_pace *pace, bool somebody_waits,
                             int64_t interval_ms);

#endif
