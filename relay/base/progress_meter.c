/* SPDX-License-Identifier: MIT */
#include "relay/base/progress_meter.h"

#include <inttypes.h>

enum { FIELD_MAX = 256 };

void progress_meter_begin(struct progress_meter *progress, int64_t now_ms, uint64_t from)
{
    *progress = (struct progress_meter){.began_ms = now_ms,
                                        .from = from,
                                        .bytes = from,
                                        .rate = -1,
                                        .sampled_ms = now_ms,
                                        .sampled_bytes = from,
                                        .logged_ms = now_ms};
}

void progress_meter_end(struct progress_meter *progress)
{
    *progress = (struct progress_meter){.began_ms = 0};
}

void progress_meter_expect(struct progress_meter *progress, uint64_t total, bool is_estimate)
{
    bool is_known = progress->total != 0 && !progress->is_estimate;
    if (total == 0 || (is_estimate && is_known))
        return;
    progress->total = total;
    progress->is_estimate = is_estimate;
}

/* An average in which each sample has the weight of the time that it is about. */
static void progress_sample(struct progress_meter *progress, int64_t now_ms)
{
    int64_t ms = now_ms - progress->sampled_ms;
    if (ms < PROGRESS_SAMPLE_MS)
        return;
    uint64_t more = progress->bytes - progress->sampled_bytes;
    double sample = (double)more * 1000 / (double)ms;
    double weight = (double)ms / (double)(ms + PROGRESS_SMOOTH_MS);
    progress->rate =
        progress->rate < 0 ? sample : progress->rate + (sample - progress->rate) * weight;
    progress->sampled_ms = now_ms;
    progress->sampled_bytes = progress->bytes;
}

void progress_meter_note(struct progress_meter *progress, int64_t now_ms, uint64_t bytes)
{
    if (progress->began_ms == 0 || bytes < progress->bytes)
        return;
    progress->bytes = bytes;
    progress_sample(progress, now_ms);
}

bool progress_meter_take_log_turn(struct progress_meter *progress, int64_t now_ms)
{
    if (progress->began_ms == 0 || now_ms - progress->logged_ms < PROGRESS_LOG_MS)
        return false;
    progress->logged_ms = now_ms;
    return true;
}

/* What has gone beyond an estimate says that it was none. */
static uint64_t expected_total(const struct progress_meter *progress)
{
    return progress->is_estimate && progress->bytes >= progress->total ? 0 : progress->total;
}

/* The average from the beginning on stands for a rate that nothing was sampled for. */
static double current_rate(const struct progress_meter *progress, int64_t now_ms)
{
    int64_t ms = now_ms - progress->began_ms;
    if (progress->rate >= 0)
        return progress->rate;
    return ms > 0 ? (double)(progress->bytes - progress->from) * 1000 / (double)ms : 0;
}

struct progress_view progress_meter_view(const struct progress_meter *progress, int64_t now_ms)
{
    if (progress->began_ms == 0)
        return (struct progress_view){.is_active = false};
    uint64_t total = expected_total(progress);
    double rate = current_rate(progress, now_ms);
    struct progress_view view = {
        .is_active = true,
        .bytes = progress->bytes,
        .total = total,
        .is_estimate = total != 0 && progress->is_estimate,
        .percent = total != 0 ? (double)progress->bytes * 100 / (double)total : -1,
        .rate = (uint64_t)rate,
        .left_ms = -1,
        .taken_ms = now_ms - progress->began_ms,
    };
    if (total != 0 && progress->bytes >= total)
        view.left_ms = 0;
    else if (total != 0 && rate >= 1)
        view.left_ms = (int64_t)((double)(total - progress->bytes) * 1000 / rate);
    return view;
}

void progress_view_format(const struct progress_view *view, char separator, struct text *out)
{
    text_format(out, "bytes=%" PRIu64 "%c", view->bytes, separator);
    if (view->total != 0)
        text_format(out, "total=%" PRIu64 "%c", view->total, separator);
    else
        text_format(out, "total=-1%c", separator);
    text_format(out, "estimated=%s%cpercent=", view->is_estimate ? "yes" : "no", separator);
    if (view->percent >= 0)
        text_format(out, "%.2f", view->percent);
    else
        text_append_string(out, "-1");
    text_format(out, "%crate=%" PRIu64 "%cleft=%" PRId64, separator, view->rate, separator,
                view->left_ms < 0 ? -1 : (view->left_ms + 999) / 1000);
}

void progress_view_report(const struct progress_view *view, const char *name, struct report *report)
{
    if (!view->is_active)
        return;
    struct text value;
    text_init(&value, FIELD_MAX);
    progress_view_format(view, ',', &value);
    report_text(report, name, "%s", text_string(&value));
    text_fini(&value);
}
