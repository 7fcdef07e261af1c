/* SPDX-License-Identifier: MIT */
#include "cut_off.h"

#include <inttypes.h>
#include <stdio.h>

#include "relay/base/check.h"

enum { SIZE_MAX_WORDS = 32, MARGIN = 2 };

#define MEBIBYTE ((uint64_t)1 << 20)

static const char *size_words(uint64_t bytes, char out[SIZE_MAX_WORDS])
{
    if (bytes < MEBIBYTE)
        snprintf(out, SIZE_MAX_WORDS, "%.1f KB", (double)bytes / 1024);
    else
        snprintf(out, SIZE_MAX_WORDS, "%.1f MB", (double)bytes / (double)MEBIBYTE);
    return out;
}

static double seconds_of(const struct cut_off *cut)
{
    return (double)(cut->ended_ms - cut->began_ms) / 1000;
}

static void add_progress(const struct cut_off *cut, struct text *out)
{
    char received[SIZE_MAX_WORDS];
    char total[SIZE_MAX_WORDS];
    size_words(cut->received, received);
    if (cut->phase == CUT_OFF_BEFORE_RDB)
        text_format(out, "before the RDB began (%.1f s)", seconds_of(cut));
    else if (cut->phase == CUT_OFF_BEFORE_STREAM)
        text_format(out, "behind the RDB of %s, before the stream", received);
    else if (cut->total > 0)
        text_format(out, "after %s of %s of the RDB (%.1f s)", received,
                    size_words(cut->total, total), seconds_of(cut));
    else
        text_format(out, "after %s of the RDB (%.1f s)", received, seconds_of(cut));
}

void cut_off_causes(const struct cut_off *cut, bool has_stream, struct text *out)
{
    text_append_string(out, " ");
    add_progress(cut, out);
    if (cut->is_relay)
        text_append_string(out, ": the network, or the relay that is followed: its log says so");
    else if (cut->phase == CUT_OFF_BEFORE_RDB)
        text_append_string(out,
                           ": it could not fork, or its child could not write the RDB: its log "
                           "says why (memory, disk)");
    else if (cut->phase == CUT_OFF_BEFORE_STREAM)
        text_append_string(out, ": most likely what was written meanwhile exceeded its "
                                "client-output-buffer-limit for replicas: its log says so");
    else if (has_stream)
        text_append_string(out,
                           ": its child could not write the RDB, or what was written meanwhile "
                           "exceeded its client-output-buffer-limit for replicas: its log says "
                           "which");
    else
        text_append_string(out,
                           ": its child could not write the RDB: its log says why (memory, disk, "
                           "data that this version of the RDB cannot hold)");
}

/* ------------------------------------------------------------------ judged afterwards */

struct measure {
    bool has_rate;
    double rate;    /* bytes of the stream a second */
    double written; /* until it was cut off */
    double needed;  /* for all of the RDB, as far as is known how large it is */
};

static struct measure measure_of(const struct cut_off *cut, const struct primary_info *info,
                                 int64_t now_ms)
{
    struct measure measure = {.has_rate = info->has_role && info->offset >= cut->x &&
                                          now_ms > cut->began_ms};
    if (!measure.has_rate)
        return measure;
    measure.rate = (double)(info->offset - cut->x) * 1000 / (double)(now_ms - cut->began_ms);
    measure.written = measure.rate * seconds_of(cut);
    /* Where the primary does not tell how long the RDB is, it is taken to be as large as its data. */
    uint64_t total = cut->total > 0 ? cut->total : info->dataset_bytes;
    bool is_known = total > cut->received && cut->received > 0;
    measure.needed = measure.written * (is_known ? (double)total / (double)cut->received : 1);
    return measure;
}

enum guilt { GUILT_LIMIT, GUILT_OTHER, GUILT_UNKNOWN };

/* What was written is known from rate and time alone: near the limit is over it. */
static bool is_near(double written, uint64_t limit)
{
    return limit > 0 && written >= 0.7 * (double)limit;
}

/* A counter of the primary decides, where it has one and we know what it was before. Else what
 * was written is compared with the limit. */
static enum guilt guilt_of(const struct cut_off *cut, const struct primary_info *info,
                           const uint64_t *disconnections, const struct measure *measure)
{
    const struct primary_output_limit *limit = &info->output_limit;
    if (info->has_disconnections && info->disconnections == 0)
        return GUILT_OTHER;
    if (info->has_disconnections && disconnections != NULL)
        return info->disconnections > *disconnections ? GUILT_LIMIT : GUILT_OTHER;
    if (!limit->is_known || !measure->has_rate)
        return GUILT_UNKNOWN;
    if (limit->hard == 0 && limit->soft == 0)
        return GUILT_OTHER;
    bool is_soft =
        is_near(measure->written, limit->soft) && seconds_of(cut) >= (double)limit->soft_seconds;
    if (is_near(measure->written, limit->hard) || is_soft)
        return GUILT_LIMIT;
    return info->has_disconnections ? GUILT_UNKNOWN : GUILT_OTHER;
}

static void tell_limit(const struct primary_output_limit *limit, struct text *what)
{
    char hard[SIZE_MAX_WORDS];
    char soft[SIZE_MAX_WORDS];
    if (!limit->is_known)
        return;
    if (limit->hard == 0 && limit->soft == 0)
        text_append_string(what, " The primary has no client-output-buffer-limit for replicas.");
    else
        text_format(
            what,
            " The primary's client-output-buffer-limit for replicas is %s, or %s for %" PRIu64
            " s (0: none).",
            size_words(limit->hard, hard), size_words(limit->soft, soft), limit->soft_seconds);
}

static void tell_what(const struct cut_off *cut, const struct primary_info *info,
                      const struct measure *measure, struct text *what)
{
    char written[SIZE_MAX_WORDS];
    char rate[SIZE_MAX_WORDS];
    text_append_string(what, "The primary closed the connection in a full sync, ");
    add_progress(cut, what);
    text_append_string(what, ".");
    if (measure->has_rate)
        text_format(what, " About %s of the stream were written meanwhile (%s/s).",
                    size_words((uint64_t)measure->written, written),
                    size_words((uint64_t)measure->rate, rate));
    tell_limit(&info->output_limit, what);
}

static void advise_limit(const struct measure *measure, struct text *advice)
{
    text_append_string(advice, "That limit ended it.");
    if (!measure->has_rate) {
        text_append_string(advice, " Raise it at the primary.");
        return;
    }
    uint64_t value = ((uint64_t)measure->needed * MARGIN / MEBIBYTE + 1) * MEBIBYTE;
    char needed[SIZE_MAX_WORDS];
    text_format(advice,
                " This RDB at this rate needs at least %s. At the primary: CONFIG SET "
                "client-output-buffer-limit \"replica %" PRIu64 " %" PRIu64 " 60\"",
                size_words((uint64_t)measure->needed, needed), value, value);
}

bool cut_off_judge(const struct cut_off *cut, const struct primary_info *info,
                   const uint64_t *disconnections, int64_t now_ms, struct text *what,
                   struct text *advice)
{
    struct measure measure = measure_of(cut, info, now_ms);
    tell_what(cut, info, &measure, what);
    switch (guilt_of(cut, info, disconnections, &measure)) {
    case GUILT_LIMIT:
        advise_limit(&measure, advice);
        return true;
    case GUILT_OTHER:
        text_append_string(advice,
                           "It was not that limit: its child could not write the RDB, or "
                           "somebody closed the connection. The primary's log says why: memory, "
                           "disk, or data that this version of the RDB cannot hold (see "
                           "announce-version).");
        return false;
    case GUILT_UNKNOWN:
        text_format(
            advice,
            "The primary's log says whether its child could not write the RDB, or its "
            "client-output-buffer-limit for replicas was exceeded%s.",
            info->output_limit.is_known
                ? ""
                : "; the relay's user may not read that limit (ACL SETUSER ... +config|get)");
        return false;
    }
    UNREACHABLE("no such guilt");
}
