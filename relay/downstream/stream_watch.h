/* SPDX-License-Identifier: MIT
 *
 * Does the stream fit the way to a replica? Compared once a second is what is published with what the replica has
 * acknowledged, which is all that its link and it have managed. Over each quarter of `repl-stream-rate-warning` the least
 * lag counts, so that it does not matter when in a second a replica acknowledges. The verdict changes when four
 * quarters in a row say the same:
 *
 *     fits --- each has a larger lag than the one before, four times ---> short --- has not, four times ---> fits
 *
 * So a burst, a fork or a slow moment changes nothing, and a rate that is about what the link can do does not make it
 * flicker. A lag that grows by less than a fiftieth of what is published has not grown. One that acknowledges nothing
 * new in a quarter is not short but silent, which is told elsewhere.
 *
 * Pure. Thread: the owner's.
 */
#ifndef RELAY_DOWNSTREAM_STREAM_WATCH_H
#define RELAY_DOWNSTREAM_STREAM_WATCH_H

#include <stdbool.h>
#include <stdint.h>

enum {
    STREAM_WATCH_QUARTERS = 4,
    STREAM_WATCH_NOISE_PART = 50, /* it grows by more than this part of what is published, */
    STREAM_WATCH_NOISE_BYTES = 64 * 1024, /* and by more than so much */
};

/* All zeros: nothing was looked at. */
struct stream_watch {
    int64_t began_ms; /* of the quarter; 0: there is none yet */
    uint64_t published;
    uint64_t acknowledged; /* both when it began */
    uint64_t lag_least;    /* in it so far */
    uint64_t lag_before;   /* the least in the quarter before */
    bool has_before;
    unsigned grown;     /* quarters in a row in which the lag has grown, */
    unsigned not_grown; /* and has not */
    bool is_short;
    uint64_t published_rate; /* bytes a second, in the last quarter */
    uint64_t acknowledged_rate;
};

/* Each second, of a replica that is online. `window_ms` > 0. True: the verdict has changed. */
bool stream_watch_note(struct stream_watch *watch, int64_t now_ms, int64_t window_ms,
                       uint64_t published, uint64_t acknowledged);

/* Bytes a second by which the way is too small; 0: the stream fits. */
uint64_t stream_watch_missing(const struct stream_watch *watch);

/* It is not online any more, or nobody wants to know. */
void stream_watch_reset(struct stream_watch *watch);

#endif
