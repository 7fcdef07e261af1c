/* SPDX-License-Identifier: MIT
 *
 * How far something is that takes long: a full sync, the proof of what a start has found. Its owner notes once a
 * second how much is done; it tells the rate of the last seconds, what is left, and every ten seconds whether a line
 * in the log is due.
 *
 *     progress_meter_begin(&progress, clock_ms(), 0);
 *     progress_meter_expect(&progress, length, false);          or an estimate, or nothing
 *     once a second:
 *         progress_meter_note(&progress, clock_ms(), bytes);
 *         if (progress_meter_take_log_turn(&progress, clock_ms()))
 *             log_info(...)
 *     progress_meter_end(&progress);
 *
 * Pure. Thread: the owner's.
 */
#ifndef RELAY_BASE_PROGRESS_METER_H
#define RELAY_BASE_PROGRESS_METER_H

#include <stdbool.h>
#include <stdint.h>

#include "relay/base/report.h"
#include "relay/base/text.h"

enum {
    PROGRESS_LOG_MS = 10 * 1000,
    PROGRESS_SMOOTH_MS = 5 * 1000, /* the rate is that of about so long */
    PROGRESS_SAMPLE_MS = 500,      /* shorter times are too short to tell a rate */
};

/* All zeros: nothing is under way. */
struct progress_meter {
    int64_t began_ms; /* 0: nothing is under way */
    uint64_t from;    /* was done before it began */
    uint64_t bytes;
    uint64_t total;   /* 0: not known */
    bool is_estimate; /* the total is */
    double rate;      /* bytes a second; < 0: not known yet */
    int64_t sampled_ms;
    uint64_t sampled_bytes;
    int64_t logged_ms;
};

/* How it is told. All zeros: nothing is under way. */
struct progress_view {
    bool is_active;
    uint64_t bytes;
    uint64_t total; /* 0: not known; also when an estimate has proved too small */
    bool is_estimate;
    double percent;   /* -1: not known */
    uint64_t rate;    /* bytes a second, of the last seconds */
    int64_t left_ms;  /* -1: not known */
    int64_t taken_ms; /* since it began */
};

/* `from`: so much was done before, and belongs to the total, but not to the rate. */
void progress_meter_begin(struct progress_meter *progress, int64_t now_ms, uint64_t from);
void progress_meter_end(struct progress_meter *progress);

/* How much it will be; 0: nothing is known. An estimate does not replace what is known. */
void progress_meter_expect(struct progress_meter *progress, uint64_t total, bool is_estimate);

/* So much is done by now. Where nothing is under way, has no effect. */
void progress_meter_note(struct progress_meter *progress, int64_t now_ms, uint64_t bytes);

/* Is a line in the log due? The first is after ten seconds, so what is quick has none. If so, the next one is due ten
 * seconds later. */
bool progress_meter_take_log_turn(struct progress_meter *progress, int64_t now_ms);

struct progress_view progress_meter_view(const struct progress_meter *progress, int64_t now_ms);

/* "bytes=..., total=..., estimated=yes, percent=..., rate=..., left=..." with `separator` between, as in a line of INFO
 * (',') or of the log (' '). What is not known is -1. Whole bytes and seconds. */
void progress_view_format(const struct progress_view *view, char separator, struct text *out);

/* A field of INFO with that; none where nothing is under way. */
void progress_view_report(const struct progress_view *view, const char *name,
                          struct report *report);

#endif
